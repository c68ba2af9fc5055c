"""Robust disentangling: shapes, one step, where the constraint acts, and what a short training learns."""

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.information_critic import WEAK, Distrust
from wwlib.appearance.robust import Pairs, RobustModel, RobustSchedule, RobustTraining, codes_of, train_robust, transfer
from wwlib.datasets.motions import sample_pairs
from wwlib.datasets.puppet import render

SHORT = RobustSchedule(steps=6, batch=4, start=0.5)


@pytest.fixture(scope="module")
def pairs():
    first, second, appearance = sample_pairs(40, torch.Generator().manual_seed(0), clothes=True)
    return Pairs(render(first, appearance).images, render(second, appearance).images)


def parameters(training):
    nets = (training.model, training.reporting, training.watching)
    return [[p.detach().clone() for p in net.parameters()] for net in nets]


def moved(before, training):
    after = parameters(training)
    return [any(not torch.equal(a, b) for a, b in zip(x, y, strict=True)) for x, y in zip(before, after, strict=True)]


def test_codes_and_pictures_have_their_shapes(pairs):
    model = RobustModel()
    poses, appearance = model.encode_pose(pairs.first[:3]), model.encode_appearance(pairs.second[:3])
    assert poses.mean.shape == poses.log_variance.shape == (3, 4, 4, 4)
    assert appearance.shape == (3, 32)
    assert model.decode(poses.mean, appearance).shape == (3, 3, 32, 32)
    drawn, own = codes_of(model, pairs.first, pairs.second, torch.Generator().manual_seed(0))
    assert (drawn.shape, own.shape) == ((40, 64), (40, 32))


def test_a_pair_is_drawn_from_one_figure_and_either_picture_may_come_first(pairs):
    images, others = pairs.draw(64, torch.Generator().manual_seed(0))
    found = set()
    for image, other in zip(images, others, strict=True):
        (row,) = [k for k in range(40) if torch.equal(image, pairs.first[k]) or torch.equal(image, pairs.second[k])]
        turned = torch.equal(image, pairs.second[row])
        found.add(turned)
        assert torch.equal(other, (pairs.first if turned else pairs.second)[row])
    assert found == {True, False}


def test_a_step_trains_model_and_both_critics(pairs):
    training = RobustTraining(pairs, SHORT)
    before = parameters(training)
    state = training.step()
    assert moved(before, training) == [True, True, True]
    assert set(state) == {"error", "reported", "watched", "gamma", "multiplier"}


def test_before_the_start_neither_constraint_nor_noise_act(pairs):
    training = RobustTraining(pairs, replace(SHORT, gamma=0.01))
    states = [training.step() for _ in range(3)]
    assert all((s["multiplier"], s["gamma"]) == (0, 0.01) for s in states)
    assert training.distrust.reported is None
    training.step()
    assert training.distrust.reported is not None


def test_the_multiplier_follows_what_t_reports(pairs, monkeypatch):
    training = RobustTraining(pairs, replace(SHORT, start=0.0))
    monkeypatch.setattr("wwlib.appearance.robust.step_critic", lambda *_: 0.6)
    assert [round(training.step()["multiplier"], 6) for _ in range(3)] == [0.05, 0.1, 0.15]


def test_gamma_follows_what_t_overlooks(pairs, monkeypatch):
    training = RobustTraining(pairs, replace(SHORT, start=0.0))
    seen = {id(training.reporting): 0.1, id(training.watching): 0.7}
    monkeypatch.setattr("wwlib.appearance.robust.step_critic", lambda critic, *_: seen[id(critic)])
    assert [training.step()["gamma"] for _ in range(2)] == pytest.approx([0.0018, 0.0036])


@pytest.mark.parametrize("change", [dict(constrained=False), dict(adaptive=False)])
def test_what_is_switched_off_stays_where_it_is(pairs, change):
    training = RobustTraining(pairs, replace(SHORT, start=0.0, bound=0.0, **change))
    training.distrust = Distrust(gamma=0.02)
    for _ in range(3):
        state = training.step()
    assert (state["multiplier"] == 0) == ("constrained" in change) or state["reported"] <= 0
    assert (state["gamma"] == 0.02) == ("adaptive" in change)


def test_with_a_multiplier_the_pose_code_is_pushed_away_from_what_t_sees(pairs):
    """The same step with and without a multiplier: only the pose encoder's part of the model differs."""
    ends = []
    for multiplier in (0.0, 50.0):
        training = RobustTraining(pairs, replace(SHORT, start=0.0, bound=0.0, clip=1e9))
        training.multiplier = multiplier
        training.constraint = replace(training.constraint, mu=1e-9)
        training.step()
        ends.append(training.model.state_dict())
    different = {name.split(".")[0] for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])}
    assert different == {"pose_pyramid", "pose_head"}


@pytest.mark.parametrize(("other_figures", "batches"), [(False, 1), (True, 4)])
def test_a_watcher_may_learn_from_other_figures_than_the_model(pairs, monkeypatch, other_figures, batches):
    drawn = []
    draw = Pairs.draw
    monkeypatch.setattr(Pairs, "draw", lambda *arguments: drawn.append(1) or draw(*arguments))
    RobustTraining(pairs, replace(SHORT, other_figures=other_figures)).step()
    assert len(drawn) == batches


def test_a_seed_gives_the_same_model(pairs):
    first, second = (train_robust(pairs, SHORT)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_trained_model_is_frozen_and_every_step_is_told(pairs):
    model, history = train_robust(pairs, SHORT)
    assert len(history) == 6
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_a_short_training_already_draws_figures_better_than_their_mean(pairs):
    model, history = train_robust(pairs, RobustSchedule(WEAK, steps=60, batch=16))
    assert sum(s["error"] for s in history[-5:]) < 0.5 * sum(s["error"] for s in history[:5])
    drawn = transfer(model, pairs.first, pairs.second)
    assert drawn.abs().max() <= 1
    mean = pairs.first.mean(dim=0, keepdim=True)
    assert (drawn - pairs.first).square().mean() < (mean - pairs.first).square().mean()


def test_noise_moves_a_transfer_and_its_mean_stays(pairs):
    model = RobustModel()
    still = transfer(model, pairs.first, pairs.second)
    assert torch.equal(still, transfer(model, pairs.first, pairs.second))
    assert not torch.equal(still, transfer(model, pairs.first, pairs.second, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RobustSchedule(batch=1), "batch must be 2 or more, or no pair can be mixed, got 1"),
        (lambda: RobustSchedule(gamma=-1.0), "gamma must be 0 or more, got -1.0"),
        (lambda: RobustSchedule(steps=0), "steps must be positive, got 0"),
        (lambda: Pairs(torch.zeros(2, 3, 32, 32), torch.zeros(3, 3, 32, 32)), r"must both be \[n, 3, 32, 32\]"),
        (lambda: Pairs(torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 16)), r"must both be \[n, 3, 32, 32\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
