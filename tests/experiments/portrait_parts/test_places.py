"""Where a generator's codes act, beside slots whose overlap is known."""

from __future__ import annotations

import pytest
import torch

from wwlib.experiments.portrait_parts.places import Acting, code_scores, draw_acting


def square(top: int, side: int = 8) -> torch.Tensor:
    """A square at the left edge, `[32, 32]`."""
    map = torch.zeros(32, 32)
    map[top : top + side, :side] = 1
    return map


@pytest.fixture
def acting():
    """Two pictures. Code 0 changes a square that lies elsewhere in each; code 1 nothing; code 2 everything. All masks
    are the square of the first picture."""
    changes = torch.stack([torch.stack([square(top), torch.zeros(32, 32), torch.ones(32, 32)]) for top in (0, 16)])
    return Acting(torch.zeros(2, 3, 32, 32), square(0).expand(2, 3, -1, -1), changes)


def test_a_code_that_changes_nothing_is_not_compared(acting):
    assert acting.active == [0, 2]


def test_a_slot_that_follows_the_change_fits_it_and_the_next_pictures_does_not(acting):
    slots = torch.stack([square(0), square(16)]).long() * 2
    slots[slots == 0] = torch.arange(32)[:, None].expand(2, 32, 32)[slots == 0] % 2  # every second row
    line, everything = code_scores(acting, slots, torch.tensor([0, 0, 3]))
    assert line["slot"] == dict(number=2, change=1, next=0, mask=0.5)  # the mask is right in one picture of two
    assert line["region"] == dict(number=3, change=1, next=0, mask=0.5)
    assert (line["code"], line["own"]) == (0, 0.5)
    assert everything["slot"]["change"] == pytest.approx(15 / 32)
    assert everything["region"]["number"] == 0
    assert everything["region"]["change"] == pytest.approx(15 / 16)


def test_a_dark_mask_marks_no_place(acting):
    dark = Acting(acting.images, 0.04 * acting.masks, acting.changes)
    assert acting.masked.any()
    assert not dark.masked.any()


def test_the_shipped_generator_acts_with_few_codes_and_its_pictures_have_32_px():
    acting = draw_acting(2, seed=0)
    assert acting.images.shape == (2, 3, 32, 32)
    assert acting.masks.shape == acting.changes.shape == (2, 14, 32, 32)
    assert acting.images.min() >= -1
    assert acting.images.max() <= 1
    assert 1 <= len(acting.active) < 14
    assert {11, 12, 13} <= set(acting.active)  # skin, hair colour, background
