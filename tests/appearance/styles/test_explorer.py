"""The walk between two styles, as a sheet and under sliders."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.appearance.style import StyleModel
from wwlib.appearance.styles.explorer import STEPS, explore_styles, on_the_way, style_widget, walk_in_style
from wwlib.base.viz import to_pixels


@pytest.fixture(scope="module")
def drawn():
    g = torch.Generator().manual_seed(3)
    return StyleModel(seed=4).eval(), *(torch.rand(n, 3, 32, 32, generator=g) * 2 - 1 for n in (3, 4))


def test_codes_on_the_way_have_length_one_and_begin_and_end_at_the_two_codes():
    one, other = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    way = on_the_way(one, other, torch.linspace(0, 1, 5))
    torch.testing.assert_close(way.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(way[[0, 4]], torch.stack([one, other]))
    torch.testing.assert_close(way[2] @ one, way[2] @ other)


def test_halfway_between_opposite_codes_the_first_one_is_kept():
    one = torch.eye(8)[0]
    assert torch.equal(on_the_way(one, -one, torch.tensor([0.5]))[0], one)


def test_a_walk_begins_and_ends_at_the_transfers_of_both_paintings(drawn):
    model, photos, references = drawn
    ends = walk_in_style(model, photos[0], references[:2], torch.tensor([0.0, 1.0]))
    with torch.no_grad():
        torch.testing.assert_close(ends, model.transfer(photos[[0, 0]], references[:2]), atol=1e-5, rtol=1e-5)


def test_the_sliders_choose_photo_style_and_way(drawn):
    model, photos, references = drawn
    frame = style_widget(model, photos, references, side=32)
    column, view, _ = frame.children
    photo, style, other, way = column.children
    image = view.children[2]
    photo.value, style.value, other.value, way.value = 2, 3, 1, STEPS
    shown = np.asarray(Image.open(io.BytesIO(image.value)))
    with torch.no_grad():
        right = model.transfer(photos[2:], references[1:2])[0]
    tiles = np.concatenate(list(to_pixels(torch.stack([photos[2], references[3], right, references[1]]), 32)), axis=1)
    assert np.abs(shown.astype(int) - tiles.astype(int)).max() <= 1
    assert f"{STEPS} of {STEPS} steps from style 3 to style 1" in view.children[0].value


def test_where_there_are_no_sliders_a_sheet_is_returned(drawn):
    model, photos, references = drawn
    assert explore_styles(model, photos, references).alt.startswith("2 rows.")
    with pytest.raises(ValueError, match="references must be two paintings or more, got 1"):
        explore_styles(model, photos, references[:1])
    with pytest.raises(ValueError, match="photos must be one or more, got 0"):
        explore_styles(model, photos[:0], references)
