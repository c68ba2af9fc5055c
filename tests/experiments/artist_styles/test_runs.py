"""Measures and cases of the artists' section, scaled down, and the shipped model against its record."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.style import Schedule, StyleModel
from wwlib.appearance.styles.artists import READ, new_artist_judge
from wwlib.appearance.styles.measures import painted
from wwlib.base.shelf import named_run
from wwlib.datasets.styles.artists import Drawings, attribute_grid, held_out
from wwlib.experiments.artist_styles import runs
from wwlib.experiments.artist_styles.runs import (
    BASELINES,
    CASES,
    SHIPPED,
    chance,
    draw_gallery,
    judged,
    leak,
    load_artist_judge,
    load_artist_styles,
    load_record,
    make,
    measure,
)


@pytest.fixture(scope="module")
def pictures():
    return draw_gallery(60, seed=1)


class Reader:
    """A judge that says what it is told."""

    def __init__(self, read):
        self.read = read

    def verdict(self, images):
        return self.read[: len(images)]


def test_a_gallery_asks_for_the_photos_attributes_in_another_hand(pictures):
    drawings = Drawings()
    assert torch.equal(pictures.right, drawings.images(pictures.asked))
    assert torch.equal(pictures.references, drawings.images(pictures.shown))
    assert torch.equal(pictures.asked[:, 0], pictures.shown[:, 0])
    others = [
        torch.cat([(pictures.asked[:, :1] + step) % 3, pictures.asked[:, 1:]], dim=1) for step in (1, 2)
    ]  # the photo is one of these two
    near = torch.stack([(drawings.images(other) - pictures.photos).abs().amax(dim=(1, 2, 3)) for other in others])
    assert near.amin(dim=0).max() < 1e-6


def test_a_gallery_shows_held_out_attributes_alone(pictures):
    left_out = set(map(tuple, attribute_grid()[held_out()].tolist()))
    for factors in (pictures.asked, pictures.shown):
        assert set(map(tuple, factors[:, 1:READ].tolist())) <= left_out


def test_a_judge_is_asked_for_the_references_artist_and_the_photos_attributes(pictures):
    asked = pictures.asked[:, :READ]
    assert judged(Reader(asked), pictures.right, pictures)["agreement"] == [1.0] * READ
    wrong = asked.clone()
    wrong[:, 0] = (wrong[:, 0] + 1) % 3
    seen = judged(Reader(wrong), pictures.photos, pictures)
    assert seen["agreement"] == [0.0] + [1.0] * (READ - 1)
    assert seen["by_artist"] == [seen["agreement"]] * 3


def test_right_answers_lie_at_no_distance_and_near_the_training_but_not_in_it(pictures):
    seen = judged(new_artist_judge(), pictures.right, pictures)
    assert seen["right"] < 1e-6
    assert 0.005 < seen["nearest"] < 0.1
    assert judged(new_artist_judge(), pictures.photos, pictures)["right"] > 0.1


def test_a_leak_is_what_is_read_from_the_reference_where_the_photo_differs(pictures):
    assert leak(Reader(pictures.shown[:, :READ]), pictures.right, pictures) == [1.0] * (READ - 1)
    assert leak(Reader(pictures.asked[:, :READ]), pictures.right, pictures) == [0.0] * (READ - 1)


def test_every_measure_of_an_untrained_model_is_there_and_finite(pictures):
    scores = measure(StyleModel().eval(), new_artist_judge(), pictures)
    numbers = torch.tensor([scores[name] for name in ("nearest", "right", "moves_reference", "moves_photo")])
    assert numbers.isfinite().all()
    assert scores["moves_photo"] > 0
    assert len(scores["leak"]) == len(scores["agreement"]) - 1 == READ - 1


def test_blind_guesses_are_right_as_often_as_there_are_few_values():
    assert chance() == pytest.approx([1 / 3, 1 / 4, 1 / 3, 1 / 4, 1 / 2, 1 / 3, 1 / 2])


def test_every_recorded_run_is_a_case_with_its_own_seed_and_all_compare_colours():
    assert all(schedule.coloured for schedule in CASES.values())
    runs = [run for run in load_record()["runs"] if run["case"] != BASELINES]
    for run in runs:
        assert Schedule(**run["schedule"]) == replace(CASES[run["case"]], seed=run["seed"])
    assert (SHIPPED, 0) in {(run["case"], run["seed"]) for run in runs}


def test_the_shipped_model_draws_what_the_record_says():
    pictures, model, judge = runs.gallery(), load_artist_styles(), load_artist_judge()
    seen = judged(judge, painted(model, pictures.photos, pictures.references), pictures)
    recorded = named_run(load_record(), SHIPPED)["scores"]
    assert seen["agreement"] == pytest.approx(recorded["agreement"], abs=0.01)
    assert seen["nearest"] == pytest.approx(recorded["nearest"], abs=1e-3)


def test_the_judge_reads_real_drawings_that_it_never_saw():
    right = named_run(load_record(), BASELINES)["scores"]["right answer"]
    assert min(right["agreement"]) > 0.9
    pictures = draw_gallery(200, seed=3)
    read = load_artist_judge().verdict(pictures.right)
    assert (read == pictures.asked[:, :READ]).double().mean(dim=0).min() > 0.9


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="parts must be among"):
        make(["artists"])
