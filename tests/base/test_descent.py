"""Gradient descent: how its rate falls."""

import torch
from torch import nn

from wwlib.base.descent import falling_rate


def rates(steps: int, **options) -> list[float]:
    """The rates that a training of so many steps uses, starting at 1."""
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    falling, seen = falling_rate(optimiser, steps, **options), []
    for _ in range(steps):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        falling.step()
    return [*seen, optimiser.param_groups[0]["lr"]]


def test_the_rate_falls_on_a_line_to_zero():
    torch.testing.assert_close(rates(4), [1.0, 0.75, 0.5, 0.25, 0.0])


def test_the_rate_holds_until_its_share_of_the_steps():
    torch.testing.assert_close(rates(5, falls_from=0.6), [1.0, 1.0, 1.0, 1.0, 0.5, 0.0])
