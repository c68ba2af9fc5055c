"""Measures of copied styles, on cases whose value is known."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.style import StyleModel
from wwlib.appearance.styles.measures import (
    agreement,
    code_distance,
    nearest_neighbour,
    painted,
    readable,
    style_codes,
    variety,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equal_turns_agree_opposite_ones_disagree_and_unrelated_ones_do_neither():
    turns = torch.rand(4_000, generator=seeded())
    assert agreement(turns, turns) == 1
    assert agreement(turns + 1, turns) == pytest.approx(1, abs=1e-5)  # a whole turn is none
    assert agreement(turns + 0.5, turns) == pytest.approx(-1, abs=1e-5)
    assert abs(agreement(torch.rand(4_000, generator=seeded(1)), turns)) < 0.05
    assert abs(agreement(torch.zeros(4_000), turns)) < 0.05  # one hue for every reference


def test_two_hues_for_a_family_agree_in_part():
    """The private agreement of encoder and decoder: the half of the circle is right, the hue is not."""
    turns = torch.rand(20_000, generator=seeded())
    modes = torch.where(turns < 0.5, 0.25, 0.75)
    assert agreement(modes, turns) == pytest.approx(2 / torch.pi, abs=0.02)


def test_variety_is_the_share_of_the_right_difference_of_colours():
    right, other = torch.randn(2, 40, 3, 8, 8, generator=seeded())
    assert variety(right, other, right, other) == pytest.approx(1)
    assert variety(right, right, right, other) == 0
    middle = (right + other) / 2
    assert variety((right + middle) / 2, (other + middle) / 2, right, other) == pytest.approx(0.5)
    shuffled = lambda x: x.flatten(2)[:, :, torch.randperm(64, generator=seeded())].view_as(x)  # noqa: E731
    assert variety(shuffled(right), shuffled(other), right, other) == pytest.approx(1)  # patterns do not count


def test_the_nearest_known_code_gives_its_value():
    known = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    values = torch.tensor([0.1, 0.2, 0.3])
    codes = torch.tensor([[0.6, 0.8], [-0.9, 0.1]])
    assert nearest_neighbour(codes, known, values).tolist() == pytest.approx([0.2, 0.3])


def test_labels_are_read_where_they_are_in_a_line_or_in_a_bend_and_not_from_noise():
    labels = torch.randint(3, (900,), generator=seeded())
    noise = torch.randn(900, 4, generator=seeded(1))
    linear, forest = readable(torch.cat([torch.eye(3)[labels], noise], dim=1), labels, 600)
    assert min(linear, forest) > 0.98
    bent = labels % 2  # whether two signs are equal: no line tells
    signs = torch.where(torch.rand(900, generator=seeded(2)) < 0.5, 1.0, -1.0)
    codes = torch.stack([signs, signs * (1 - 2 * bent)], dim=1) + 0.1 * noise[:, :2]
    linear, forest = readable(codes, bent, 600)
    assert linear < 0.75
    assert forest > 0.98
    assert max(readable(noise, labels, 600)) < 0.45


def test_codes_and_drawings_of_many_pictures_are_those_of_each():
    model = StyleModel().eval()
    photos, references = torch.randn(2, 205, 3, 32, 32, generator=seeded())
    drawn, codes = painted(model, photos, references), style_codes(model, references)
    torch.testing.assert_close(drawn[201:203], model.transfer(photos[201:203], references[201:203]).detach())
    torch.testing.assert_close(codes[201:203], model.style(references[201:203]).detach())
    assert code_distance(model, references, references) == pytest.approx(0, abs=1e-9)
    expected = (model.style(references) - model.style(photos)).square().sum(dim=1).mean().item()
    assert code_distance(model, references, photos) == pytest.approx(expected)
