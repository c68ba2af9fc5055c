"""SAP: the reference implementation's numbers, and an optimum that is one."""

from itertools import product

import numpy as np
import pytest

from wwlib.metrics.separability import HalfLines, fit_border, sap_score

GRID = np.array(list(product(range(4), range(5), range(6))))


def test_sap_equals_disentanglement_lib_on_the_fixed_points(fixed_points):
    points = [fixed_points[name] for name in ("z_train", "f_train", "z_test", "f_test")]
    assert sap_score(*points).score == pytest.approx(0.076, abs=1e-9)
    assert sap_score(*points, continuous=True).score == pytest.approx(0.3693650937114101, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_border_found_from_running_sums_is_the_optimum_of_the_sum_over_points(seed):
    random = np.random.RandomState(seed)
    x = np.sort(random.randn(300) * 2 + 1)
    y = np.where(random.rand(300) < 1 / (1 + np.exp(-x)), 1, -1) * random.choice([1, -1])
    c = np.where(y > 0, 0.05, 0.01)

    def objective(w, b):
        return (w * w + b * b) / 2 + (c * np.maximum(0, 1 - y * (w * x + b)) ** 2).sum()

    w, b = fit_border(HalfLines(x[y > 0]), HalfLines(x), 0.05, 0.01)
    slack = np.maximum(0, 1 - y * (w * x + b))
    assert w == pytest.approx((2 * c * slack * y * x).sum(), abs=1e-7)
    assert b == pytest.approx((2 * c * slack * y).sum(), abs=1e-7)
    for dw, db in random.randn(20, 2) * 0.1:
        assert objective(w, b) <= objective(w + dw, b + db)


def test_half_lines_sum_what_lies_below_the_limit():
    values = np.sort(np.random.RandomState(0).randn(50))
    lines = HalfLines(values)
    for slope, offset, limit in ((2.0, 0.3, 1.0), (-1.5, 0.2, -1.0), (0.0, 0.5, 1.0), (0.0, 2.0, 1.0)):
        chosen = values[slope * values + offset < limit]
        expected = [len(chosen), chosen.sum(), (chosen**2).sum()]
        assert np.allclose(lines.sums(slope, offset, limit), expected)


def test_a_code_of_its_own_for_each_factor_has_a_gap_and_a_copy_has_none():
    codes = GRID.astype(float)
    assert sap_score(codes, GRID, codes, GRID).gaps.min() > 0.05
    twice = codes[:, [0, 1, 2, 2]]
    assert sap_score(twice, GRID, twice, GRID).gaps[2] == pytest.approx(0)


def test_constant_codes_have_no_correlation():
    codes = np.stack([GRID[:, 0], np.zeros(len(GRID))], axis=1).astype(float)
    result = sap_score(codes, GRID, codes, GRID, continuous=True)
    assert result.accuracies[1].max() == 0
    assert result.gaps[0] == pytest.approx(1)


def test_codes_that_are_not_finite_are_named():
    with pytest.raises(ValueError, match="codes must be finite"):
        sap_score(np.full((120, 2), np.inf), GRID, np.zeros((120, 2)), GRID)
