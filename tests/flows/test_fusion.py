"""Network fusion: the mathematics of carrying a residual, two domains whose counterparts are known, and the experts."""

import math

import pytest
import torch

from wwlib.datasets.domains import STYLE, Domains, other_domain, outline
from wwlib.flows.experts import LayoutNetwork, edges, hard, make_experts, other_label, train_layout, with_label
from wwlib.flows.flow import log_density
from wwlib.flows.fusion import ShortTranslation, guessing, within_variance
from wwlib.flows.latents import Latents
from wwlib.flows.regression import train_regression
from wwlib.flows.translation import TranslationSchedule, carry, train_translation


@pytest.fixture(scope="module")
def data():
    return Domains()


# the two domains


def test_counterparts_differ_in_style_alone(data, generator):
    factors = data.sample_factors(30, generator)
    other = other_domain(factors)
    assert torch.equal(other_domain(other), factors)
    assert (factors != other).sum() == 30
    assert torch.equal(data.layout(factors), data.layout(other))
    assert ((data.images(factors) - data.images(other)).abs().amax(dim=(1, 2, 3)) > 0.3).all()


def test_a_filled_digit_is_lesson_17s(data, generator):
    from wwlib.datasets.glyphs import Glyphs

    factors = data.sample_factors(10, generator)
    factors[:, STYLE] = 0
    assert torch.equal(data.images(factors), Glyphs().images(factors[:, [0, 1, 2, 3, 4, 6]]))


def test_the_outline_of_a_square_is_the_ring_around_it():
    square = torch.zeros(1, 9, 9)
    square[0, 3:6, 3:6] = 1
    ring = torch.zeros(1, 9, 9)
    ring[0, 2:7, 2:7] = 1
    assert torch.equal(outline(square), ring - square)
    assert torch.equal(outline(0.25 * square), 0.5 * (ring - square))


# the experts


def test_edges_of_a_ramp_are_its_slope_and_a_flat_picture_has_none():
    ramp = torch.linspace(-1, 1, 9).expand(2, 3, 9, 9)
    assert edges(ramp)[:, :, 1:-1, 1:-1].sub(0.25).abs().max() < 1e-6
    assert edges(ramp.transpose(2, 3))[:, :, 1:-1, 1:-1].sub(0.25).abs().max() < 1e-6
    assert edges(torch.ones(1, 3, 8, 8)).abs().max() == 0


def test_the_argmax_forgets_how_sure_the_network_is(generator):
    logits = torch.randn(3, 4, 6, 6, generator=generator)
    maps = hard(logits)
    assert torch.equal(maps.sum(dim=1), torch.ones(3, 6, 6))
    assert torch.equal(maps, hard(7 * logits + 3))
    assert torch.equal(maps.argmax(dim=1), logits.argmax(dim=1))


def test_a_short_training_finds_the_layout_in_both_domains(data, generator):
    network = train_layout(data, steps=100, batch=24)
    factors = data.sample_factors(200, generator)
    right = (network(data.images(factors)).argmax(dim=1) == data.layout(factors)).float().mean()
    assert right > data.layout(factors).eq(0).float().mean() + 0.04
    assert not next(network.parameters()).requires_grad


def test_every_expert_says_what_its_shape_promises(data, generator):
    factors = data.sample_factors(5, generator)
    images = data.images(factors)
    for expert in make_experts(LayoutNetwork()).values():
        assert expert(images, factors).shape == (5, *expert.shape)


def test_a_label_says_the_style_and_nothing_else(data, generator):
    factors = data.sample_factors(20, generator)
    label = make_experts(LayoutNetwork())["domain"]
    answers = label(data.images(factors), factors)
    assert torch.equal(answers.argmax(dim=1), factors[:, STYLE])
    assert torch.equal(other_label(answers), label(data.images(factors), other_domain(factors)))


def test_label_and_layout_share_a_condition_and_only_the_label_turns(generator):
    label = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    maps = torch.randn(2, 3, 4, 4, generator=generator)
    both = with_label(label, maps)
    assert both.shape == (2, 5, 4, 4)
    assert torch.equal(other_label(both), with_label(label.flip(1), maps))


# carrying


def gaussian_pair(n, seed=0):
    """Two classes of codes, N(m_k, s_k^2): the residual is (z - m_k) / s_k, known exactly."""
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (n,), generator=random)
    mean = torch.tensor([[2.0, -1.0], [-2.0, 1.0]])[label]
    spread = torch.tensor([[1.0, 0.5], [0.5, 1.0]])[label]
    return Latents(mean, spread, label[:, None]), torch.nn.functional.one_hot(label, 2).float()


@pytest.fixture(scope="module")
def carried():
    latents, labels = gaussian_pair(4000)
    schedule = TranslationSchedule(2, (2,), blocks=3, hidden=24, embedding=4, steps=350, rate=5e-3)
    return train_translation(latents, labels, schedule)[0]


@torch.no_grad()
def test_a_carried_gaussian_has_the_other_ones_mean_and_spread(carried):
    latents, labels = gaussian_pair(6000, seed=1)
    z = latents.draw(torch.arange(6000), torch.Generator().manual_seed(2))
    turned = carry(carried, z, labels, labels.flip(1))
    for k in (0, 1):
        carried_codes, own_codes = turned[labels[:, k] == 1], z[labels[:, k] == 0]
        assert (carried_codes.mean(dim=0) - own_codes.mean(dim=0)).abs().max() < 0.15
        assert (carried_codes.std(dim=0) - own_codes.std(dim=0)).abs().max() < 0.15


@torch.no_grad()
def test_there_and_back_is_the_code_itself_and_nowhere_is_no_move(carried):
    latents, labels = gaussian_pair(500, seed=3)
    z = latents.mean
    turned = carry(carried, z, labels, labels.flip(1))
    assert (carry(carried, turned, labels.flip(1), labels) - z).abs().max() < 1e-4
    assert (carry(carried, z, labels, labels) - z).abs().max() < 1e-4
    assert (turned - z).abs().max() > 1


def test_a_residual_holds_no_label_and_a_code_does(carried):
    latents, labels = gaussian_pair(4000, seed=4)
    z = latents.draw(torch.arange(4000), torch.Generator().manual_seed(5))
    truth = labels.argmax(dim=1)
    assert guessing(z, truth) > 0.95
    assert abs(guessing(carried(z, labels)[0].detach(), truth) - 0.5) < 0.06


@pytest.fixture(scope="module")
def short():
    """A short translation whose weights are no longer those at which it does nothing."""
    translation = ShortTranslation(TranslationSchedule(4, (2,), blocks=5, hidden=12, embedding=4), heard=2).double()
    random = torch.Generator().manual_seed(0)
    labels = torch.eye(2).repeat(32, 1).double()
    translation.initialise(torch.randn(64, 4, generator=random).double(), labels)
    with torch.no_grad():
        for weight in translation.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=random))
    return translation.requires_grad_(False)


def test_a_short_translation_is_a_bijection_whose_change_of_volume_is_exact(short, generator):
    z, labels = torch.randn(6, 4, generator=generator).double(), torch.eye(2).repeat(3, 1).double()
    v, logdet = short(z, labels)
    assert torch.allclose(short.inverse(v, labels), z, atol=1e-10)
    for k in range(6):
        jacobian = torch.autograd.functional.jacobian(lambda x, k=k: short(x[None], labels[k : k + 1])[0][0], z[k])
        assert torch.linalg.slogdet(jacobian).logabsdet == pytest.approx(float(logdet[k]), abs=1e-10)
    assert torch.equal(short.nll(z, labels), -log_density(v, logdet))


def test_a_short_translation_hears_the_condition_in_its_first_blocks_only(short, generator):
    z, labels = torch.randn(6, 4, generator=generator).double(), torch.eye(2).repeat(3, 1).double()
    assert (len(short.flow.couplings), len(short.common.couplings)) == (2, 3)
    assert (short.flow.cond_dim, short.common.cond_dim) == (4, 0)
    near = [short.flow(z, short.embedder(x))[0] for x in (labels, labels.flip(1))]
    assert not torch.allclose(*near)
    for x, u in zip((labels, labels.flip(1)), near, strict=True):
        assert torch.allclose(short(z, x)[0], short.common(u)[0])


@pytest.mark.parametrize("heard", [0, 5])
def test_a_short_translation_has_blocks_of_both_kinds(heard):
    with pytest.raises(ValueError, match=rf"heard must lie in 1..4, got {heard}"):
        ShortTranslation(TranslationSchedule(4, (2,), blocks=5), heard)


def test_the_regression_answers_with_the_mean_of_each_class():
    latents, labels = gaussian_pair(2000, seed=6)
    schedule = TranslationSchedule(2, (2,), hidden=24, steps=250, rate=1e-2)
    answers = train_regression(latents, labels, schedule)[0](labels)
    assert (answers - latents.mean).abs().max() < 0.15


def test_variance_within_conditions_is_that_of_the_noise(generator):
    centres = 5 * torch.randn(400, 1, 3, generator=generator)
    spread = torch.tensor([1.0, 2.0, 0.5])
    features = centres + spread * torch.randn(400, 30, 3, generator=generator)
    assert within_variance(features) == pytest.approx(float(spread.square().sum()), rel=0.05)
    assert within_variance(centres.expand(400, 5, 3)) == 0
    with pytest.raises(ValueError, match="features must be"):
        within_variance(centres)


def test_a_bound_on_guessing_is_a_coin_for_noise(generator):
    v = torch.randn(4000, 4, generator=generator)
    assert abs(guessing(v, torch.randint(2, (4000,), generator=generator)) - 0.5) < 4 * math.sqrt(0.25 / 2000)
