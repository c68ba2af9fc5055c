"""T and T' beside a training: who pays, who learns, and what the multiplier does."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.information_critic import Constraint, information, standardised
from wwlib.appearance.segments.critics import Critics
from wwlib.appearance.segments.networks import LOOK

ASKED = Constraint(bound=0.1, mu=0.5, step=0.05)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_encoder_pays_for_what_t_sees_and_nothing_reaches_t_or_the_looks():
    critics = Critics(8, 2 * LOOK, ASKED, seed=0)
    code = torch.randn(6, 8, generator=seeded()).requires_grad_()
    looks = torch.randn(6, 2, LOOK, generator=seeded(1)).requires_grad_()
    critics.multiplier = 1.0
    critics.penalty(code, looks).backward()
    assert code.grad.abs().max() > 0
    assert looks.grad is None
    assert all(w.grad is None for critic in critics.both for w in critic.parameters())


def test_both_critics_learn_to_see_codes_that_hold_the_looks():
    """The code is part of the looks: the multiplier rises as T sees it, and T' sees it as well."""
    critics, g = Critics(4, LOOK, ASKED, seed=0), seeded()
    for _ in range(300):
        looks = torch.randn(12, 1, LOOK, generator=g)
        critics.penalty(looks[:, 0, :4].clone(), looks)
        saw = critics.learn()
    assert saw["reported"] > 0.5
    assert saw["watched"] > 0.5
    assert critics.multiplier > 1


def test_there_is_nothing_to_learn_from_before_the_first_penalty():
    with pytest.raises(ValueError, match="penalty must be called before learn"):
        Critics(4, LOOK, ASKED, seed=0).learn()


def test_codes_that_know_nothing_of_the_looks_cost_next_to_nothing():
    critics, g = Critics(4, LOOK, ASKED, seed=0), seeded()
    for _ in range(200):
        cost = critics.penalty(torch.randn(12, 4, generator=g), torch.randn(12, 1, LOOK, generator=g))
        critics.learn()
    assert cost < 0.1
    assert critics.multiplier < 0.1


def test_t_sets_the_price_and_t_prime_only_watches():
    critics = Critics(4, LOOK, ASKED, seed=0)
    code, looks = torch.randn(6, 4, generator=seeded()), torch.randn(6, 1, LOOK, generator=seeded(1))
    critics.multiplier = 2.0
    told, watched = (information(c(code, standardised(looks.flatten(1)))).item() for c in critics.both)
    assert told != watched
    torch.testing.assert_close(critics.penalty(code, looks), ASKED.penalty(torch.tensor(told), 2.0))
    saw = critics.learn()
    assert (saw["reported"], saw["watched"]) == (pytest.approx(told), pytest.approx(watched))
    assert saw["multiplier"] == pytest.approx(2.0 + 0.05 * (told - 0.1))
