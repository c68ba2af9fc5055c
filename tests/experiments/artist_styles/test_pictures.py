"""The sheets of the artists' section, drawn by an untrained model."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.style import StyleModel
from wwlib.appearance.styles.measures import painted
from wwlib.datasets.styles.artists import ARTISTS
from wwlib.experiments.artist_styles import pictures
from wwlib.experiments.artist_styles.nearest import distance, every_drawing


@pytest.fixture
def shown(monkeypatch):
    """The pictures and the options that a sheet hands to `grid`."""
    seen = []
    monkeypatch.setattr(pictures, "grid", lambda images, alt, **options: seen.append((images, alt, options)))
    monkeypatch.setattr(pictures, "load_artist_styles", lambda: StyleModel().eval())
    return seen


def test_three_hands_draw_the_same_attributes(shown):
    pictures.hands_sheet(4)
    images, alt, options = shown[0]
    assert images.shape == (3, 4, 3, 32, 32)
    assert options["row_labels"] == ARTISTS
    assert torch.equal(images[0, :, :, 0, 0], images[1, :, :, 0, 0])  # the background
    assert distance(images[0], images[1]).min() > 0.05
    assert "4 columns of real drawings" in alt


def test_what_is_drawn_stands_above_the_nearest_real_drawing(shown):
    pictures.transfer_sheet(6)
    images, alt, options = shown[0]
    assert options["row_labels"] == ["photo", "reference", "drawn", "nearest real drawing", "right answer"]
    assert images.shape == (5, 6, 3, 32, 32)
    photo, reference, drawn, near, right = images
    torch.testing.assert_close(drawn, painted(StyleModel().eval(), photo, reference))
    artists = torch.tensor([0, 0, 1, 1, 2, 2])
    for k, artist in enumerate(artists.tolist()):
        of_training = every_drawing(artist)[1]
        assert (of_training - near[k]).abs().amax(dim=(1, 2, 3)).min() == 0
        apart = (of_training - drawn[k]).square().mean(dim=(1, 2, 3)).min()
        assert apart.item() == pytest.approx((near[k] - drawn[k]).square().mean().item(), rel=1e-4)
    assert distance(photo, right).min() > 0.05
    assert "6 columns" in alt
