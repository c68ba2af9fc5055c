"""Paintings: pattern and hue agree with a slow drawing, and the parameters are independent of the scene."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from wwlib.datasets.styles.paintings import (
    ANGLE,
    COLOUR,
    DEPTH,
    FAMILIES,
    HATCH,
    PERIODS,
    Style,
    paintings,
    pattern,
    sample_styles,
    shifted,
)
from wwlib.datasets.styles.scenes import SIDE, darkness, sample_scenes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_pattern(style: Style, k: int, row: int, column: int) -> float:
    """The pattern at one pixel."""
    family = FAMILIES[style.family[k]]
    one, two = style.phase[k].tolist()
    x, y, period = column + 0.5, row + 0.5, PERIODS[family]
    wave = lambda distance, phase: math.cos(2 * math.pi * (distance / period + phase))  # noqa: E731
    if family == "stripes":
        angle = style.angle[k].item()
        return 1 + wave(x * math.cos(angle) + y * math.sin(angle), one)
    if family == "dots":
        return 1 + wave(x, one) * wave(y, two)
    return HATCH * ((1 + max(wave(x, one), wave(y, two))) / 2) ** 3


@pytest.mark.parametrize("family", range(len(FAMILIES)), ids=FAMILIES)
def test_paintings_agree_with_a_slow_drawing(family):
    scene = sample_scenes(3, seeded())
    style = sample_styles(3, seeded(1), torch.full((3,), family), angles=True)
    drawn, dark = paintings(scene, style), darkness(scene)
    for k in range(3):
        for row in range(0, SIDE, 3):
            for column in range(1, SIDE, 3):
                d = dark[k, row, column].item() * (1 - DEPTH + DEPTH * slow_pattern(style, k, row, column))
                for channel in range(3):
                    tint = math.cos(2 * math.pi * (style.hue[k].item() - channel / 3))
                    expected = min(1.0, max(0.0, 1 - d + COLOUR * d * tint))
                    assert abs((drawn[k, channel, row, column].item() + 1) / 2 - expected) < 1e-4


def test_patterns_are_about_one_on_average_and_never_negative():
    """So a painting is as dark as its photo, seen from afar."""
    style = sample_styles(600, seeded(), angles=True)
    drawn = pattern(style)
    assert drawn.min() >= -1e-6
    assert drawn.max() <= 2 + 1e-6
    for family in range(len(FAMILIES)):
        assert abs(drawn[style.family == family].mean() - 1) < 0.02


def test_hues_are_uniform_in_every_family_and_stripes_are_diagonal_unless_angles_vary():
    style = sample_styles(3_000, seeded())
    for family in range(len(FAMILIES)):
        hues = style.hue[style.family == family]
        assert len(hues) > 900
        assert torch.exp(2j * torch.pi * hues).mean().abs() < 0.06
    assert torch.equal(style.angle, torch.full((3_000,), ANGLE))
    angles = sample_styles(3_000, seeded(), angles=True).angle
    assert angles.min() < 0.02
    assert math.pi - 0.02 < angles.max() < math.pi


def test_given_families_are_taken_and_a_shift_changes_the_phase_alone():
    families = torch.tensor([2, 0, 1, 1])
    style = sample_styles(4, seeded(), families, angles=True)
    assert torch.equal(style.family, families)
    moved = shifted(style, seeded(1))
    same = {name for name in vars(style) if torch.equal(getattr(style, name), getattr(moved, name))}
    assert same == {"family", "hue", "angle"}


def test_seen_from_afar_a_painting_is_as_dark_as_its_scene():
    scene = sample_scenes(60, seeded())
    style = sample_styles(60, seeded(1))
    drawn = paintings(scene, style)
    grey = lambda images: torch.nn.functional.avg_pool2d((images.mean(dim=1, keepdim=True) + 1) / 2, 11, 1)[:, 0]  # noqa: E731
    flat = torch.nn.functional.avg_pool2d(1 - darkness(scene)[:, None], 11, 1)[:, 0]
    assert (grey(drawn) - flat).abs().mean() < 0.02


def test_rows_are_styles_and_wrong_ones_are_refused():
    scene, style = sample_scenes(4, seeded()), sample_styles(4, seeded())
    torch.testing.assert_close(paintings(scene[1:3], style[1:3]), paintings(scene, style)[1:3])
    assert len(style[1:3]) == 2
    with pytest.raises(ValueError, match="scene and style must be equally many, got 4 and 2"):
        paintings(scene, style[:2])
    with pytest.raises(ValueError, match=r"family must be 0 to 2, got \[0, 1, 2, 3\]"):
        replace(style, family=torch.arange(4))
    with pytest.raises(ValueError, match="all entries must be equally many, got"):
        replace(style, hue=style.hue[:3])
