"""MIG and modularity: the reference implementation's numbers on fixed points, and cases with a known answer."""

from itertools import product

import numpy as np
import pytest
import torch

from wwlib.metrics.information import binned, entropies, mig_score, modularity_score, mutual_information

GRID = np.array(list(product(range(4), range(5), range(6))))


def test_mig_equals_disentanglement_lib_on_the_fixed_points(fixed_points):
    result = mig_score(fixed_points["z_train"], fixed_points["f_train"])
    assert result.score == pytest.approx(0.21203323099106353, abs=1e-9)
    expected = [0.18042142, 0.37048303, 0.00010880, 0.18033290, 0.32881999]
    assert np.allclose(result.gaps, expected, atol=1e-8)


def test_modularity_equals_disentanglement_lib_on_the_fixed_points(fixed_points):
    result = modularity_score(fixed_points["z_train"], fixed_points["f_train"])
    assert result.score == pytest.approx(0.7987373995933041, abs=1e-9)


def test_bins_are_those_of_numpys_digitize():
    values = np.random.RandomState(0).randn(500, 3)
    slow = [np.digitize(v, np.histogram(v, 20)[1][:-1]) - 1 for v in values.T]
    assert np.array_equal(binned(values, 20), np.stack(slow, axis=1))


def test_information_agrees_with_the_definition_summed_cell_by_cell():
    random = np.random.RandomState(1)
    a, b = random.randint(3, size=400), random.randint(4, size=400)
    b[:200] = a[:200]
    slow = 0.0
    for x, y in product(range(3), range(4)):
        joint = np.mean((a == x) & (b == y))
        if joint:
            slow += joint * np.log(joint / (np.mean(a == x) * np.mean(b == y)))
    assert mutual_information(a[:, None], b[:, None])[0, 0] == pytest.approx(slow, abs=1e-12)
    assert mutual_information(b[:, None], b[:, None])[0, 0] == pytest.approx(entropies(b[:, None])[0], abs=1e-12)


def test_the_oracle_scores_one_and_a_copied_code_costs_its_gap():
    assert mig_score(GRID.astype(float), GRID).score == pytest.approx(1)
    assert modularity_score(GRID.astype(float), GRID).score == pytest.approx(1)
    twice = GRID[:, [0, 1, 2, 2]].astype(float)
    assert mig_score(twice, GRID).gaps[2] == pytest.approx(0)
    assert modularity_score(twice, GRID).score == pytest.approx(1)


def test_a_code_that_informs_about_two_factors_equally_has_modularity_one_half():
    grid = np.array(list(product(range(4), range(4), range(3))))
    result = modularity_score((grid[:, :1] * 4 + grid[:, 1:2]).astype(float), grid, bins=16)
    assert result.codes[0] == pytest.approx(0.5)


def test_constant_codes_inform_about_nothing():
    codes = np.stack([GRID[:, 0], np.zeros(len(GRID))], axis=1).astype(float)
    assert mig_score(codes, GRID).information[1].max() == 0
    assert modularity_score(codes, GRID).codes[1] == 0


def test_a_factor_that_never_varies_does_not_count():
    factors = np.concatenate([GRID, np.full((len(GRID), 1), 7)], axis=1)
    result = mig_score(GRID.astype(float), factors)
    assert np.isnan(result.gaps[3])
    assert result.score == pytest.approx(1)


def test_tensors_and_arrays_give_the_same():
    codes, factors = torch.tensor(GRID, dtype=torch.float32) ** 2, torch.tensor(GRID)
    assert mig_score(codes, factors).score == mig_score(codes.numpy(), factors.numpy()).score


@pytest.mark.parametrize(
    ("codes", "factors", "named"),
    [
        (np.full((120, 2), np.nan), GRID, "codes must be finite"),
        (np.zeros((119, 2)), GRID, "must share N"),
        (np.zeros((120, 1)), GRID, "at least 2 points, 2 codes"),
        (np.zeros((120, 2)), GRID + 0.5, "factors must be whole numbers"),
        (np.zeros((120, 2)), np.zeros((120, 3)), "factors must vary"),
    ],
)
def test_points_that_cannot_be_scored_are_named(codes, factors, named):
    with pytest.raises(ValueError, match=named):
        mig_score(codes, factors)
