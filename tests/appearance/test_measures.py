"""Measures of transfers, against cases whose value is known."""

from __future__ import annotations

import math

import pytest
import torch

from wwlib.appearance.measures import colour_r2, colour_spread, in_batches, part_colours, probe, psnr
from wwlib.datasets.motions import sample_triplets
from wwlib.datasets.puppet import render


@pytest.fixture(scope="module")
def figures():
    a, _, appearance, other = sample_triplets(60, torch.Generator().manual_seed(0))
    return appearance, render(a, appearance), render(a, other)


def test_psnr_of_a_constant_error():
    images = torch.zeros(2, 3, 4, 4)
    assert math.isclose(psnr(images + 0.2, images), 20.0, abs_tol=1e-4)  # 10 log10(4 / 0.04)


def test_colours_of_parts_are_those_that_were_drawn(figures):
    appearance, drawing, _ = figures
    whole = drawing.footprint * (drawing.footprint == 1)  # pixels that show one part and nothing else
    shown = whole.sum(dim=(2, 3)) > 3
    seen = (part_colours(drawing.images, whole) + 1) / 2
    torch.testing.assert_close(seen[shown], appearance.colours[shown], atol=1e-4, rtol=0)


def test_colours_are_followed_by_the_right_answer_and_not_by_grey_or_by_another_appearance(figures):
    _, drawing, other = figures
    assert min(colour_r2(drawing.images, drawing.images, drawing.footprint)) > 0.9999
    grey = drawing.images.mean(dim=(0, 2, 3), keepdim=True).expand_as(drawing.images)
    assert max(colour_r2(grey, drawing.images, drawing.footprint)) < 0.05
    assert max(colour_r2(other.images, drawing.images, drawing.footprint)) < 0


def test_a_grey_head_alone_is_noticed(figures):
    _, drawing, _ = figures
    head = drawing.footprint[:, 1:2] > 0
    images = torch.where(head, torch.zeros(()), drawing.images)
    values = colour_r2(images, drawing.images, drawing.footprint)
    assert values[1] < 0.05
    assert min(values[2], *values[5:]) > 0.5


def test_spread_of_colours_is_one_for_other_figures_of_the_kind_and_zero_for_one_picture(figures):
    _, drawing, other = figures
    spread = colour_spread(other.images, drawing.images, drawing.footprint)
    assert all(0.7 < value < 1.4 for value in spread[1:])
    once = drawing.images[:1].expand_as(drawing.images)
    same = drawing.footprint[:1].expand_as(drawing.footprint)
    assert max(colour_spread(once, once + torch.randn(60, 1, 1, 1), same)) < 0.01


def test_probes_find_what_is_there_linearly_and_in_bends_and_nothing_in_noise():
    g = torch.Generator().manual_seed(0)
    hidden = torch.rand(600, 2, generator=g) * 4 - 2
    linear = hidden @ torch.randn(2, 8, generator=g)
    straight, curved = probe(linear, hidden, 400)
    assert straight > 0.99
    assert curved > 0.95
    bent = torch.stack([hidden[:, 0].square(), hidden[:, 1].square()], dim=1)
    straight, curved = probe(hidden, bent, 400)
    assert straight < 0.1
    assert curved > 0.95
    assert max(probe(torch.randn(600, 8, generator=g), hidden, 400)) < 0.05


def test_in_batches_gives_what_the_function_gives_for_all_at_once():
    x, y = torch.rand(2, 230, 3, generator=torch.Generator().manual_seed(0))
    sizes = []

    def added(some, others):
        sizes.append(len(some))
        return some + 2 * others

    assert torch.equal(in_batches(added, x, y), x + 2 * y)
    assert sizes == [100, 100, 30]
