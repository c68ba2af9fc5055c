"""The sheets of portraits' parts, drawn with segmenters whose slots are known."""

from __future__ import annotations

import pytest
import torch

from wwlib.experiments.portrait_parts import pictures

FIT = dict(change=0.5, next=0.4, mask=0.2)
LINE = dict(own=0.3, slot=dict(FIT, number=1), region=dict(FIT, number=0))


@pytest.fixture(autouse=True)
def halves(monkeypatch):
    """A segmenter with two slots, the left half and the right half of every picture."""
    slots = lambda images: (torch.arange(32) >= 16).long().expand(len(images), 32, 32)  # noqa: E731
    record = dict(runs=[dict(case="slots", seed=0, codes=[dict(LINE, code=code) for code in (11, 12)])])
    monkeypatch.setattr(pictures, "load_slots", lambda case: (slots, torch.tensor([0, 2])))
    monkeypatch.setattr(pictures, "load_record", lambda: record)


def shown(monkeypatch, draw, *arguments) -> tuple[torch.Tensor, dict]:
    """The pictures and the options that a sheet hands to `grid`."""
    seen = []
    monkeypatch.setattr(pictures, "grid", lambda images, *_, **options: seen.append((images, options)))
    draw(*arguments)
    return seen[0]


def test_portraits_stand_above_layers_and_named_slots(monkeypatch):
    images, options = shown(monkeypatch, pictures.part_sheet, 2)
    assert options["row_labels"] == ["portraits", "artist's layers", "slots", "slots, named", "landmarks, named"]
    assert images.shape == (5, 4, 3, 32, 32)
    named = images[3]
    assert named[..., :16].max() == -1  # the slot that is named background is black
    assert (named[..., 16:].amax(dim=1) == 1).all()
    assert torch.equal(images[3], images[4])


def test_every_code_has_a_row_with_mask_change_best_slot_and_region(monkeypatch):
    images, options = shown(monkeypatch, pictures.where_sheet, "slots", 2)
    assert options["row_labels"] == ["11: skin colour", "12: hair colour"]
    assert options["column_labels"] == ["portrait", "mask", "change", "best slot", "best region"] * 2
    assert images.shape == (2, 10, 3, 32, 32)
    portrait, mask, change, slot, region = images[:, :5].unbind(1)
    assert torch.equal(portrait[0], portrait[1])  # the same picture for both codes
    assert not torch.equal(portrait[0], images[0, 5])
    assert not torch.equal(mask[0], mask[1])
    assert change[0].max() == 1
    assert (slot[..., 16:] == 1).all()
    assert (slot[..., :16] == -1).all()
    assert torch.equal(region, -slot)  # the other half, which is named background


def test_sheets_say_in_words_what_they_show():
    assert (
        "2 rows, one for each code that acts, and 5 columns for each of 2 generated portraits"
        in pictures.where_sheet().alt
    )
    assert "12 columns, 6 portraits as drawn and the same ones warped" in pictures.part_sheet().alt
