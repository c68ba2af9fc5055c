"""The small autoencoder of Part II: shapes, ranges, and that it learns."""

import torch

from wwlib.datasets.glyphs import Glyphs
from wwlib.models.autoencoder import Autoencoder, train_autoencoder


def test_codes_have_a_mean_and_a_spread_and_decode_to_pictures():
    model = Autoencoder(codes=8)
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    mean, spread = model.encode(images)
    assert mean.shape == spread.shape == (3, 8)
    assert (spread > 0).all()
    drawn = model.decode(mean)
    assert drawn.shape == images.shape
    assert drawn.abs().max() <= 1


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_own_stream_alone():
    before = torch.random.get_rng_state()
    first, second, other = Autoencoder(seed=1), Autoencoder(seed=1), Autoencoder(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_training_rebuilds_pictures_better_than_their_mean():
    data = Glyphs()
    model = train_autoencoder(data, steps=150)
    images = data.sample_images(64, torch.Generator().manual_seed(5))
    with torch.no_grad():
        error = (model.decode(model.encode(images)[0]) - images).square().mean()
    assert error < 0.6 * (images - images.mean(dim=0)).square().mean()
