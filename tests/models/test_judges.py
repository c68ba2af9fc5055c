"""Judges: learn known factors, and a distance of features with a known answer."""

import numpy as np
import pytest
import scipy.linalg
import torch

from wwlib.datasets.glyphs import Glyphs
from wwlib.metrics.frechet import frechet_distance
from wwlib.models.judges import new_judge, train_judge


def test_a_judge_learns_hues_within_seconds(generator):
    data = Glyphs()
    judge = train_judge(new_judge((10, 10, 10), 1, features=32, width=8), data, 60, seed=2, rate=5e-3)
    factors = data.sample_factors(300, generator)
    verdict = judge.verdict(data.images(factors))
    assert verdict.shape == (300, 3)
    assert (verdict[:, 2] == factors[:, 2]).float().mean() > 0.5
    assert not any(weight.requires_grad for weight in judge.parameters())


def test_the_seed_decides_a_judges_weights():
    first, again, other = (new_judge((3,), seed).hidden.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_frechet_distance_is_scipys_formula(generator):
    a, b = torch.randn(400, 5, generator=generator), 1 + 2 * torch.randn(300, 5, generator=generator)
    ca, cb = np.cov(a.double().numpy().T), np.cov(b.double().numpy().T)
    root = scipy.linalg.sqrtm(ca @ cb).real
    expected = float((a.mean(0) - b.mean(0)).double().square().sum()) + np.trace(ca + cb - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_the_frechet_distance_of_a_sample_to_itself_is_zero_and_of_a_shift_its_square(generator):
    a = torch.randn(100, 4, generator=generator)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 3) == pytest.approx(36, rel=1e-5)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(a, a[:1])
