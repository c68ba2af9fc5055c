"""Part discovery: what each network sees, what the loss is made of, and that it learns."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from wwlib.appearance import discovery
from wwlib.appearance.discovery import (
    HEAD_START,
    DiscoveryModel,
    Schedule,
    discovery_loss,
    exchange,
    segment,
    train_discovery,
)
from wwlib.appearance.robust import Pairs
from wwlib.appearance.segments.losses import hard
from wwlib.appearance.segments.networks import LOOK, pooled
from wwlib.base.device import Compute
from wwlib.datasets.motions import sample_pairs
from wwlib.datasets.puppet import render

GLOBAL = Schedule(channels=0)
CASES = [Schedule(), GLOBAL, Schedule(slots=4), Schedule(background=False, area=0.0), Schedule(channels=64)]
SHORT = Schedule(steps=30, batch=4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(n: int = 4, seed: int = 0) -> Pairs:
    first, second, looks = sample_pairs(n, seeded(seed))
    return Pairs(render(first, looks).images, render(second, looks).images)


def both(n: int = 4) -> torch.Tensor:
    made = pairs(n)
    return torch.cat([made.first, made.second])


@pytest.mark.parametrize("schedule", CASES)
def test_codes_masks_looks_and_pictures_have_their_shapes_and_every_weight_learns(schedule):
    model, x, p = DiscoveryModel(schedule), both(), schedule.slots
    seen = exchange(model, x, schedule.noise, True, seeded())
    assert seen.code.shape == ((8, 32) if not schedule.channels else (8, schedule.channels, 4, 4))
    assert seen.soft.shape == (8, p, 32, 32)
    torch.testing.assert_close(seen.soft.sum(dim=1), torch.ones(8, 32, 32))
    assert seen.looks.shape == (8, p, LOOK)
    assert seen.drawn.shape == x.shape
    loss, _ = discovery_loss(seen, x, schedule, done=1.0)
    loss.backward()
    still = [name for name, w in model.named_parameters() if w.grad is None or w.grad.abs().max() == 0]
    assert still == []


def test_a_pixel_has_one_slot_and_the_same_one_every_time():
    model, x = DiscoveryModel(Schedule()), both()
    masks = model.masks(x)
    assert set(masks.detach().round(decimals=5).unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(masks.sum(dim=1), torch.ones(8, 32, 32))
    assert torch.equal(segment(model, x), masks.argmax(dim=1))


def test_the_background_starts_ahead_and_only_where_there_is_one():
    with_it, without = DiscoveryModel(Schedule()), DiscoveryModel(Schedule(background=False))
    code = with_it.shape(both()).mean
    ahead = with_it.logits(code) - without.logits(code)
    torch.testing.assert_close(ahead[:, 0], torch.full_like(ahead[:, 0], HEAD_START))
    assert ahead[:, 1:].abs().max() == 0


def test_the_first_three_numbers_of_a_look_are_the_colour_under_the_mask():
    x = torch.zeros(1, 3, 32, 32)
    x[:, 0, :16], x[:, 1, 16:] = 1.0, 0.5  # red above, a weaker green below
    masks = torch.zeros(1, 8, 32, 32)
    masks[:, 0, :16], masks[:, 1, 16:] = 1, 1
    looks = DiscoveryModel(Schedule()).looks(x, masks)
    torch.testing.assert_close(looks[0, :2, :3], torch.tensor([[1.0, 0, 0], [0, 0.5, 0]]))


def test_a_picture_is_drawn_from_its_own_masks_and_the_looks_of_its_partner():
    model, x = DiscoveryModel(Schedule()), both()
    seen = exchange(model, x, 0.0, True, seeded())
    masks = hard(seen.soft)
    own = model.looks(x, masks)
    torch.testing.assert_close(seen.looks, torch.cat([own[4:], own[:4]]))
    torch.testing.assert_close(seen.drawn, model.draw(masks, seen.looks))


def test_what_is_drawn_at_a_pixel_depends_on_its_neighbours_only():
    """So no part can be drawn where no mask shows it."""
    model = DiscoveryModel(Schedule())
    masks, looks = torch.zeros(1, 8, 32, 32), torch.randn(1, 8, LOOK, generator=seeded())
    masks[:, 0] = 1
    other = masks.clone()
    other[0, :, 10, 10] = torch.eye(8)[3]
    changed = (model.draw(masks, looks) - model.draw(other, looks)).abs().amax(dim=(0, 1)) > 0
    assert changed[9:12, 9:12].all()
    changed[9:12, 9:12] = False
    assert not changed.any()


def test_a_transfer_has_the_masks_of_one_picture_and_the_looks_of_the_other():
    model, made = DiscoveryModel(Schedule()), pairs()
    x, onto = made.first, made.second
    masks = model.masks(onto)
    given, own = model.looks(x, model.masks(x)), model.looks(onto, masks)
    torch.testing.assert_close(model.transfer(x, onto), model.draw(masks, given).clamp(-1, 1))
    own[:, [0, 4]] = given[:, [0, 4]]
    torch.testing.assert_close(model.transfer(x, onto, [0, 4]), model.draw(masks, own).clamp(-1, 1))
    torch.testing.assert_close(model.transfer(x, onto, []), model.transfer(onto, onto))


@pytest.mark.parametrize(
    ("weight", "term"),
    [(name, name) for name in ("rebuilt", "area", "entropy", "trace", "separation", "variation")] + [("beta", "kl")],
)
def test_the_loss_weighs_its_terms_as_the_schedule_says(weight, term):
    names = ("rebuilt", "area", "entropy", "trace", "separation", "variation", "beta")
    only = replace(Schedule(), **(dict.fromkeys(names, 0.0) | {weight: 2.0}))
    x = both()
    seen = exchange(DiscoveryModel(only), x, 0.5, False, seeded())
    loss, terms = discovery_loss(seen, x, only, done=1.0)
    torch.testing.assert_close(loss, 2 * terms[term])


def test_divergence_entropy_and_variation_rise_between_a_fifth_and_a_half():
    names = ("rebuilt", "area", "trace", "separation")
    rising, x = replace(Schedule(), **dict.fromkeys(names, 0.0)), both()
    seen = exchange(DiscoveryModel(rising), x, 0.5, False, seeded())
    at = {done: discovery_loss(seen, x, rising, done)[0] for done in (0.2, 0.35, 0.5, 1.0)}
    assert at[0.2] == 0
    torch.testing.assert_close(at[0.35], at[1.0] / 2)
    torch.testing.assert_close(at[0.5], at[1.0])


def test_the_penalty_on_area_can_rise_from_the_start():
    names = ("rebuilt", "entropy", "trace", "separation", "variation", "beta")
    at_once, x = replace(Schedule(), **dict.fromkeys(names, 0.0)), both()
    slowly = replace(at_once, area_rise=0.2)
    seen = exchange(DiscoveryModel(at_once), x, 0.5, False, seeded())
    whole = discovery_loss(seen, x, at_once, 0.0)[0]
    assert discovery_loss(seen, x, slowly, 0.0)[0] == 0
    torch.testing.assert_close(discovery_loss(seen, x, slowly, 0.05)[0], whole / 4)
    torch.testing.assert_close(discovery_loss(seen, x, slowly, 0.9)[0], whole)


def test_the_background_is_spared_only_where_there_is_one():
    x = both()
    seen = exchange(DiscoveryModel(Schedule()), x, 0.5, False, seeded())
    _, spared = discovery_loss(seen, x, Schedule(), 1.0)
    _, asked = discovery_loss(seen, x, Schedule(background=False), 1.0)
    assert spared["trace"] != asked["trace"]
    assert spared["separation"] != asked["separation"]
    assert spared["area"] == asked["area"]


def test_a_short_training_draws_better_than_it_began_and_follows_its_seed():
    model, history = train_discovery(pairs(60), SHORT)
    assert history[-1]["rebuilt"] < 0.8 * history[0]["rebuilt"]
    assert not any(w.requires_grad for w in model.parameters())
    again, _ = train_discovery(pairs(60), SHORT)
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("change", [dict(warped=True), dict(critic=False, beta=0.0), dict(channels=0)])
def test_every_variant_trains(change):
    _, history = train_discovery(pairs(20), replace(SHORT, steps=4, **change))
    assert all(torch.tensor(list(entry.values())).isfinite().all() for entry in history)
    assert ("reported" in history[-1]) == ("critic" not in change)


def test_bfloat16_autocast_keeps_masks_looks_and_pictures_in_float32():
    model = DiscoveryModel(Schedule())
    with Compute(torch.device("cpu"), torch.bfloat16).autocast():
        seen = exchange(model, both(), 0.5, True, seeded())
    assert {seen.code.dtype, seen.soft.dtype, seen.looks.dtype, seen.drawn.dtype} == {torch.float32}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(slots=1), "slots must be a whole number of at least 2, got 1"),
        (dict(slots=2.5), "slots must be a whole number of at least 2, got 2.5"),
        (dict(steps=0), "steps must be a whole number of at least 1, got 0"),
        (dict(batch=1), "batch must be a whole number of at least 2, got 1"),
        (dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        (dict(channels="16"), "channels must be a whole number of at least 0, got '16'"),
        (dict(rate="fast"), "rate must be positive, got 'fast'"),
        (dict(falls_from=1), "falls_from must be below 1, a share of the training, got 1"),
        (dict(rise=0.5), r"rise must be two rising shares .* got 0.5"),
        (dict(rise=("a", "b")), r"rise must be two rising shares .* got \('a', 'b'\)"),
        (dict(area=-1.0), "area must be 0 or more"),
        (dict(rise=(0.5, 0.5)), r"rise must be two rising shares .* got \(0.5, 0.5\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**wrong)


def test_a_schedule_comes_back_from_a_record_equal():
    assert Schedule(**json.loads(json.dumps(asdict(Schedule())))) == Schedule()


def test_figure_and_ground_alone_can_be_trained_and_without_a_critic_on_one_pair():
    for change in (dict(slots=2), dict(critic=False, batch=1)):
        _, history = train_discovery(pairs(20), replace(SHORT, steps=2, **change))
        assert history[-1]["separation"] == 0 or "slots" not in change
        assert all(torch.tensor(list(entry.values())).isfinite().all() for entry in history)


@pytest.mark.parametrize("schedule", [Schedule(), GLOBAL])
def test_a_model_makes_every_tensor_where_its_inputs_lie(schedule):
    model, x = DiscoveryModel(schedule), both()
    expected = model.transfer(x, x.flip(0), [0, 2])
    seen = exchange(model, x, 0.5, True, seeded())
    loss, _ = discovery_loss(seen, x, schedule, 1.0)
    with torch.device("meta"):
        torch.testing.assert_close(model.transfer(x, x.flip(0), [0, 2]), expected)
        torch.testing.assert_close(discovery_loss(seen, x, schedule, 1.0)[0], loss)


def test_a_code_is_drawn_from_its_distribution_and_noise_is_added_to_the_logits():
    model, x = DiscoveryModel(Schedule()), both()
    still = exchange(model, x, 0.0, False, seeded())
    noisy = exchange(model, x, 0.5, False, seeded())
    assert torch.equal(still.code, noisy.code)
    drawn = (still.code - still.codes.mean) / (0.5 * still.codes.log_variance).exp()
    assert abs(drawn.std().item() - 1) < 0.1
    added = noisy.soft.log() - still.soft.log()  # a softmax takes the same from every slot of a pixel
    added = added - added.mean(dim=1, keepdim=True)
    assert abs(added.std(dim=1, correction=1).square().mean().sqrt().item() - 0.5) < 0.02


def test_the_spared_slot_is_the_first_one():
    x = both()
    seen = exchange(DiscoveryModel(Schedule()), x, 0.5, False, seeded())
    soft = torch.zeros_like(seen.soft)
    soft[:, 0] = 1  # the background is wide, and the other slots are a dot each
    for slot in range(1, 8):
        soft[:, slot, 4 * slot, 4 * slot], soft[:, 0, 4 * slot, 4 * slot] = 1, 0
    seen = seen._replace(soft=soft)
    assert discovery_loss(seen, x, Schedule(), 1.0)[1]["trace"] < 1e-6
    assert discovery_loss(seen, x, Schedule(background=False), 1.0)[1]["trace"] > 0.05


def watched_training(monkeypatch, made: Pairs, schedule: Schedule):
    """What each step of a training saw: pictures, whether masks were hard, what the critics got, and the loss."""
    seen, given, losses = [], [], []

    def watched(model, images, noise, straight, generator):
        result = exchange(model, images, noise, straight, generator)
        seen.append((images, straight, result))
        return result

    def penalty(self, code, looks):
        given.append((code, looks))
        return torch.tensor(7.0)

    def steps(model, loss_at, n, *_, **__):
        losses.extend(loss_at(step).item() for step in range(n))

    monkeypatch.setattr(discovery, "exchange", watched)
    monkeypatch.setattr(discovery.Critics, "penalty", penalty)
    monkeypatch.setattr(discovery.Critics, "learn", lambda self: {})
    monkeypatch.setattr(discovery, "descend", steps)
    train_discovery(made, schedule)
    return seen, given, losses


def test_masks_are_soft_at_first_and_hard_afterwards(monkeypatch):
    seen, _, _ = watched_training(monkeypatch, pairs(), Schedule(steps=10, batch=2, soft=0.3))
    assert [straight for _, straight, _ in seen] == [False] * 3 + [True] * 7


def test_the_second_picture_is_the_other_pose_or_a_warped_copy(monkeypatch):
    made = pairs(1)
    for warped in (False, True):
        ((images, _, _),), _, _ = watched_training(monkeypatch, made, Schedule(steps=1, batch=2, warped=warped))
        known = [[bool(torch.equal(x, of[0])) for of in (made.first, made.second)] for x in images]
        for first, second in zip(known[:2], known[2:], strict=True):
            assert sum(first) == 1
            assert second == ([False, False] if warped else first[::-1])


def test_the_critic_sees_codes_of_the_first_pictures_and_looks_of_the_second_and_its_price_is_added(monkeypatch):
    schedule = Schedule(steps=1, batch=2)
    ((_, _, seen),), ((code, looks),), (loss,) = watched_training(monkeypatch, pairs(), schedule)
    assert torch.equal(code, seen.code[:2])
    assert torch.equal(looks, seen.looks[:2])  # which were exchanged
    _, nothing, (without,) = watched_training(monkeypatch, pairs(), replace(schedule, critic=False))
    assert nothing == []
    assert loss - without == pytest.approx(7, abs=1e-3)


def test_trainings_with_other_seeds_see_other_pictures(monkeypatch):
    one, other = (
        watched_training(monkeypatch, pairs(50), Schedule(steps=1, batch=2, seed=seed))[0][0][0] for seed in (0, 1)
    )
    assert not torch.equal(one, other)


def test_a_mask_of_half_a_pixel_has_half_a_look_and_an_empty_one_has_none():
    masks = torch.zeros(1, 3, 32, 32)
    masks[0, 0, 5, 5], masks[0, 1, 7:9, 7] = 0.5, 1.0
    looks = pooled(torch.full((1, 2, 32, 32), 0.8), masks)
    torch.testing.assert_close(looks[0], torch.tensor([[0.4, 0.4], [0.8, 0.8], [0.0, 0.0]]))
