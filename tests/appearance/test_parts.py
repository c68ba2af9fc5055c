"""Landmarks and their looks: what each network sees, what the loss compares, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from wwlib.appearance import parts
from wwlib.appearance.blocks import with_coordinates
from wwlib.appearance.parts import (
    BACKGROUND,
    DRAWN,
    LOOK,
    READ,
    PartModel,
    Schedule,
    Shape,
    ownership,
    painted,
    parts_loss,
    picture_loss,
    train_parts,
)
from wwlib.appearance.warps import identity_warp, moments, pixel_centres, sample_jitter, sample_warp
from wwlib.base.device import Compute
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance

RAW = Schedule(raw=True, separation=0.0, trace=0.0)
CASES = [Schedule(), Schedule(coordinates=True), Schedule(landmarks=12, reach=0.18), RAW, replace(RAW, jitter=False)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def puppets(n: int = 4, seed: int = 0) -> torch.Tensor:
    g = seeded(seed)
    return render(sample_pose(n, g), sample_appearance(n, g)).images


@pytest.mark.parametrize("schedule", CASES)
def test_landmarks_looks_and_pictures_have_their_shapes_and_every_weight_learns(schedule):
    model, x, k = PartModel(schedule), puppets(), schedule.landmarks
    shape = model.shape(x)
    assert shape.maps.shape == (4, k, READ, READ)
    assert shape.landmarks.mean.shape == (4, k, 2)
    assert shape.landmarks.covariance.shape == (4, k, 2, 2)
    assert model.looks(x, shape).shape == (4, k + 1, LOOK)
    for resolution in DRAWN:
        heat = model.heat(shape, resolution)
        assert heat.shape == (4, k, resolution, resolution)
        assert heat.min() >= 0
        assert heat.max() <= 1
    drawn = model.transfer(x, x.flip(0))
    assert drawn.shape == x.shape
    assert drawn.abs().max() <= 1
    jitter = sample_jitter(4, seeded()) if schedule.jitter else None
    loss, _ = parts_loss(model, x, sample_warp(4, seeded()), jitter, schedule)
    loss.backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    # a softmax does not see what is added to a whole map
    assert still in ([], ["reader.maps.bias"])


def test_only_a_reader_that_is_told_where_pixels_lie_tells_two_places_of_one_grey_apart():
    grey = torch.zeros(1, 3, 32, 32)
    inner = (slice(None), slice(None), slice(7, 9), slice(7, 9))  # far from the edge, which padding shows
    for coordinates, apart in ((False, False), (True, True)):
        model = PartModel(Schedule(coordinates=coordinates))
        maps = model.reader.maps(model.reader.enter(with_coordinates(grey) if coordinates else grey))[inner]
        assert (maps.flatten(2).std(dim=2).min() > 1e-4) == apart


def test_the_pixels_of_a_landmark_are_its_own_and_the_rest_is_background():
    heat = torch.zeros(1, 2, 8, 8)
    heat[0, 0, 2, 3], heat[0, :, 5, 5] = 1.0, 0.5
    owned = ownership(heat)
    torch.testing.assert_close(owned.sum(dim=1), torch.ones(1, 8, 8))
    assert owned[0, :, 0, 0].tolist() == [0, 0, 1]
    assert abs(owned[0, 0, 2, 3].item() - 1 / (1 + BACKGROUND)) < 1e-6
    assert abs(owned[0, 1, 5, 5].item() - 0.25 / (0.5 + BACKGROUND)) < 1e-6


def test_a_look_is_painted_where_its_landmark_is():
    looks = torch.randn(1, 3, LOOK, generator=seeded())
    heat = torch.zeros(1, 2, 8, 8)
    heat[0, 1, 4, 4] = 1.0
    seen = painted(looks, heat)
    torch.testing.assert_close(seen[0, :, 0, 0], looks[0, 2])
    torch.testing.assert_close(seen[0, :, 4, 4], (looks[0, 1] + BACKGROUND * looks[0, 2]) / (1 + BACKGROUND))


def test_the_first_three_numbers_of_a_look_are_the_colour_under_the_landmark():
    x = torch.zeros(1, 3, 32, 32)
    x[:, 0, :16], x[:, 1, 16:] = 1.0, 0.5  # red above, a weaker green below
    maps = torch.zeros(1, 2, READ, READ)
    maps[0, 0, 3, 3], maps[0, 1, 12, 3] = 1.0, 1.0
    background = torch.ones(1, 1, READ, READ)
    looks = PartModel(Schedule()).look_reader(x, maps, background)
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.25, 0.0]])
    torch.testing.assert_close(looks[0, :, :3], expected)


def test_drawn_landmarks_hide_what_else_the_maps_hold_and_raw_maps_show_it():
    """Two maps with the same moments: a decoder that sees drawn landmarks cannot tell them apart."""
    corners, spread = torch.zeros(1, 8, READ, READ), torch.zeros(1, 8, READ, READ)
    corners[:, :, 5, 5] = corners[:, :, 10, 10] = corners[:, :, 5, 10] = corners[:, :, 10, 5] = 0.25
    spread[:, :, 5, 5:11:5] = spread[:, :, 10, 5:11:5] = 0.2
    spread[:, :, 4, 4] = spread[:, :, 11, 11] = spread[:, :, 4, 11] = spread[:, :, 11, 4] = 0.05
    one, two = Shape(corners, moments(corners)), Shape(spread, moments(corners))
    drawn, raw = PartModel(Schedule()), PartModel(RAW)
    for resolution in DRAWN:
        assert torch.equal(drawn.heat(one, resolution), drawn.heat(two, resolution))
        assert (raw.heat(one, resolution) - raw.heat(two, resolution)).abs().max() > 0.05


def test_a_transfer_has_the_landmarks_of_one_picture_and_the_looks_of_the_other():
    model, x, onto = PartModel(Schedule()), puppets(), puppets(seed=1)
    shape = model.shape(onto)
    given = model.looks(x, model.shape(x))
    assert torch.equal(model.transfer(x, onto), model.draw(shape, given).clamp(-1, 1))
    some = model.looks(onto, shape).clone()
    some[:, [1, 4]] = given[:, [1, 4]]
    assert torch.equal(model.transfer(x, onto, [1, 4]), model.draw(shape, some).clamp(-1, 1))
    assert torch.equal(model.transfer(x, onto, []), model.transfer(onto, onto))


def test_without_a_warp_and_a_change_of_colour_the_landmarks_agree():
    model, x = PartModel(Schedule()), puppets()
    _, terms = parts_loss(model, x, identity_warp(4), None, Schedule())
    assert terms["mean"] < 1e-9
    assert abs(terms["covariance"].item() - 1e-3) < 1e-5
    _, warped = parts_loss(model, x, sample_warp(4, seeded()), None, Schedule())
    assert warped["mean"] > 1e-5


def test_each_view_is_compared_with_itself_in_the_other_ones_colours():
    """With no warp, both views differ in colours only."""
    schedule, x = Schedule(), puppets()
    model, seen = PartModel(schedule), {}

    def draw(shape, looks):
        seen["looks"] = looks
        return torch.zeros(8, 3, 32, 32)

    model.draw = draw
    jitter = sample_jitter(4, seeded())
    _, terms = parts_loss(model, x, identity_warp(4), jitter, schedule)
    recoloured = jitter.apply(x)
    torch.testing.assert_close(seen["looks"][:4], model.looks(recoloured, model.shape(recoloured)), rtol=0, atol=1e-4)
    torch.testing.assert_close(seen["looks"][4:], model.looks(x, model.shape(x)), rtol=0, atol=1e-4)
    torch.testing.assert_close(terms["rebuilt"], picture_loss(torch.zeros(8, 3, 32, 32), torch.cat([recoloured, x])))


def test_the_picture_loss_of_a_constant_error():
    x = torch.zeros(2, 3, 32, 32)
    assert abs(picture_loss(x + 0.1, x).item() - (0.1 + 2 * 0.01)) < 1e-6


def test_the_loss_weighs_its_terms_as_the_schedule_says():
    x, warp, jitter = puppets(), sample_warp(4, seeded()), sample_jitter(4, seeded())
    weights = {"mean_weight": "mean", "covariance_weight": "covariance", "separation": "separation", "trace": "trace"}
    nothing = replace(Schedule(), **dict.fromkeys(weights, 0.0))
    model = PartModel(nothing)
    bare, terms = parts_loss(model, x, warp, jitter, nothing)
    torch.testing.assert_close(bare, terms["rebuilt"])
    for weight, term in weights.items():
        loss, _ = parts_loss(model, x, warp, jitter, replace(nothing, **{weight: 2.0}))
        torch.testing.assert_close(loss - bare, 2 * terms[term], rtol=1e-3, atol=1e-5)


def test_a_short_training_draws_better_than_it_began_and_follows_its_seed():
    schedule = Schedule(steps=30, batch=4)
    model, history = train_parts(schedule)
    assert history[-1]["rebuilt"] < 0.7 * history[0]["rebuilt"]
    assert not any(p.requires_grad for p in model.parameters())
    again, _ = train_parts(schedule)
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_bfloat16_autocast_keeps_landmarks_and_losses_in_float32():
    model, history = train_parts(Schedule(steps=2, batch=4), compute=Compute(torch.device("cpu"), torch.bfloat16))
    assert all(torch.isfinite(torch.tensor(list(entry.values()))).all() for entry in history)
    with torch.autocast("cpu", torch.bfloat16):
        shape = model.shape(puppets())
        assert {shape.maps.dtype, shape.landmarks.mean.dtype, model.looks(puppets(), shape).dtype} == {torch.float32}


@pytest.mark.parametrize("schedule", [Schedule(), RAW])
def test_a_model_makes_every_tensor_where_its_inputs_lie(schedule):
    model, x = PartModel(schedule), puppets()
    warp, jitter = sample_warp(4, seeded()), sample_jitter(4, seeded())
    expected = model.transfer(x, x.flip(0), [0, 2])
    loss, _ = parts_loss(model, x, warp, jitter, schedule)
    with torch.device("meta"):
        torch.testing.assert_close(model.transfer(x, x.flip(0), [0, 2]), expected)
        torch.testing.assert_close(parts_loss(model, x, warp, jitter, schedule)[0], loss)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(landmarks=0), "landmarks must be a whole number of at least 1, got 0"),
        (dict(landmarks="8"), "landmarks must be a whole number of at least 1, got '8'"),
        (dict(steps=0), "steps must be a whole number of at least 1, got 0"),
        (dict(batch=-4), "batch must be a whole number of at least 1, got -4"),
        (dict(seed=0.5), "seed must be a whole number of at least 0, got 0.5"),
        (dict(reach=0), "reach must be positive, got 0"),
        (dict(rate=float("nan")), "rate must be positive, got nan"),
        (dict(trace=-0.3), "trace must be 0 or more, got -0.3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Schedule(**wrong)


def test_one_landmark_alone_can_be_trained():
    _, history = train_parts(Schedule(landmarks=1, steps=2, batch=2))
    assert history[-1]["separation"] == 0


def blobs(n: int = 8) -> torch.Tensor:
    """White blobs on black, wide enough to be stretched by a warp."""
    away = pixel_centres(32).square().sum(dim=-1)
    return (2 * (-0.5 * away / 0.2**2).exp() - 1).expand(n, 3, -1, -1).clone()


def test_landmarks_of_both_views_are_compared_in_the_coordinates_of_the_picture():
    """A reader of brightness follows a warp exactly; without coordinates or determinant of the warp it would not."""
    model = PartModel(Schedule())

    def shape(images):
        maps = F.avg_pool2d((images[:, :1] + 1) / 2, 2).expand(-1, 8, -1, -1)
        return Shape(maps, moments(maps))

    model.shape, model.draw = shape, lambda shape, looks: torch.zeros(len(looks), 3, 32, 32)
    warp = sample_warp(8, seeded(), bend=0.12)
    _, terms = parts_loss(model, blobs(), warp, None, Schedule())
    warped = shape(warp.apply(blobs())).maps
    true, grid = moments(shape(blobs()).maps), warp.grid(READ)
    for given in ((), grid[:1]):
        assert (moments(warped, *given).mean - true.mean).square().mean() > 10 * terms["mean"]
    assert terms["mean"] < 1e-4


def test_raw_maps_lie_at_the_same_place_at_every_resolution():
    maps = torch.zeros(1, 8, READ, READ)
    maps[..., 4:6, 8:10] = 0.25
    shape = Shape(maps, moments(maps))
    for resolution in DRAWN:
        heat = PartModel(RAW).heat(shape, resolution)
        torch.testing.assert_close(moments(heat).mean, shape.landmarks.mean, rtol=0, atol=1e-5)


def test_a_training_has_the_pictures_of_its_seed_and_new_colours_only_where_it_is_told(monkeypatch):
    seen = []

    def loss(model, x, warp, jitter, schedule):
        seen.append((x, jitter))
        return parts_loss(model, x, warp, jitter, schedule)

    monkeypatch.setattr(parts, "parts_loss", loss)
    for schedule in (Schedule(), Schedule(seed=1), Schedule(jitter=False)):
        train_parts(replace(schedule, steps=1, batch=2))
    (first, new), (other, _), (same, none) = seen
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert new is not None
    assert none is None
