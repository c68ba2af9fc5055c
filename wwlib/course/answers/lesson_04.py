"""Exercises, written solutions and quiz questions of lesson 04."""

from __future__ import annotations

import torch

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.models import losses


def _ps(b: int, d: int):
    def make(g):
        codes = torch.randn(b, d, generator=g)
        moved = torch.rand(b, d, generator=g) < 0.4
        perturbed = torch.where(moved, codes + 6 * torch.randn(b, d, generator=g), codes)
        return codes, perturbed, moved, torch.randn(b, d, generator=g), torch.randn(b, d, generator=g)

    return make


def _perturb(b: int, d: int):
    def make(g):
        codes = torch.randn(b, d, generator=g)
        return codes, losses.perturb(codes, 6.0, g)[0]

    return make


def _start(g):
    share = round(float(torch.rand((), generator=g)), 2)
    return int(torch.randint(3, 60, (), generator=g)), round(float(torch.rand((), generator=g)) * 8 + 0.5, 2), share


def which_moved(codes, perturbed):
    """Return the position that was moved in each row, and by how much."""
    change = perturbed - codes
    k = change.abs().argmax(dim=1)
    return k, change.gather(1, k[:, None])[:, 0]


def poster_loss(codes, perturbed, moved, recognised, recognised_perturbed):
    """Return the PS loss on the poster's scale, a mean over codes, with any set of moved positions."""
    squares = _squares(codes, perturbed, moved, recognised, recognised_perturbed)
    return squares.mean(dim=1).mean()


def _squares(c, c2, moved, r, r2):
    mean = (r + r2) / 2
    return (c - torch.where(moved, r, mean)).square() + (c2 - torch.where(moved, r2, mean)).square()


def timid_start(d, scale, share):
    """Return the expected PS loss of a recogniser that answers `share` times the truth."""
    return (1 - share) ** 2 * losses.untrained_ps_loss(d, scale)


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
        "which code was moved",
        which_moved,
        (_perturb(4, 6), _perturb(1, 3), _perturb(16, 10)),
        (
            Mistake(
                "a move may go down: compare sizes, abs(), and return the move with its sign",
                lambda a, b: ((b - a).argmax(dim=1), (b - a).amax(dim=1)),
            ),
            Mistake(
                "the move has a sign: take it from the difference itself",
                lambda a, b: (which_moved(a, b)[0], which_moved(a, b)[1].abs()),
            ),
            Mistake("perturbed minus codes, not the other way", lambda a, b: which_moved(b, a)),
            Mistake(
                "one position a row: argmax along dimension 1",
                lambda a, b: ((b - a).abs().argmax(dim=0), which_moved(a, b)[1]),
            ),
        ),
    ),
    Exercise(
        "04.2",
        "the poster's loss, several codes moved",
        poster_loss,
        (_ps(4, 6), _ps(1, 3), _ps(32, 10)),
        (
            Mistake(
                "the codes that did not change are regressed from the average of both answers",
                lambda c, c2, m, r, r2: poster_loss(c, c2, torch.ones_like(m), r, r2),
            ),
            Mistake("on this scale it is a mean over the codes, not a sum", lambda *a: _squares(*a).sum(dim=1).mean()),
            Mistake("the squares of both pictures count, without a half", lambda *a: poster_loss(*a) / 2),
            Mistake(
                "read the moved positions from each image alone, not from the average",
                lambda c, c2, m, r, r2: poster_loss(c, c2, torch.zeros_like(m), r, r2),
            ),
            Mistake("moved and unmoved are exchanged", lambda c, c2, m, r, r2: poster_loss(c, c2, ~m, r, r2)),
            Mistake("one number: the mean over the batch", lambda *a: _squares(*a).mean(dim=1)),
        ),
        trains=(3, 4),
    ),
    Exercise(
        "04.3",
        "the loss of a timid reader",
        timid_start,
        (_start, _start, _start),
        (
            Mistake("errors are squared: so is 1 - share", lambda d, s, a: (1 - a) * losses.untrained_ps_loss(d, s)),
            Mistake("the error is what is missing, 1 - share", lambda d, s, a: a**2 * losses.untrained_ps_loss(d, s)),
            Mistake(
                "the perturbation's variance is halved: it is in one of the two images",
                lambda d, s, a: (1 - a) ** 2 * (d + s**2),
            ),
            Mistake(
                "variance is the square of the standard deviation", lambda d, s, a: (1 - a) ** 2 * (d + s / 2)
            ),
            Mistake("that is the start, with a share of 0", lambda d, s, a: losses.untrained_ps_loss(d, s)),
        ),
    ),
    open_exercise("04.4", "a verdict over seeds", verdict_of_spreads, _VERDICT,
          (1, lambda a, b: "first" if sum(a) / len(a) > sum(b) / len(b) else "second"),
          (2, lambda a, b: "first" if min(a) > max(b) else "second" if min(b) > max(a) else "undecided"),
          (3, lambda a, b: "first" if len(a) > 2 and min(a) > max(b) else "undecided"),
          (4, lambda a, b: verdict_of_spreads(a, b) if abs(sum(a) - sum(b)) > 0.1 else "undecided")),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_moved(codes, perturbed):
    change = perturbed - codes
    k = change.abs().argmax(dim=1)
    return k, change[torch.arange(len(k)), k]


def my_poster_loss(codes, perturbed, moved, recognised, recognised_perturbed):
    mean = (recognised + recognised_perturbed) / 2
    first = torch.where(moved, recognised, mean)
    second = torch.where(moved, recognised_perturbed, mean)
    return ((codes - first).square() + (perturbed - second).square()).mean()


def expected_loss(d, scale, share):
    return (1 - share) ** 2 * (d + scale**2 / 2)


SOLUTIONS = (
    my_moved,
    my_poster_loss,
    expected_loss,
)

QUESTIONS = (
    Question(
        "04.a",
        "ad28025ca5cd5e55",
        "A rotation keeps the norm, and the two networks can absorb it: same pictures, same reading.",
        dict(
            a="Q is a deep network; the argument needs another property than linearity.",
            c="Their distribution does look the same after a turn, but the loss compares two vectors.",
            d="The cell in section 2 compares the loss before and after a turn.",
        ),
    ),
    Question(
        "04.b",
        "c17ddc64aef4f0d5",
        "c' lies far outside N(0, 1): asking its picture to look real would be another task.",
        dict(
            a="x' has gradients like x: Q's loss uses them.",
            b="Q judges whether codes can be read, D whether pictures look real: neither replaces the other.",
            c="It would save time, but the reason lies in where c' comes from.",
        ),
    ),
    Question(
        "04.c",
        "6ba1737ecc32fafb",
        "The average is 0.5 too high as well, so the term is 0.5 squared: 0.25. Nothing cancels.",
        dict(
            a="0 would be right for errors of opposite sign.",
            b="Both pictures have this term: two halves make a whole.",
            d="It is the error itself: errors are squared before they are added.",
        ),
    ),
)
