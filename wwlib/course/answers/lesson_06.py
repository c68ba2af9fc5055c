"""Exercises, written solutions and quiz questions of lesson 06."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.course.answers.common import box, image_batch, open_exercise
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import where
from wwlib.models import editing


def _booleans(g):
    return torch.rand(5, 9, 9, generator=g) > 0.6, torch.rand(5, 9, 9, generator=g) > 0.4


def _transfer(positions: list[int]):
    return lambda g: (torch.randn(4, 6, generator=g), torch.randn(4, 6, generator=g), list(positions))


def _blend(g):
    return image_batch(3)(g), image_batch(3)(g), torch.rand(3, 8, 8, generator=g)


# 06.4 how much overlap is luck


def best_of_random_boxes(target, count, seed):
    """The largest intersection over union that `count` random rectangles reach."""
    random = torch.Generator().manual_seed(seed)
    side, best = target.shape[-1], 0.0
    for _ in range(count):
        (top, bottom), (left, right) = torch.randint(side + 1, (2, 2), generator=random).sort(dim=1).values.tolist()
        box = torch.zeros_like(target, dtype=torch.bool)
        box[top:bottom, left:right] = True
        best = max(best, float((box & target).sum() / (box | target).sum().clamp(min=1)))
    return best


def _target(seed: int) -> Tensor:
    return box(5 + seed % 3, 4, 7)[0].bool()


def _overlaps(answer, seed, count: int) -> list[float]:
    return [float(answer(_target(seed), count, seed + n)) for n in range(8)]


def _whole_pixels(answer, seed):
    covered = [16 * float(answer(torch.ones(4, 4, dtype=torch.bool), 1, seed + n)) for n in range(12)]
    return all(abs(c - round(c)) < 1e-3 for c in covered) and len(set(covered)) > 2


_CONTROL = (
    Property("the value lies in [0, 1]", lambda f, s: 0 <= min(_overlaps(f, s, 20)) <= max(_overlaps(f, s, 20)) <= 1),
    Property("the same seed gives the same value", lambda f, s: _overlaps(f, s, 20) == _overlaps(f, s, 20)),
    Property("other seeds give other values", lambda f, s: len(set(_overlaps(f, s, 2))) > 1),
    Property("one rectangle on a target that is everything covers a whole number of pixels", _whole_pixels),
    Property("more tries find more: the mean over seeds is larger for 100 rectangles than for 3",
             lambda f, s: sum(_overlaps(f, s, 100)) - sum(_overlaps(f, s, 3)) > 0.8),
    Property("an empty footprint cannot be met",
             lambda f, s: float(f(torch.zeros(16, 16, dtype=torch.bool), 20, s)) == 0),
)  # fmt: skip


def dice(a, b):
    """Return twice the intersection over the sum of both sizes, 0 where both are empty."""
    overlap = where.iou(a, b)
    return 2 * overlap / (1 + overlap)


EXERCISES = (
    Exercise(
        "06.1",
        "another overlap",
        dice,
        (_booleans, _booleans, lambda g: (torch.zeros(2, 4, 4).bool(), torch.zeros(2, 4, 4).bool())),
        (
            Mistake("this is intersection over union: Dice divides by the sum of both sizes", where.iou),
            Mistake(
                "the shared pixels count twice, once for each mask",
                lambda a, b: (a & b).sum((1, 2)) / (a.sum((1, 2)) + b.sum((1, 2))).clamp(min=1),
            ),
            Mistake(
                "this is the share of agreeing pixels; empty corners would count as success",
                lambda a, b: (a == b).float().mean((1, 2)),
            ),
            Mistake(
                "one value per mask: sum over the last two axes only",
                lambda a, b: 2 * (a & b).sum() / (a.sum() + b.sum()).clamp(min=1),
            ),
        ),
    ),
    Exercise(
        "06.2",
        "edit inside the mask only",
        editing.blend,
        (_blend, _blend),
        (
            Mistake("the mask is 1 where the edit shows", lambda a, b, m: a + (1 - m)[:, None] * (b - a)),
            Mistake("outside the mask the original must stay", lambda a, b, m: m[:, None] * b),
            Mistake("add the change, not the edited image", lambda a, b, m: a + m[:, None] * b),
        ),
    ),
    Exercise(
        "06.3",
        "attribute transfer",
        editing.copy_codes,
        (_transfer([1, 4]), _transfer([0]), _transfer([5, 2, 3])),
        (
            Mistake("the target keeps every other code", lambda t, s, p: s),
            Mistake("copy from the source into the target, not back", lambda t, s, p: editing.copy_codes(s, t, p)),
            Mistake("copy, do not average", lambda t, s, p: editing.copy_codes(t, (t + s) / 2, p)),
        ),
    ),
    open_exercise("06.4", "how much overlap is luck", best_of_random_boxes, _CONTROL,
          (1, lambda t, n, s: torch.rand(()).item()), (2, lambda t, n, s: best_of_random_boxes(t, n, 0)),
          (4, lambda t, n, s: best_of_random_boxes(t, 1, s)), (3, lambda t, n, s: (n + s % 7) / 200),
          (5, lambda t, n, s: max(best_of_random_boxes(t, n, s), 1 / 16))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_dice(a, b):
    both, sizes = (a & b).sum(dim=(1, 2)), a.sum(dim=(1, 2)) + b.sum(dim=(1, 2))
    return 2 * both / sizes.clamp(min=1)


def my_blend(before, after, mask):
    return before + mask[:, None] * (after - before)


def my_transfer(target, source, positions):
    mixed = target.clone()
    mixed[:, positions] = source[:, positions]
    return mixed


SOLUTIONS = (
    my_dice,
    my_blend,
    my_transfer,
)

QUESTIONS = (
    Question(
        "06.a",
        "3dca9b1c9972dcef",
        "A threshold fitted to the pictures that judge it would flatter the masks.",
        dict(
            b="IoU compares two regions of one picture; it needs no halves.",
            c="Scoring both halves would cost hardly more.",
            d="They do differ a little, but that alone would be no reason to keep them apart.",
        ),
    ),
    Question(
        "06.b",
        "44ab6d54a301e23c",
        "Where is not whether. Look at the row beside the mask.",
        dict(
            a="The mask lies on the wall, but does the wall change when the code moves?",
            b="It may have learned exactly this; nothing says that something failed.",
            d="Entangled codes change too much, not too little.",
        ),
    ),
    Question(
        "06.c",
        "c793f0678e587ba8",
        "Rebuilding alone costs 0.05; the transfer adds the difference.",
        dict(
            a="Two measurements of the same kind can be compared.",
            b="That is the whole error; a part of it was there without any transfer.",
            c="Adding counts the rebuilding twice: it is in both numbers.",
        ),
    ),
)
