"""The map's pictures: four parts for each system, and a drawing that is nearer to the right answer than what it had."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.styles.losses import blurred
from wwlib.experiments.map.pictures import TILES, map_sheet, system_picture, tiles_of
from wwlib.experiments.map.tables import SYSTEMS


def test_every_system_of_the_table_has_a_picture():
    assert list(TILES) == [system.lesson for system in SYSTEMS]


@pytest.mark.parametrize("lesson", TILES)
def test_a_drawing_is_nearer_to_the_right_answer_than_both_pictures_that_it_is_made_from(lesson):
    tiles = tiles_of(lesson, 8)
    if lesson == "16":  # where the lines of a pattern lie is not asked for: compare what is left after a blur
        tiles = torch.stack([blurred(row) for row in tiles])
    errors = [float((tiles[:, k] - tiles[:, 3]).square().mean()) for k in range(3)]
    assert errors[2] < min(errors[:2])


def test_pictures_are_of_one_size_and_the_same_each_time():
    for lesson in TILES:
        tiles = tiles_of(lesson, 2)
        assert tiles.shape == (2, 4, 3, 32, 32)
        assert float(tiles.abs().max()) <= 1
    assert torch.equal(tiles_of("12", 2), tiles_of("12", 2))


def test_a_picture_of_a_system_says_what_its_parts_are():
    picture = system_picture("13")
    assert picture.data.startswith(b"\x89PNG")
    assert picture.alt.startswith("13 · Robust disentangling: what stays, ")
    assert "looks of, pose of, drawn, right" in picture.alt


def test_captions_are_short():
    for lesson in TILES:
        assert len(system_picture(lesson).alt.partition(" Columns: ")[0]) <= 100


def test_the_sheet_names_every_system():
    alt = map_sheet(examples=1).alt
    assert all(f"{system.lessons} · {system.name} (" in alt for system in SYSTEMS)


def test_an_unknown_lesson_is_refused():
    with pytest.raises(ValueError, match=r"lesson must be one of .* got '10'"):
        tiles_of("10", 1)
