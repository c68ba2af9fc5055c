"""The tables of portraits' parts from runs whose scores are known, and from the record."""

from __future__ import annotations

import numpy as np
import pytest

from wwlib.base.shelf import named_run, runs_of
from wwlib.experiments.portrait_parts.runs import BASELINES, METHODS, load_record
from wwlib.experiments.portrait_parts.tables import agreement_table, codes_table, overlap_table, overlap_values
from wwlib.experiments.portrait_parts.truth import ORACLE, SCORED


def run(case: str, seed: int) -> dict:
    """A run with two codes."""
    view = dict(hair=0.6, face=0.7 + 0.1 * seed, clothes=0.8)
    slot, region = dict(number=3, change=0.2, next=0.1, mask=0.1), dict(number=1, change=0.5, next=0.4, mask=0.3)
    line = dict(code=12, own=0.6, slot=slot, region=region)
    codes = [line, line | dict(code=11, region=dict(number=2, change=0.7, next=0.4, mask=0.3))]
    return dict(case=case, seed=seed, scores=dict(drawn=view, warped=dict.fromkeys(view, 0.5)), codes=codes)


STATIC = dict(drawn=dict(hair=0.58, face=0.83, clothes=0.87), warped=dict(hair=0.38, face=0.64, clothes=0.52))
RECORD = dict(
    runs=[*(run(case, seed) for case in METHODS for seed in (0, 1)),
          dict(case=BASELINES, seed=0, scores={"static map": STATIC})]
)  # fmt: skip


def test_overlaps_are_means_over_regions_for_every_seed():
    np.testing.assert_allclose(overlap_values(RECORD, "slots", "drawn"), [0.7, 0.7 + 0.1 / 3])
    np.testing.assert_allclose(overlap_values(RECORD, "slots", "drawn", "face"), [0.7, 0.8])
    np.testing.assert_allclose(overlap_values(RECORD, "landmarks", "warped"), [0.5, 0.5])


def test_baselines_stand_below_both_methods():
    table = overlap_table(RECORD)
    assert [row[0] for row in table.rows] == ["landmarks of lesson 14", "slots of lesson 15", "static map"]
    assert table.rows[1][2] == "0.75 (0.70 to 0.80)"
    assert table.rows[2] == ["static map", "0.58", "0.83", "0.87", "0.76", "0.51"]


def test_codes_are_sorted_by_how_well_a_region_fits_and_have_their_names():
    first, second = codes_table(RECORD).rows
    assert first == ["11: skin colour", "0.60", "3: 0.20", "face: 0.70", "0.40", "0.30"]
    assert second[:4] == ["12: hair colour", "0.60", "3: 0.20", "hair: 0.50"]


def test_agreement_is_the_mean_over_codes():
    table = agreement_table(RECORD)
    assert table.rows[0][1:4] == ["0.20 (0.20 to 0.20)", "0.60 (0.60 to 0.60)", "0.40 (0.40 to 0.40)"]


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="case must be one of"):
        overlap_values(RECORD, "static", "drawn")


def test_slots_beat_one_map_for_all_portraits_and_not_clusters_that_the_answer_names():
    """Flat colours make a drawing easy for clusters of colour; landmarks are blobs, and beat the map on moved heads."""
    record = load_record()
    baselines = named_run(record, BASELINES)["scores"]
    mean = lambda name, view: np.mean([baselines[name][view][region] for region in SCORED])  # noqa: E731
    for view in ("drawn", "warped"):
        slots = overlap_values(record, "slots", view)
        assert (slots > mean("static map", view)).all()
        assert (slots < mean(ORACLE, view)).all()
    landmarks = overlap_values(record, "landmarks", "warped")
    assert (landmarks > mean("static map", "warped")).all()
    assert (overlap_values(record, "landmarks", "drawn") < mean("static map", "drawn")).all()


def test_a_generators_own_masks_tell_better_where_its_codes_act_than_a_segmenters_regions():
    for case in METHODS:
        for run in runs_of(load_record(), case):
            own, region = (np.mean(values) for values in zip(
                *((line["own"], line["region"]["change"]) for line in run["codes"]), strict=True))  # fmt: skip
            assert own > region + 0.1
