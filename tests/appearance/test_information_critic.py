"""The critic of information: what it estimates, what a breach costs, when noise grows, and where gradients go."""

import math

import pytest
import torch
from torch import nn

from wwlib.appearance.information_critic import (
    STRONG,
    WEAK,
    Constraint,
    CriticSize,
    Distrust,
    InformationCritic,
    critic_optimiser,
    density_ratio_loss,
    frozen_scores,
    information,
    standardised,
    step_critic,
    train_critic,
)


def gaussians(n, r, seed):
    """Two standard Gaussians `[n, 1]` that correlate by r, and their mutual information in nats."""
    x, noise = torch.randn(2, n, 1, generator=torch.Generator().manual_seed(seed))
    return x, r * x + math.sqrt(1 - r**2) * noise, -0.5 * math.log(1 - r**2)


def estimate(r, size):
    x, y, nats = gaussians(20_000, r, seed=0)
    critic = train_critic(x, y, size, steps=300)
    unseen = gaussians(4_000, r, seed=1)
    return float(information(critic(*unseen[:2]))), nats


# the estimate


@pytest.mark.parametrize("r", [0.5, 0.7, 0.9, 0.95])
def test_a_strong_critic_estimates_the_information_of_gaussians(r):
    estimated, nats = estimate(r, STRONG)
    assert estimated == pytest.approx(nats, rel=0.15)


def test_independent_gaussians_share_nothing():
    assert abs(estimate(0.0, STRONG)[0]) < 0.02


@pytest.mark.parametrize("r", [0.9, 0.95])
def test_a_weak_critic_overlooks_a_third_and_more(r):
    estimated, nats = estimate(r, WEAK)
    assert 0 < estimated < 0.67 * nats


def test_a_critic_that_cannot_tell_pairs_apart_pays_log_2():
    assert density_ratio_loss(torch.zeros(5, 5)).item() == pytest.approx(math.log(2))


def test_the_loss_takes_every_pair_off_the_diagonal_for_a_mixed_one():
    scores = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [1.5, -0.5, 3.0]])

    def softplus(x):
        return math.log1p(math.exp(x))

    true = sum(map(softplus, (-2.0, -1.0, -3.0))) / 3
    mixed = sum(map(softplus, (-1.0, 0.5, 0.0, -2.0, 1.5, -0.5))) / 6
    assert density_ratio_loss(scores).item() == pytest.approx((true + mixed) / 2)
    assert information(scores).item() == pytest.approx(2.0)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (3,)])
def test_scores_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"scores must be \[B, B\]"):
        density_ratio_loss(torch.zeros(shape))


def test_a_score_is_the_inner_product_of_what_the_two_networks_say():
    critic = InformationCritic(3, 2, CriticSize(5, 4))
    pose, appearance = torch.randn(6, 3), torch.randn(6, 2)
    scores = critic(pose, appearance)
    assert scores.shape == (6, 6)
    assert scores[2, 5].item() == pytest.approx(float(critic.f(pose[2:3])[0] @ critic.h(appearance[5:6])[0]), abs=1e-5)


def test_a_seed_gives_the_same_critic_and_leaves_other_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = InformationCritic(3, 2, seed=1), InformationCritic(3, 2, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_standardised_codes_have_mean_0_and_spread_1_and_a_flat_one_becomes_0():
    codes = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) * 7 + 4
    codes[:, 2] = 4
    done = standardised(codes)
    assert done.mean(dim=0).abs().max() < 1e-5
    assert (done[:, :2].std(dim=0, correction=0) - 1).abs().max() < 1e-3
    assert torch.equal(done[:, 2], torch.zeros(64))


def test_few_rows_are_learned_by_heart_unless_some_are_held_out():
    """On 200 rows a strong critic ends with a report far from the truth; the one of lowest loss does not."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 1_200, 8, generator=generator)
    y = 0.6 * x + 0.8 * noise
    nats = -4 * math.log(1 - 0.36)
    by_heart, careful = (
        float(information(train_critic(x[:200], y[:200], steps=400, held_out=n)(x[200:], y[200:]))) for n in (0, 50)
    )
    assert by_heart < 0 < careful < nats


def test_codes_and_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pose and appearance must have as many rows, got 4 and 5"):
        train_critic(torch.zeros(4, 2), torch.zeros(5, 2))
    with pytest.raises(ValueError, match="held_out must leave 2 rows or more of 4, got 3"):
        train_critic(torch.zeros(4, 2), torch.zeros(4, 2), held_out=3)
    with pytest.raises(ValueError, match="rank must be positive, got 0"):
        CriticSize(4, 0)


# the constraint and the noise, by hand


def test_a_breach_costs_its_multiple_and_its_square():
    constraint = Constraint(bound=0.1, mu=0.5, step=0.1)
    assert constraint.penalty(torch.tensor(1.1), 2.0).item() == pytest.approx(2.0 * 1.0 + 0.25 * 1.0)
    assert constraint.penalty(torch.tensor(0.1), 2.0).item() == pytest.approx(0)


def test_below_the_bound_there_is_something_to_gain_only_while_the_multiplier_lasts():
    constraint = Constraint(bound=0.5, mu=0.5, step=0.1)
    # c = -0.4: mu c + lambda = -0.2 + 0.3 is still positive
    assert constraint.penalty(torch.tensor(0.1), 0.3).item() == pytest.approx(0.3 * -0.4 + 0.25 * 0.16)
    assert constraint.penalty(torch.tensor(0.1), 0.19).item() == 0
    nats = torch.tensor(0.1, requires_grad=True)
    constraint.penalty(nats, 0.19).backward()
    assert nats.grad.item() == 0


def test_the_slope_of_the_penalty_is_the_multiplier_that_the_breach_would_give():
    nats = torch.tensor(1.1, requires_grad=True)
    Constraint(bound=0.1, mu=0.5, step=0.1).penalty(nats, 2.0).backward()
    assert nats.grad.item() == pytest.approx(2.0 + 0.5 * 1.0)


def test_the_multiplier_follows_the_breach_and_stops_at_0():
    constraint = Constraint(bound=0.1, mu=0.5, step=0.1)
    assert constraint.raised(0.0, 1.1) == pytest.approx(0.1)
    assert constraint.raised(0.1, 0.6) == pytest.approx(0.15)
    assert constraint.raised(0.005, 0.0) == 0


def test_gamma_grows_by_what_the_reporting_critic_overlooks():
    first = Distrust(rate=0.002).after(reported=0.1, watched=0.6)
    assert (first.reported, first.watched) == (0.1, 0.6)
    assert first.gamma == pytest.approx(0.002 * 0.5)
    second = first.after(reported=0.2, watched=1.6)
    assert second.reported == pytest.approx(0.98 * 0.1 + 0.02 * 0.2)
    assert second.watched == pytest.approx(0.98 * 0.6 + 0.02 * 1.6)
    assert second.gamma == pytest.approx(first.gamma + 0.002 * (second.watched - second.reported))


def test_gamma_falls_where_nothing_is_overlooked_and_stops_at_0():
    state = Distrust(gamma=0.001, rate=0.01, tolerance=0.05).after(0.3, 0.3)
    assert state.gamma == pytest.approx(0.001 - 0.01 * 0.05)
    assert state.after(0.3, 0.3).after(0.3, 0.3).gamma == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constraint(bound=-0.1), "bound must be 0 or more, got -0.1"),
        (lambda: Constraint(mu=0), "mu must be positive, got 0"),
        (lambda: Distrust(rate=float("nan")), "rate must be positive, got nan"),
        (lambda: Distrust(decay=1.0), r"decay must be in \[0, 1\), got 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# where gradients go


@pytest.fixture
def nets():
    """An encoder of poses, an encoder of appearances, a critic, and inputs of both."""
    torch.manual_seed(0)
    return nn.Linear(6, 3), nn.Linear(5, 2), InformationCritic(3, 2, CriticSize(8, 4)), torch.randn(2, 16, 6)


def test_the_penalty_reaches_the_encoder_of_poses_and_nothing_else(nets):
    encode_pose, encode_appearance, critic, inputs = nets
    scores = frozen_scores(critic, encode_pose(inputs[0]), encode_appearance(inputs[1][:, :5]))
    Constraint().penalty(information(scores), 1.0).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in encode_pose.parameters())
    assert all(p.grad is None for net in (encode_appearance, critic) for p in net.parameters())


def test_frozen_scores_are_the_critics_own(nets):
    _, _, critic, inputs = nets
    pose, appearance = inputs[0][:, :3], inputs[1][:, :2]
    assert torch.equal(frozen_scores(critic, pose, appearance), critic(pose, appearance))


def test_a_critics_step_reaches_the_critic_and_nothing_else(nets):
    encode_pose, encode_appearance, critic, inputs = nets
    before = [p.clone() for p in critic.parameters()]
    step_critic(critic, critic_optimiser(critic), encode_pose(inputs[0]), encode_appearance(inputs[1][:, :5]))
    assert any(not torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    assert all(p.grad is None for net in (encode_pose, encode_appearance) for p in net.parameters())


def test_a_critic_that_steps_between_forward_and_backward_of_the_main_loss_is_an_error(nets):
    """The classic bug of the field: Adam changes the critic's weights in place, and the main loss still needs them."""
    encode_pose, _, critic, inputs = nets
    pose, appearance, optimiser = encode_pose(inputs[0]), inputs[1][:, :2], critic_optimiser(critic)
    loss = information(frozen_scores(critic, pose, appearance))
    step_critic(critic, optimiser, pose, appearance)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_in_the_right_order_both_steps_run(nets):
    encode_pose, _, critic, inputs = nets
    pose, appearance, optimiser = encode_pose(inputs[0]), inputs[1][:, :2], critic_optimiser(critic)
    loss = information(frozen_scores(critic, pose, appearance))
    loss.backward()
    step_critic(critic, optimiser, pose, appearance)
    assert encode_pose.weight.grad.abs().max() > 0
