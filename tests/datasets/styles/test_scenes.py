"""Scenes: what is drawn agrees with a slow drawing, point by point, and with the numbers that describe it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from wwlib.datasets.styles.scenes import (
    ARM,
    CENTRES,
    HOLE,
    LIGHT,
    NOTCH,
    RADII,
    SHAPES,
    SIDE,
    SQUARE,
    TRIANGLE,
    TURN,
    between,
    chroma,
    coverage,
    darkness,
    photographs,
    pixel_places,
    sample_scenes,
)

FINE = 5  # points across a pixel, of the slow drawing


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_of_each(seed: int = 0):
    return replace(sample_scenes(len(SHAPES), seeded(seed)), shape=torch.arange(len(SHAPES)))


def corners(shape: str, r: float) -> list[tuple[float, float]]:
    """The corners of a shape with straight edges around (0, 0), y down."""
    if shape == "square":
        a = SQUARE * r
        return [(-a, -a), (a, -a), (a, a), (-a, a)]
    if shape == "triangle":
        away = 2 * TRIANGLE * r  # a regular triangle's corners are twice as far from its middle as its sides
        return [(away * math.sin(k * 2 * math.pi / 3), -away * math.cos(k * 2 * math.pi / 3)) for k in range(3)]
    if shape == "cross":
        a = ARM * r
        return [
            (-a, -r),
            (a, -r),
            (a, -a),
            (r, -a),
            (r, a),
            (a, a),
            (a, r),
            (-a, r),
            (-a, a),
            (-r, a),
            (-r, -a),
            (-a, -a),
        ]
    lengths = [r if k % 2 == 0 else NOTCH * r for k in range(10)]
    return [(d * math.sin(k * math.pi / 5), -d * math.cos(k * math.pi / 5)) for k, d in enumerate(lengths)]


def inside(shape: str, r: float, x: float, y: float) -> bool:
    """Whether a point lies in a shape around (0, 0): by its distance, or by the edges that a ray from it crosses."""
    if shape in ("disc", "ring"):
        return (HOLE * r if shape == "ring" else 0) <= math.hypot(x, y) <= r
    polygon, crossed = corners(shape, r), 0
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            crossed += 1
    return crossed % 2 == 1


def slow_coverage(shape: str, centre: list[float], r: float, turn: float) -> torch.Tensor:
    """The share of each pixel's 25 points that lie in the shape."""
    drawn = torch.zeros(SIDE, SIDE)
    for row in range(SIDE):
        for column in range(SIDE):
            for k in range(FINE * FINE):
                x = column + (k % FINE + 0.5) / FINE - centre[0]
                y = row + (k // FINE + 0.5) / FINE - centre[1]
                back = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
                drawn[row, column] += inside(shape, r, *back) / FINE**2
    return drawn


@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=SHAPES)
def test_a_shape_covers_what_a_slow_drawing_covers(shape):
    scene = one_of_each()
    slow = slow_coverage(
        SHAPES[shape], scene.centre[shape].tolist(), scene.radius[shape].item(), scene.turn[shape].item()
    )
    difference = (coverage(scene)[shape] - slow).abs()
    assert difference.mean() < 0.01
    assert difference.max() < 0.4  # a soft edge rounds a sharp corner
    assert abs(coverage(scene)[shape].sum() - slow.sum()) < 0.02 * slow.sum()


def test_darkness_is_that_of_ground_and_object_with_a_slope_of_light():
    scene = one_of_each()
    covered, dark = coverage(scene), darkness(scene)
    for k in range(len(scene)):
        for row, column in ((0, 0), (3, 28), (16, 15), (20, 9), (31, 31)):
            x, y = (column + 0.5) / 16 - 1, (row + 0.5) / 16 - 1
            share = covered[k, row, column].item()
            flat = (1 - share) * scene.ground[k].item() + share * scene.object[k].item()
            slope = scene.light[k, 0].item() * x + scene.light[k, 1].item() * y
            assert abs(dark[k, row, column].item() - flat - slope) < 1e-6


def test_scenes_stay_within_their_limits_and_use_them():
    scene = sample_scenes(4_000, seeded())
    assert set(scene.shape.tolist()) == set(range(len(SHAPES)))
    for values, (low, high) in ((scene.radius, RADII), (scene.centre, CENTRES), (scene.turn, (-TURN, TURN))):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
    assert 0.95 * LIGHT < scene.light.norm(dim=1).max() <= LIGHT + 1e-6
    numbers = torch.stack([scene.shape.double(), *scene.centre.T, scene.radius, scene.turn, scene.ground, scene.object])
    correlation = torch.corrcoef(numbers) - torch.eye(len(numbers))
    assert correlation.abs().max() < 0.06


def test_a_photograph_is_as_bright_as_its_scene_is_not_dark_whatever_its_colours():
    scene = sample_scenes(200, seeded())
    first, second = photographs(scene, seeded(1)), photographs(scene, seeded(2))
    for images in (first, second):
        assert images.min() > -1
        assert images.max() < 1
        torch.testing.assert_close((images.mean(dim=1) + 1) / 2, 1 - darkness(scene), rtol=0, atol=1e-5)
    assert (first - second).abs().max() > 0.2


def test_hues_go_once_around_and_their_colours_add_up_to_nothing():
    hue = torch.linspace(0, 1, 7)
    colours = chroma(hue)
    torch.testing.assert_close(colours.sum(dim=1), torch.zeros(7), rtol=0, atol=1e-6)
    torch.testing.assert_close(colours[0], torch.tensor([1.0, -0.5, -0.5]))
    torch.testing.assert_close(colours[2], torch.tensor([-0.5, 1.0, -0.5]))  # a third of a turn later it is green
    torch.testing.assert_close(colours[-1], colours[0], rtol=0, atol=1e-6)


def test_a_seed_gives_the_same_scenes_and_rows_are_scenes():
    first, again = sample_scenes(9, seeded()), sample_scenes(9, seeded())
    torch.testing.assert_close(coverage(first), coverage(again))
    torch.testing.assert_close(coverage(first[2:5]), coverage(first)[2:5])
    assert len(first[2:5]) == 3


def test_pixels_are_seen_at_their_middles():
    x, y = pixel_places()
    assert (x[0, 0], x[0, 31], y[5, 0]) == (0.5, 31.5, 5.5)
    assert between(torch.tensor(0.25), (2.0, 4.0)) == 2.5


def test_wrong_scenes_are_refused():
    scene = one_of_each()
    with pytest.raises(ValueError, match="shape must be 0 to 5, got"):
        replace(scene, shape=torch.tensor([0, 1, 2, 3, 4, 6]))
    with pytest.raises(ValueError, match="all entries must be equally many, got"):
        replace(scene, radius=scene.radius[:3])
