"""Exercises, written solutions and quiz questions of lesson 04."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.models import losses


def _ps(b: int, d: int):
    def make(g):
        codes = torch.randn(b, d, generator=g)
        perturbed, k = losses.perturb(codes, 6.0, g)
        return codes, perturbed, k, torch.randn(b, d, generator=g), torch.randn(b, d, generator=g)

    return make


def _perturb(b: int, d: int):
    return lambda g: (
        torch.randn(b, d, generator=g),
        torch.randint(d, (b,), generator=g),
        6 * torch.randn(b, generator=g),
    )


def _start(g):
    return int(torch.randint(3, 60, (), generator=g)), round(float(torch.rand((), generator=g)) * 8 + 0.5, 2)


def add_at(codes, k, p):
    """Return `codes` with `p` added at position `k` of each row."""
    return codes + p[:, None] * F.one_hot(k, codes.shape[1])


def _per_sample(c, c2, k, r, r2):
    mean, moved = (r + r2) / 2, F.one_hot(k, c.shape[1]).bool()
    first, second = c - torch.where(moved, r, mean), c2 - torch.where(moved, r2, mean)
    return (first.square() + second.square()).sum(1) / 2


def _all_averaged(c, c2, k, r, r2):
    mean = (r + r2) / 2
    return ((c - mean).square() + (c2 - mean).square()).sum(1).mean() / 2


# 04.4 a verdict over seeds


def verdict_of_spreads(first, second):
    """Decide only where no seed of one setting reaches any of the other, with three seeds at least."""
    if min(len(first), len(second)) < 3:
        return "undecided"
    if min(first) > max(second):
        return "first"
    return "second" if min(second) > max(first) else "undecided"


def _symmetric(answer, seed):
    other = {"first": "second", "second": "first", "undecided": "undecided"}
    pairs = [torch.rand(2, 4, generator=random_of(seed + n)) + torch.tensor([[n / 10], [0.0]]) for n in range(12)]
    pairs = [(a.tolist(), b.tolist()) for a, b in pairs]
    return all(answer(a, b) == other.get(answer(b, a)) for a, b in pairs)


def _knows_no_units(answer, seed):
    a, b = torch.rand(2, 5, generator=random_of(seed)).tolist()
    grown = [[100 * x - 7 for x in part] for part in (a, b)]
    apart = [0.9, 0.92, 0.94], [0.5, 0.52, 0.51]
    shrunk = [[0.001 * x for x in part] for part in apart]
    return answer(a, b) == answer(*grown) and answer(*apart) == answer(*shrunk)


_VERDICT = (
    Property('seeds far apart decide: ([0.9, 0.92, 0.94], [0.5, 0.52, 0.51]) gives "first"',
             lambda f, s: f([0.9, 0.92, 0.94], [0.5, 0.52, 0.51]) == "first"),
    Property('spreads that overlap widely give "undecided", whatever their means',
             lambda f, s: f([0.5, 0.7, 0.9], [0.48, 0.68, 0.89]) == "undecided"),
    Property('one seed of each is no evidence: "undecided"', lambda f, s: f([0.9], [0.1]) == "undecided"),
    Property("changing the two sides about changes the verdict about", _symmetric),
    Property("the unit of the score does not matter: the same scores times 100, or by 1,000 less", _knows_no_units),
)  # fmt: skip


EXERCISES = (
    Exercise(
        "04.1",
        "perturb one code",
        add_at,
        (_perturb(4, 6), _perturb(1, 3), _perturb(16, 10)),
        (
            Mistake("only position k of each row changes", lambda c, k, p: c + p[:, None]),
            Mistake(
                "add p to the code, do not replace it",
                lambda c, k, p: torch.where(F.one_hot(k, c.shape[1]).bool(), p[:, None], c),
            ),
            Mistake(
                "c[:, k] picks columns for all rows at once: index row by row",
                lambda c, k, p: c.index_add(1, k, p.expand(len(c), -1)),
            ),
        ),
    ),
    Exercise(
        "04.2",
        "perceptual simplicity loss",
        losses.perceptual_simplicity_loss,
        (_ps(4, 6), _ps(1, 3), _ps(32, 10)),
        (
            Mistake(
                "the codes that did not change are regressed from the average of both answers",
                lambda *a: losses.perceptual_simplicity_loss(*a, average=False),
            ),
            Mistake(
                "sum over the codes, mean over the batch",
                lambda *a: losses.perceptual_simplicity_loss(*a) / a[0].shape[1],
            ),
            Mistake("halve the sum over both images", lambda *a: 2 * losses.perceptual_simplicity_loss(*a)),
            Mistake(
                "halve once: the two images add up to one full square",
                lambda *a: losses.perceptual_simplicity_loss(*a) / 2,
            ),
            Mistake("read the moved position from each image alone, not from the average", _all_averaged),
            Mistake("one number: the mean over the batch", _per_sample),
        ),
        trains=True,
    ),
    Exercise(
        "04.3",
        "the loss before any learning",
        losses.untrained_ps_loss,
        (_start, _start, _start),
        (
            Mistake("the perturbation's variance is halved: it is in one of the two images", lambda d, s: d + s**2),
            Mistake("variance is the square of the standard deviation", lambda d, s: d + s / 2),
            Mistake("only the perturbation's part is halved: both images hold the codes", lambda d, s: (d + s**2) / 2),
            Mistake("each of the d codes has mean square 1", lambda d, s: s**2 / 2),
        ),
    ),
    open_exercise("04.4", "a verdict over seeds", verdict_of_spreads, _VERDICT,
          (1, lambda a, b: "first" if sum(a) / len(a) > sum(b) / len(b) else "second"),
          (2, lambda a, b: "first" if min(a) > max(b) else "second" if min(b) > max(a) else "undecided"),
          (3, lambda a, b: "first" if len(a) > 2 and min(a) > max(b) else "undecided"),
          (4, lambda a, b: verdict_of_spreads(a, b) if abs(sum(a) - sum(b)) > 0.1 else "undecided")),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_perturb(codes, k, p):
    return codes + p[:, None] * F.one_hot(k, codes.shape[1])


def my_ps_loss(codes, perturbed, k, recognised, recognised_perturbed):
    moved = F.one_hot(k, codes.shape[1]).bool()
    mean = (recognised + recognised_perturbed) / 2
    first = torch.where(moved, recognised, mean)
    second = torch.where(moved, recognised_perturbed, mean)
    errors = (codes - first).square() + (perturbed - second).square()
    return errors.sum(dim=1).mean() / 2


def expected_start(d, scale):
    return d + scale**2 / 2


SOLUTIONS = (
    my_perturb,
    my_ps_loss,
    expected_start,
)

QUESTIONS = (
    Question(
        "04.a",
        "8ad2c0b65c9b15d4",
        "A rotation keeps the norm, and the two networks can absorb it: same pictures, same reading.",
    ),
    Question(
        "04.b",
        "9b04fb1c80119503",
        "c' lies far outside N(0, 1): asking its picture to look real would be another task.",
    ),
    Question(
        "04.c",
        "6ba1737ecc32fafb",
        "The average is 0.5 too high as well, so the term is 0.5 squared: 0.25. Nothing cancels.",
    ),
)
