"""The pairs that lesson 15 learns from, plain and in harder worlds."""

from __future__ import annotations

import torch

from wwlib.datasets.motions import sample_pairs
from wwlib.datasets.poses import standing
from wwlib.datasets.puppet import render, sample_appearance
from wwlib.experiments.discovery.worlds import World, correlated, draw_pairs, waves


def test_pairs_show_one_figure_twice_and_follow_their_seed():
    made, again = draw_pairs(12, 3), draw_pairs(12, 3)
    assert torch.equal(made.first, again.first)
    assert torch.equal(made.second, again.second)
    assert not torch.equal(made.first, made.second)
    assert torch.equal(made.first[:, :, 0, 0], made.second[:, :, 0, 0])  # the background's colour
    assert not torch.equal(made.first, draw_pairs(12, 4).first)


def test_a_textured_background_has_waves():
    corner = lambda world: draw_pairs(12, 3, world).first[:, :, :2, :2]  # noqa: E731
    assert corner(World()).flatten(2).std(dim=2).max() < 1e-6
    assert corner(World(textured=True)).flatten(2).std(dim=2).median() > 1e-3


def test_the_torsos_colour_tells_where_a_figure_stands():
    g = torch.Generator().manual_seed(0)
    first, second, looks = correlated(*sample_pairs(400, g), g)
    red = looks.colours[:, 2, 0] - looks.colours[:, 2, 2]
    for pose in (first, second):
        assert torch.corrcoef(torch.stack([red, pose["across"]]))[0, 1] > 0.8
        assert torch.corrcoef(torch.stack([red, pose["left arm"]]))[0, 1].abs() < 0.15
    assert not torch.equal(first["across"], second["across"])
    free = sample_pairs(400, torch.Generator().manual_seed(0))
    assert torch.equal(first["left knee"], free[0]["left knee"])
    assert torch.equal(looks.colours[:, 3:], free[2].colours[:, 3:])


def test_waves_are_those_that_the_background_is_drawn_with():
    looks = sample_appearance(3, torch.Generator().manual_seed(0), textured=True)
    made = render(standing(3), looks)
    drawn = (made.images.mean(dim=1) + 1) / 2 - looks.colours[:, 0].mean(dim=1)[:, None, None]
    bare = (made.footprint[:, 0] == 1) & (made.images.amin(dim=1) > -1)  # nothing before it, and not cut off at black
    torch.testing.assert_close(drawn[bare], waves(looks, 32)[bare], rtol=0, atol=1e-5)
    assert bare.sum() > 500
