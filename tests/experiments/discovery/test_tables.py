"""Lesson 15's tables from runs whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from wwlib.experiments.discovery.runs import CASES, SEARCHED
from wwlib.experiments.discovery.tables import (
    baseline_table,
    case_table,
    criteria_table,
    discovery_values,
    paper_table,
    part_table,
    search_table,
)


def run(case: str, seed: int) -> dict:
    """A run that meets every criterion where it is to be met, but for the number of slots."""
    slot = dict(inside=0.95, near=1.0, inside_part=0.85, near_part=0.97)
    miou = {"no background, no area": 0.05, "warped": 0.7}.get(case, 0.8 + 0.02 * seed)
    scores = dict(miou=miou, optimistic=miou + 0.01, foreground_slots=5 + seed, transfer=26.0, copied=15.0, colours=0.0,
                  pose=0.9, ious=dict(head=0.9, torso=miou - 0.1), repainted={"1": slot, "3": dict(slot, inside=0.75)},
                  )  # fmt: skip
    if case.startswith("textured"):
        scores["texture"] = 0.3 + 0.1 * seed
    return dict(case=case, seed=seed, scores=scores)


BASELINES = dict(static=0.1, static_tuned=0.27, place=0.3, place_weight=0.5, oracle=0.6, oracle_weight=0.1)
RECORD = dict(runs=[run(case, seed) for case in [*CASES, *SEARCHED] for seed in (0, 1)]
              + [dict(case="baselines", seed=0, scores=BASELINES),
                 dict(case="baselines, textured", seed=0, scores=BASELINES | dict(place=0.2))])  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("miou", [0.8, 0.82]),
        ("worst part", [0.7, 0.72]),
        ("flattery", [0.01, 0.01]),
        ("over copying", [11.0, 11.0]),
        ("inside", [0.85, 0.85]),
        ("inside_part", [0.85, 0.85]),
    ],
)
def test_measures_are_differences_the_worst_part_and_means_over_slots(measure, expected):
    np.testing.assert_allclose(discovery_values(RECORD, "full", measure), expected)


def test_a_model_with_no_slot_to_repaint_changes_nothing_inside():
    empty = run("full", 0)
    empty["scores"]["repainted"] = {}
    assert discovery_values(dict(runs=[empty]), "full", "inside") == 0


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match=r"measure must be one of .* got 'iou'"):
        discovery_values(RECORD, "full", "iou")


def test_every_criterion_has_a_line_and_the_one_that_is_missed_is_counted():
    rows = criteria_table(RECORD).rows
    assert len(rows) == 12
    met = {row[0]: row[-1] for row in rows}
    assert met.pop("slots that are foreground") == "1 of 2"
    assert met.pop("every case: colours read from the shape code, R²") == f"{2 * len(CASES)} of {2 * len(CASES)}"
    assert set(met.values()) == {"2 of 2"}


def test_every_case_has_a_line():
    assert [row[0] for row in case_table(RECORD).rows] == list(CASES)
    assert case_table(RECORD).rows[0][1] == "0.810 (0.800 to 0.820)"
    assert [row[0] for row in part_table(RECORD).rows] == list(CASES)
    searched = {row[0]: row[-1] for row in search_table(RECORD).rows}
    assert list(searched) == ["full", "no critic, no KL", "warped, area grows", *SEARCHED]
    assert searched["textured"] == "0.35 (0.30 to 0.40)"
    assert searched["wide code"] == "–"


def test_baselines_stand_beside_both_protocols_on_both_backgrounds():
    plain, textured = ([row[k] for row in baseline_table(RECORD).rows] for k in (1, 2))
    assert plain[:4] == ["0.100", "0.270", "0.300", "0.600"]
    assert textured[:4] == ["0.100", "0.270", "0.200", "0.600"]
    assert plain[4:] == textured[4:] == ["0.810 (0.800 to 0.820)", "0.820 (0.810 to 0.830)"]


def test_the_papers_numbers_stand_beside_ours_and_it_does_not_win_everywhere():
    rows = {row[0]: row[1:] for row in paper_table(RECORD).rows}
    best = {name: max(values) for name, values in rows.items() if name.startswith("paper")}
    assert [name for name, value in best.items() if rows[name][-1] != value] == ["paper: Exercise"]
    assert rows["ours: puppets, pairs of poses"][-1] == "0.810 (0.800 to 0.820)"
