"""Looks under masks, painted back, and what the networks of lesson 15 can see."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.segments.networks import LOOK, Decoder, MaskDecoder, ShapeEncoder, painted, pooled


def test_a_look_is_the_mean_under_its_mask_and_an_empty_mask_has_none():
    maps = torch.arange(32.0).view(1, 2, 4, 4)
    masks = torch.zeros(1, 3, 4, 4)
    masks[0, 0, 0, :2], masks[0, 1, 3, 3] = 1, 0.5
    looks = pooled(maps, masks)
    assert looks[0, 0].tolist() == [0.5, 16.5]
    assert looks[0, 1].tolist() == [7.5, 15.5]  # half a pixel: half the mean
    assert looks[0, 2].tolist() == [0, 0]


def test_a_look_is_painted_where_its_mask_is():
    looks = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    masks = torch.zeros(1, 2, 2, 2)
    masks[0, 0, 0], masks[0, 1, 1] = 1, 1
    assert painted(looks, masks)[0, :, 0, 0].tolist() == [1, 2]
    assert painted(looks, masks)[0, :, 1, 1].tolist() == [3, 4]


@pytest.mark.parametrize(("channels", "shape"), [(16, (2, 16, 4, 4)), (64, (2, 64, 4, 4)), (0, (2, 32))])
def test_a_shape_code_has_places_or_none(channels, shape):
    codes = ShapeEncoder(channels)(torch.zeros(2, 3, 32, 32))
    assert codes.mean.shape == codes.log_variance.shape == shape
    assert MaskDecoder(5, channels)(codes.mean).shape == (2, 5, 32, 32)


def test_the_shape_code_knows_where_things_are():
    """A dot at two places that differ by whole strides: without coordinates the maps would only be shifted."""
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, 12, 12], images[1, :, 20, 20] = 1, 1
    mean = ShapeEncoder(16)(images).mean
    assert (mean[0, :, 1:3, 1:3] - mean[1].roll((-1, -1), dims=(1, 2))[:, 1:3, 1:3]).abs().max() > 1e-3


def test_an_untrained_decoder_paints_and_adds():
    decoder = Decoder(2)
    for weights in decoder.add[-1].parameters():
        torch.nn.init.zeros_(weights)
    masks, looks = torch.zeros(1, 2, 32, 32), torch.randn(1, 2, LOOK, generator=torch.Generator().manual_seed(0))
    masks[:, 0, :16], masks[:, 1, 16:] = 1, 1
    drawn = decoder(masks, looks)
    assert torch.equal(drawn[0, :, 3, 3], looks[0, 0, :3])
    assert torch.equal(drawn[0, :, 30, 3], looks[0, 1, :3])
