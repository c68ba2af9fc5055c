"""The two critics of lesson 13, T and T', beside the training of lesson 15."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.appearance.information_critic import (
    Constraint,
    InformationCritic,
    critic_optimiser,
    frozen_scores,
    information,
    standardised,
    step_critic,
)


class Critics:
    """T, which the encoder must satisfy, and T', which only watches: both learn at every step.

    Args:
        code, look: lengths of the shape code and of all looks together.
        constraint: what T asks for.
        seed: of the weights.
        device: where they run.
    """

    def __init__(self, code: int, look: int, constraint: Constraint, seed: int, device: torch.device | str = "cpu"):
        self.both = [InformationCritic(code, look, seed=seed + k).to(device) for k in (1, 2)]
        self.optimisers = [critic_optimiser(critic) for critic in self.both]
        self.constraint, self.multiplier = constraint, 0.0
        self.pairs: tuple[Tensor, Tensor] | None = None

    def penalty(self, code: Tensor, looks: Tensor) -> Tensor:
        """Return what the encoder pays for codes and looks that tell of each other; remember them for `learn`.

        Args:
            code: drawn shape codes, `[n, ...]`.
            looks: of the other pictures of the same figures, `[n, P, 12]`.
        """
        self.pairs = code.flatten(1), standardised(looks.detach().flatten(1))
        return self.constraint.penalty(information(frozen_scores(self.both[0], *self.pairs)), self.multiplier)

    def learn(self) -> dict[str, float]:
        """Train both critics on the remembered codes; return what each saw before, nats.

        Call it after the encoder's backward pass, which still needs the critics' weights as they were.

        Raises:
            ValueError: before the first `penalty`.
        """
        if self.pairs is None:
            raise ValueError("penalty must be called before learn: there are no codes to learn from")
        saw = [step_critic(c, o, *self.pairs) for c, o in zip(self.both, self.optimisers, strict=True)]
        self.multiplier = self.constraint.raised(self.multiplier, saw[0])
        return {"reported": saw[0], "watched": saw[1], "multiplier": self.multiplier}
