"""Exercises, written solutions and quiz questions of lesson 12."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question

# 12.1 the prior that many posteriors have in common


def best_prior(mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of the normal distribution whose mean divergence from all rows is smallest."""
    middle = mean.mean(dim=0)
    return middle, (log_variance.exp().mean(dim=0) + (mean - middle).square().mean(dim=0)).log()


def _posteriors(n: int, d: int):
    return lambda g: (torch.randn(n, d, generator=g) * 2 + 1, torch.randn(n, d, generator=g) - 1)


# 12.2 a price that rises in waves


def cyclic_beta(progress: float, cycles: int, beta: float) -> float:
    """In each of `cycles` equal spans: a straight line from 0 to `beta` in the first half, then `beta`."""
    return beta * min(1.0, 2 * (progress * cycles % 1))


# 12.3 every part as important as every other


def balanced_weight(footprint: Tensor) -> Tensor:
    """Weight of every pixel `[B, 1, H, W]`, mean 1 in each picture, in which all parts that show weigh the same."""
    area = footprint.sum(dim=(2, 3), keepdim=True)
    share = torch.where(area > 0, footprint / area.clamp_min(1e-12), torch.zeros(()).to(footprint))
    weight = share.sum(dim=1, keepdim=True)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


def _footprint(n: int, parts: int, side: int, hidden: int = 0):
    def make(g):
        shares = torch.softmax(3 * torch.randn(n, parts, side, side, generator=g), dim=1)
        shares[0, parts - hidden :] = 0  # in one picture only
        return (shares / shares.sum(dim=1, keepdim=True),)

    return make


def _over_the_batch(footprint: Tensor) -> Tensor:
    weight = (footprint / footprint.sum(dim=(0, 2, 3), keepdim=True).clamp_min(1e-12)).sum(dim=1, keepdim=True)
    return weight / weight.mean()


def _areas_of_the_batch(footprint: Tensor) -> Tensor:
    weight = (footprint / footprint.sum(dim=(0, 2, 3), keepdim=True).clamp_min(1e-12)).sum(dim=1, keepdim=True)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


def _mean_of_the_batch(footprint: Tensor) -> Tensor:
    weight = _without_mean(footprint)
    return weight / weight.mean()


def _without_mean(footprint: Tensor) -> Tensor:
    return (footprint / footprint.sum(dim=(2, 3), keepdim=True).clamp_min(1e-12)).sum(dim=1, keepdim=True)


def _without_sum(footprint: Tensor) -> Tensor:
    weight = footprint / footprint.sum(dim=(2, 3), keepdim=True).clamp_min(1e-12)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


# 12.4 a score of transfers that a grey head cannot pass


def worst_part(drawn, answer, footprint):
    """R^2 of the mean colour of the part that follows the right answer least, not below 0."""
    area = footprint.sum(dim=(2, 3)).clamp_min(1e-6)[:, :, None]
    seen, true = (torch.einsum("nchw,nphw->npc", x, footprint) / area for x in (drawn, answer))
    missed = (seen - true).square().sum(dim=(0, 2)) / (true - true.mean(dim=0)).square().sum(dim=(0, 2))
    return float((1 - missed).min().clamp_min(0))


def _transfers(seed: int, n: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Right answers `[n, 3, 32, 32]`, their footprints, and the pictures whose appearance was asked for."""
    from wwlib.datasets.motions import sample_triplets
    from wwlib.datasets.puppet import render

    a, b, appearance, _ = sample_triplets(n, random_of(seed), clothes=True)
    answer = render(b, appearance)
    return answer.images, answer.footprint, render(a, appearance).images


def _scored(f, seed: int, change) -> float:
    answer, footprint, given = _transfers(seed)
    return float(f(change(answer, footprint, given), answer, footprint))


def _grey_head(answer: Tensor, footprint: Tensor, given: Tensor) -> Tensor:
    return answer * (1 - footprint[:, 1:2])


def _order(f, seed: int) -> bool:
    answer, footprint, given = _transfers(seed)
    drawn = 0.7 * answer + 0.3 * given
    turned = torch.randperm(len(answer), generator=random_of(seed))
    return math.isclose(f(drawn, answer, footprint), f(drawn[turned], answer[turned], footprint[turned]), abs_tol=1e-3)


_SCORE = (
    Property("drawn and answer [n, 3, 32, 32] and footprint [n, 7, 32, 32] become one finite number",
             lambda f, s: math.isfinite(_scored(f, s, lambda a, m, g: a))),
    Property("the right answer itself scores above 0.95", lambda f, s: _scored(f, s, lambda a, m, g: a) > 0.95),
    Property("the right answer with a little noise scores above 0.8",
             lambda f, s: _scored(f, s, lambda a, m, g: a + 0.05 * torch.randn(a.shape, generator=random_of(s))) > 0.8),
    Property("the right answer with a grey head scores below 0.5",
             lambda f, s: _scored(f, s, _grey_head) < 0.5),
    Property("the given picture, copied, scores below 0.5", lambda f, s: _scored(f, s, lambda a, m, g: g) < 0.5),
    Property("one mean picture for all scores below 0.3",
             lambda f, s: _scored(f, s, lambda a, m, g: a.mean(dim=0, keepdim=True).expand_as(a)) < 0.3),
    Property("the order of the pictures does not matter", _order),
)  # fmt: skip


def _over_all_pixels(drawn: Tensor, answer: Tensor, footprint: Tensor) -> float:
    missed = (drawn - answer).square().sum() / (answer - answer.mean(dim=0)).square().sum()
    return float((1 - missed).clamp_min(0))


def _without_floor(drawn: Tensor, answer: Tensor, footprint: Tensor) -> float:
    """The distance of the worst R^2 from 0, whichever side it lies on."""
    area = footprint.sum(dim=(2, 3)).clamp_min(1e-6)[:, :, None]
    seen, true = (torch.einsum("nchw,nphw->npc", x, footprint) / area for x in (drawn, answer))
    missed = (seen - true).square().sum(dim=(0, 2)) / (true - true.mean(dim=0)).square().sum(dim=(0, 2))
    return float((1 - missed).min().abs())


def _first_half(drawn: Tensor, answer: Tensor, footprint: Tensor) -> float:
    half = len(drawn) // 2
    return worst_part(drawn[:half], answer[:half], footprint[:half])


EXERCISES = (
    Exercise(
        "12.1",
        "the prior that many posteriors have in common",
        best_prior,
        (_posteriors(5, 3), _posteriors(20, 2), _posteriors(2, 6)),
        (
            Mistake("the rows differ in their means too: their spread belongs to the variance",
                    lambda m, v: (m.mean(dim=0), v.exp().mean(dim=0).log())),
            Mistake("average variances, not log-variances",
                    lambda m, v: (m.mean(dim=0), (v.mean(dim=0).exp() + m.var(dim=0, correction=0)).log())),
            Mistake("average variances, not log-variances, and add the spread of the means",
                    lambda m, v: (m.mean(dim=0), v.mean(dim=0))),
            Mistake("the results are [d]: take means without keepdim",
                    lambda m, v: tuple(x[None] for x in best_prior(m, v))),
            Mistake("these rows are all there is: divide their squares by N, not by N - 1",
                    lambda m, v: (m.mean(dim=0), (v.exp().mean(dim=0) + m.var(dim=0)).log())),
            Mistake("the second result is a log-variance, not a variance",
                    lambda m, v: (m.mean(dim=0), v.exp().mean(dim=0) + m.var(dim=0, correction=0))),
            Mistake("the second result is a log-variance, twice the logarithm of the standard deviation",
                    lambda m, v: (m.mean(dim=0), 0.5 * (v.exp().mean(dim=0) + m.var(dim=0, correction=0)).log())),
            Mistake("only the spread of the means: each row has a variance of its own",
                    lambda m, v: (m.mean(dim=0), m.var(dim=0, correction=0).log())),
        ),
    ),
    Exercise(
        "12.2",
        "a price that rises in waves",
        cyclic_beta,
        (lambda g: (0.1, 4, 0.5), lambda g: (0.24, 4, 0.5), lambda g: (0.3, 4, 0.5), lambda g: (0.0, 3, 1.0),
         lambda g: (0.4, 1, 0.2), lambda g: (0.9, 2, 0.1)),
        (
            Mistake("the line ends at half of a cycle, then the price stays",
                    lambda p, n, b: b * (p * n % 1)),
            Mistake("a new cycle begins at 0 again", lambda p, n, b: b * min(1.0, 2 * p * n)),
            Mistake("after the first half the price stays at beta, it does not fall",
                    lambda p, n, b: b * (1 - abs(2 * (p * n % 1) - 1))),
            Mistake("first the line, then the constant price",
                    lambda p, n, b: b * max(0.0, 2 * (p * n % 1) - 1)),
            Mistake("multiply by beta", lambda p, n, b: min(1.0, 2 * (p * n % 1))),
            Mistake("progress runs over the whole training, not over one cycle",
                    lambda p, n, b: b * min(1.0, 2 * (p % 1))),
            Mistake("`cycles` is how many there are, not how long one is",
                    lambda p, n, b: b * min(1.0, 2 * (p / n % 1))),
        ),
    ),
    Exercise(
        "12.3",
        "every part as important as every other",
        balanced_weight,
        (_footprint(2, 3, 4), _footprint(3, 5, 6), _footprint(1, 7, 8), _footprint(2, 4, 5, hidden=1)),
        (
            Mistake("a part that does not show has area 0, and 0 / 0 is nan: leave it out",
                    lambda f: (lambda w: w / w.mean(dim=(2, 3), keepdim=True))(
                        (f / f.sum(dim=(2, 3), keepdim=True)).sum(1, keepdim=True))),
            Mistake("areas are those of each picture, not of the batch", _areas_of_the_batch),
            Mistake("the mean is 1 in each picture, not over the batch", _mean_of_the_batch),
            Mistake("keep the axis of channels: [B, 1, H, W]", lambda f: balanced_weight(f)[:, 0]),
            Mistake("areas are those of each picture, not of the batch", _over_the_batch),
            Mistake("divide by the mean at the end: the loss should keep its size", _without_mean),
            Mistake("a pixel's weight is the sum over its parts: one channel, not one for each part", _without_sum),
            Mistake("the background, channel 0, is a part as well", lambda f: balanced_weight(f[:, 1:])),
            Mistake("the background is channel 0, and it is a part as well", lambda f: balanced_weight(f[:, :-1])),
            Mistake("the larger a part, the less a pixel of it counts: divide by the area",
                    lambda f: (lambda w: w / w.mean(dim=(2, 3), keepdim=True))(
                        (f * f.sum(dim=(2, 3), keepdim=True)).sum(1, keepdim=True))),
        ),
    ),
    open_exercise("12.4", "a score that a grey head cannot pass", worst_part, _SCORE,
                  (0, lambda d, a, m: float("nan")), (1, lambda d, a, m: 0.5),
                  (2, lambda d, a, m: float((d == a).float().mean())), (3, _over_all_pixels),
                  (4, _without_floor), (5, lambda d, a, m: worst_part(d, a, m) if d.std(dim=0).max() > 0 else 1.0),
                  (6, _first_half)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_best_prior(mean, log_variance):
    middle = mean.mean(dim=0)
    variance = log_variance.exp().mean(dim=0) + ((mean - middle) ** 2).mean(dim=0)
    return middle, variance.log()


def my_cyclic_beta(progress, cycles, beta):
    within = (progress * cycles) % 1
    return beta * min(1.0, 2 * within)


def my_balanced_weight(footprint):
    area = footprint.sum(dim=(2, 3), keepdim=True)
    weight = (footprint / area.clamp_min(1e-9)).sum(dim=1, keepdim=True)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


SOLUTIONS = (
    my_best_prior,
    my_cyclic_beta,
    my_balanced_weight,
)

QUESTIONS = (
    Question(
        "12.a",
        "61b57d88e3cb6f7e",
        "The skeleton reaches the drawing through the skips for nothing; the same facts in z are paid for in nats.",
        dict(
            a="The encoder sees the whole picture, pose included; nothing in its layers forbids pose.",
            b="The prior reads the skeleton, but a prior only sets what is cheap; it removes nothing.",
            d="4 × 4 × 8 numbers are plenty: at β = 0 the pose can be read from them.",
        ),
    ),
    Question(
        "12.b",
        "c4ccaec82001226d",
        "Both pictures are then drawn by copying what the code holds pixel by pixel; in a new pose it lies elsewhere.",
        dict(
            b="Too few nats give grey pictures in both columns, and rebuilding would suffer as well.",
            c="The skeleton is the same kind of input in both cases; joints of the rebuilt pictures are right.",
            d="More steps make the gap larger: copying is learned better.",
        ),
    ),
    Question(
        "12.c",
        "70b5b16927bee38b",
        "A mean over pixels hardly sees it: the head covers two of a hundred pixels. Ask for every part alone.",
        dict(
            a="The drawn picture is near the right one almost everywhere, so the number is high.",
            b="The judge of joints looks at where things are; a grey head is in the right place.",
            c="A grey head is the same in every sample; the other parts still vary, and a mean over parts is high.",
        ),
    ),
    Question(
        "12.d",
        "3dc313b31117e375",
        "Its means still tell the pose, but the decoder never sees means: what noise drowns is gone for it.",
        dict(
            a="A probe that learns from means is a good probe, of something that the decoder does not get.",
            c="More pictures make a probe better, not worse; both probes saw equally many.",
            d="A bent relation is what the RBF probe is for, and it reads as little from samples.",
        ),
    ),
)
