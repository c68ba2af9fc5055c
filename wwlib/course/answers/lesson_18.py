"""Exercises, written solutions and quiz questions of lesson 18."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.flows import invariances


def _two_layers(n: int, late: int, early: int, m: int):
    def make(g):
        centres, spread = torch.randn(n, 1, m, generator=g), 0.5 + torch.rand(m, generator=g)
        behind_late = centres + 2 * spread * torch.randn(n, late, m, generator=g)
        return behind_late, centres + spread * torch.rand(m, generator=g) * torch.randn(n, early, m, generator=g)

    return make


def _within(concepts: Tensor, correction: int = 1) -> Tensor:
    return concepts.var(dim=1, correction=correction).mean(dim=0)


def added_share(late: Tensor, early: Tensor) -> float:
    """Return which share of the variance that a late layer leaves open an earlier layer takes away."""
    return float(1 - _within(early).sum() / _within(late).sum())


def _attacked(n: int, step: float, epsilon: float):
    def make(g):
        original = torch.rand(n, 3, 4, 4, generator=g) * 2 - 1
        moved = (original + epsilon * (2 * torch.rand(n, 3, 4, 4, generator=g) - 1)).clamp(-1, 1)
        return original, moved, torch.randn(n, 3, 4, 4, generator=g), step, epsilon

    return make


def next_step(original: Tensor, moved: Tensor, gradient: Tensor, step: float, epsilon: float) -> Tensor:
    """Return `moved` after one more step of an attack that stays within `epsilon` of `original`, in every pixel."""
    further = moved + step * gradient.sign()
    return torch.minimum(torch.maximum(further, original - epsilon), original + epsilon).clamp(-1, 1)


def _values(n: int, size: int):
    return lambda g: (torch.randint(size - 1, (n,), generator=g), size)  # the last value never occurs


def _plain_entropy(values: Tensor, size: int) -> Tensor:
    shares = values.bincount(minlength=size) / len(values)
    return -(shares * (shares + 0.01).log()).sum()


def _with_nan(values: Tensor, size: int) -> Tensor:
    shares = values.bincount(minlength=size) / len(values)
    return -(shares * shares.log()).sum()


# 18.4 a share that sees more than the mean


def binned_information(concepts):
    """Share of the entropy of a concept, cut into eight equally frequent bins, that the condition takes away."""
    edges = torch.quantile(concepts.flatten(), torch.linspace(0, 1, 9)[1:-1])
    bins = torch.bucketize(concepts.contiguous(), edges)
    shares = torch.stack([(bins == b).float().mean(dim=1) for b in range(8)], dim=1)
    whole = shares.mean(dim=0)
    entropy = lambda p: -torch.xlogy(p, p).sum(dim=-1)  # noqa: E731
    return float(1 - entropy(shares).mean() / entropy(whole))


def _noise(seed: int, n: int = 60, draws: int = 300) -> Tensor:
    return torch.randn(n, draws, generator=random_of(seed))


def _decided_concepts(seed: int) -> Tensor:
    """The condition decides nearly everything."""
    return 3 * _noise(seed, draws=1) + 0.02 * _noise(seed + 1)


def _decided_spreads(seed: int) -> Tensor:
    """The condition decides only how far the concept spreads; its mean is always 0."""
    wide = torch.arange(60)[:, None] % 2
    return _noise(seed) * torch.where(wide == 1, 2.0, 0.1)


def _near(a: float, b: float) -> bool:
    return abs(float(a) - float(b)) < 0.02


_SEES = (
    Property("concepts [conditions, draws] become one finite number", lambda f, s: math.isfinite(float(f(_noise(s))))),
    Property("a condition that says nothing scores below 0.1", lambda f, s: float(f(_noise(s))) < 0.1),
    Property("one that says nearly all scores above 0.7", lambda f, s: float(f(_decided_concepts(s))) > 0.7),
    Property("the order of the draws and of the conditions does not matter",
             lambda f, s: _near(f(_decided_concepts(s)), f(_decided_concepts(s).flip(0, 1)))),
    Property("twice the concept plus 3 scores the same",
             lambda f, s: _near(f(_decided_concepts(s)), f(2 * _decided_concepts(s) + 3))),
    Property("a condition that decides only how far the concept spreads scores above 0.2, though S is 0 there",
             lambda f, s: float(f(_decided_spreads(s))) > 0.2),
)  # fmt: skip


def _share(c):
    return invariances.pooled_share(c[..., None])


EXERCISES = (
    Exercise(
        "18.1",
        "what an earlier layer knows besides",
        added_share,
        (_two_layers(6, 5, 3, 3), _two_layers(2, 4, 6, 1), _two_layers(9, 2, 8, 4)),
        (
            Mistake("1 minus the ratio: a ratio of 1 means that the earlier layer takes nothing away",
                    lambda late, early: float(_within(early).sum() / _within(late).sum())),
            Mistake("what the late layer leaves open goes below the line",
                    lambda late, early: added_share(early, late)),
            Mistake("the variance within goes over the draws of one condition, not over conditions",
                    lambda late, early: float(1 - early.var(dim=0).mean(dim=0).sum()
                                              / late.var(dim=0).mean(dim=0).sum())),
            Mistake("add up first, then divide: one ratio of two sums",
                    lambda late, early: float((1 - _within(early) / _within(late)).mean())),
            Mistake("divide by draws - 1: the two layers have different numbers of draws",
                    lambda late, early: float(1 - _within(early, 0).sum() / _within(late, 0).sum())),
            Mistake("a share of what the late layer leaves open, not of all variance",
                    lambda late, early: invariances.pooled_share(early) - invariances.pooled_share(late)),
        ),
    ),
    Exercise(
        "18.2",
        "one more step of an attack",
        next_step,
        (_attacked(2, 0.05, 0.1), _attacked(1, 0.3, 0.4), _attacked(3, 0.02, 0.02)),
        (
            Mistake("the attacker wants a larger loss: go along the gradient, not against it",
                    lambda o, x, g, s, e: next_step(o, x, -g, s, e)),
            Mistake("every pixel moves by the same amount: take the sign",
                    lambda o, x, g, s, e: next_step(o, x + s * g, 0 * g, s, e)),
            Mistake("no pixel may be farther than epsilon from the original, whatever the steps before have done",
                    lambda o, x, g, s, e: (x + s * g.sign()).clamp(-1, 1)),
            Mistake("start from where the last step ended, not from the original",
                    lambda o, x, g, s, e: next_step(o, o, g, s, e)),
            Mistake("pixels stay in [-1, 1]",
                    lambda o, x, g, s, e: torch.minimum(torch.maximum(x + s * g.sign(), o - e), o + e)),
            Mistake("our pixels reach down to -1, not to 0",
                    lambda o, x, g, s, e: next_step(o, x, g, s, e).clamp(0, 1)),
        ),
    ),
    Exercise(
        "18.3",
        "is every colour drawn?",
        invariances.value_entropy,
        (_values(40, 5), _values(7, 10), _values(100, 3)),
        (
            Mistake("no grain of salt inside the logarithm: xlogy takes a value that never occurs", _plain_entropy),
            Mistake("a value that never occurs has share 0, and 0 log 0 is nan: xlogy takes it", _with_nan),
            Mistake("nats, not bits",
                    lambda v, n: invariances.value_entropy(v, n) / math.log(2)),
            Mistake("an entropy is not negative", lambda v, n: -invariances.value_entropy(v, n)),
            Mistake("divide counts by the number of draws, not by the number of values",
                    lambda v, n: -torch.xlogy(v.bincount(minlength=n) / n, v.bincount(minlength=n) / n).sum()),
        ),
    ),
    open_exercise("18.4", "a share that sees more than the mean", binned_information, _SEES,
          (0, lambda c: float("nan")), (1, lambda c: 1.0), (2, lambda c: 0.0),
          (3, lambda c: float(binned_information(c) * (1 if c[0, 0] > c[-1, -1] else 0.9))),
          (4, lambda c: float(c.mean(dim=1).std()) / 3.6),
          (5, _share)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_added_share(late, early):
    open_late = late.var(dim=1).mean(dim=0).sum()
    open_early = early.var(dim=1).mean(dim=0).sum()
    return float(1 - open_early / open_late)


def my_next_step(original, moved, gradient, step, epsilon):
    change = moved + step * gradient.sign() - original
    return (original + change.clamp(-epsilon, epsilon)).clamp(-1, 1)


def my_value_entropy(values, size):
    shares = values.flatten().bincount(minlength=size) / values.numel()
    return -torch.xlogy(shares, shares).sum()


SOLUTIONS = (
    my_added_share,
    my_next_step,
    my_value_entropy,
)

QUESTIONS = (
    Question(
        "18.a",
        "a0a3419c8ea00a38",
        "A share can only be told of what varies: what the autoencoder drops, no flow can draw.",
        dict(
            a="The classifier uses the property, so its training was long enough.",
            b="Classes are its answers; the share is measured on the flow's drawings.",
            c="It is invertible by construction.",
        ),
    ),
    Question(
        "18.b",
        "3f05b5beb5433f34",
        "Of a condition that says nothing, the flow learns p(code): all variance is left open.",
        dict(
            a="An average minimises squared error; a flow models a distribution.",
            b="It falls: what does not depend on the condition can still be learned.",
            d="Picture and residual determine each other only together with the right condition.",
        ),
    ),
    Question(
        "18.c",
        "7c41e4de99a38967",
        "Conv1 still holds nearly the whole picture; the small change only grows on its way.",
        dict(
            a="The judge names what is drawn; it was not in the attack.",
            c="Robust layers would be followed by right answers, and the answers are wrong.",
            d="Look at the attacked pictures: you still read the true digit.",
        ),
    ),
    Question(
        "18.d",
        "6e0828367fab7641",
        "The probabilities of sure answers are all near 0 or 1: what lies between is rounded away.",
        dict(
            a="They are computed from the logits, so they cannot hold more.",
            b="One number less of ten would be a small loss.",
            d="Any number of conditions will do.",
        ),
    ),
)
