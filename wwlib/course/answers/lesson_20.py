"""Exercises, written solutions and quiz questions of lesson 20."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.datasets.domains import Domains
from wwlib.flows import experts, fusion


def heard_then_common(z: Tensor, mean: Tensor, spread: Tensor, common: Tensor) -> tuple[Tensor, Tensor]:
    """Return v `[n, d]` and log|det dv/dz| `[n]` of z `[n, d]`: an affine step that hears, then a matrix."""
    u = (z - mean) / spread
    return u @ common.t(), torch.linalg.slogdet(common).logabsdet - spread.log().sum(dim=1)


def where_sure(logits: Tensor, least: float) -> Tensor:
    """Return maps `[B, C, H, W]`: 1 for the likeliest class where its probability is at least `least`, 0 elsewhere."""
    return experts.hard(logits) * (logits.softmax(dim=1) >= least)


def between_variance(features: Tensor) -> float:
    """Return how much features `[conditions, draws, F]` vary from condition to condition, without what chance adds."""
    means = features.mean(dim=1)
    return float(means.var(dim=0).sum()) - fusion.within_variance(features) / features.shape[1]


def _logits(n: int, classes: int, side: int, least: float):
    return lambda g: (2 * torch.randn(n, classes, side, side, generator=g), least)


def _two_maps(n: int, d: int):
    def make(g):
        z, mean = torch.randn(2, n, d, generator=g)
        return z, mean, torch.rand(n, d, generator=g) + 0.5, torch.randn(d, d, generator=g) + 2 * torch.eye(d)

    return make


def _features(conditions: int, draws: int, f: int):
    return lambda g: (torch.randn(conditions, draws, f, generator=g) + 3 * torch.randn(conditions, 1, f, generator=g),)


# 20.4 an expert of your own


def two_colours(images):
    """The paper's colour is the commonest; the ink's is the one farthest from it."""
    pixels = images.flatten(2)
    paper = pixels.median(dim=2).values
    farthest = (pixels - paper[:, :, None]).square().sum(dim=1).argmax(dim=1)
    return torch.cat([paper, pixels[torch.arange(len(pixels)), :, farthest]], dim=1)


def _pictured(seed: int, *changed: int, n: int = 40) -> tuple[Tensor, Tensor]:
    """Pictures, and the same pictures with some factors drawn anew."""
    data = Domains()
    factors, other = (data.sample_factors(n, random_of(seed + k)) for k in range(2))
    turned = factors.clone()
    turned[:, list(changed)] = other[:, list(changed)]
    return data.images(factors), data.images(turned)


def _moves(answer, seed: int, *changed: int) -> float:
    """How far answers move when some factors are drawn anew, as a share of what they move when all are."""
    first, second = (answer(images).double() for images in _pictured(seed, *changed))
    all_first, all_second = (answer(images).double() for images in _pictured(seed, *range(7)))
    everything = (all_second - all_first).norm(dim=1).mean()
    return float((second - first).norm(dim=1).mean() / everything.clamp(min=1e-9))


def _one_by_one(answer, seed: int) -> bool:
    images, _ = _pictured(seed)
    together = answer(images)
    return torch.allclose(together[7:9], answer(images[7:9]), atol=1e-4)


def _small_vectors(answer, seed: int) -> bool:
    answers = answer(_pictured(seed)[0])
    return answers.dim() == 2 and len(answers) == 40 and 1 <= answers.shape[1] <= 8 and bool(answers.isfinite().all())


_EXPERT = (
    Property("images [n, 3, 32, 32] become finite answers [n, k] with k from 1 to 8", _small_vectors),
    Property("each picture is answered by itself, whatever the others are", _one_by_one),
    Property("another paper moves the answer by at least 0.3 of what another picture moves it",
             lambda f, s: _moves(f, s, 2) >= 0.3),
    Property("so does another ink", lambda f, s: _moves(f, s, 1) >= 0.3),
    Property("another digit, place, style and tilt together move it by at most 0.3 of that",
             lambda f, s: _moves(f, s, 0, 3, 4, 5, 6) <= 0.3),
)  # fmt: skip


def _batch_centred(images):
    answers = two_colours(images)
    return answers - answers.mean(dim=0)


def _colours_and_place(images):
    rows = (images - images.mean(dim=(2, 3), keepdim=True)).abs().mean(dim=1).sum(dim=2)
    place = (rows * torch.arange(32.0)).sum(dim=1) / rows.sum(dim=1)
    return torch.cat([two_colours(images), place[:, None]], dim=1)


EXERCISES = (
    Exercise(
        "20.1",
        "an expert that may say nothing",
        where_sure,
        (_logits(3, 2, 4, 0.8), _logits(1, 5, 8, 0.2), _logits(2, 3, 4, 0.3)),
        (
            Mistake("where the network is less sure than least, every class is 0", lambda x, p: experts.hard(x)),
            Mistake("only the likeliest class may be 1, though others may reach least, too",
                    lambda x, p: (x.softmax(dim=1) >= p).float()),
            Mistake("least is a probability: compare it with the softmax, not with the logits",
                    lambda x, p: experts.hard(x) * (x >= p)),
            Mistake("1 where the expert speaks, not how sure it is", lambda x, p: where_sure(x, p) * x.softmax(dim=1)),
            Mistake("maps of 0 and 1, one for each class, not the number of the class", lambda x, p: x.argmax(dim=1)),
            Mistake("the classes go back to position 1", lambda x, p: where_sure(x, p).movedim(1, -1)),
        ),
    ),
    Exercise(
        "20.2",
        "two maps in a row",
        heard_then_common,
        (_two_maps(4, 3), _two_maps(1, 6), _two_maps(5, 2)),
        (
            Mistake(
                "the common map changes volume, too",
                lambda z, a, s, m: (((z - a) / s) @ m.t(), -s.log().sum(dim=1)),
            ),
            Mistake(
                "dividing by a spread divides volumes: its logarithm counts with a minus",
                lambda z, a, s, m: (((z - a) / s) @ m.t(), torch.linalg.slogdet(m).logabsdet + s.log().sum(dim=1)),
            ),
            Mistake(
                "the condition comes first, next to z",
                lambda z, a, s, m: ((z @ m.t() - a) / s, heard_then_common(z, a, s, m)[1]),
            ),
            Mistake(
                "one log-determinant for each code",
                lambda z, a, s, m: (heard_then_common(z, a, s, m)[0], heard_then_common(z, a, s, m)[1].sum()),
            ),
        ),
    ),
    Exercise(
        "20.3",
        "what a condition decides",
        between_variance,
        (_features(5, 4, 3), _features(3, 8, 6), _features(6, 2, 1)),
        (
            Mistake(
                "that is what the condition leaves open: the question is what it decides",
                fusion.within_variance,
            ),
            Mistake(
                "means of a few draws differ by chance: subtract within / draws",
                lambda x: float(x.mean(dim=1).var(dim=0).sum()),
            ),
            Mistake(
                "a mean of n draws varies by chance n times less than a draw: divide by draws",
                lambda x: float(x.mean(dim=1).var(dim=0).sum()) - fusion.within_variance(x),
            ),
            Mistake("the variance of the conditions' means, not of all draws",
                    lambda x: float(x.flatten(0, 1).var(dim=0).sum()) - fusion.within_variance(x) / x.shape[1]),
            Mistake("add the features' variances up", lambda x: between_variance(x) / x.shape[2]),
            Mistake("divide by conditions - 1 in the variance of the means",
                    lambda x: float(x.mean(dim=1).var(dim=0, correction=0).sum())
                    - fusion.within_variance(x) / x.shape[1]),
        ),
    ),
    open_exercise("20.4", "an expert of your own", two_colours, _EXPERT,
          (0, lambda x: x.flatten(1)), (1, _batch_centred), (2, lambda x: two_colours(x)[:, 3:]),
          (3, lambda x: two_colours(x)[:, :3]), (4, _colours_and_place)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_sure(logits, least):
    surest, winner = logits.softmax(dim=1).max(dim=1)
    classes = F.one_hot(winner, logits.shape[1]).movedim(-1, 1).float()
    return classes * (surest >= least)[:, None]


def my_two_maps(z, mean, spread, common):
    logdet = torch.linalg.slogdet(common).logabsdet - spread.log().sum(dim=1)
    return ((z - mean) / spread) @ common.t(), logdet


def my_between_variance(features):
    within = features.var(dim=1).mean(dim=0).sum()
    means = features.mean(dim=1).var(dim=0).sum()
    return float(means - within / features.shape[1])


SOLUTIONS = (
    my_sure,
    my_two_maps,
    my_between_variance,
)

QUESTIONS = (
    Question(
        "20.a",
        "316875ddcaf88220",
        "The map holds no colour, and map and residual together determine the code: it is in v.",
        dict(
            a="The judge only reads the finished drawing.",
            b="The weights are the same for all pictures.",
            c="The argmax holds one class a pixel; is there a colour in it?",
        ),
    ),
    Question(
        "20.b",
        "6b76685bbdcded00",
        "Both ways are exact inverses of each other, whatever was learned.",
        dict(
            b="The loss never sees a pair of both labels.",
            c="There were no pairs in training.",
            d="Frozen or not, the way back takes place in the flow.",
        ),
    ),
    Question(
        "20.c",
        "96f123e52051a2d3",
        "Any rearrangement within a domain that keeps the Gaussian is as likely; a second expert can rule it out.",
        dict(
            a="You see the eight in the drawing yourself.",
            b="More steps lower the loss; is the loss lower if the digit stays?",
            c="It is invertible: the way back gives the three again.",
        ),
    ),
    Question(
        "20.d",
        "f76abbd56885e02b",
        "What the condition says is not in the residual, and does not vary with it.",
        dict(
            b="Their scale is removed before training.",
            c="Size limits how well a distribution is fitted, not how much is open.",
            d="Whether it is right does not matter; a class a pixel says little.",
        ),
    ),
)
