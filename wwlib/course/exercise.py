"""What an exercise and a question are: the right answer, inputs to try, mistakes that learners make."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

ANSWERS = "wwlib.course.answers"  # the package of written answers: what lies there is no function of the library


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give: `wrong` computes it, `why` says what went wrong. Tests require it to fail."""

    why: str
    wrong: Callable


@dataclass(frozen=True)
class Property:
    """What any good answer to an open exercise does: `holds(answer, seed)` says whether this one does.

    It may ask for the gradients of a loss with `slopes_of`.
    """

    what: str
    holds: Callable[[Callable, int], bool]


@dataclass(frozen=True)
class Exercise:
    """One exercise: the library function is the right answer, and each case makes the arguments of one call.

    An open exercise has properties in place of cases, and its reference is one good answer among many. `library` holds
    the functions of wwlib that are the answer, where `reference` only wraps them.
    """

    id: str
    title: str
    reference: Callable
    cases: tuple[Callable[[torch.Generator], tuple], ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    tolerance: float = 1e-5
    trains: tuple[int, ...] = ()  # the answer is a loss: its gradients for the arguments at these positions count too
    properties: tuple[Property, ...] = ()
    library: tuple[Callable, ...] = ()

    @property
    def forbidden(self) -> tuple[str, ...]:
        """The library's functions, as "module:name", that a graded answer may not call."""
        own = () if self.reference.__module__.startswith(f"{ANSWERS}.") else (self.reference,)
        return tuple(f"{function.__module__}:{function.__qualname__}" for function in self.library or own)


class TinyCritic(torch.nn.Module):
    """A discriminator of one layer for images `[B, 3, 8, 8]`, to try R1 on.

    Args:
        generator: of its weights.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(1, 3 * 8 * 8, generator=generator))

    def forward(self, images: Tensor) -> Tensor:
        return torch.nn.functional.linear(images.flatten(1), self.weight)[:, 0].tanh()


def slopes_of(function: Callable, *arguments: object) -> tuple[object, list[Tensor]]:
    """Return a loss and its gradients for every floating argument, computed where the function lives."""
    return getattr(function, "with_slopes", lambda *a: value_and_slopes(function, a))(*arguments)


def value_and_slopes(function: Callable, arguments: tuple) -> tuple[object, list[Tensor]]:
    """Return a loss and its gradients for every floating tensor and module parameter among the arguments.

    Of several losses, as one for each picture, the gradients are those of their sum; a loss without any has none.
    """
    leaves = [a.requires_grad_(True) for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
    leaves += [p for a in arguments if isinstance(a, torch.nn.Module) for p in a.parameters()]
    value = function(*arguments)
    if not isinstance(value, Tensor) or not value.requires_grad:
        return value, []
    slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    return value.detach(), [torch.zeros_like(p) if s is None else s for p, s in zip(leaves, slopes, strict=True)]


@dataclass(frozen=True)
class Question:
    """One quiz question: the digest of the right choice, and the explanation shown once it is chosen.

    `tempts` says of each wrong choice in one sentence why it tempts and what speaks against it.
    """

    id: str
    digest: str
    explanation: str
    tempts: dict[str, str] = field(default_factory=dict)


def digest(id: str, answer: str) -> str:
    """Return the salted digest of a quiz answer."""
    return hashlib.sha256(f"where-and-what/{id}/{answer.strip().lower()}".encode()).hexdigest()[:16]
