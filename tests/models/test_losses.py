"""Losses against slow loops, closed forms and finite differences."""

import math

import pytest
import torch

from tests.tiny import CPU, TINY, Noise
from wwlib.models.config import replace_config
from wwlib.models.losses import (
    OBJECTIVES,
    Readings,
    discriminator_loss,
    generator_loss,
    infogan_loss,
    perceptual_simplicity_loss,
    perturb,
    r1_penalty,
    untrained_ps_loss,
)
from wwlib.training.step import Training


def slow_ps(codes, perturbed, k, r, r2):
    total = 0.0
    for b in range(len(codes)):
        for i in range(codes.shape[1]):
            if i == k[b]:
                total += 0.5 * ((codes[b, i] - r[b, i]) ** 2 + (perturbed[b, i] - r2[b, i]) ** 2)
            else:
                total += (codes[b, i] - (r[b, i] + r2[b, i]) / 2) ** 2
    return total / len(codes)


def test_logistic_losses_at_zero_are_log_two():
    zero = torch.zeros(5)
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))


def test_generator_loss_keeps_its_gradient_where_the_discriminator_is_sure():
    logits = torch.tensor([-30.0], requires_grad=True)
    generator_loss(logits).backward()
    assert logits.grad.item() == pytest.approx(-1.0, abs=1e-6)


def test_ps_loss_equals_the_definition_code_by_code(generator):
    codes = torch.randn(7, 5, generator=generator)
    perturbed, k = perturb(codes, 6.0, generator)
    r, r2 = torch.randn(7, 5, generator=generator), torch.randn(7, 5, generator=generator)
    ours = perceptual_simplicity_loss(codes, perturbed, k, r, r2)
    assert ours.item() == pytest.approx(slow_ps(codes, perturbed, k, r, r2).item(), rel=1e-5)


def test_ps_loss_forgives_errors_that_cancel_in_the_pair(generator):
    codes = torch.randn(4, 6, generator=generator)
    perturbed, k = perturb(codes, 6.0, generator)
    error = torch.randn(4, 6, generator=generator)
    error[torch.arange(4), k] = 0
    averaged = perceptual_simplicity_loss(codes, perturbed, k, codes + error, perturbed - error)
    alone = perceptual_simplicity_loss(codes, perturbed, k, codes + error, perturbed - error, average=False)
    assert averaged.item() == pytest.approx(0.0, abs=1e-10)
    assert alone.item() > 1


def test_ps_loss_of_a_recogniser_that_says_zero_is_d_plus_18_for_the_papers_perturbation(generator):
    codes = torch.randn(200_000, 9, generator=generator)
    perturbed, k = perturb(codes, 6.0, generator)
    zero = torch.zeros_like(codes)
    assert untrained_ps_loss(9, 6.0) == 27
    assert perceptual_simplicity_loss(codes, perturbed, k, zero, zero).item() == pytest.approx(27, rel=0.02)


def test_perturb_changes_one_code_by_a_normal_of_the_given_scale(generator):
    codes = torch.randn(50_000, 4, generator=generator)
    perturbed, k = perturb(codes, 6.0, generator)
    difference = perturbed - codes
    assert ((difference != 0).sum(dim=1) == 1).all()
    p = difference[torch.arange(len(k)), k]
    assert p.std().item() == pytest.approx(6.0, rel=0.02)
    assert torch.bincount(k, minlength=4).float().div(len(k)).sub(0.25).abs().max() < 0.01


def test_ps_loss_names_wrong_shapes():
    with pytest.raises(ValueError, match="share one shape"):
        perceptual_simplicity_loss(
            torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), torch.zeros(2, 4), torch.zeros(2, 3)
        )


def test_infogan_loss_is_the_distance_not_its_square():
    assert infogan_loss(torch.zeros(3, 2), torch.tensor([[3.0, 4.0]] * 3)).item() == pytest.approx(5.0)


def test_r1_of_a_linear_discriminator_is_half_gamma_times_its_squared_weights(generator):
    weight = torch.randn(3 * 4 * 4, generator=generator)
    real = torch.randn(5, 3, 4, 4, generator=generator)
    penalty = r1_penalty(lambda x: x.flatten(1) @ weight, real, gamma=10.0)
    assert penalty.item() == pytest.approx(5 * weight.square().sum().item(), rel=1e-5)


def test_r1_reaches_the_discriminators_weights(generator):
    weight = torch.randn(48, generator=generator).requires_grad_()
    r1_penalty(lambda x: x.flatten(1) @ weight, torch.randn(2, 3, 4, 4, generator=generator), 1.0).backward()
    assert torch.allclose(weight.grad, weight.detach(), atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_a_few_steps_and_moves_what_it_should(objective):
    """Q learns from it, and G only where the table says so: without the GAN's own losses G's gradient is its alone."""
    config = replace_config(TINY, objective=objective, recogniser_noise=0.1, share_noise=True)
    state = Training(config, Noise(), CPU)
    before = [p.detach().clone() for p in state.recogniser.parameters()]
    for _ in range(6):
        losses = state.step()
    assert all(value.isfinite() and value.shape == () for value in losses.values())
    state.check_finite()
    moved = [not torch.equal(old, new) for old, new in zip(before, state.recogniser.parameters(), strict=True)]
    assert all(moved)

    gradients = {}
    for weight in (0.0, 10.0):
        state = Training(replace_config(config, C_lambda=weight), Noise(), CPU)
        state.step()
        gradients[weight] = torch.cat([p.grad.flatten() for p in state.generator.parameters()])
        assert any(p.grad is not None and bool(p.grad.any()) for p in state.recogniser.parameters()) == (weight > 0)
    assert torch.equal(*gradients.values()) != OBJECTIVES[objective].reaches_generator


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_smaller_for_a_recogniser_that_reads_the_codes_than_for_one_that_says_zero(objective):
    random = torch.Generator().manual_seed(0)
    codes = torch.randn(64, 5, generator=random)
    pair, answers = (), ([codes], [torch.zeros_like(codes)])
    if OBJECTIVES[objective].pairs:
        perturbed, k = perturb(codes, 6.0, random)
        pair = perturbed, k
        answers = ([codes, perturbed], [torch.zeros_like(codes)] * 2)
    right, silent = (OBJECTIVES[objective].loss(Readings(codes, r[0], *pair, *r[1:]), TINY) for r in answers)
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert silent > 1
