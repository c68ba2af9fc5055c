"""Lesson 14's measures and cases, scaled down; no record is there yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.parts import PartModel, Schedule
from wwlib.datasets.puppet import PARTS, render
from wwlib.experiments.landmarks.runs import CASES, baselines, draw_figures, exchanged_parts, make, measure


def test_figures_share_pose_and_look_as_their_names_say():
    figures = draw_figures(6, seed=1)
    assert torch.equal(figures.answer.joints, figures.onto.joints)
    assert torch.equal(figures.answer.footprint, figures.onto.footprint)
    right = render(figures.pose, figures.looks)
    assert torch.equal(figures.answer.images, right.images)
    assert not torch.equal(figures.answer.images, figures.onto.images)
    assert not torch.equal(figures.given.joints, figures.onto.joints)


def test_every_measure_of_an_untrained_model_is_there_and_finite():
    scores = measure(PartModel(Schedule()).eval(), draw_figures(60, seed=1), 40, seed=0)
    parts = scores.pop("parts")
    assert all(torch.tensor(value).isfinite() for value in scores.values())
    assert set(parts) <= set(PARTS[1:])
    for part in parts.values():
        assert 0 <= part["inside"] <= part["near"] <= 1
        assert part["inside_true"] > 0.85  # a drawn edge is one pixel wide, and half of it lies outside


def test_a_model_that_draws_the_right_pictures_has_the_right_change():
    """It knows poses and colours, and draws what `render` draws."""
    figures, rows = draw_figures(20, seed=1), slice(10, None)

    class Oracle:
        def transfer(self, x, onto, parts=None):
            looks = figures.other_looks[rows]
            colours = looks.colours.clone()
            for landmark in parts or ():
                colours[:, landmark + 1] = figures.looks.colours[rows, landmark + 1]
            return render(figures.pose[rows], replace(looks, colours=colours)).images

    scores = exchanged_parts(Oracle(), figures, rows, [1, 2, 3, 4, 5, 6])
    assert list(scores) == list(PARTS[1:])
    for part in scores.values():
        assert part["inside"] == pytest.approx(part["inside_true"])
        assert part["near"] > 0.98
        assert part["size"] == pytest.approx(1)


def test_the_foreground_says_more_about_joints_than_the_mean_pose():
    errors = baselines(draw_figures(400, seed=1), 300)
    assert errors["foreground"] < 0.8 * errors["mean_pose"]


def test_cases_differ_in_what_their_names_say():
    assert [case for case, s in CASES.items() if s.raw] == ["raw maps, no jitter", "raw maps, jitter"]
    assert [case for case, s in CASES.items() if s.separation == 0] == [
        "raw maps, no jitter",
        "raw maps, jitter",
        "no separation, no trace",
    ]
    assert [case for case, s in CASES.items() if s.mean_weight == 0] == [
        "no equivariance",
        "coordinates, no equivariance",
    ]
    assert [case for case, s in CASES.items() if s.coordinates] == ["coordinates", "coordinates, no equivariance"]
    assert [case for case, s in CASES.items() if not s.jitter] == ["no jitter", "raw maps, no jitter"]


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="parts must be among"):
        make(["raw"])
