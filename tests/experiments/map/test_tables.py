"""The map of all ten systems as a table: every lesson, and numbers that follow the records."""

from __future__ import annotations

import copy
import re

import pytest

from tests.experiments.style.test_tables import RECORD
from wwlib.experiments.fusion.runs import load_record as fusion_record
from wwlib.experiments.map.tables import HEADER, SYSTEMS, line_of, map_table


def test_the_map_has_a_line_for_each_of_ten_systems_from_the_first_lesson_to_the_last():
    table = map_table()
    assert tuple(table.header) == HEADER
    assert [row[0] for row in table.rows] == ["00 to 11", *(str(lesson) for lesson in range(12, 21))]
    assert len({row[1] for row in table.rows}) == 10


def test_what_leaks_and_our_number_are_measured_in_every_line():
    for row in map_table().rows:
        assert all(re.search(r"\d\.\d\d", cell) for cell in row[-2:]), row
        assert all(row), row


def test_numbers_are_those_of_the_record():
    line = line_of(next(system for system in SYSTEMS if system.lesson == "16"), RECORD)
    assert line[-2:] == (
        "shapes read from the style code: 0.40 (0.40 to 0.40), chance 0.17",
        "agreement of drawn hues with the references': 0.95 (0.95 to 0.95)",
    )


def test_another_record_gives_another_line():
    record = copy.deepcopy(fusion_record())
    for run in record["runs"]:
        if run["case"] == "both":
            run["scores"]["guessing"], run["scores"]["turned"] = 0.75, [0.25] * 6
    fused = dict(zip(HEADER, map_table({"20": record}).rows[-1], strict=True))
    assert fused["what leaks"] == "label guessed from the residual: 0.75 (0.75 to 0.75), chance 0.50"
    assert fused["our number"] == "other domain: digit, ink and paper stay, the worst: 0.25 (0.25 to 0.25)"


def test_a_record_without_the_case_is_refused():
    with pytest.raises(ValueError, match="both"):
        map_table({"20": dict(runs=[])})
