"""The Variational U-Net: what its parts see, what its loss weighs, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.vunet import (
    COARSE,
    FINE,
    Schedule,
    VUNet,
    beta_at,
    near_skeleton,
    picture_loss,
    pooled_colours,
    train_vunet,
    vunet_loss,
)
from wwlib.base.device import Compute
from wwlib.datasets.motions import sample_triplets
from wwlib.datasets.puppet import render, skeleton

CASES = [
    Schedule(),
    Schedule(coarse=False),
    Schedule(fine=True),
    Schedule(pooled=False),
    Schedule(modulated=False),
    Schedule(fine=True, pooled=False, modulated=False, weighted=False),
]


def batch(n: int = 4, seed: int = 0):
    a, b, appearance, _ = sample_triplets(n, torch.Generator().manual_seed(seed), clothes=True)
    return render(a, appearance).images, skeleton(a), skeleton(b)


@pytest.mark.parametrize("schedule", CASES)
def test_codes_and_pictures_have_their_shapes_and_every_weight_learns(schedule):
    model, (x, y, onto) = VUNet(schedule), batch()
    z, z2 = model.encode(x, y)
    assert (z is None) == (not schedule.coarse)
    assert (z2 is None) == (not schedule.fine)
    if z is not None:
        assert z.shape == (4, COARSE, 4, 4)
    if z2 is not None:
        assert z2.shape == (4, FINE, 8, 8)
    drawn = model.transfer(x, y, onto)
    assert drawn.shape == x.shape
    assert drawn.abs().max() <= 1
    loss, _ = vunet_loss(model, x, y, 0.1, schedule, torch.Generator().manual_seed(0))
    loss.backward()
    unused = {name for name, p in model.named_parameters() if p.grad is None}
    without_code = ("encoder.", "unet.prior")  # a model without z has no use for them
    assert all(name.startswith(without_code) for name in unused) if not schedule.coarse else not unused


def test_without_a_code_the_appearance_cannot_be_chosen():
    model, (x, y, onto) = VUNet(Schedule(coarse=False)), batch()
    torch.testing.assert_close(model.transfer(x, y, onto), model.transfer(-x, y, onto))


def test_a_picture_is_drawn_from_the_skeleton_it_is_asked_for_and_the_code_of_the_other():
    model, (x, y, onto) = VUNet(Schedule()), batch()
    g = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    drawn = model.transfer(x, y, onto, g())
    assert (drawn - model.transfer(x, y, y, g())).abs().max() > 1e-3
    assert (drawn - model.transfer(-x, y, onto, g())).abs().max() > 1e-3


def test_samples_follow_their_generator_and_differ_between_draws():
    model, (_, _, onto) = VUNet(Schedule(fine=True)), batch()
    first, again, other = (model.sample(onto, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    torch.testing.assert_close(first, again)
    assert (first - other).abs().max() > 1e-3


def test_the_picture_loss_of_a_constant_error():
    x = torch.zeros(2, 3, 32, 32)
    assert abs(picture_loss(x + 0.1, x).item() - 100 * (0.1 + 2 * 0.01 + 0.05)) < 1e-4
    weight = torch.ones(2, 1, 32, 32)
    weight[:, :, :16], weight[:, :, 16:] = 0.5, 1.5
    upper = x.clone()
    upper[:, :, :16] = 0.1
    assert abs(picture_loss(upper, x, weight).item() - 100 * (0.5 * (0.1 + 0.02) / 2 + 0.025)) < 1e-4


def test_pixels_near_the_lines_count_four_times():
    _, y, _ = batch()
    weight = near_skeleton(y)
    assert abs(weight.mean().item() - 1) < 1e-5
    assert abs((weight.max() / weight.min()).item() - 4) < 1e-4
    assert weight[0, 0][y[0].amax(dim=0) == 1].min() > 0.99 * weight.max()


def test_pooled_colours_are_means_of_all_pixels_and_of_those_under_each_channel():
    x, y = torch.randn(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    y[:, 1, :8, :8] = 1
    pooled = pooled_colours(x, y)
    assert pooled.shape == (1, 12, 4, 4)
    torch.testing.assert_close(pooled[0, :3, 1, 2], x[0, :, 8:16, 16:24].mean(dim=(1, 2)))
    blocks = pooled[0, 3:].unflatten(0, (3, 3))  # channel of y, then colour
    torch.testing.assert_close(blocks[1, :, 0, 0], 4 * x[0, :, :8, :8].mean(dim=(1, 2)))
    assert blocks[[0, 2]].abs().max() == 0
    assert blocks[1, :, 1:].abs().max() == 0


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.2, 0.0), (0.35, 0.01), (0.5, 0.02), (1.0, 0.02)])
def test_beta_rises_on_a_line(progress, expected):
    assert abs(beta_at(progress, Schedule(beta=0.02)) - expected) < 1e-9


def test_beta_from_the_first_step():
    assert beta_at(1e-6, Schedule(beta=0.5, rise=(0.0, 0.0))) == 0.5


def test_a_nat_of_the_second_code_costs_what_the_schedule_says():
    x, y, _ = batch()
    schedule = Schedule(fine=True)
    model = VUNet(schedule)
    losses = {}
    for weight in (1.0, 10.0):
        g = torch.Generator().manual_seed(0)
        losses[weight], terms = vunet_loss(model, x, y, 0.1, replace(schedule, fine_weight=weight), g)
    torch.testing.assert_close(losses[10.0] - losses[1.0], 0.9 * terms["nats2"], rtol=1e-3, atol=1e-3)


def test_a_short_training_rebuilds_better_than_it_began_and_follows_its_seed():
    schedule = Schedule(steps=60, batch=8)
    model, history = train_vunet(schedule)
    assert history[-1]["rebuilt"] < 0.6 * history[0]["rebuilt"]
    assert history[0]["beta"] == 0
    assert history[-1]["beta"] == schedule.beta
    again, _ = train_vunet(schedule)
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_bfloat16_autocast_keeps_losses_in_float32():
    _, history = train_vunet(Schedule(steps=2, batch=4), compute=Compute(torch.device("cpu"), torch.bfloat16))
    assert all(torch.isfinite(torch.tensor(list(entry.values()))).all() for entry in history)


def test_a_model_makes_every_tensor_where_its_inputs_lie():
    model, (x, y, onto) = VUNet(Schedule(fine=True)), batch()
    g = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    expected, sampled = model.transfer(x, y, onto, g()), model.sample(onto, g())
    with torch.device("meta"):
        torch.testing.assert_close(model.transfer(x, y, onto, g()), expected)
        torch.testing.assert_close(model.sample(onto, g()), sampled)
        loss, _ = vunet_loss(model, x, y, 0.1, Schedule(fine=True), g())
    assert loss.isfinite()
