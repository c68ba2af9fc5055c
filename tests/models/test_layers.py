"""Layers: fused resampling equals resampling, equalised scale keeps variance, groups do not mix."""

import pytest
import torch
import torch.nn.functional as F

from wwlib.models.layers import (
    EqualisedConv,
    EqualisedLinear,
    GlobalStyle,
    MinibatchDeviation,
    NoiseConv,
    ResConv,
    box_sum,
)


def test_up_equals_nearest_doubling_then_convolution(generator):
    conv = EqualisedConv(3, 5, resample="up")
    x = torch.randn(2, 3, 8, 8, generator=generator)
    slow = F.conv2d(F.interpolate(x, scale_factor=2), conv.weight * conv.scale, padding=1)
    assert torch.allclose(conv(x), slow, atol=1e-5)


def test_down_halves_and_still_sees_the_finest_texture():
    torch.manual_seed(0)
    checks = torch.ones(1, 1, 8, 8)
    checks[..., ::2, 1::2] = checks[..., 1::2, ::2] = -1
    out = EqualisedConv(1, 4, resample="down")(checks)
    assert out.shape == (1, 4, 4, 4)
    assert out.abs().amax() > 0.1


def test_box_sum_is_a_full_convolution_with_ones(generator):
    kernel = torch.randn(2, 3, 3, 3, generator=generator)
    slow = F.conv_transpose2d(kernel.view(6, 1, 3, 3), torch.ones(1, 1, 2, 2)).view(2, 3, 4, 4)
    assert torch.allclose(box_sum(kernel), slow, atol=1e-6)


def test_equalised_layers_keep_unit_variance(generator):
    torch.manual_seed(0)
    x = torch.randn(256, 64, generator=generator)
    assert EqualisedLinear(64, 512)(x).std().item() == pytest.approx(1, abs=0.1)
    y = torch.randn(8, 32, 16, 16, generator=generator)
    assert EqualisedConv(32, 64, gain=1.0)(y)[..., 2:-2, 2:-2].std().item() == pytest.approx(1, abs=0.1)


def test_resample_must_be_known():
    with pytest.raises(ValueError, match="resample must be"):
        EqualisedConv(3, 3, resample="sideways")


@pytest.mark.parametrize(("resample", "side"), [("keep", 8), ("up", 16), ("down", 4)])
def test_resconv_is_the_sum_of_its_two_paths(resample, side, generator):
    torch.manual_seed(0)
    block = ResConv(4, 6, resample, layers=2)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    main = x
    for conv in block.main:
        main = F.leaky_relu(conv(main), 0.2)
    skip = F.conv2d(x, block.skip.weight * block.skip.scale)
    if resample == "up":
        skip = F.interpolate(skip, scale_factor=2)
    if resample == "down":
        skip = F.avg_pool2d(skip, 2)
    assert block(x).shape == (2, 6, side, side)
    assert torch.allclose(block(x), main + F.leaky_relu(skip, 0.2), atol=1e-5)


def test_noise_has_no_effect_before_its_strength_is_learned(generator):
    torch.manual_seed(0)
    block = NoiseConv(4, 4)
    x, noise = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 1, 8, 8, generator=generator)
    before = block(x, noise)
    assert torch.equal(before, block(x, -noise))
    block.strength.data.fill_(1)
    assert not torch.equal(before, block(x, noise))


def test_global_style_equals_a_convolution_with_modulated_demodulated_weights(generator):
    torch.manual_seed(0)
    block = GlobalStyle(4, 3)
    x, code = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 3, generator=generator)
    for b in range(2):
        style = 1 + block.style(code[b : b + 1])[0]
        weight = block.weight * block.scale * style[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        slow = F.leaky_relu(F.conv2d(x[b : b + 1], weight, padding=1) * 2**0.5, 0.2)
        assert torch.allclose(block(x, code)[b : b + 1], slow, atol=1e-4)


def test_minibatch_deviation_looks_only_at_neighbours_in_the_group(generator):
    x = torch.randn(8, 3, 4, 4, generator=generator)
    changed = x.clone()
    changed[4:] += torch.randn(4, 3, 4, 4, generator=generator)
    a, b = MinibatchDeviation(4)(x)[:, -1], MinibatchDeviation(4)(changed)[:, -1]
    assert torch.equal(a[:4], b[:4])
    assert not torch.allclose(a[4:], b[4:])
    assert a[0, 0, 0].item() == pytest.approx(x[:4].var(dim=0, unbiased=False).sqrt().mean().item(), rel=1e-4)
