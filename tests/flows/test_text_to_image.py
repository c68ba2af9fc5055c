"""What a translation can do, on worlds whose answers are known: a perfect translator of factors, and Gaussians."""

import math

import pytest
import torch

from wwlib.course.answers.lesson_19 import mean_kl, retell_gaussian
from wwlib.datasets.captions import SIZES, UNSAID, tokens, write_all
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.hosts import load_host, load_judge
from wwlib.experiments.translation.runs import FULL, load_encoder
from wwlib.flows.latents import Latents
from wwlib.flows.regression import Regression, train_regression
from wwlib.flows.text_to_image import (
    DEPTHS,
    Captioned,
    agreement,
    at_depth,
    caption_pictures,
    change_word,
    edit_scores,
    transfer_scores,
    within_and_total,
)
from wwlib.flows.translation import TranslationSchedule, carry, draws_of


class Reads:
    """An encoder whose embedding is what a caption states."""

    def embed(self, captions):
        return load_encoder().read(tokens(captions)).float()


class Perfect:
    """Codes are the six factors; the residual is the pose, and the caption gives the rest."""

    def __call__(self, z, x):
        return torch.cat([z[:, :3] - x, z[:, 3:]], dim=1), torch.zeros(len(z))

    def inverse(self, v, x):
        return torch.cat([v[:, :3] + x, v[:, 3:]], dim=1)


class Deaf(Perfect):
    """A translation that hears no condition."""

    def __call__(self, z, x):
        return z, torch.zeros(len(z))

    def inverse(self, v, x):
        return v


def read(z):
    return z.round().long()


@pytest.fixture(scope="module")
def pictures():
    factors = Glyphs().sample_factors(300, torch.Generator().manual_seed(0))
    captions = write_all(factors[:, :3], 1)
    latents = Latents(factors.float(), torch.zeros(300, 6), factors[:, :3])
    return Captioned(latents, factors, factors[:, :3], captions, Reads().embed(captions))


def test_a_perfect_translation_edits_and_transfers_without_a_mistake(pictures, generator):
    assert torch.equal(edit_scores(Perfect(), read, Reads(), pictures, generator), torch.ones(3, 6))
    expected = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    assert torch.equal(transfer_scores(Perfect(), read, pictures), expected)


def test_a_deaf_translation_changes_nothing(pictures, generator):
    edits = edit_scores(Deaf(), read, Reads(), pictures, generator)
    assert torch.equal(edits, 1 - torch.cat([torch.eye(3), torch.zeros(3, 3)], dim=1))
    assert torch.equal(transfer_scores(Deaf(), read, pictures), torch.tensor([[0.0], [1.0]]).expand(-1, 6))


def test_an_edit_needs_captions_that_state_everything(pictures, generator):
    silent = pictures.stated.clone()
    silent[3, 1] = UNSAID
    some = Captioned(pictures.latents, pictures.factors, silent, pictures.captions, pictures.embeddings)
    with pytest.raises(ValueError, match="state all three"):
        edit_scores(Perfect(), read, Reads(), some, generator)


def test_a_changed_word_is_another_one_and_the_only_one(pictures, generator):
    for attribute, size in enumerate(SIZES):
        changed = change_word(pictures.stated, attribute, generator)
        assert (changed[:, attribute] != pictures.stated[:, attribute]).all()
        assert changed[:, attribute].unique().numel() == size
        others = [k for k in range(3) if k != attribute]
        assert torch.equal(changed[:, others], pictures.stated[:, others])


class Gaussian:
    """v = (z - mean) / spread, where the condition is mean and spread side by side."""

    def __call__(self, z, x):
        mean, spread = x.chunk(2, dim=1)
        return (z - mean) / spread, -spread.log().sum(dim=1)

    def inverse(self, v, x):
        mean, spread = x.chunk(2, dim=1)
        return v * spread + mean


def test_to_retell_a_gaussian_is_the_closed_form(generator):
    z, old, new = torch.randn(3, 20, 4, generator=generator)
    spreads = torch.rand(2, 20, 4, generator=generator) + 0.5
    carried = carry(Gaussian(), z, torch.cat([old, spreads[0]], dim=1), torch.cat([new, spreads[1]], dim=1))
    assert torch.allclose(carried, retell_gaussian(z, old, spreads[0], new, spreads[1]), atol=1e-5)


def test_the_loss_is_entropy_plus_what_the_residual_knows_of_its_condition(generator):
    """z | x ~ N(x, s^2), x ~ N(0, 1): a flow that ignores x pays exactly I(v; x) = log(1 + 1 / s^2) / 2."""
    s = 0.5
    total = (1 + s**2) ** 0.5  # v = z / total is N(0, 1) over all x
    loss = 0.5 + 0.5 * math.log(2 * math.pi) + math.log(total)
    entropy = 0.5 * math.log(2 * math.pi * math.e * s**2)
    knows = 0.5 * math.log(1 + 1 / s**2)
    assert loss - entropy == pytest.approx(knows)
    x = torch.randn(200_000, 1, generator=generator)
    assert mean_kl(x / total, torch.full_like(x, s / total)).item() == pytest.approx(knows, abs=0.01)
    normal = torch.distributions.Normal
    by_torch = torch.distributions.kl_divergence(normal(x / total, torch.full_like(x, s / total)), normal(0, 1))
    assert mean_kl(x / total, torch.full_like(x, s / total)).item() == pytest.approx(by_torch.mean().item(), abs=1e-5)


def test_what_is_unsaid_does_not_count():
    seen = torch.tensor([[7, 0, 3, 0, 0, 0], [6, 1, 3, 0, 0, 0]])
    stated = torch.tensor([[7, UNSAID, 2], [7, 1, 3]])
    assert agreement(seen, stated).tolist() == [0.5, 1.0, 0.5]


def test_spreads_are_those_of_the_definition(generator):
    codes = torch.randn(6, 1, 3, generator=generator) + 0.3 * torch.randn(6, 40, 3, generator=generator)
    within, total = within_and_total(codes)
    each = [[codes[c, :, k].double().numpy().var() for k in range(3)] for c in range(6)]
    assert within == pytest.approx((sum(map(sum, each)) / 18) ** 0.5, rel=1e-5)
    assert total == pytest.approx((sum(codes[:, :, k].double().numpy().var() for k in range(3)) / 3) ** 0.5, rel=1e-5)


def test_a_regression_finds_the_conditional_mean_and_nothing_more():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, generator=g)
    mean = torch.stack([x[:, 0] + x[:, 1], x[:, 0].abs()], dim=1)
    latents = Latents(mean, torch.full_like(mean, 0.7), torch.zeros(4000, 1).long())
    network, losses = train_regression(latents, x, TranslationSchedule(2, (2,), steps=500))
    assert (network(x) - mean).abs().mean() < 0.15
    assert losses[-1] == pytest.approx(0.7**2, abs=0.12)  # what is left is the variance that x leaves open
    with pytest.raises(ValueError, match="conditions must be as many"):
        train_regression(latents, x[:5], TranslationSchedule(2, (2,)))


def test_each_depth_is_what_the_classifier_computes_there():
    classifier = load_host("classifier").classifier
    images = Glyphs().sample_images(3, torch.Generator().manual_seed(0))
    shapes = {"first maps": (3, 16, 16, 16), "last maps": (3, 32, 4, 4), "logits": (3, 10)}
    assert {depth: tuple(at_depth(classifier, images, depth).shape) for depth in DEPTHS} == shapes
    features = classifier.hidden(at_depth(classifier, images, "last maps").flatten(1)).relu()
    assert torch.allclose(classifier.heads[0](features), at_depth(classifier, images, "logits"), atol=1e-4)
    rival = Regression(TranslationSchedule(32, (16, 16, 16)))
    assert rival(at_depth(classifier, images, "first maps")).shape == (3, 32)
    with pytest.raises(ValueError, match="depth must be one of"):
        at_depth(classifier, images, "the end")


def test_pictures_to_test_on_are_new_and_their_captions_true():
    host, encoder = load_host("autoencoder"), load_encoder()
    seen = caption_pictures(host, encoder, 600, 0)
    new = caption_pictures(host, encoder, 600, 50, FULL, without=seen.factors)
    assert not set(map(tuple, seen.factors.tolist())) & set(map(tuple, new.factors.tolist()))
    assert len(new.factors) == len(new.captions) == len(new.latents.mean) == 600
    assert torch.equal(new.stated, new.factors[:, :3])
    assert torch.equal(Reads().embed(new.captions).long(), new.stated)


def test_draws_stand_under_their_condition(generator):
    class Echo:
        def sample(self, x, generator):
            return x + 0.01 * torch.randn(x.shape, generator=generator)

    draws = draws_of(Echo(), torch.tensor([[0.0, 0.0], [5.0, 5.0]]), 3, generator)
    assert draws.shape == (2, 3, 2)
    assert draws.round().unique(dim=1).squeeze().tolist() == [[0.0, 0.0], [5.0, 5.0]]


def test_the_judge_of_digits_reads_other_tilts_than_the_autoencoder_saw():
    from wwlib.experiments.hosts import JUDGES_TILTS

    assert not set(JUDGES_TILTS) & set(Glyphs()._tilts.tolist())
    assert len(load_judge("digits").heads) == 3
