"""Exercises, written solutions and quiz questions of lesson 18."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.flows import invariances


def _concepts(n: int, draws: int, m: int):
    def make(g):
        return (torch.randn(n, 1, m, generator=g) + torch.randn(n, draws, m, generator=g) * torch.rand(m, generator=g),)

    return make


def _images(n: int, epsilon: float):
    def make(g):
        images = torch.rand(n, 3, 4, 4, generator=g) * 2 - 1
        return images, torch.randn(n, 3, 4, 4, generator=g), epsilon

    return make


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


def _told(seed: int) -> Tensor:
    """The condition decides nearly everything."""
    return 3 * _noise(seed, draws=1) + 0.02 * _noise(seed + 1)


def _spread_told(seed: int) -> Tensor:
    """The condition decides only how far the concept spreads; its mean is always 0."""
    wide = torch.arange(60)[:, None] % 2
    return _noise(seed) * torch.where(wide == 1, 2.0, 0.1)


def _near(a: float, b: float) -> bool:
    return abs(float(a) - float(b)) < 0.02


_SEES = (
    Property("concepts [conditions, draws] become one finite number", lambda f, s: math.isfinite(float(f(_noise(s))))),
    Property("a condition that says nothing scores below 0.1", lambda f, s: float(f(_noise(s))) < 0.1),
    Property("one that says nearly all scores above 0.7", lambda f, s: float(f(_told(s))) > 0.7),
    Property("the order of the draws and of the conditions does not matter",
             lambda f, s: _near(f(_told(s)), f(_told(s).flip(0, 1)))),
    Property("twice the concept plus 3 scores the same", lambda f, s: _near(f(_told(s)), f(2 * _told(s) + 3))),
    Property("a condition that decides only how far the concept spreads scores above 0.2, though S is 0 there",
             lambda f, s: float(f(_spread_told(s))) > 0.2),
)  # fmt: skip


def _share(c):
    return invariances.pooled_share(c[..., None])


EXERCISES = (
    Exercise(
        "18.1",
        "the share that a condition explains",
        invariances.pooled_share,
        (_concepts(6, 5, 3), _concepts(2, 4, 1), _concepts(9, 2, 4)),
        (
            Mistake("1 minus the ratio: a ratio of 1 means that nothing is explained",
                    lambda c: float(c.var(dim=1).mean(dim=0).sum()
                                    / c.flatten(0, 1).var(dim=0, correction=0).sum())),
            Mistake("the variance within goes over the draws of one condition, not over conditions",
                    lambda c: float(1 - c.var(dim=0).mean(dim=0).sum()
                                    / c.flatten(0, 1).var(dim=0, correction=0).sum())),
            Mistake("pool first, then divide: one ratio of two sums",
                    lambda c: float((1 - c.var(dim=1).mean(dim=0)
                                     / c.flatten(0, 1).var(dim=0, correction=0)).mean())),
            Mistake("divide by draws - 1 within a condition: its mean was measured from the same few draws",
                    lambda c: float(1 - c.var(dim=1, correction=0).mean(dim=0).sum()
                                    / c.flatten(0, 1).var(dim=0, correction=0).sum())),
            Mistake("all draws together have more variance than the conditions' means",
                    lambda c: float(1 - c.var(dim=1).mean(dim=0).sum()
                                    / c.mean(dim=1).var(dim=0, correction=0).sum())),
        ),
    ),
    Exercise(
        "18.2",
        "one step of an attack",
        invariances.fgsm_step,
        (_images(2, 0.1), _images(1, 0.5), _images(3, 0.02)),
        (
            Mistake("the attacker wants a larger loss: go along the gradient, not against it",
                    lambda x, g, e: (x - e * g.sign()).clamp(-1, 1)),
            Mistake("every pixel moves by the same amount: take the sign", lambda x, g, e: (x + e * g).clamp(-1, 1)),
            Mistake("pixels stay in [-1, 1]", lambda x, g, e: x + e * g.sign()),
            Mistake("our pixels reach down to -1, not to 0", lambda x, g, e: (x + e * g.sign()).clamp(0, 1)),
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


def my_explained_share(concepts):
    within = concepts.var(dim=1).mean(dim=0).sum()
    total = concepts.flatten(0, 1).var(dim=0, correction=0).sum()
    return float(1 - within / total)


def my_attack(images, gradient, epsilon):
    return (images + epsilon * gradient.sign()).clamp(-1, 1)


def my_value_entropy(values, size):
    shares = values.flatten().bincount(minlength=size) / values.numel()
    return -torch.xlogy(shares, shares).sum()


SOLUTIONS = (
    my_explained_share,
    my_attack,
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
