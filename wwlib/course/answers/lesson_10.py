"""Exercises, written solutions and quiz questions of lesson 10."""

from __future__ import annotations

import itertools

import torch

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import ranking as selection
from wwlib.metrics import where


def gap_either_way(first, second):
    """Return by how much two spreads are apart, whichever is the higher; below 0 they overlap."""
    first, second = first.tolist(), second.tolist()
    return max(selection.spread_gap(first, second), selection.spread_gap(second, first))


# 10.3 a decision with known errors


def permutation_decision(first, second):
    """Different if at most one in twenty ways to deal the seeds out again gives so large a gap of means."""
    values, n = list(first) + list(second), len(first)
    gaps = []
    for chosen in itertools.combinations(range(len(values)), n):
        one = sum(values[i] for i in chosen) / n
        gaps.append(abs(one - (sum(values) - one * n) / (len(values) - n)))
    seen = abs(sum(first) / n - sum(second) / (len(values) - n))
    return sum(gap >= seen - 1e-9 for gap in gaps) / len(gaps) <= 0.05


def _rate(answer, seed, effect: float, scale: float = 1.0, tries: int = 200) -> float:
    drawn = torch.randn(tries, 2, 5, generator=random_of(seed)) + torch.tensor([[effect], [0.0]])
    return sum(bool(answer(*pair)) for pair in (scale * drawn).tolist()) / tries


_DECISION = (
    Property("without any effect, five seeds a side give a false alarm in at most 10 % of 200 experiments",
             lambda f, s: _rate(f, s, 0.0) <= 0.1),
    Property("an effect of four standard deviations is found in at least 90 % of them",
             lambda f, s: _rate(f, s, 4.0) >= 0.9),
    Property("so is one in the other direction", lambda f, s: _rate(f, s, -4.0) >= 0.9),
    Property("the unit does not matter: the same when all scores are divided by 1,000",
             lambda f, s: _rate(f, s, 4.0, 0.001) >= 0.9 and _rate(f, s, 0.0, 0.001) <= 0.1),
)  # fmt: skip


EXERCISES = (
    Exercise(
        "10.1",
        "apart in either direction",
        gap_either_way,
        tuple(
            lambda g, shift=shift: (torch.rand(3, generator=g) + shift, torch.rand(3, generator=g))
            for shift in (0.1, 0.5, 2.0, -1.5)
        ),
        (
            Mistake("the second may be the higher one", lambda a, b: (a.min() - b.max()).item()),
            Mistake("a difference of means says nothing of spreads", lambda a, b: (a.mean() - b.mean()).abs().item()),
            Mistake(
                "overlapping spreads are negative: no abs()", lambda a, b: (a.min() - b.max()).abs().item()
            ),
            Mistake("the worst of the one against the best of the other", lambda a, b: (a.max() - b.max()).item()),
        ),
    ),
    Exercise(
        "10.2",
        "an overlap above chance",
        where.above_everywhere,
        tuple(
            lambda g, n=n: (torch.rand(n, generator=g), 0.8 * torch.rand(n, generator=g)) for n in (4, 20)
        ),
        (
            Mistake("scale it, so that a perfect match is 1", lambda i, s: (i - s).clamp(min=0)),
            Mistake("no worse than nothing: clamp at 0", lambda i, s: (i - s) / (1 - s)),
            Mistake("take away what acting everywhere gets", lambda i, s: i),
        ),
    ),
    open_exercise("10.3", "a decision with known errors", permutation_decision, _DECISION,
          (0, lambda a, b: sum(a) / 5 != sum(b) / 5), (1, lambda a, b: False),
          (2, lambda a, b: min(a) > max(b)), (3, lambda a, b: abs(sum(a) - sum(b)) / 5 > 1.4)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_gap(first, second):
    return float(torch.maximum(first.min() - second.max(), second.min() - first.max()))


def my_above_everywhere(iou, share):
    return ((iou - share) / (1 - share)).clamp(min=0)


SOLUTIONS = (
    my_gap,
    my_above_everywhere,
)

QUESTIONS = (
    Question(
        "10.a",
        "89eb922d350c3ee4",
        "With three seeds, apart means that no seed of one reaches any of the other.",
        dict(
            b="The difference of means is there, but look at the single seeds.",
            c="The best of three rewards spread as much as quality.",
            d="Means differ, and equality is as hard to prove as a difference.",
        ),
    ),
    Question(
        "10.b",
        "bdc0cceb85e9ae94",
        "A plain GAN's codes are whatever they happen to be: Q reads them, G does not care.",
        dict(
            a="No labels were used in any of these runs.",
            b="It happens in every seed: look for a cause, not for a fault.",
            c="If all were disentangled there would be nothing to compare.",
        ),
    ),
    Question(
        "10.c",
        "1c78f56c08cee0ed",
        "The change shows where a code acts; the score needs no mask.",
        dict(
            b="A GAN without masks could be given white ones, but the score does not ask for any.",
            c="Q chooses the codes to start from; the place is found otherwise.",
            d="Read its definition in lesson 07: does a mask occur in it?",
        ),
    ),
)
