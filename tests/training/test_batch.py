"""One batch: its random numbers, its parts, and gradients that are those of the whole training step."""

import pytest
import torch

from tests.tiny import CPU, TINY, Noise
from wwlib.models.config import replace_config
from wwlib.models.losses import OBJECTIVES
from wwlib.training.batch import add_gradients, draw_batch
from wwlib.training.step import Training, ema_decay, update_average

CONFIG = replace_config(TINY, batch=8, recogniser_noise=0.1, r1_every=2, decay_from=1.0)


def networks_of(state):
    return state.generator, state.discriminator, state.recogniser


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_written_out_is_the_step_of_the_class_to_the_bit(objective):
    config = replace_config(CONFIG, objective=objective)
    mine, theirs = Training(config, Noise(), CPU), Training(config, Noise(), CPU)
    random = torch.Generator().manual_seed(config.seed + 1)
    for number in range(4):
        expected = theirs.step()
        batch = draw_batch(config, mine.generator, mine.data, random).part(slice(0, 8), 0, CPU.device)
        for optimiser in (mine.g_optimiser, mine.d_optimiser):
            optimiser.zero_grad()
        losses = add_gradients(networks_of(mine), batch, config, number % 2 == 0, CPU)
        for optimiser in (mine.g_optimiser, mine.d_optimiser):
            optimiser.step()
        update_average(mine.average, mine.generator, ema_decay(8, config.ema_images))
        assert all(torch.equal(losses[name], expected[name]) for name in losses)
        assert ("R1" in losses) == (number % 2 == 0)
    for name, network in mine.networks().items():
        others = theirs.networks()[name].parameters()
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), others, strict=True)), name


def test_a_part_of_a_batch_has_the_rows_of_both_images_of_a_pair():
    state = Training(CONFIG, Noise(), CPU)
    whole = state.draw()
    part = whole.part(slice(2, 6), 0, CPU.device)
    assert torch.equal(part.codes, whole.codes[2:6])
    assert torch.equal(part.perturbed, whole.perturbed[2:6])
    rows = [2, 3, 4, 5, 10, 11, 12, 13]
    assert torch.equal(part.recogniser_noise, whole.recogniser_noise[rows])
    assert torch.equal(part.noise[0], whole.noise[0][rows])
    assert torch.equal(part.real, whole.real[2:6])
    assert torch.equal(whole.part(slice(2, 6), 2, CPU.device).real, whole.real[:4])  # of a process that begins there


def test_c_and_its_partner_differ_in_one_code():
    batch = draw_batch(CONFIG, Training(CONFIG, Noise(), CPU).generator, Noise(), torch.Generator().manual_seed(0))
    changed = batch.codes != batch.perturbed
    assert changed.sum(dim=1).tolist() == [1] * 8
    assert torch.equal(changed.int().argmax(dim=1), batch.k)


def test_the_turn_of_g_and_q_leaves_no_gradient_in_d():
    state, seen = Training(CONFIG, Noise(), CPU), []

    def backward(loss):
        loss.backward()
        seen.append([p.grad is not None for p in state.discriminator.parameters()])

    batch = state.draw().part(slice(0, 8), 0, CPU.device)
    add_gradients(networks_of(state), batch, CONFIG, True, CPU, backward)
    assert [any(flags) for flags in seen] == [False, True]
