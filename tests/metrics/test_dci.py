"""DCI: unit cases of its definition, a perfect and a useless representation, the reference's number."""

import numpy as np
import pytest
import torch

from tests.metrics.test_trees import scikit_learns_trees
from wwlib.metrics.dci import completeness, dci_score, disentanglement


def split(n=900, seed=0, sizes=(3, 4, 5)):
    random = np.random.default_rng(seed)
    factors = np.stack([random.integers(size, size=n) for size in sizes], axis=1)
    codes = factors + random.normal(size=factors.shape) / 100
    half = n * 2 // 3
    return codes[:half], factors[:half], codes[half:], factors[half:]


def test_unit_cases_of_the_definition():
    five = np.eye(5)
    assert disentanglement(five) == pytest.approx(1)
    assert completeness(five) == pytest.approx(1)
    wide, tall = np.concatenate([five, five], axis=1), np.concatenate([five, five])
    spread = 1 - np.log(2) / np.log(10)
    assert disentanglement(wide) == pytest.approx(spread)
    assert completeness(wide) == pytest.approx(1)
    assert disentanglement(tall) == pytest.approx(1)
    assert completeness(tall) == pytest.approx(spread)
    assert disentanglement(np.zeros((3, 3))) == completeness(np.zeros((3, 3))) == 0


@pytest.mark.slow
def test_one_code_a_factor_is_perfect_in_every_part():
    result = dci_score(*split())
    assert result.disentanglement == pytest.approx(1, abs=1e-3)
    assert result.completeness == pytest.approx(1, abs=1e-3)
    assert result.informativeness == 1
    assert result.importances.argmax(axis=0).tolist() == [0, 1, 2]
    assert result.score == result.disentanglement


def test_a_rotation_keeps_the_information_and_loses_the_disentanglement():
    codes, factors, test_codes, test_factors = split(1500)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = dci_score(codes @ turn, factors, test_codes @ turn, test_factors)
    assert turned.disentanglement < 0.6
    assert turned.informativeness > 0.8


def test_noise_tells_nothing():
    _, factors, _, test_factors = split()
    random = np.random.default_rng(2)
    result = dci_score(random.normal(size=(600, 3)), factors, random.normal(size=(300, 3)), test_factors)
    assert result.informativeness < 0.4
    assert result.disentanglement < 0.2


def test_a_factor_that_never_varies_does_not_count_and_tensors_are_welcome():
    codes, factors, test_codes, test_factors = split(600)
    factors, test_factors = factors.copy(), test_factors.copy()
    factors[:, 2] = test_factors[:, 2] = 7
    result = dci_score(*(torch.from_numpy(part) for part in (codes, factors, test_codes, test_factors)))
    assert result.importances[:, 2].tolist() == [0, 0, 0]
    assert result.informativeness == 1


def test_what_cannot_be_scored_is_an_error():
    codes, factors, test_codes, test_factors = split(300)
    with pytest.raises(ValueError, match="finite"):
        dci_score(codes * np.nan, factors, test_codes, test_factors)
    with pytest.raises(ValueError, match="must vary"):
        dci_score(codes, factors * 0, test_codes, test_factors * 0)
    with pytest.raises(ValueError, match="factor 0 has 1 new"):
        dci_score(codes, np.minimum(factors, 1), test_codes, test_factors)


@pytest.mark.slow
def test_the_fixed_points_give_the_references_importances(fixed_points):
    """On 2,000 of the shared points, two factors: scikit-learn's own trees, importance by importance."""
    codes, factors = fixed_points["z_train"][:2000], fixed_points["f_train"][:2000, :2]
    result = dci_score(codes, factors, fixed_points["z_test"][:500], fixed_points["f_test"][:500, :2])
    for k in range(2):
        theirs = scikit_learns_trees().fit(codes, factors[:, k])
        assert np.abs(result.importances[:, k] - theirs.feature_importances_).max() < 1e-6
