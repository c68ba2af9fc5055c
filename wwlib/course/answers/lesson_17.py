"""Exercises, written solutions and quiz questions of lesson 17."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.flows import flow


def _half_step(n: int, d: int):
    return lambda g: tuple(torch.randn(n, d, generator=g) for _ in range(3))


def _pairs(n: int, d: int, block: slice, rho: float):
    def make(g):
        v_a, v_b = torch.randn(2, n, d, generator=g)
        logdet_a, logdet_b = torch.randn(2, n, generator=g)
        return v_a, v_b, logdet_a, logdet_b, block, rho

    return make


def _shares(k: int, dim: int):
    return lambda g: (torch.rand(k, generator=g), dim)


def _without(pair_term):
    """A pair loss whose shared block costs `pair_term(a, b, rho)` a pair instead of the right term."""

    def wrong(v_a, v_b, logdet_a, logdet_b, shared, rho):
        a, b = v_a[:, shared], v_b[:, shared]
        alone = flow.pair_nll(v_a, v_b, logdet_a, logdet_b, shared, 0.0)
        own = (0.5 * b.square() + 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(dim=1).mean()
        return alone - own + pair_term(a, b, rho)

    return wrong


_ONE = 0.5 * torch.log(torch.tensor(2 * torch.pi)).item()


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


def _means_and_spreads(v):
    return float(v.mean(dim=0).abs().max() + (v.std(dim=0) - 1).abs().max())


def _second_moments(v):
    return float(v.mean(dim=0).abs().max() + (v.t() @ v / len(v) - torch.eye(v.shape[1])).abs().max())


EXERCISES = (
    Exercise(
        "17.1",
        "an affine half-step",
        flow.half_step,
        (_half_step(4, 3), _half_step(1, 5), _half_step(6, 1)),
        (
            Mistake("the raw scale passes through tanh first", lambda w, s, t: (w * s.exp() + t, s.sum(dim=1))),
            Mistake(
                "the log-determinant is the sum of the log-scales, not of the scales",
                lambda w, s, t: (w * s.tanh().exp() + t, s.tanh().exp().sum(dim=1)),
            ),
            Mistake("one log-determinant for each vector", lambda w, s, t: (w * s.tanh().exp() + t, s.tanh().sum())),
            Mistake(
                "scale first, then shift", lambda w, s, t: ((w + t) * s.tanh().exp(), s.tanh().sum(dim=1))
            ),
        ),
    ),
    Exercise(
        "17.2",
        "the loss of a pair",
        flow.pair_nll,
        (_pairs(5, 6, slice(2, 5), 0.9), _pairs(3, 4, slice(0, 1), 0.5), _pairs(4, 2, slice(0, 2), 0.975)),
        (
            Mistake(
                "the shared block of b is expected at rho times a's, not at a's",
                _without(lambda a, b, r: ((b - a).square() / (2 * (1 - r**2)) + _ONE
                                          + 0.5 * torch.log(torch.tensor(1 - r**2))).sum(dim=1).mean()),
            ),
            Mistake(
                "divide by the variance that is left, 1 - rho squared",
                _without(lambda a, b, r: (0.5 * (b - r * a).square() + _ONE
                                          + 0.5 * torch.log(torch.tensor(1 - r**2))).sum(dim=1).mean()),
            ),
            Mistake(
                "a density that is narrower is also higher: the logarithm of 1 - rho squared is missing",
                _without(lambda a, b, r: ((b - r * a).square() / (2 * (1 - r**2)) + _ONE).sum(dim=1).mean()),
            ),
            Mistake(
                "count both log-determinants",
                lambda a, b, la, lb, s, r: flow.pair_nll(a, b, la, 0 * lb, s, r),
            ),
            Mistake("the shared block as well", lambda a, b, la, lb, s, r: flow.pair_nll(a, b, la, lb, s, 0.0)),
        ),
        trains=(0, 1, 2, 3),
    ),
    Exercise(
        "17.3",
        "how long each block should be",
        flow.block_sizes,
        (_shares(2, 64), _shares(3, 32), _shares(4, 30)),
        (
            Mistake(
                "the residual takes part in the softmax with a share of 1",
                lambda s, d: [d - sum((s.softmax(0) * d).floor().int().tolist()),
                              *(s.softmax(0) * d).floor().int().tolist()],
            ),
            Mistake(
                "what rounding leaves goes to the residual",
                lambda s, d: (torch.cat([s.new_ones(1), s]).softmax(0) * d).floor().int().tolist(),
            ),
            Mistake("the residual comes first", lambda s, d: [*(n := flow.block_sizes(s, d))[1:], n[0]]),
            Mistake(
                "a softmax, not plain shares",
                lambda s, d: [d - sum(n := (s / (1 + s.sum()) * d).floor().int().tolist()), *n],
            ),
        ),
    ),
    open_exercise("17.4", "a number that sees more", worst_moment, _NORMALITY,
          (0, lambda v: -worst_moment(v)), (1, lambda v: float(v[0].abs().sum())),
          (2, lambda v: float((v.std(dim=0) - 1).abs().max())), (3, lambda v: float(v.mean(dim=0).abs().max())),
          (4, _means_and_spreads), (5, _second_moments)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_half_step(w, raw_scale, shift):
    log_scale = raw_scale.tanh()
    return w * log_scale.exp() + shift, log_scale.sum(dim=1)


def my_pair_nll(v_a, v_b, logdet_a, logdet_b, shared, rho):
    a, b = v_a[:, shared], v_b[:, shared]
    rest = torch.cat([v_b[:, : shared.start], v_b[:, shared.stop :]], dim=1)
    left = 1 - rho**2
    squares = v_a.square().sum(dim=1) + rest.square().sum(dim=1) + (b - rho * a).square().sum(dim=1) / left
    constant = v_a.shape[1] * math.log(2 * math.pi) + a.shape[1] * math.log(left) / 2
    return (squares / 2 + constant - logdet_a - logdet_b).mean()


def my_block_sizes(shares, dim):
    weights = torch.cat([torch.ones_like(shares[:1]), shares]).softmax(dim=0)
    sizes = (weights[1:] * dim).floor().int().tolist()
    return [dim - sum(sizes), *sizes]


SOLUTIONS = (
    my_half_step,
    my_pair_nll,
    my_block_sizes,
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
