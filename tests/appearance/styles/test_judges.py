"""The judge of paintings, and the hue that needs none."""

from __future__ import annotations

import math

import pytest
import torch

from wwlib.appearance.styles.judges import (
    STRIPES,
    mean_hue,
    new_style_judge,
    on_circle,
    train_style_judge,
    verdict,
)
from wwlib.datasets.styles.paintings import FAMILIES, paintings, sample_styles
from wwlib.datasets.styles.scenes import photographs, sample_scenes


def drawn(n: int, seed: int):
    g = torch.Generator().manual_seed(seed)
    scenes, styles = sample_scenes(n, g), sample_styles(n, g, angles=True)
    return scenes, styles, paintings(scenes, styles)


def cosine(measured: torch.Tensor, given: torch.Tensor) -> float:
    return (2 * math.pi * (measured - given)).cos().mean().item()


def test_a_short_training_reads_families_and_hues_of_other_paintings():
    judge = train_style_judge(steps=150, seed=3)
    assert not any(p.requires_grad for p in judge.parameters())
    _, styles, images = drawn(300, 50)
    seen = verdict(judge, images)
    assert (seen.family == styles.family).double().mean() > 0.6
    assert cosine(seen.hue, styles.hue) > 0.9


def test_a_verdict_has_a_family_a_shape_and_two_shares_of_a_turn_for_every_picture():
    seen = verdict(new_style_judge(), drawn(5, 0)[2])
    assert {len(values) for values in vars(seen).values()} == {5}
    for turns in (seen.hue, seen.angle):
        assert turns.min() >= 0
        assert turns.max() <= 1


def test_points_of_a_circle_are_read_back_as_the_turns_that_they_stand_for():
    turns = torch.tensor([0.0, 0.1, 0.25, 0.6, 0.95])

    def judge(images):
        return [
            torch.eye(3)[:1].expand(5, -1),
            torch.eye(6)[:1].expand(5, -1),
            on_circle(turns),
            on_circle(turns.flip(0)),
        ]

    seen = verdict(judge, torch.zeros(5, 3, 32, 32))
    torch.testing.assert_close(seen.hue, turns, rtol=0, atol=1e-6)
    torch.testing.assert_close(seen.angle, turns.flip(0), rtol=0, atol=1e-6)


def test_the_mean_colour_has_the_hue_of_a_painting_and_not_of_a_photo():
    scenes, styles, images = drawn(600, 0)
    assert cosine(mean_hue(images), styles.hue) > 0.998
    photos = photographs(scenes, torch.Generator().manual_seed(1))
    assert abs(cosine(mean_hue(photos), styles.hue)) < 0.1
    assert FAMILIES[STRIPES] == "stripes"


@pytest.mark.parametrize(("colour", "turn"), [([1, -1, -1], 0), ([-1, 1, -1], 1 / 3), ([1, 1, -1], 1 / 6)])
def test_red_green_and_yellow_have_their_hues(colour, turn):
    image = torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert mean_hue(image).item() == pytest.approx(turn, abs=1e-5)
