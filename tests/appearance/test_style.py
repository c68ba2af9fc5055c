"""The networks of content and style: shapes, what each may see, and what a code can change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.style import (
    CODE,
    CONTENT,
    PERIOD,
    WAVES,
    Critic,
    Schedule,
    StyledBlock,
    StyleModel,
    directions,
    waves_along,
)
from wwlib.datasets.styles.paintings import paintings, sample_styles
from wwlib.datasets.styles.scenes import photographs, sample_scenes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos, and paintings of other scenes."""
    g = seeded()
    return photographs(sample_scenes(n, g), g), paintings(sample_scenes(n, g), sample_styles(n, g))


def test_codes_have_length_one_and_pictures_lie_between_black_and_white():
    model, (photos, references) = StyleModel(), pictures()
    assert model.content(photos).shape == (4, CONTENT, 8, 8)
    codes = model.style(references)
    assert codes.shape == (4, CODE)
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(4))
    drawn = model.transfer(photos, references)
    assert drawn.shape == photos.shape
    assert drawn.abs().max() < 1


def test_every_weight_of_the_model_and_of_the_critic_acts():
    model, critic, (photos, references) = StyleModel(), Critic(), pictures()
    verdicts = critic(model.transfer(photos, references))
    loss = sum(on_real.square().mean() + family.square().mean() for on_real, family, _ in verdicts)
    loss.backward()
    for network in (model, critic):
        assert [name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_a_style_is_read_from_crops_of_any_size_and_does_not_know_its_place():
    model, (_, references) = StyleModel(), pictures()
    assert model.style(references[:, :, 3:27, 5:29]).shape == (4, CODE)
    # a picture that repeats every four pixels, in two strides of two, is the same picture one period on
    tile = torch.rand(1, 3, 4, 4, generator=seeded()).repeat(1, 1, 12, 12)
    one, other = model.style(tile[:, :, :32, :32]), model.style(tile[:, :, 4:36, 4:36])
    torch.testing.assert_close(one, other)


def test_a_block_is_modulated_by_one_more_than_what_the_style_says():
    """With all weights of the modulation at 0, the block is what it is without a style; with -1, nothing is left."""
    block, h = StyledBlock(16), torch.randn(2, 16, 8, 8, generator=seeded())
    for modulate in block.modulate:
        torch.nn.init.zeros_(modulate.affine.weight)
        torch.nn.init.zeros_(modulate.affine.bias)
    plain = block(h, torch.zeros(2, 64))
    torch.testing.assert_close(block(h, torch.ones(2, 64)), plain)
    assert (plain - h).abs().max() > 0.01
    last = block.modulate[1].affine
    with torch.no_grad():
        last.bias[:16] = -1
    expected = h + block.convolutions[1].bias[:, None, None]
    torch.testing.assert_close(block(h, torch.zeros(2, 64)), expected)


def test_another_style_changes_the_picture_and_another_code_alone_suffices():
    model, (photos, _) = StyleModel(), pictures()
    content = model.content(photos)
    codes = torch.nn.functional.normalize(torch.randn(2, CODE, generator=seeded()), dim=1)
    one, other = (model.decode(content, code.expand(4, -1)) for code in codes)
    assert (one - other).abs().max() > 1e-3


def test_waves_are_fifteen_degrees_apart_and_repeat_every_five_pixels():
    waves = waves_along(directions(WAVES))
    assert waves.shape == (12, 32, 32)
    step = int(PERIOD)
    torch.testing.assert_close(waves[0, :, step:], waves[0, :, :-step], rtol=0, atol=1e-4)  # the first runs across
    torch.testing.assert_close(waves[6, step:], waves[6, :-step], rtol=0, atol=1e-4)  # the seventh runs down
    spectra = torch.fft.fft2(waves, s=(256, 256)).abs()
    peak = spectra.flatten(1).argmax(dim=1)
    down, across = torch.fft.fftfreq(256)[peak // 256], torch.fft.fftfreq(256)[peak % 256]
    away = (torch.rad2deg(torch.atan2(down, across)) - 15 * torch.arange(12) + 90) % 180 - 90
    assert away.abs().max() < 2
    torch.testing.assert_close(torch.hypot(down, across), torch.full((12,), 1 / PERIOD), rtol=0.03, atol=0)


def test_a_wave_runs_along_its_vector_and_has_a_shorter_period_where_that_is_longer():
    wave, twice = waves_along(torch.tensor([[0.6, 0.8], [1.2, 1.6]]))
    torch.testing.assert_close(wave[4:, 3:], wave[:-4, :-3], rtol=0, atol=1e-4)  # one period on
    torch.testing.assert_close(wave[3:, :-4], wave[:-3, 4:], rtol=0, atol=1e-4)  # along its crest
    torch.testing.assert_close(twice, 2 * wave.square() - 1, rtol=0, atol=1e-4)  # cos 2a = 2 cos^2 a - 1


def test_the_style_steers_waves_where_there_are_any():
    model, (photos, references) = StyleModel(steered=3), pictures()
    torch.testing.assert_close(model.decode.steer.bias.view(3, 2), directions(3))
    model.transfer(photos, references).square().mean().backward()
    assert model.decode.steer.weight.grad.abs().max() > 0
    assert StyleModel().decode.steer is None


def test_the_critic_sees_the_picture_at_two_scales():
    critic, (_, references) = Critic(), pictures()
    (fine, family, features), (coarse, _, _) = critic(references)
    assert (fine.shape, coarse.shape) == ((4, 1, 8, 8), (4, 1, 4, 4))
    assert (family.shape, features.shape) == ((4, 3), (4, 160))
    checkered = references.clone()  # a change that is nothing on average over 2 x 2 pixels
    checkered[:, :, ::2, ::2] += 0.2
    checkered[:, :, 1::2, ::2] -= 0.2
    (fine_now, _, _), (coarse_now, _, _) = critic(checkered)
    torch.testing.assert_close(coarse_now, coarse, rtol=0, atol=1e-5)
    assert (fine_now - fine).abs().max() > 1e-3


def test_a_seed_gives_the_same_networks_and_leaves_the_global_state_alone():
    state = torch.random.get_rng_state()
    first, again, other = StyleModel(3), StyleModel(3), StyleModel(4)
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_model_makes_every_tensor_where_its_inputs_lie():
    model, critic, (photos, references) = StyleModel(), Critic(), pictures()
    expected = model.transfer(photos, references)
    with torch.device("meta"):
        torch.testing.assert_close(model.transfer(photos, references), expected)
        assert critic(expected)[0][0].device.type == "cpu"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(steps=0), "steps must be positive, got 0"),
        (dict(triplet=-1.0), "triplet must be 0 or more, got -1.0"),
        (dict(batch=1.5), "batch must be a whole number of at least 1, got 1.5"),
        (dict(more=1.5), "more must be a whole number of at least 0, got 1.5"),
        (dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        (dict(same_family=1.5), "same_family must be 0 to 1, got 1.5"),
        (dict(crop=40), "crop must be 8 to 32 pixels, got 40"),
        (dict(crop="large"), "crop must be a whole number of at least 1, got 'large'"),
        (dict(apart=True), "apart needs a contrast above 0 to learn from, got 0.0"),
    ],
)
def test_wrong_schedules_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(Schedule(), **change)


def test_the_style_is_read_from_means_and_standard_deviations_over_the_picture():
    style, seen, (_, references) = StyleModel().style, [], pictures()
    style.head.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0]))
    style(references)
    h = style.layers(references).flatten(2)
    torch.testing.assert_close(seen[0][:, :64], h.mean(dim=2))
    torch.testing.assert_close(seen[0][:, 64:], h.std(dim=2), atol=1e-2, rtol=0.05)


def test_the_decoder_maps_numbers_of_about_one():
    model, seen, (photos, references) = StyleModel(), [], pictures()
    model.decode.map.register_forward_pre_hook(lambda layers, inputs: seen.append(inputs[0]))
    model.transfer(photos, references)
    torch.testing.assert_close(seen[0].square().mean(dim=1), torch.ones(4))
