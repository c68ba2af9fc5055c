"""Lesson 14's tables from runs whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from wwlib.experiments.landmarks.runs import CASES
from wwlib.experiments.landmarks.tables import case_table, criteria_table, landmark_values


def run(case: str, seed: int) -> dict:
    """A run that meets every criterion where it is to be met."""
    part = dict(inside=0.85, near=0.97, size=0.8, inside_true=0.96)
    scores = dict(joints=0.8 + 0.1 * seed, equivariance=0.5, equivariance_still=2.0, recolour=0.2, spread=3.0,
                  rebuilt=24.0, transfer=23.0, copied=15.0, colours=0.0, mean_pose=3.2, foreground=1.8,
                  parts={"head": part, "torso": dict(part, inside=0.75)}, untrained=dict(joints=2.5))  # fmt: skip
    if case.endswith("no equivariance"):
        scores |= dict(joints=2.4, equivariance=2.5)
    if case == "raw maps, no jitter":
        scores |= dict(rebuilt=27.0, transfer=18.0, colours=0.6)
    return dict(case=case, seed=seed, scores=scores)


RECORD = dict(runs=[run(case, seed) for case in CASES for seed in (0, 1)])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("joints", [0.8, 0.9]),
        ("of mean pose", [0.25, 0.28125]),
        ("of untrained", [0.32, 0.36]),
        ("of standing", [0.25, 0.25]),
        ("over copying", [8.0, 8.0]),
        ("gap", [1.0, 1.0]),
        ("inside", [0.8, 0.8]),
        ("covered", [2, 2]),
    ],
)
def test_measures_are_shares_differences_and_means_over_parts(measure, expected):
    np.testing.assert_allclose(landmark_values(RECORD, "full", measure), expected)


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match=r"measure must be one of .* got 'joint'"):
        landmark_values(RECORD, "full", "joint")


def test_every_criterion_has_a_line_and_the_one_that_is_missed_is_counted():
    rows = criteria_table(RECORD).rows
    assert len(rows) == 20
    met = {row[0]: row[-1] for row in rows}
    assert met.pop("parts that a landmark lies on") == "0 of 2"
    assert set(met.values()) == {"2 of 2"}


def test_every_case_has_a_line():
    table = case_table(RECORD)
    assert [row[0] for row in table.rows] == list(CASES)
    assert table.rows[0][1] == "0.85 (0.80 to 0.90)"


def test_a_case_is_worse_than_another_by_seed_also_in_a_record_that_is_half_made():
    """Seed 0 of the full case is missing: its seed 1 has 0.9 px, and 2.4 / 0.9 is not 2.4 / 0.8."""
    some = [run for run in RECORD["runs"] if (run["case"], run["seed"]) != ("full", 0)]
    rows = {row[0]: row for row in criteria_table(dict(runs=some)).rows}
    assert rows["no equivariance: joints, times worse"][2:] == ["2.7 (2.7 to 2.7)", "–", "1 of 1"]
