"""UDR: copies agree, rotations do not, unused codes do not count."""

import numpy as np
import pytest
import torch

from wwlib.metrics.udr import relative_strength, udr


def codes(n=4000, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_a_permuted_and_mirrored_copy_scores_nine_tenths_by_lasso():
    z = codes()
    copy = z[:, [3, 1, 4, 0, 2]] * [1, -1, 1, -1, 1]
    assert udr([z, copy]) == pytest.approx([0.9, 0.9], abs=0.005)


def test_spearman_forgives_a_bent_axis_that_lasso_does_not():
    z = codes()
    bent = np.tanh(2 * z)
    assert udr([z, bent], method="spearman").min() > 0.9
    assert udr([z, bent]).max() < 0.89


def test_a_rotation_agrees_with_nothing():
    z = codes()
    turn = np.linalg.qr(codes(5, 5, 1))[0]
    for method in ("lasso", "spearman"):
        assert udr([z, z @ turn], method=method).max() < 0.6


def test_codes_that_say_nothing_do_not_count():
    z = codes()
    noisy = z.copy()
    noisy[:, 4] = codes(seed=3)[:, 4]
    used = np.array([1, 1, 1, 1, 0.001])
    assert udr([z, noisy], [used, used]) == pytest.approx([0.9, 0.9], abs=0.005)
    assert udr([z, noisy]).max() < 0.85
    nothing = np.zeros(5)
    assert udr([z, noisy], [nothing, nothing]).tolist() == [0, 0]


def test_the_score_is_the_median_over_the_others():
    z = codes()
    scores = udr([z, z, z, codes(seed=8)])
    assert scores[:3] == pytest.approx([0.9] * 3, abs=0.005)
    assert scores[3] < 0.2


def test_relative_strength_of_known_tables():
    assert relative_strength(np.eye(4)) == 1
    assert relative_strength(np.ones((4, 4))) == pytest.approx(1 / 4)
    assert relative_strength(np.zeros((3, 3))) == 0


def test_tensors_that_learn_and_half_precision_are_codes_too():
    z = torch.from_numpy(codes()).requires_grad_()
    assert udr([z, z.bfloat16()], [torch.ones(5, requires_grad=True)] * 2) == pytest.approx([0.9, 0.9], abs=0.01)


def test_what_cannot_be_compared_is_an_error():
    with pytest.raises(ValueError, match="at least 2"):
        udr([codes()])
    with pytest.raises(ValueError, match="one shape"):
        udr([codes(), codes(d=4)])
    with pytest.raises(ValueError, match="method"):
        udr([codes(), codes()], method="astrology")
    with pytest.raises(ValueError, match="finite"):
        udr([codes(), codes() * np.nan])
