"""Exercises, written solutions and quiz questions of lesson 17."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.flows import flow


def logistic_half_step(w, raw_scale, shift):
    """Return 2 sigmoid(raw_scale) w + shift `[B, n]` and its log-determinant `[B]`."""
    log_scale = math.log(2) + functional.logsigmoid(raw_scale)
    return w * log_scale.exp() + shift, log_scale.sum(dim=1)


def _half_step(n: int, d: int):
    return lambda g: tuple(torch.randn(n, d, generator=g) for _ in range(3))


def evidence(v_a, v_b, shared, rho):
    """Return log p(v_b | v_a) - log p(v_b) of the shared block in nats, a number for each pair `[B]`."""
    a, b = v_a[:, shared], v_b[:, shared]
    left = 1 - rho**2
    return 0.5 * (b.square() - (b - rho * a).square() / left - math.log(left)).sum(dim=1)


def _pairs(n: int, d: int, block: slice, rho: float):
    return lambda g: (*torch.randn(2, n, d, generator=g), block, rho)


def _wrong(term):
    """Evidence of which every number of the block costs `term(a, b, rho)`."""
    return lambda v_a, v_b, shared, rho: term(v_a[:, shared], v_b[:, shared], rho).sum(dim=1)


def shares_of(sizes):
    """Return the share `[K]` that each factor's length stands for, if the residual's stands for a share of 1."""
    residual, *factors = sizes
    return torch.tensor([1 + math.log(size / residual) for size in factors])


def _lengths(k: int):
    return lambda g: (torch.randint(1, 40, (k + 1,), generator=g).tolist(),)


def _logs(sizes, whole):
    return torch.tensor([float(size) / whole for size in sizes[1:]]).log()


# 17.4 a number that sees more than mean and spread


def worst_moment(codes):
    """The largest departure of means, covariances and fourth moments from those of N(0, I)."""
    mean = codes.mean(dim=0).abs().max()
    covariance = (codes.t() @ codes / len(codes) - torch.eye(codes.shape[1])).abs().max()
    fourth = (codes.pow(4).mean(dim=0) / 3 - 1).abs().max()
    return float(torch.stack([mean, covariance, fourth / 2]).max())


def _normal(seed: int, n: int = 4_000, d: int = 4) -> Tensor:
    return torch.randn(n, d, generator=random_of(seed))


def _correlated(v: Tensor) -> Tensor:
    turned = v.clone()
    turned[:, 1] = 0.8 * v[:, 0] + 0.6 * v[:, 1]
    return turned


def _two_clusters(v: Tensor) -> Tensor:
    return 0.95 * v.sign() + (1 - 0.95**2) ** 0.5 * _normal(987, *v.shape)


def _higher(answer, seed, spoilt) -> bool:
    """Whether spoilt codes score at least twice as high as good ones."""
    return float(answer(spoilt(_normal(seed)))) > 2 * float(answer(_normal(seed + 50)))


_NORMALITY = (
    Property("codes [n, d] become one finite number, 0 or more",
             lambda f, s: 0 <= float(f(_normal(s))) < float("inf")),
    Property("the order of the codes does not matter",
             lambda f, s: abs(float(f(_normal(s))) - float(f(_normal(s).flip(0)))) < 1e-4),
    Property("codes shifted by a half score at least twice as high as N(0, I)",
             lambda f, s: _higher(f, s, lambda v: v + 0.5)),
    Property("so do codes that are half as wide again", lambda f, s: _higher(f, s, lambda v: 1.5 * v)),
    Property("so do codes of which two correlate by 0.8, though every mean and spread is right",
             lambda f, s: _higher(f, s, _correlated)),
    Property("so do two narrow clusters along every axis, though means, spreads and correlations are right",
             lambda f, s: _higher(f, s, _two_clusters)),
)  # fmt: skip


def _sum_of_logs(raw_scale):
    return (2 * raw_scale.sigmoid()).log().sum(dim=1)


def _means_and_spreads(v):
    return float(v.mean(dim=0).abs().max() + (v.std(dim=0) - 1).abs().max())


def _second_moments(v):
    return float(v.mean(dim=0).abs().max() + (v.t() @ v / len(v) - torch.eye(v.shape[1])).abs().max())


EXERCISES = (
    Exercise(
        "17.1",
        "another scale",
        logistic_half_step,
        (_half_step(4, 3), _half_step(1, 5), _half_step(6, 1)),
        (
            Mistake("this is the half-step of section 2: the scale is now 2 sigmoid(raw_scale)", flow.half_step),
            Mistake(
                "the logarithm of 2 sigmoid(raw_scale) has a log 2 as well, once for every number",
                lambda w, s, t: (2 * s.sigmoid() * w + t, functional.logsigmoid(s).sum(dim=1)),
            ),
            Mistake(
                "a scale of 1 at raw_scale = 0 needs the factor 2",
                lambda w, s, t: (s.sigmoid() * w + t, functional.logsigmoid(s).sum(dim=1)),
            ),
            Mistake(
                "the log-determinant is the sum of the logarithms of the scales, not of the scales",
                lambda w, s, t: (2 * s.sigmoid() * w + t, (2 * s.sigmoid()).sum(dim=1)),
            ),
            Mistake(
                "one log-determinant for each vector", lambda w, s, t: (2 * s.sigmoid() * w + t, _sum_of_logs(s).sum())
            ),
            Mistake("scale first, then shift", lambda w, s, t: (2 * s.sigmoid() * (w + t), _sum_of_logs(s))),
        ),
    ),
    Exercise(
        "17.2",
        "do these two share it?",
        evidence,
        (_pairs(5, 6, slice(2, 5), 0.9), _pairs(3, 4, slice(0, 1), 0.5), _pairs(4, 2, slice(0, 2), 0.975)),
        (
            Mistake(
                "subtract what the block of b costs by itself",
                _wrong(lambda a, b, r: -0.5 * ((b - r * a).square() / (1 - r**2) + math.log(2 * math.pi * (1 - r**2)))),
            ),
            Mistake(
                "b is expected at rho times a, not at a",
                _wrong(lambda a, b, r: 0.5 * (b.square() - (b - a).square() / (1 - r**2) - math.log(1 - r**2))),
            ),
            Mistake(
                "divide by the variance that is left, 1 - rho squared",
                _wrong(lambda a, b, r: 0.5 * (b.square() - (b - r * a).square() - math.log(1 - r**2))),
            ),
            Mistake(
                "a density that is narrower is also higher: the logarithm of 1 - rho squared is missing",
                _wrong(lambda a, b, r: 0.5 * (b.square() - (b - r * a).square() / (1 - r**2))),
            ),
            Mistake("above 0 where the pair shares the factor: the sign is reversed", lambda *x: -evidence(*x)),
            Mistake("a number for each pair, not one for all", lambda *x: evidence(*x).mean()),
            Mistake("only the shared block counts", lambda a, b, s, r: evidence(a, b, slice(None), r)),
        ),
    ),
    Exercise(
        "17.3",
        "from lengths back to shares",
        shares_of,
        (_lengths(2), _lengths(3), _lengths(5)),
        (
            Mistake("the residual stands for a share of 1, not of 0", lambda n: _logs(n, n[0])),
            Mistake("compare with the residual's length, not with the whole", lambda n: 1 + _logs(n, sum(n))),
            Mistake("a longer block has a larger share: the ratio is upside down", lambda n: 1 - _logs(n, n[0])),
            Mistake(
                "a softmax holds exponentials: take the logarithm of the ratio", lambda n: _logs(n, n[0]).exp()
            ),
            Mistake("only the factors' shares: the residual's is known", lambda n: 1 + _logs([0, *n], n[0])),
        ),
    ),
    open_exercise("17.4", "a number that sees more", worst_moment, _NORMALITY,
          (0, lambda v: -worst_moment(v)), (1, lambda v: float(v[0].abs().sum())),
          (2, lambda v: float((v.std(dim=0) - 1).abs().max())), (3, lambda v: float(v.mean(dim=0).abs().max())),
          (4, _means_and_spreads), (5, _second_moments)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_half_step(w, raw_scale, shift):
    scale = 2 * torch.sigmoid(raw_scale)
    return w * scale + shift, scale.log().sum(dim=1)


def my_evidence(v_a, v_b, shared, rho):
    a, b = v_a[:, shared], v_b[:, shared]
    variance = 1 - rho**2
    together = (b - rho * a).square() / (2 * variance) + math.log(variance) / 2
    alone = b.square() / 2
    return (alone - together).sum(dim=1)


def my_shares(sizes):
    lengths = torch.tensor(sizes, dtype=torch.float32)
    return 1 + (lengths[1:] / lengths[0]).log()


SOLUTIONS = (
    my_half_step,
    my_evidence,
    my_shares,
)

QUESTIONS = (
    Question(
        "17.a",
        "ba264f9264b96905",
        "N(0, I) looks the same from every side; only pairs say which side is which.",
        dict(
            b="Every flow is invertible, whatever it was trained on.",
            c="Pairs are no short cut to the same end: they bring information that the pictures lack.",
            d="Nothing in the likelihood looks at factors, and all variances are 1.",
        ),
    ),
    Question(
        "17.b",
        "b15fb3ade8da8853",
        "A bijection keeps all information, and every sorted code can be drawn.",
        dict(
            a="The autoencoder is not: it loses what its code cannot hold.",
            c="Lengths of blocks are chosen freely.",
            d="An invertible network is the slower and the more restricted one.",
        ),
    ),
    Question(
        "17.c",
        "f3147716a583d3a3",
        "1 / (1 - 0.999²) is 500: the loss is all about noise that no block can remove.",
        dict(
            a="Its constant does not matter; the factor before the squares does.",
            b="The blocks are where the loss puts them: only the shared slice is compared.",
            c="Exactness cannot be ordered: the pairs agree as far as they do.",
        ),
    ),
    Question(
        "17.d",
        "fa736b7787d80fc1",
        "Pose is no label, but it may move a logit; and a probe can tell what the residual holds.",
        dict(
            a="It is still a bijection that fits its data; ask what nobody told it.",
            c="It may be reading what it should: digits are drawn tilted, too.",
            d="The residual is drawn whole, whatever its length.",
        ),
    ),
)
