"""Pictures of styles say what they show."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from wwlib.appearance.style import StyleModel
from wwlib.appearance.styles.pictures import every_style_sheet, hue_plot, transfer_sheet


@pytest.fixture(scope="module")
def model():
    return StyleModel().eval().requires_grad_(False)


def size(picture) -> tuple[int, int]:
    return Image.open(io.BytesIO(picture.data)).size


def test_a_sheet_has_a_row_for_each_model_below_photos_and_styles(model):
    photos, references = torch.rand(2, 5, 3, 32, 32)
    one = transfer_sheet({"paper": model}, photos, references, "One model.")
    two = transfer_sheet({"paper": model, "contrast": model}, photos, references, "Two models.")
    assert "5 columns" in one.alt
    assert "paper, contrast" in two.alt
    assert size(two)[1] > 1.2 * size(one)[1]


def test_a_table_crosses_every_photo_with_every_style(model):
    picture = every_style_sheet(model, torch.rand(2, 3, 32, 32), torch.rand(6, 3, 32, 32))
    assert "6 paintings" in picture.alt
    assert "2 photos" in picture.alt
    width, height = size(picture)
    assert width > 1.7 * height  # seven columns and three rows, and a line of words


def test_the_plot_of_hues_has_a_panel_for_each_family_and_shows_their_points():
    hues, families = torch.rand(60, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3
    copied = hue_plot(hues, hues, families, "Hues asked and drawn.")
    level = hue_plot(hues, torch.full((60,), 0.3), families, "Hues asked and drawn.")
    for name in ("Hues asked and drawn", "stripes", "dots", "hatch"):
        assert name in copied.alt
    assert copied.data != level.data
