"""Lesson 16's tables from runs whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from wwlib.experiments.style.runs import CASES, VARIANTS
from wwlib.experiments.style.tables import (
    OURS,
    baseline_table,
    case_table,
    collusion_table,
    criteria_table,
    leak_table,
    seed_table,
    style_values,
)

FOUND = dict(family=0.9, shape=0.8, hue=0.95, hue_by_family=[0.9, 1.0, 0.95], mean_hue=0.94, angle=1.0)


def run(case: str, seed: int) -> dict:
    """A run that meets every criterion but the last where it is to be met."""
    scores = FOUND | dict(
        variety=0.8, tone=0.03, triplet=0.1, fixpoint=0.05, known=0.98, believed=0.97, drift_photo=0.02 + 0.01 * seed,
        drift_reference=0.5, shape_from_style=[0.3, 0.4], shape_from_drawn=[0.3, 0.2], family_from_style=[1.0, 1.0],
        baselines={"right answer": FOUND, "the photo itself": FOUND | dict(family=0.3)},
    )  # fmt: skip
    if case == "no triplet":
        scores |= dict(hue=0.0, drift_photo=0.2, drift_reference=0.05)
    if case == "no disentanglement":
        scores |= dict(drift_photo=0.06)
    return dict(case=case, seed=seed, scores=scores)


RECORD = dict(runs=[run(case, seed) for case in CASES for seed in (0, 1)] + [run(next(iter(VARIANTS)), 0)])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [("hue", [0.95, 0.95]), ("dots", [1.0, 1.0]), ("drift", [0.04, 0.06]), ("shape_from_style", [0.4, 0.4])],
)
def test_measures_are_scores_quotients_and_the_better_reader(measure, expected):
    np.testing.assert_allclose(style_values(RECORD, "contrast", measure), expected)


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match=r"measure must be one of .* got 'hues'"):
        style_values(RECORD, "contrast", "hues")


def test_every_criterion_has_a_line_and_the_leaks_miss_their_goal():
    rows = {row[0]: row for row in criteria_table(RECORD).rows}
    assert len(rows) == 19
    for case in OURS:
        missed = rows.pop(f"{case}: shapes read from the style code")
        assert missed[1] == "≤ 0.266667"
        assert missed[-1] == "0 of 2"
    assert {row[-1] for row in rows.values()} == {"2 of 2"}


def test_every_seed_of_the_papers_losses_has_a_line():
    assert seed_table(RECORD).rows == [
        ["0", "0.10", "0.020", "0.90", "0.95"],
        ["1", "0.10", "0.030", "0.90", "0.95"],
    ]


def test_a_missed_goal_is_counted():
    record = dict(runs=[run(case, seed) for case in CASES for seed in (0, 1)])
    next(one for one in record["runs"] if one["case"] == "contrast")["scores"]["hue"] = 0.5
    met = {row[0]: row[-1] for row in criteria_table(record).rows}
    assert met["contrast: agreement of hues"] == "1 of 2"


def test_every_case_has_a_line_and_a_remedy_once_it_is_recorded():
    assert [row[0] for row in case_table(RECORD).rows] == [*CASES, next(iter(VARIANTS))]
    assert [row[0] for row in leak_table(RECORD).rows] == [*CASES, next(iter(VARIANTS))]


def test_what_a_model_says_of_itself_stands_beside_what_the_judge_finds():
    table = collusion_table(RECORD)
    line = dict(zip(table.header, table.rows[list(CASES).index("no triplet")], strict=True))
    assert line["hue: its encoder on drawings"].startswith("0.97")
    assert line["hue: the judge on drawings"].startswith("0.00")


def test_cheap_answers_have_a_line_each():
    assert [row[:2] for row in baseline_table(RECORD).rows] == [["right answer", "0.90"], ["the photo itself", "0.30"]]
