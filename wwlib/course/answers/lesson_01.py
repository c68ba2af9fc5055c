"""Exercises, written solutions and quiz questions of lesson 01."""

from __future__ import annotations

import math

import torch

from wwlib.base.codes import rotate_codes
from wwlib.course.answers.common import SIZES, factor_vae, factors_of, open_exercise
from wwlib.course.exercise import Exercise, Mistake, Property, Question

# 01.3 codes that a score cannot tell from good ones


def leaking_codes(factors):
    """Every code holds its factor, and a little of the next one."""
    return factors + 0.1 * factors.roll(1, dims=1)


def _every_code_mixes(answer, seed):
    factors = factors_of(seed, 32)
    before = answer(factors)
    moved = torch.zeros(before.shape[1])
    for factor, size in enumerate(SIZES):
        other = factors.clone()
        other[:, factor] = (other[:, factor] + size // 2) % size
        moved += ((answer(other) - before).abs() > 1e-6).any(dim=0)
    return bool((moved >= 2).all())


_CODES = (
    Property(
        "factors [n, 6] become codes [n, d] with d at most 6, all finite",
        lambda f, s: (
            (codes := f(factors_of(s, 50))).dim() == 2
            and codes.shape[0] == 50
            and codes.shape[1] <= 6
            and bool(codes.isfinite().all())
        ),
    ),
    Property("every code changes with at least two factors", _every_code_mixes),
    Property("the FactorVAE score of the codes is at least 0.95", lambda f, s: factor_vae(f, s) >= 0.95),
)


def rotation_matrix(d, i, j, degrees):
    """Return the matrix `[d, d]` that turns positions i and j of a code by an angle."""
    return rotate_codes(torch.eye(d), i, j, degrees).t()


def _without_the_rest(d, i, j, degrees):
    inside = torch.zeros(d, d)
    inside[[i, i, j, j], [i, j, i, j]] = 1
    return rotation_matrix(d, i, j, degrees) * inside


def _mirrored(d, i, j, degrees):
    matrix = rotation_matrix(d, i, j, degrees)
    matrix[j, i] *= -1
    return matrix


EXERCISES = (
    Exercise(
        "01.1",
        "footprint",
        lambda v, t: ((v.amax(1) - v.amin(1)).amax(1) / 2) > t,
        tuple(lambda g, n=n: (torch.rand(n, 5, 3, 8, 8, generator=g) * 2 - 1, 0.7) for n in (1, 3)),
        (
            Mistake(
                "the range over the values is max - min, not the standard deviation",
                lambda v, t: (v.std(1).amax(1) / 2) > t,
            ),
            Mistake("black to white is 2 here", lambda v, t: (v.amax(1) - v.amin(1)).amax(1) > t),
            Mistake(
                "a pixel changes when any channel does: largest channel, not the mean",
                lambda v, t: ((v.amax(1) - v.amin(1)).mean(1) / 2) > t,
            ),
        ),
    ),
    Exercise(
        "01.2",
        "a rotation as a matrix",
        rotation_matrix,
        (lambda g: (4, 0, 2, 30.0), lambda g: (5, 4, 1, -75.0), lambda g: (2, 0, 1, 200.0)),
        (
            Mistake(
                "turn by degrees, but sin and cos want radians",
                lambda d, i, j, a: rotation_matrix(d, i, j, a * 57.29578),
            ),
            Mistake("this turns the other way", lambda d, i, j, a: rotation_matrix(d, i, j, -a)),
            Mistake("the other codes stay as they are: begin with the identity", _without_the_rest),
            Mistake("of the two sines exactly one has a minus", _mirrored),
        ),
    ),
    open_exercise("01.3", "codes that fool a score", leaking_codes, _CODES,
          (0, lambda v: torch.cat([v, v], dim=1)), (1, lambda v: v.float()),
          (2, lambda v: v.float() @ (torch.ones(6, 6) + 0.1 * torch.eye(6)))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def footprint(variations, threshold):
    span = variations.amax(dim=1) - variations.amin(dim=1)
    return span.amax(dim=1) / 2 > threshold


def my_matrix(d, i, j, degrees):
    angle = math.radians(degrees)
    matrix = torch.eye(d)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j] = -math.sin(angle)
    matrix[j, i] = math.sin(angle)
    return matrix


SOLUTIONS = (
    footprint,
    my_matrix,
)

QUESTIONS = (
    Question(
        "01.a",
        "c6cffd9451898c69",
        "Both hold the same information, and the decoder can turn it back; the loss never sees axes.",
        dict(
            a="Noise would blur any comparison; this one stays blind without any noise.",
            b="More data lets both be rebuilt better, and equally well.",
            c="Try it: turn back by the same angle. What is missing?",
        ),
    ),
    Question(
        "01.b",
        "c0bf289fb5ec0088",
        "Where all four shapes show the same surface in the same light, nothing changes.",
        dict(
            b="Antialiasing mixes colours at edges, and these pixels lie in the middle.",
            c="The threshold is a share of the range, above 0 by definition.",
            d="A convex object has no holes, but the footprint is not the object.",
        ),
    ),
    Question(
        "01.c",
        "194b0fd248ead37f",
        "A code that moves little or at random wins some votes for every factor by chance.",
        dict(
            a="Larger batches make variances surer, for all codes alike.",
            b="The score counts votes for the majority factor: how many would be right here?",
            d="If it held three factors well it would stand still for each; what else spreads votes evenly?",
        ),
    ),
)
