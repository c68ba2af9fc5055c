"""The tables of the artists' section from runs whose numbers are known, and from the record."""

from __future__ import annotations

import numpy as np
import pytest

from wwlib.datasets.styles.artists import ARTISTS, ATTRIBUTES
from wwlib.experiments.artist_styles.runs import BASELINES, CASES, SHIPPED
from wwlib.experiments.artist_styles.tables import (
    READ,
    agreement_table,
    agreement_values,
    artist_table,
    distance_table,
    leak_table,
)


def run(case: str, seed: int) -> dict:
    """A run whose judge reads 0.5 of the artists, 0.1 more a seed, and 0.2 to 0.7 of the attributes."""
    agreement = [0.5 + 0.1 * seed, *(0.2 + 0.1 * k for k in range(len(ATTRIBUTES)))]
    by_artist = [[share / (1 + k) for share in agreement] for k in range(len(ARTISTS))]
    scores = dict(agreement=agreement, by_artist=by_artist, nearest=0.04, right=0.05 + 0.01 * seed,
                  leak=[0.3] * len(ATTRIBUTES), moves_reference=0.02, moves_photo=0.2)  # fmt: skip
    return dict(case=case, seed=seed, scores=scores)


ANSWER = dict(agreement=[1.0] * len(READ), nearest=0.03, right=0.0)
RECORD = dict(
    runs=[*(run(case, seed) for case in CASES for seed in (0, 1)),
          dict(case=BASELINES, seed=0, scores={"right answer": ANSWER})]
)  # fmt: skip


def test_agreement_is_given_for_every_seed_and_what_is_read():
    np.testing.assert_allclose(agreement_values(RECORD, SHIPPED, "artist"), [0.5, 0.6])
    np.testing.assert_allclose(agreement_values(RECORD, SHIPPED, "background"), [0.2, 0.2])
    with pytest.raises(ValueError, match="what must be one of"):
        agreement_values(RECORD, SHIPPED, "nose")


def test_models_stand_above_cheap_answers_and_chance():
    table = agreement_table(RECORD)
    assert table.header == ["answer", "artist", *ATTRIBUTES]
    assert [row[0] for row in table.rows] == [*(f"drawn: {case}" for case in CASES), "right answer", "chance"]
    assert table.rows[0][1] == "0.55 (0.50 to 0.60)"
    assert table.rows[-2][1:] == ["1.00"] * len(READ)
    assert table.rows[-1][1:3] == ["0.33", "0.25"]


def test_a_case_that_is_not_trained_yet_has_no_row():
    runs = [run for run in RECORD["runs"] if run["case"] in (SHIPPED, BASELINES)]
    for table in (agreement_table, distance_table, leak_table):
        cases = [row[0].removeprefix("drawn: ") for row in table(dict(runs=runs)).rows]
        assert [case for case in cases if case in CASES] == [SHIPPED]


def test_every_hand_that_is_asked_for_has_a_row():
    table = artist_table(RECORD)
    assert [row[0] for row in table.rows] == list(ARTISTS)
    assert table.rows[1][1] == "0.28 (0.25 to 0.30)"


def test_distances_are_to_the_training_and_to_the_right_answer():
    table = distance_table(RECORD)
    assert table.rows[0][1:] == ["0.040 (0.040 to 0.040)", "0.055 (0.050 to 0.060)"]
    assert table.rows[-1] == ["right answer", "0.030", "0.000"]


def test_leaks_stand_beside_what_moves():
    table = leak_table(RECORD)
    assert [row[0] for row in table.rows] == list(CASES)
    assert table.rows[0][1] == "0.30 (0.30 to 0.30)"
    assert table.rows[0][-2:] == ["0.020 (0.020 to 0.020)", "0.200 (0.200 to 0.200)"]
