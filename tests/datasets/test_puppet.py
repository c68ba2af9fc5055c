"""The puppet: what is drawn agrees with pose and appearance, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from wwlib.datasets.poses import POSE_FACTORS, RANGES, sample_pose, standing
from wwlib.datasets.puppet import (
    JOINTS,
    PARTS,
    Appearance,
    _capsules,
    hsv_to_rgb,
    render,
    sample_appearance,
    skeleton,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(n: int = 8, resolution: int = 32, seed: int = 0, facing=(1, -1), **looks):
    g = seeded(seed)
    pose, appearance = sample_pose(n, g, facing), sample_appearance(n, g, **looks)
    return pose, appearance, render(pose, appearance, resolution)


def pixel(point: torch.Tensor, resolution: int) -> tuple[int, int]:
    """Row and column of the pixel that a point (x, y) lies in."""
    column, row = ((point + 1) / 2 * resolution).floor().long().tolist()
    return row, column


@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_images_are_in_range_and_shares_of_a_pixel_add_up_to_one(resolution):
    _, _, drawing = drawn(resolution=resolution, textured=True, patterns=(0, 1, 2))
    assert drawing.images.shape == (8, 3, resolution, resolution)
    assert drawing.images.min() >= -1
    assert drawing.images.max() <= 1
    torch.testing.assert_close(drawing.footprint.sum(dim=1), torch.ones(8, resolution, resolution))
    assert drawing.footprint.min() >= 0
    assert drawing.joints.shape == (8, len(JOINTS), 2)


def test_a_slow_drawing_pixel_by_pixel_gives_the_same_picture():
    pose, appearance, drawing = drawn(2, facing=(1,))
    starts, ends = _capsules(pose)
    radii = [0.155, 0.15] + [0.085] * 8
    part_of = [1, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    for k in range(2):
        size = pose["size"][k].item()
        for row in range(0, 32, 3):
            for column in range(0, 32, 3):
                x, y = (column + 0.5) / 16 - 1, (row + 0.5) / 16 - 1
                cover = [0.0] * 7
                for c in range(10):
                    ax, ay = starts[k, c].tolist()
                    bx, by = ends[k, c].tolist()
                    long = (bx - ax) ** 2 + (by - ay) ** 2
                    t = 0 if long == 0 else max(0, min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long))
                    distance = math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
                    share = max(0, min(1, (radii[c] * size - distance) * 16 + 0.5))
                    cover[part_of[c]] = max(cover[part_of[c]], share)
                left, colour = 1.0, torch.zeros(3)
                for part in (3, 4, 1, 2, 5, 6):
                    colour += left * cover[part] * appearance.colours[k, part]
                    left *= 1 - cover[part]
                colour += left * appearance.colours[k, 0]
                torch.testing.assert_close(drawing.images[k, :, row, column], colour * 2 - 1, atol=2e-5, rtol=0)


def test_every_joint_lies_on_its_own_part_where_nothing_hides_it():
    pose = standing(1, left_arm=1.2, right_arm=1.2, left_thigh=0.7, right_thigh=0.7)
    drawing = render(pose, sample_appearance(1, seeded()), 128)
    part_of = dict(zip(JOINTS, [1, 3, 3, 4, 4, 5, 5, 6, 6], strict=True))
    for name, point in zip(JOINTS, drawing.joints[0], strict=True):
        assert PARTS[drawing.parts[0][pixel(point, 128)]] == PARTS[part_of[name]]


def test_left_and_right_differ_and_change_sides_when_the_figure_looks_away():
    towards, away = standing(1), standing(1, facing=-1)
    appearance = sample_appearance(1, seeded())
    seen, turned = render(towards, appearance).joints[0], render(away, appearance).joints[0]
    left, right = JOINTS.index("left hand"), JOINTS.index("right hand")
    assert seen[left, 0] > seen[right, 0]
    assert turned[left, 0] < turned[right, 0]
    torch.testing.assert_close(seen[left], turned[right])


def test_an_arm_across_the_body_is_in_front_of_it_only_when_the_figure_looks_at_us():
    appearance = sample_appearance(1, seeded())
    across = dict(left_arm=-0.05, left_elbow=-1.2)
    area = lambda facing: render(standing(1, facing=facing, **across), appearance, 64).footprint[0, 3].sum()  # noqa: E731
    assert area(1) > 1.2 * area(-1)


@pytest.mark.parametrize("name", POSE_FACTORS)
def test_every_factor_of_the_pose_moves_the_picture(name):
    low, high = RANGES[name]
    appearance = sample_appearance(1, seeded())
    first, second = (render(standing(1, **{name.replace(" ", "_"): value}), appearance).images for value in (low, high))
    assert (first - second).abs().max() > 0.2


def test_the_colour_of_a_part_changes_its_footprint_and_nothing_else():
    pose, appearance, drawing = drawn(4, facing=(1,))
    colours = appearance.colours.clone()
    colours[:, 3] = 1 - colours[:, 3]
    changed = render(pose, Appearance(colours, appearance.pattern, appearance.texture)).images != drawing.images
    assert not (changed.any(dim=1) & (drawing.footprint[:, 3] == 0)).any()
    assert changed.any(dim=1)[drawing.footprint[:, 3] > 0.5].all()


def test_a_pattern_darkens_the_torso_and_a_texture_changes_the_background_only():
    pose, appearance, plain = drawn(4, facing=(1,))
    for pattern in (1, 2):
        patterned = render(pose, Appearance(appearance.colours, torch.full((4,), pattern), appearance.texture))
        change = patterned.images - plain.images
        assert change.max() <= 1e-6
        assert change.min() < -0.1
        assert not (change.abs().amax(dim=1) > 1e-6)[plain.footprint[:, 2] == 0].any()
    wave = torch.tensor([[0.1, 1.0, 2.0, 0.0]]).repeat(4, 1)
    change = render(pose, Appearance(appearance.colours, appearance.pattern, wave)).images - plain.images
    assert change.abs().amax(dim=1)[plain.footprint[:, 0] == 0].max() < 1e-6
    assert change.abs().max() > 0.1


def test_clothes_tie_torso_and_arms_and_both_legs():
    colours = sample_appearance(5, seeded(), clothes=True).colours
    torch.testing.assert_close(colours[:, 2], colours[:, 3])
    torch.testing.assert_close(colours[:, 2], colours[:, 4])
    torch.testing.assert_close(colours[:, 5], colours[:, 6])
    assert (colours[:, 1] != colours[:, 2]).any()


def test_hues_are_those_of_the_standard_library():
    import colorsys

    for hue in torch.linspace(0, 1, 13).tolist():
        expected = torch.tensor(colorsys.hsv_to_rgb(hue, 0.7, 0.9))
        seen = hsv_to_rgb(torch.tensor(hue), torch.tensor(0.7), torch.tensor(0.9))
        torch.testing.assert_close(seen, expected, atol=1e-5, rtol=0)


def test_a_stick_figure_has_left_right_and_centre_in_their_channels():
    pose = standing(1, left_arm=1.2, right_arm=1.2, left_thigh=0.7, right_thigh=0.7)
    sticks, joints = skeleton(pose, 64)[0], render(pose, sample_appearance(1, seeded()), 64).joints[0]
    for name, point in zip(JOINTS, joints, strict=True):
        channel = 0 if name.startswith("left") else 1 if name.startswith("right") else 2
        row, column = pixel(point, 64)
        assert sticks[channel, row, column] > 0.5
        others = [c for c in range(3) if c != channel]
        assert name == "head" or sticks[others, row, column].max() < 0.5


def test_the_same_seed_gives_the_same_figures_and_poses_can_be_chosen_by_row():
    pose, appearance, drawing = drawn(6, seed=3)
    again, _, twice = drawn(6, seed=3)
    torch.testing.assert_close(drawing.images, twice.images)
    torch.testing.assert_close(render(pose[2:4], appearance[2:4]).images, drawing.images[2:4])
    torch.testing.assert_close(pose["lean"], again["lean"])


def test_bad_appearances_and_resolutions_are_refused():
    good = sample_appearance(2, seeded())
    with pytest.raises(ValueError, match="colours must be in"):
        Appearance(good.colours * 3, good.pattern, good.texture)
    with pytest.raises(ValueError, match="pattern must be 0 to 2"):
        Appearance(good.colours, good.pattern + 7, good.texture)
    with pytest.raises(ValueError, match="texture height"):
        Appearance(good.colours, good.pattern, good.texture + 3)
    with pytest.raises(ValueError, match=r"texture must be \[2, 4\]"):
        Appearance(good.colours, good.pattern, good.texture[:, :2])
    with pytest.raises(ValueError, match="resolution must be 32 to 128"):
        render(standing(2), good, 16)
    with pytest.raises(ValueError, match="equally many"):
        render(standing(3), good)


def test_drawing_makes_every_tensor_where_its_inputs_lie():
    """With another default device, a tensor that is made without naming one would end up there and fail."""
    pose, appearance, drawing = drawn(4, textured=True, patterns=(0, 1, 2))
    sticks = skeleton(pose)
    with torch.device("meta"):
        torch.testing.assert_close(render(pose, appearance).images, drawing.images)
        torch.testing.assert_close(skeleton(pose), sticks)
