"""Half precision: the same shapes, finite numbers, one scale for both optimisers, and float32 where it is needed."""

import pytest
import torch

from tests.tiny import CPU, TINY, Noise, flat
from wwlib.base.device import Compute
from wwlib.base.files import load_about
from wwlib.models.config import replace_config
from wwlib.models.losses import OBJECTIVES
from wwlib.training.checkpoint import load_checkpoint, save_checkpoint
from wwlib.training.step import Training

FLOAT16 = Compute(torch.device("cpu"), torch.float16)
HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


@HALVES
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_in_half_precision(objective, dtype):
    config = replace_config(TINY, objective=objective, r1_every=2, recogniser_noise=0.1)
    state, full = (Training(config, Noise(), Compute(torch.device("cpu"), d)) for d in (dtype, None))
    before = flat(state)
    for _ in range(6):
        losses, expected = state.step(), full.step()
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        assert value.isfinite()
        assert value.dtype == torch.float32
        assert value.shape == expected[name].shape == ()
    state.check_finite()
    assert all(p.dtype == torch.float32 for network in state.networks().values() for p in network.parameters())
    assert not torch.equal(flat(state), before)


@HALVES
def test_images_are_half_and_masks_are_whole(dtype):
    state = Training(TINY, Noise(), Compute(torch.device("cpu"), dtype))
    random = torch.Generator().manual_seed(0)
    codes, noise = torch.randn(4, 5, generator=random), state.generator.sample_noise(4, random)
    expected, masks = state.generator(codes, noise, return_masks=True)
    with state.compute.autocast():
        images, autocast_masks = state.generator(codes, noise, return_masks=True)
    assert images.dtype == dtype
    assert images.shape == expected.shape
    assert [mask.dtype for mask in autocast_masks] == [torch.float32] * 2
    assert [mask.shape for mask in autocast_masks] == [mask.shape for mask in masks]
    assert (images.float() - expected).norm() < 0.03 * expected.norm()


def test_the_r1_penalty_is_taken_in_float32():
    state = Training(TINY, Noise(), FLOAT16)
    calls = []
    state.discriminator.register_forward_hook(
        lambda module, inputs, output: calls.append((torch.is_autocast_enabled("cpu"), output.dtype))
    )
    state.step()
    assert calls == [(True, torch.float16), (True, torch.float16), (False, torch.float32)]


def test_scaling_by_a_power_of_two_changes_no_bit_of_a_float32_run():
    plain, scaled = (Training(replace_config(TINY, batch=8), Noise(), CPU, micro_batch=4) for _ in range(2))
    scaled.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, enabled=True)
    for _ in range(6):
        plain.step()
        scaled.step()
    assert torch.equal(flat(plain), flat(scaled))


@pytest.mark.parametrize("network", ["generator", "discriminator", "recogniser"])
def test_an_overflow_anywhere_skips_both_optimisers_and_halves_the_scale_once(network, monkeypatch):
    state = Training(TINY, Noise(), FLOAT16)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, enabled=True)
    state.step()
    before, real = flat(state), state._add_gradients
    average = [p.clone() for p in state.average.parameters()]

    def overflow(draws):
        losses = real(draws)
        next(state.networks()[network].parameters()).grad.view(-1)[0] = torch.inf
        return losses

    monkeypatch.setattr(state, "_add_gradients", overflow)
    state.step()
    assert state.scaler.get_scale() == 2.0**7
    trained = flat(state)
    unmoved = len(trained) - sum(p.numel() for p in average)  # the average still follows G
    assert torch.equal(trained[:unmoved], before[:unmoved])
    monkeypatch.undo()
    state.step()
    assert state.scaler.get_scale() == 2.0**7
    assert not torch.equal(flat(state)[:unmoved], before[:unmoved])


def test_the_scale_is_adapted_once_a_step():
    state = Training(TINY, Noise(), FLOAT16)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=3, enabled=True)
    scales = []
    for _ in range(6):
        state.step()
        scales.append(state.scaler.get_scale())
    assert scales == [16, 16, 32, 32, 32, 64]


def test_the_scale_is_saved_and_restored_and_the_run_continues_to_the_bit(tmp_path):
    whole, first = Training(TINY, Noise(), FLOAT16), Training(TINY, Noise(), FLOAT16)
    for _ in range(6):
        whole.step()
    for _ in range(3):
        first.step()
    save_checkpoint(first, tmp_path / "c.safetensors")
    second = Training(TINY, Noise(), FLOAT16)
    load_checkpoint(second, tmp_path / "c.safetensors")
    assert second.scaler.state_dict() == first.scaler.state_dict()
    assert load_about(tmp_path / "c.safetensors")["scaler"]["scale"] == first.scaler.get_scale()
    for _ in range(3):
        second.step()
    assert torch.equal(flat(whole), flat(second))
