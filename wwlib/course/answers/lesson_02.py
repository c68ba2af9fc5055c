"""Exercises, written solutions and quiz questions of lesson 02."""

from __future__ import annotations

import itertools

import torch

from wwlib.course.answers.common import box, open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question, slopes_of
from wwlib.models import masks


def _randn(*shape: int):
    return lambda g: (torch.randn(*shape, generator=g),)


def _two(*shape: int):
    return lambda g: (torch.randn(*shape, generator=g), torch.randn(*shape, generator=g))


def _masks(b: int, n: int, r: int):
    return lambda g: (torch.rand(b, n, r, r, generator=g),)


# 02.4 a loss that wakes a sleeping mask


def soft_overlap_loss(mask, target):
    """One minus the soft intersection over union of each mask."""
    both = (mask * target).sum(dim=(1, 2))
    return 1 - both / (mask + target - mask * target).sum(dim=(1, 2)).clamp(min=1e-6)


def _grows_with_overlap(answer, seed):
    target = box(4, 4)
    losses = [answer(box(4, 4 + shift), target).sum().item() for shift in (0, 1, 3, 5)]
    return all(a < b - 1e-6 for a, b in itertools.pairwise(losses))


def _same_at_any_size(answer, seed):
    mask, target = torch.rand(2, 3, 16, 16, generator=random_of(seed))
    large = [x.repeat_interleave(2, 1).repeat_interleave(2, 2) for x in (mask, target.round())]
    losses, again = answer(mask, target.round()), answer(*large)
    return losses.shape == again.shape == (3,) and torch.allclose(losses, again, atol=1e-4)


def _prefers_target_to_everything(answer, seed):
    target = box(4, 4)
    right, everything, nothing = (answer(m, target).sum().item() for m in (target, target * 0 + 1, target * 0))
    return right < everything - 0.1 and right < nothing - 0.1


def _can_be_fitted(answer, seed):
    mask, target = 0.2 + 0.6 * torch.rand(2, 3, 16, 16, generator=random_of(seed))
    target = target.round()
    before, slopes = slopes_of(answer, mask.clone(), target)
    if not slopes or not bool((slopes[0].abs().amax(dim=(1, 2)) > 0).all()):
        return False
    step = 0.01 * slopes[0] / slopes[0].abs().amax(dim=(1, 2), keepdim=True)
    return bool((answer(mask - step, target) < before).all())


def _half_is_half(answer, seed):
    small, large = box(5, 5, 4), box(2, 2, 12)
    halves = []
    for target, columns in ((small, slice(5, 7)), (large, slice(2, 8))):
        half = target.clone()
        half[:, :, columns] = 0
        halves.append(float(answer(half, target)))
    return abs(halves[0] - halves[1]) < 0.1 * max(abs(halves[0]), abs(halves[1]))


_OVERLAP = (
    Property("one loss for each mask: [n, R, R] twice give [n]",
             lambda f, s: f(torch.rand(3, 8, 8), torch.rand(3, 8, 8).round()).shape == (3,)),
    Property("the loss grows at every step as a box slides off its target", _grows_with_overlap),
    Property("covering everything, or nothing, is clearly worse than the target", _prefers_target_to_everything),
    Property("pictures of twice the size have the same loss: count shares, not pixels", _same_at_any_size),
    Property("the mask can be fitted with it: gradients reach every mask, and a step against them lowers the loss",
             _can_be_fitted),
    Property("missing half of a small target costs as much as missing half of a large one", _half_is_half),
)  # fmt: skip


def falling_cumax(logits):
    """Return a soft step that begins at exactly 1 and falls to near 0."""
    return masks.cumax(logits.flip(-1)).flip(-1)


def wrapped_window(open_logits, close_logits):
    """Return a window on a circle: open already, or not yet closed."""
    return 1 - masks.soft_window(close_logits, open_logits)


def covered_from_the_front(m):
    """Return how much of each layer, and of the ground, shows if the first layer lies in front."""
    weights, ground = masks.compositing_weights(m.flip(1))
    return weights.flip(1), ground


EXERCISES = (
    Exercise(
        "02.1",
        "a step that falls",
        falling_cumax,
        (_randn(7), _randn(3, 5), _randn(2, 3, 4, 16)),
        (
            Mistake("sum from the other end: this one rises", masks.cumax),
            Mistake(
                "one minus cumax ends at 0 and does not begin at 1: the position itself counts",
                lambda v: 1 - masks.cumax(v),
            ),
            Mistake("the running sum needs the softmax first", lambda v: v.cumsum(-1)),
            Mistake("the running sum needs the softmax first, here as well", lambda v: v.flip(-1).cumsum(-1).flip(-1)),
            Mistake("softmax over the last axis, not the first", lambda v: v.softmax(0).flip(-1).cumsum(-1).flip(-1)),
            Mistake(
                "the running sum goes along the last axis, not along axis 0",
                lambda v: v.softmax(-1).flip(0).cumsum(0).flip(0),
            ),
            Mistake(
                "turn the result around again: its first position belongs to the first row",
                lambda v: masks.cumax(v.flip(-1)),
            ),
            Mistake(
                "this is a running maximum, not a running sum",
                lambda v: v.softmax(-1).flip(-1).cummax(-1).values.flip(-1),
            ),
        ),
        library=(masks.cumax,),
    ),
    Exercise(
        "02.2",
        "a window that wraps around",
        wrapped_window,
        (_two(8), _two(4, 16), _two(2, 3, 9)),
        (
            Mistake("open already *or* not yet closed: this is *and*", lambda a, b: masks.soft_window(a, b)),
            Mistake("the edges are exchanged", lambda a, b: wrapped_window(b, a)),
            Mistake(
                "a sum counts twice what is open already and not yet closed: it exceeds 1",
                lambda a, b: masks.cumax(a) + 1 - masks.cumax(b),
            ),
            Mistake(
                "the second edge closes the window: turn its step around",
                lambda a, b: 1 - (1 - masks.cumax(a)) * (1 - masks.cumax(b)),
            ),
        ),
    ),
    Exercise(
        "02.3",
        "compositing from the front",
        covered_from_the_front,
        (_masks(2, 3, 5), _masks(1, 1, 4), _masks(3, 6, 4)),
        (
            Mistake(
                "here the first layer lies in front: multiply by (1 - m_j) for j < i",
                lambda m: masks.compositing_weights(m),
            ),
            Mistake(
                "the weights must account for what lies in front of them", lambda m: (m, (1 - m).prod(1, keepdim=True))
            ),
            Mistake(
                "a layer does not hide itself: multiply only by the layers before it",
                lambda m: (m * (1 - m).cumprod(1), (1 - m).prod(1, keepdim=True)),
            ),
            Mistake(
                "keep the axis of the ground: [B, 1, R, R]", lambda m: (covered_from_the_front(m)[0], (1 - m).prod(1))
            ),
        ),
    ),
    open_exercise("02.4", "a loss for overlap", soft_overlap_loss, _OVERLAP,
          (0, lambda m, t: soft_overlap_loss(m, t).mean()), (2, lambda m, t: -(m * t).mean(dim=(1, 2))),
          (3, lambda m, t: (m - t).square().sum(dim=(1, 2))), (1, lambda m, t: -soft_overlap_loss(m, t)),
          (5, lambda m, t: (m - t).square().mean(dim=(1, 2))), (4, lambda m, t: soft_overlap_loss((m > 0.5) * 1.0, t)),
          (4, lambda m, t: torch.tensor([float(x) for x in soft_overlap_loss(m, t)]))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_cumax(logits):
    return logits.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)


def my_window(open_logits, close_logits):
    opened = open_logits.softmax(dim=-1).cumsum(dim=-1)
    closed = close_logits.softmax(dim=-1).cumsum(dim=-1)
    return 1 - (1 - opened) * closed


def my_compositing(masks):
    weights, ground = [], torch.ones_like(masks[:, :1])
    for mask in masks.split(1, dim=1):  # from the front to the back
        weights.append(mask * ground)
        ground = ground * (1 - mask)
    return torch.cat(weights, dim=1), ground


SOLUTIONS = (
    my_cumax,
    my_window,
    my_compositing,
)

QUESTIONS = (
    Question(
        "02.a",
        "3b1a7f7e285e5e09",
        "cumax ends at exactly 1, so 1 - cumax ends at 0, in rows and in columns.",
        dict(
            a="Objects do stand in the middle, but the column is 0 for random logits too.",
            c="Nothing is cut off: look at the formula's last position.",
            d="Padding comes with convolutions; a mask is computed without one.",
        ),
    ),
    Question(
        "02.b",
        "95c0e78b6ec465ca",
        "The mask is the mean of the four: one rectangle alone contributes 1/J.",
        dict(
            a="It would be so if the mask were a maximum of the rectangles.",
            b="Count again how many rectangles there are, and how many still show.",
            d="One rectangle is still there, and it counts.",
        ),
    ),
    Question(
        "02.c",
        "4f81136af02c9918",
        "The last code is painted over the others: its weight is 1 and the rest get 0.",
        dict(
            a="A mean would need weights of a half; painting does not share like that.",
            b="Each code scales and shifts the same normalised input, not what an earlier code has painted.",
            c="What was painted first is under what was painted last.",
        ),
    ),
    Question(
        "02.d",
        "040f458314c5e77d",
        "A linear layer reads the mask from the map's mean over space; the code does not enter its own mask.",
        dict(
            a="The code decides what happens; then turning it would move the place as well.",
            b="A table would give the same masks for all pictures; later modules adapt.",
            d="The discriminator sees finished pictures and no mask.",
        ),
    ),
)
