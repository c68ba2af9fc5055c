"""Masks: what the mathematics says of cumax, windows, rectangles and the painting of codes."""

import pytest
import torch

from wwlib.models.masks import Paint, SpatialConstriction, compositing_weights, cumax, rectangle_masks, soft_window


def sequential(module: SpatialConstriction, features: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """The definition, one code after another: x <- x (1 - Pi_i) + (x_hat (1 + a_i) + b_i) Pi_i, x_hat of the input."""
    masks = module.masks(features)
    mean = features.mean(dim=(2, 3), keepdim=True)
    normal = (features - mean) / (features.var(dim=(2, 3), unbiased=False, keepdim=True) + 1e-8).sqrt()
    x = features
    for i in range(module.codes):
        style = code[:, i : i + 1] @ module.style_weight[i : i + 1] + module.style_bias[i]
        a, b = style[:, : module.channels, None, None], style[:, module.channels :, None, None]
        mask = masks[:, i : i + 1]
        x = x * (1 - mask) + (normal * (1 + a) + b) * mask
    return x


def test_cumax_rises_and_ends_at_one(generator):
    step = cumax(torch.randn(3, 16, generator=generator) * 5)
    assert (step.diff(dim=-1) >= 0).all()
    assert torch.allclose(step[:, -1], torch.ones(3))


def test_a_sharp_peak_makes_a_step_at_its_place():
    logits = torch.zeros(8)
    logits[3] = 50
    assert torch.allclose(cumax(logits), torch.tensor([0.0, 0, 0, 1, 1, 1, 1, 1]), atol=1e-6)


def test_a_window_opens_at_one_peak_and_closes_at_the_other():
    opens, closes = torch.zeros(8), torch.zeros(8)
    opens[2], closes[5] = 50, 50
    assert torch.allclose(soft_window(opens, closes), torch.tensor([0.0, 0, 1, 1, 1, 0, 0, 0]), atol=1e-6)


def test_a_window_whose_edges_cross_vanishes():
    opens, closes = torch.zeros(8), torch.zeros(8)
    opens[5], closes[2] = 50, 50
    assert soft_window(opens, closes).max() < 1e-6


def test_last_row_and_column_of_every_mask_are_zero(generator):
    masks = rectangle_masks(10 * torch.randn(4, 5, 4, 4, 16, generator=generator))
    assert masks[..., -1, :].abs().max() < 1e-5
    assert masks[..., :, -1].abs().max() < 1e-5


def test_masks_lie_between_zero_and_one(generator):
    masks = rectangle_masks(10 * torch.randn(4, 5, 4, 4, 16, generator=generator))
    assert masks.min() >= -1e-6
    assert masks.max() <= 1 + 1e-6


@pytest.mark.parametrize("resolution", [8, 16, 32])
def test_equal_logits_give_a_mask_of_at_most_a_sixteenth(resolution):
    mask = rectangle_masks(torch.zeros(1, 1, 4, 4, resolution))
    assert mask.max().item() == pytest.approx(0.0625, abs=1e-6)
    assert 0.02 < mask.mean().item() < 0.03


def test_one_saturated_rectangle_of_j_contributes_one_over_j():
    logits = torch.zeros(1, 1, 4, 4, 8)
    logits[..., 5] = 60.0  # rectangles 1 to 3: open and close at the same place, so empty
    logits[0, 0, 0] = 0
    logits[0, 0, 0, [0, 2], 1] = 60.0
    logits[0, 0, 0, [1, 3], 5] = 60.0
    mask = rectangle_masks(logits)
    assert mask.max().item() == pytest.approx(0.25, abs=1e-5)


def test_rectangle_masks_names_a_wrong_shape():
    with pytest.raises(ValueError, match=r"\[B, n, J, 4, R\].*\(2, 3, 4\)"):
        rectangle_masks(torch.zeros(2, 3, 4))


def test_compositing_weights_and_ground_sum_to_one(generator):
    weights, ground = compositing_weights(torch.rand(3, 5, 8, 8, generator=generator))
    assert torch.allclose(weights.sum(dim=1, keepdim=True) + ground, torch.ones(3, 1, 8, 8), atol=1e-6)


@pytest.mark.parametrize(("codes", "channels", "resolution", "j"), [(1, 3, 4, 1), (4, 64, 32, 4), (8, 16, 16, 6)])
def test_closed_form_equals_the_sequential_definition(codes, channels, resolution, j, generator):
    torch.manual_seed(0)
    module = SpatialConstriction(channels, resolution, codes, j)
    features = torch.randn(4, channels, resolution, resolution, generator=generator).requires_grad_()
    code = torch.randn(4, codes, generator=generator).requires_grad_()
    ours, theirs = module(features, code), sequential(module, features, code)
    assert torch.allclose(ours, theirs, atol=1e-5)
    probe = torch.randn(ours.shape, generator=generator)
    inputs = (features, code, *module.parameters())
    for mine, slow in zip(
        torch.autograd.grad((ours * probe).sum(), inputs),
        torch.autograd.grad((theirs * probe).sum(), inputs),
        strict=True,
    ):
        assert (mine - slow).abs().max() <= 1e-4 * slow.abs().max().clamp(min=1)


def test_closed_form_equals_the_sequential_definition_to_rounding_in_float64(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(8, 16, 5, 3).double()
    features = torch.randn(2, 8, 16, 16, generator=generator, dtype=torch.float64) * 3 + 7
    code = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    assert torch.allclose(module(features, code), sequential(module, features, code), atol=1e-11)


def test_the_gradient_written_by_hand_is_the_slope_of_the_painting(generator):
    def double(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    weights = torch.rand(2, 4, 9, generator=generator, dtype=torch.float64).requires_grad_()

    def paint(x, *rest):
        return Paint.apply(x, x.mean(dim=1, keepdim=True).detach(), *rest)

    assert torch.autograd.gradcheck(paint, (double(2, 9, 5), weights, double(2, 3, 5), double(2, 3, 5)))


def test_under_autocast_the_moments_stay_in_float32(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(8, 16, 3)
    features = (10 + torch.randn(2, 8, 16, 16, generator=generator)).bfloat16()
    code = torch.randn(2, 3, generator=generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        painted = module(features, code)
    assert painted.dtype == torch.bfloat16
    assert torch.allclose(painted.float(), sequential(module, features.float(), code), atol=0.1)


def test_a_large_mean_does_not_drown_a_small_spread(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(4, 16, 2)
    features, code = 100 + 0.1 * torch.randn(2, 4, 16, 16, generator=generator), torch.randn(2, 2, generator=generator)
    exact = sequential(module.double(), features.double(), code.double())
    assert torch.allclose(module.float()(features, code).double(), exact, atol=1e-2)


def test_a_code_does_not_enter_its_own_mask(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(8, 8, 2)
    features = torch.randn(3, 8, 8, 8, generator=generator)
    _, one = module(features, torch.zeros(3, 2), return_masks=True)
    _, two = module(features, torch.full((3, 2), 5.0), return_masks=True)
    assert torch.equal(one, two)


def test_zero_code_still_normalises_inside_the_mask(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(4, 8, 1)
    features = 5 + torch.randn(2, 4, 8, 8, generator=generator)
    assert not torch.allclose(module(features, torch.zeros(2, 1)), features, atol=1e-2)


def test_memory_format_does_not_change_the_result(generator):
    torch.manual_seed(0)
    module = SpatialConstriction(8, 8, 2)
    features, code = torch.randn(3, 8, 8, 8, generator=generator), torch.randn(3, 2, generator=generator)
    last = features.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(module(features, code), module(last, code), atol=1e-6)


@pytest.mark.parametrize(
    ("features", "code", "named"),
    [((2, 8, 8, 8), (2, 3), "code"), ((2, 4, 8, 8), (2, 2), "features"), ((2, 8, 4, 4), (2, 2), "features")],
)
def test_wrong_shapes_are_named(features, code, named):
    module = SpatialConstriction(8, 8, 2)
    with pytest.raises(ValueError, match=f"{named} must be"):
        module(torch.zeros(features), torch.zeros(code))


def test_zero_rectangles_are_refused():
    with pytest.raises(ValueError, match="rectangles must be a positive whole number, got 0"):
        SpatialConstriction(8, 8, 2, rectangles=0)
