"""A translation learns a conditional density: compared with Gaussians whose density is known."""

import math

import pytest
import torch

from wwlib.base.descent import descend
from wwlib.flows.latents import Latents
from wwlib.flows.translation import Embedder, Translation, TranslationSchedule, train_translation


def linear_gaussian(n, seed=0):
    """z = A x + 0.3 e with x and e standard normal: p(z | x) has entropy d/2 log(2 pi e 0.09)."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=g)
    a = torch.tensor([[1.0, 0.5], [-0.7, 1.0], [0.2, -1.0], [1.0, 1.0]])
    return Latents(x @ a.t(), torch.full((n, 4), 0.3), torch.zeros(n, 1, dtype=torch.long)), x


ENTROPY = 2 * math.log(2 * math.pi * math.e * 0.09)


@pytest.fixture(scope="module")
def trained():
    latents, x = linear_gaussian(4000)
    schedule = TranslationSchedule(4, (2,), blocks=4, hidden=32, embedding=8, steps=400, rate=5e-3)
    return train_translation(latents, x, schedule)[0]


@torch.no_grad()
def test_the_conditional_likelihood_reaches_the_closed_form(trained):
    latents, x = linear_gaussian(4000, seed=1)
    z = latents.draw(torch.arange(4000), torch.Generator().manual_seed(2))
    assert trained.nll(z, x).mean().item() == pytest.approx(ENTROPY, abs=0.12)
    assert trained.nll(z, x.roll(1, 0)).mean() > ENTROPY + 3


@torch.no_grad()
def test_samples_follow_their_condition(trained):
    latents, x = linear_gaussian(1, seed=3)
    drawn = trained.sample(x.expand(4000, -1), torch.Generator().manual_seed(0))
    assert drawn.mean(dim=0).sub(latents.mean[0]).abs().max() < 0.1
    assert drawn.std(dim=0).sub(0.3).abs().max() < 0.06


@torch.no_grad()
def test_the_inverse_undoes_the_translation(trained):
    latents, x = linear_gaussian(500, seed=4)
    assert (trained.inverse(trained(latents.mean, x)[0], x) - latents.mean).abs().max() < 1e-4


def test_maps_are_standardised_by_channel():
    maps = 5 + 3 * torch.randn(64, 6, 8, 8, generator=torch.Generator().manual_seed(0))
    embedder = Embedder((6, 8, 8), 16)
    embedder.initialise(maps)
    standard = (maps - embedder.mean) * embedder.scale
    assert standard.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert standard.std(dim=(0, 2, 3)).sub(1).abs().max() < 1e-3
    assert embedder(maps).shape == (64, 16)


def test_a_condition_that_never_varies_is_harmless():
    embedder = Embedder((3,), 4)
    embedder.initialise(torch.ones(10, 3))
    assert embedder(torch.ones(2, 3)).isfinite().all()


def test_without_a_condition_it_is_a_plain_density():
    latents, x = linear_gaussian(300)
    schedule = TranslationSchedule(4, blocks=2, hidden=16, steps=20)
    translation, losses = train_translation(latents, None, schedule)
    assert losses[-1] < losses[0]
    with pytest.raises(ValueError, match="x must be None"):
        translation(latents.mean, x)


@pytest.mark.parametrize("shape", [(3, 8, 6), (3, 12, 12), (3, 8), ()])
def test_odd_shapes_of_conditions_are_named(shape):
    with pytest.raises(ValueError, match="shape must be"):
        Embedder(shape)


def test_wrong_conditions_are_named():
    latents, x = linear_gaussian(300)
    with pytest.raises(ValueError, match="conditions must be as many"):
        train_translation(latents, x[:10], TranslationSchedule(4, (2,)))
    translation = Translation(TranslationSchedule(4, (2,)))
    with pytest.raises(ValueError, match=r"conditions must be \[B, 2\]"):
        translation.initialise(latents.mean, torch.randn(300, 3))
    with pytest.raises(ValueError, match="must be positive"):
        TranslationSchedule(4, steps=0)


def test_descent_finds_a_minimum_freezes_and_reports():
    point = torch.nn.Linear(1, 1, bias=False)
    losses = descend(point, lambda _: (point.weight - 3).square().sum(), 400, 0.1, every=100)
    assert len(losses) == 5
    assert abs(point.weight.item() - 3) < 1e-2
    assert not point.weight.requires_grad
    point.requires_grad_(True)
    with pytest.raises(FloatingPointError, match="step 0"):
        descend(point, lambda _: point.weight.sum() * float("nan"), 2, 0.1)
