"""Warps, landmarks and colour changes against what is known exactly."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch

from wwlib.appearance.warps import (
    CONTROL,
    FLOOR,
    SHARPNESS,
    Jitter,
    Moments,
    Warp,
    heat_maps,
    identity_warp,
    moments,
    pixel_centres,
    sample_jitter,
    sample_warp,
    spatial_softmax,
    turned_hue,
)
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def puppets(n: int = 4):
    g = seeded()
    return render(sample_pose(n, g), sample_appearance(n, g)).images


def gaussian(mean, covariance, resolution: int = 64) -> torch.Tensor:
    """A drawn Gaussian, `[S, S]`."""
    away = pixel_centres(resolution, dtype=torch.float64) - torch.tensor(mean, dtype=torch.float64)
    inverse = torch.tensor(covariance, dtype=torch.float64).inverse()
    return (-0.5 * torch.einsum("yxi,ij,yxj->yx", away, inverse, away)).exp()


def dot_at(points: torch.Tensor, resolution: int = 64, spread: float = 0.05) -> torch.Tensor:
    """Pictures `[B, 1, S, S]` of one small dot each, at points `[B, 2]`."""
    away = pixel_centres(resolution) - points[:, None, None]
    return (-0.5 * away.square().sum(dim=-1) / spread**2).exp()[:, None]


def test_pixel_centres_are_those_of_the_puppet():
    """The mean of the head's pixels is the joint that the puppet names, where no arm covers some of them."""
    u = pixel_centres(32)
    assert u[0, 0].tolist() == [1 / 32 - 1, 1 / 32 - 1]
    assert u[0, 31].tolist() == [1 - 1 / 32, 1 / 32 - 1]
    torch.testing.assert_close(u.flatten(0, 1).mean(dim=0), torch.zeros(2))
    drawing = render(sample_pose(4, seeded()), sample_appearance(4, seeded()))
    head = moments(drawing.footprint[:, 1:2]).mean[:, 0]
    assert (head - drawing.joints[:, 0]).norm(dim=1).min() < 0.01


@pytest.mark.parametrize("resolution", [16, 32, 64])
def test_the_identity_leaves_pictures_as_they_are(resolution):
    images = torch.randn(3, 2, resolution, resolution, generator=seeded())
    assert (identity_warp(3).apply(images) - images).abs().max() < 1e-5
    grid, determinant = identity_warp(3).grid(resolution)
    torch.testing.assert_close(grid, pixel_centres(resolution).expand(3, -1, -1, -1))
    torch.testing.assert_close(determinant, torch.ones(3, resolution, resolution))


def test_a_shift_by_whole_pixels_moves_every_pixel():
    images = torch.randn(2, 3, 32, 32, generator=seeded())
    nothing = identity_warp(2)
    warp = Warp(nothing.linear, torch.tensor([[2 * 3 / 32, -2 * 5 / 32]] * 2), nothing.displacements)
    assert (warp.apply(images)[..., 5:, :-3] - images[..., :-5, 3:]).abs().max() < 1e-5


def test_a_quarter_turn_turns_every_pixel():
    images = torch.randn(2, 3, 32, 32, generator=seeded())
    nothing = identity_warp(2)
    warp = Warp(torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]] * 2), nothing.shift, nothing.displacements)
    assert (warp.apply(images) - images.transpose(2, 3).flip(3)).abs().max() < 1e-4


def test_the_spline_passes_through_its_control_points():
    warp = sample_warp(5, seeded())
    line = torch.linspace(-1, 1, CONTROL)
    controls = torch.stack([torch.tensor([x, y]) for y in line for x in line])
    expected = controls @ warp.linear.transpose(1, 2) + warp.shift[:, None] + warp.displacements
    torch.testing.assert_close(warp.points(controls), expected, rtol=0, atol=1e-5)


def test_equal_displacements_are_a_shift_and_linear_ones_do_not_bend():
    """A thin plate only bends where no straight map does: the spline of a straight map is that map, everywhere."""
    nothing, line = identity_warp(1), torch.linspace(-1, 1, CONTROL)
    controls = torch.stack([torch.tensor([x, y]) for y in line for x in line])
    straight = torch.tensor([[0.1, -0.2], [0.05, 0.3]])
    warp = Warp(nothing.linear, nothing.shift, (controls @ straight.T + torch.tensor([0.3, -0.1]))[None])
    u = 3 * torch.rand(1, 50, 2, generator=seeded()) - 1.5
    expected = u + u @ straight.T + torch.tensor([0.3, -0.1])
    torch.testing.assert_close(warp.points(u), expected, rtol=0, atol=1e-4)
    determinant = torch.linalg.det(torch.eye(2) + straight)
    torch.testing.assert_close(warp.determinant(u), determinant.expand(1, 50), rtol=0, atol=1e-4)


def test_the_determinant_is_that_of_autograd():
    drawn = sample_warp(3, seeded(), bend=0.2)
    warp = Warp(drawn.linear.double(), drawn.shift.double(), drawn.displacements.double())
    u = (2 * torch.rand(20, 2, generator=seeded(1)) - 1).double()
    determinant = warp.determinant(u)
    for n in range(20):
        jacobian = torch.autograd.functional.jacobian(lambda v: warp.points(v[None])[:, 0], u[n])
        torch.testing.assert_close(determinant[:, n], torch.linalg.det(jacobian), rtol=0, atol=1e-8)


def test_each_picture_can_have_points_of_its_own():
    warp = sample_warp(4, seeded())
    u = 2 * torch.rand(4, 6, 2, generator=seeded(1)) - 1
    for b in range(4):
        torch.testing.assert_close(warp.points(u)[b], warp.points(u[b])[b])
        torch.testing.assert_close(warp.determinant(u)[b], warp.determinant(u[b])[b])


def test_drawn_warps_do_not_fold_and_stay_within_their_ranges():
    warp = sample_warp(500, seeded())
    _, determinant = warp.grid(32)
    assert determinant.min() > 0
    size = torch.linalg.det(warp.linear).sqrt()
    assert 0.85 <= size.min() < 0.87
    assert 1.13 < size.max() <= 1.15
    angle = torch.atan2(warp.linear[:, 1, 0], warp.linear[:, 0, 0])
    assert 0.33 < angle.abs().max() <= 0.35001
    assert 0.115 < warp.shift.abs().max() <= 0.12
    assert abs(warp.displacements.std().item() - 0.06) < 0.002


def test_a_dot_moves_where_the_map_says():
    """A dot at map(u) of a picture is seen at u of the warped picture, and there its moments say map(u) again."""
    warp = sample_warp(16, seeded())
    u = 0.9 * torch.rand(16, 1, 2, generator=seeded(1)) - 0.45
    source = warp.points(u)
    dots = dot_at(source[:, 0], resolution=128, spread=0.03)
    warped = warp.apply(dots)
    assert (moments(warped).mean - u).norm(dim=2).max() < 0.01  # a dot has a size, and the map is not straight over it
    before, back = moments(dots), moments(warped, *warp.grid(128))
    assert (back.mean - source).norm(dim=2).max() < 0.001
    assert (back.covariance - before.covariance).abs().max() < 0.1 * before.covariance.max()


def test_without_the_determinant_a_stretched_map_has_another_mean():
    """A wide blob under a strong bend: only with the determinant do its moments stay those of the picture."""
    warp = sample_warp(16, seeded(), bend=0.12)
    picture = dot_at(torch.zeros(16, 2), spread=0.2)
    grid, determinant = warp.grid(64)
    warped, true = warp.apply(picture), moments(picture).mean
    weighted = (moments(warped, grid, determinant).mean - true).norm(dim=2)
    assert weighted.max() < 0.01
    assert (moments(warped, grid).mean - true).norm(dim=2).mean() > 5 * weighted.mean()


def test_autocast_rounds_nothing_here():
    warp, maps = sample_warp(3, seeded()), torch.rand(3, 2, 16, 16, generator=seeded())
    grid, determinant = warp.grid(16)
    expected = moments(maps, grid, determinant)
    with torch.autocast("cpu", torch.bfloat16):
        for one, other in zip(warp.grid(16), (grid, determinant), strict=True):
            assert torch.equal(one, other)
        landmarks = moments(maps, grid, determinant)
        assert torch.equal(heat_maps(landmarks, 16), heat_maps(expected, 16))
    assert torch.equal(landmarks.mean, expected.mean)


@pytest.mark.parametrize("covariance", [[[0.02, 0.0], [0.0, 0.02]], [[0.03, 0.01], [0.01, 0.015]]])
def test_moments_of_a_drawn_gaussian(covariance):
    mean = (0.15, -0.2)
    drawn = moments(7.5 * gaussian(mean, covariance)[None, None])
    torch.testing.assert_close(drawn.mean[0, 0], torch.tensor(mean, dtype=torch.float64), rtol=0, atol=1e-6)
    expected = torch.tensor(covariance, dtype=torch.float64)
    torch.testing.assert_close(drawn.covariance[0, 0], expected, rtol=0, atol=1e-6)


def test_moments_are_the_same_at_every_resolution():
    """So a landmark read at 16 px lies where it does at 64 px: that is what one convention gives."""
    small, large = (moments(gaussian((0.1, 0.3), [[0.02, 0.0], [0.0, 0.03]], s)[None, None]).mean for s in (16, 64))
    torch.testing.assert_close(small, large, rtol=0, atol=1e-4)


def test_a_softmax_is_a_distribution_and_stays_one_for_large_and_half_precise_maps():
    maps = 300 * torch.randn(2, 3, 16, 16, generator=seeded())
    for given in (maps, maps.bfloat16()):
        soft = spatial_softmax(given)
        assert soft.dtype == torch.float32
        torch.testing.assert_close(soft.sum(dim=(2, 3)), torch.ones(2, 3))
    small = spatial_softmax(maps / 300)
    torch.testing.assert_close(small[0, 0].log().diff(), (maps[0, 0] / 300).diff(), rtol=1e-3, atol=1e-4)


def test_the_log_of_a_gaussian_as_a_map_gives_back_its_moments():
    maps = gaussian((-0.2, 0.25), [[0.02, -0.005], [-0.005, 0.01]]).log()[None, None]
    read = moments(spatial_softmax(maps))
    torch.testing.assert_close(read.mean[0, 0], torch.tensor([-0.2, 0.25]).double(), rtol=0, atol=1e-6)
    assert abs(read.covariance[0, 0, 0, 1].item() + 0.005) < 1e-6


def test_heat_is_one_at_the_mean_and_falls_with_the_landmarks_own_distance():
    mean = pixel_centres(32)[20, 11]
    covariance = torch.tensor([[0.03, 0.01], [0.01, 0.02]])
    heat = heat_maps(Moments(mean[None, None], covariance[None, None]), 32)[0, 0]
    assert heat.argmax().item() == 20 * 32 + 11
    assert abs(heat.max().item() - 1) < 1e-6
    away = pixel_centres(32)[4, 25] - mean
    squared = away @ (covariance + FLOOR * torch.eye(2)).inverse() @ away
    assert abs(heat[4, 25].item() - 1 / (1 + SHARPNESS * squared.item())) < 1e-5


def test_a_landmark_without_spread_is_still_drawn():
    heat = heat_maps(Moments(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2, 2)), 16)
    assert heat.isfinite().all()
    assert heat.max() > 0.2


@pytest.mark.parametrize("angle", [-3.0, -1.0, 0.0, 0.7, math.pi])
def test_a_hue_turns_as_in_colorsys(angle):
    colours = torch.rand(1, 3, 8, 8, generator=seeded(), dtype=torch.float64)
    colours[0, :, 0, :3] = torch.tensor([[0.0, 0.4, 1.0]]).double()  # black, grey, white
    turned = turned_hue(colours, torch.tensor([angle], dtype=torch.float64))
    for y in range(8):
        for x in range(8):
            hue, saturation, value = colorsys.rgb_to_hsv(*colours[0, :, y, x].tolist())
            expected = colorsys.hsv_to_rgb((hue + angle / (2 * math.pi)) % 1, saturation, value)
            torch.testing.assert_close(turned[0, :, y, x].tolist(), list(expected), rtol=0, atol=1e-6)


def test_no_change_of_colour_leaves_pictures_as_they_are():
    images = puppets()
    nothing = Jitter(torch.zeros(4), torch.ones(4), torch.zeros(4))
    torch.testing.assert_close(nothing.apply(images), images, rtol=0, atol=1e-5)


def test_contrast_and_brightness_are_a_factor_and_a_sum():
    images = torch.full((2, 3, 4, 4), 0.5)
    change = Jitter(torch.zeros(2), torch.tensor([1.2, 0.8]), torch.tensor([0.1, -0.1]))
    changed = change.apply(images)
    torch.testing.assert_close(changed[:, 0, 0, 0], torch.tensor([0.7, 0.3]))
    assert change.apply(2 * images).max() == 1  # 1.3 is cut off


def test_one_draw_changes_two_views_alike():
    """Recoloured then mirrored is mirrored then recoloured."""
    images, change = puppets(), sample_jitter(4, seeded())
    torch.testing.assert_close(change.apply(images.flip(3)), change.apply(images).flip(3))
    assert (change.apply(images) - images).abs().amax(dim=(1, 2, 3)).min() > 0.02


def test_draws_follow_their_generator():
    for sample in (sample_warp, sample_jitter):
        first, again, other = (sample(4, seeded(seed)) for seed in (0, 0, 1))
        for name, value in vars(first).items():
            assert torch.equal(value, getattr(again, name))
            assert not torch.equal(value, getattr(other, name))


def test_gradients_flow_through_moments_and_heat():
    maps = torch.randn(2, 3, 16, 16, generator=seeded(), requires_grad=True)
    grid, determinant = sample_warp(2, seeded()).grid(16)
    landmarks = moments(spatial_softmax(maps), grid, determinant)
    heat_maps(landmarks, 8).square().mean().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert maps.grad.abs().amax(dim=(2, 3)).min() > 0


def test_every_tensor_is_made_where_the_inputs_lie():
    images, maps = puppets(), torch.randn(4, 3, 16, 16, generator=seeded())

    def all_of_it():
        warp, change = sample_warp(4, seeded(), images.device), sample_jitter(4, seeded(), images.device)
        warped = change.apply(warp.apply(images))
        landmarks = moments(spatial_softmax(maps), *warp.grid(16))
        return warped, heat_maps(landmarks, 8), moments(spatial_softmax(maps)).mean, identity_warp(4, "cpu").linear

    expected = all_of_it()
    with torch.device("meta"):
        for one, other in zip(all_of_it(), expected, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("name", "shape"), [("linear", (2, 3, 3)), ("shift", (3, 2)), ("displacements", (2, 9, 2))])
def test_other_shapes_are_refused(name, shape):
    parts = vars(identity_warp(2)) | {name: torch.zeros(shape)}
    with pytest.raises(ValueError, match=rf"^{name} must be .* got"):
        Warp(**parts)


def test_what_lies_outside_a_picture_continues_its_edge():
    nothing = identity_warp(1)
    warp = Warp(nothing.linear, torch.tensor([[2 * 4 / 32, 0.0]]), nothing.displacements)
    images = torch.randn(1, 3, 32, 32, generator=seeded())
    edge = images[..., 31:].expand(-1, -1, -1, 4)
    torch.testing.assert_close(warp.apply(images)[..., 28:], edge, rtol=0, atol=1e-5)
