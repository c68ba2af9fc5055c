"""Coloured digits: what a factor changes and what it leaves, and real handwriting beside the font."""

import pytest
import torch

from wwlib.datasets.glyphs import FONT, Glyphs, Handwriting, coloured, handwritten_digits


@pytest.mark.parametrize("data", [Glyphs(), Handwriting()], ids=["font", "handwriting"])
def test_images_are_in_range_and_seeded(data):
    images = data.sample_images(20, torch.Generator().manual_seed(0))
    assert images.shape == (20, 3, 32, 32)
    assert -1 <= images.min() < images.max() <= 1
    assert torch.equal(images, data.sample_images(20, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("data", [Glyphs(), Handwriting()], ids=["font", "handwriting"])
def test_ink_and_paper_change_colours_and_nothing_else(data, generator):
    factors = data.sample_factors(8, generator)
    other = factors.clone()
    other[:, 1:3] = (other[:, 1:3] + 3) % 10
    assert torch.equal(data.coverage(factors), data.coverage(other))
    assert ((data.images(factors) - data.images(other)).abs().amax(dim=(1, 2, 3)) > 0.2).all()


def test_ink_is_brighter_than_paper_whatever_the_hues():
    ink, paper = torch.cartesian_prod(torch.arange(10), torch.arange(10)).t()
    pictures = coloured(torch.eye(2)[None].expand(100, 2, 2), ink, paper)
    assert ((pictures[:, :, 0, 0] - pictures[:, :, 0, 1]).amax(dim=1) > 0.5).all()


def test_position_and_tilt_move_the_glyph_and_never_cut_it():
    data = Glyphs()
    factors = torch.cartesian_prod(*(torch.arange(size) for size in (10, 1, 1, 3, 3, 3)))
    ink = data.coverage(factors)
    border = torch.cat([ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]], dim=1)
    assert border.max() < 0.02  # bilinear sampling leaves a trace
    total = ink.sum(dim=(1, 2)).view(10, -1)
    assert ((total.amax(dim=1) - total.amin(dim=1)) / total.mean(dim=1)).max() < 0.02
    columns = torch.arange(32.0)
    centre = (ink.sum(dim=1) * columns).sum(dim=1) / ink.sum(dim=(1, 2))
    across = centre[(factors[:, 0] == 8) & (factors[:, 4] == 1) & (factors[:, 5] == 1)]
    assert (across.diff() > 1).all()


def test_the_font_has_ten_different_glyphs_of_5_by_7():
    assert len(set(FONT)) == 10
    assert all([len(row) for row in glyph.split()] == [5] * 7 for glyph in FONT)


def test_handwriting_is_scikit_learns_and_its_parts_do_not_overlap():
    from sklearn.datasets import load_digits

    scanned = load_digits()
    first_three = torch.from_numpy(scanned.images[scanned.target == 3][0]).float() / 16
    assert torch.equal(handwritten_digits()[3, 0, 1:-1, 1:-1], first_three)
    early, late = Handwriting(last=120), Handwriting(first=120)
    assert early.factor_sizes[3] + late.factor_sizes[3] == 174
    shown = torch.tensor([[4, 0, 5, 0]])
    assert torch.equal(late.images(shown), Handwriting().images(torch.tensor([[4, 0, 5, 120]])))


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 5), (0, 175)])
def test_specimens_outside_the_set_are_refused(first, last):
    with pytest.raises(ValueError, match="0 <= first < last <= 174"):
        Handwriting(first=first, last=last)
