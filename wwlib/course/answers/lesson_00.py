"""Exercises, written solutions and quiz questions of lesson 00."""

from __future__ import annotations

import torch

from wwlib.course.answers.common import image_batch, open_exercise, random_pictures
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import where


def _pairs(n: int):
    return lambda g: (image_batch(n)(g), image_batch(n)(g))


# 00.3 an edit with a place


def corner_negative(images):
    """Turn the upper left quarter into its negative."""
    edited = images.clone()
    half = images.shape[-1] // 2
    edited[:, :, :half, :half] *= -1
    return edited


def _changed(answer, seed):
    images = random_pictures(seed)
    return (answer(images) - images).abs().amax(dim=1) / 2 > 0.1


def _stays_an_image(answer, seed):
    images = random_pictures(seed)
    edited = answer(images)
    return edited.shape == images.shape and bool((edited.abs() <= 1).all())


def _same_place(answer, seed):
    changed = _changed(answer, seed).float().mean(dim=0)
    often = changed > 0.25  # a pixel that the edit owns changes in most pictures
    return bool(often.any()) and bool(changed[~often].sum() < 0.1 * changed.sum())


_EDIT = (
    Property("the result has the shape of the input and stays within [-1, 1]", _stays_an_image),
    Property(
        "in every picture at least 3 % of the pixels change by more than a tenth of the range",
        lambda f, s: bool((_changed(f, s).float().mean((1, 2)) >= 0.03).all()),
    ),
    Property(
        "in no picture do more than 30 % of the pixels change: an edit that acts everywhere has no place",
        lambda f, s: bool((_changed(f, s).float().mean((1, 2)) <= 0.3).all()),
    ),
    Property("the same pixels change in every picture: the place belongs to the edit", _same_place),
)


def _somewhere_else_each_time(images):
    edited = images.clone()
    for number, image in enumerate(edited):
        image[:, number * 5 : number * 5 + 5] *= -1
    return edited


EXERCISES = (
    Exercise(
        "00.1",
        "which code moves the picture",
        where.traversal_change,
        tuple(lambda g, d=d: (torch.rand(d, 7, 3, 8, 8, generator=g) * 2 - 1,) for d in (2, 5)),
        (
            Mistake(
                "compare neighbouring frames: a code that goes there and back again moves too",
                lambda f: (f[:, -1] - f[:, 0]).abs().mean((1, 2, 3)),
            ),
            Mistake(
                "take abs() of each difference, or changes cancel",
                lambda f: (f[:, 1:] - f[:, :-1]).mean((2, 3, 4)).sum(1),
            ),
            Mistake(
                "add the steps up along the row, do not average them",
                lambda f: (f[:, 1:] - f[:, :-1]).abs().mean((1, 2, 3, 4)),
            ),
        ),
    ),
    Exercise(
        "00.2",
        "share of changed pixels",
        where.changed_share,
        (_pairs(4), _pairs(1), lambda g: (*_pairs(3)(g), 0.4)),
        (
            Mistake(
                "images span [-1, 1]: black to white is 2, so divide the difference by 2",
                lambda a, b, t=0.1: ((b - a).abs().amax(1) > t).float().mean((1, 2)),
            ),
            Mistake(
                "take the most different channel, not the mean of the channels",
                lambda a, b, t=0.1: ((b - a).abs().mean(1) / 2 > t).float().mean((1, 2)),
            ),
            Mistake(
                "one share per image: average over height and width only",
                lambda a, b, t=0.1: ((b - a).abs().amax(1) / 2 > t).float().mean(),
            ),
            Mistake(
                "a pixel that got darker changed as well: take abs()",
                lambda a, b, t=0.1: ((b - a).amax(1) / 2 > t).float().mean((1, 2)),
            ),
        ),
    ),
    open_exercise("00.3", "an edit with a place", corner_negative, _EDIT,
          (0, lambda x: x[:, :, ::2, ::2]), (1, lambda x: x.clone()), (2, lambda x: -x),
          (3, _somewhere_else_each_time)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def change_along_rows(frames):
    steps = (frames[:, 1:] - frames[:, :-1]).abs()
    return steps.mean(dim=(2, 3, 4)).sum(dim=1)


def share_of_changed_pixels(before, after, threshold=0.1):
    difference = (after - before).abs().amax(dim=1) / 2
    return (difference > threshold).to(before.dtype).mean(dim=(1, 2))


SOLUTIONS = (
    change_along_rows,
    share_of_changed_pixels,
)

QUESTIONS = (
    Question(
        "00.a",
        "ceff85607ea70592",
        "A mask bounds where a code may act; what it does there, only moving it shows.",
        dict(
            b="A mask knows no colours: what the code does there you see in its row.",
            c="Bright is where a change is allowed, black where it is not.",
            d="A sleeping code can have a bright mask, and a busy one too: brightness is not activity.",
        ),
    ),
    Question(
        "00.b",
        "db87212b13c33c38",
        "One code, two causes: that is entanglement.",
        dict(
            a="Nobody needed labels for it: look at how many causes the code has.",
            b="Count the things that change when you move the one code.",
            c="Training is not the question: trained models do this every day.",
        ),
    ),
    Question(
        "00.c",
        "6f19f86b6adbb847",
        "We own the renderer, so we can change one factor and compare pixel by pixel.",
        dict(
            a="The recogniser only estimates; exactly is more than an estimate.",
            c="Masks are what the network learned: they are compared with the truth, they are not the truth.",
            d="People drew some of the pictures, but nobody marked pixels.",
        ),
    ),
)
