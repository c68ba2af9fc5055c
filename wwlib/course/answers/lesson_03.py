"""Exercises, written solutions and quiz questions of lesson 03."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F

from wwlib.course.answers.common import image_batch, open_exercise, random_pictures, rooms
from wwlib.course.exercise import Exercise, Mistake, Property, Question, TinyCritic
from wwlib.models import losses


def _logistic(scale: float):
    return lambda g: (scale * torch.randn(16, generator=g),)


def _discriminator_for_r1(g):
    return TinyCritic(g), image_batch(4)(g), 2.0


def lerp(average, current, decay):
    """Return one step of a running average."""
    return decay * average + (1 - decay) * current


def _no_double_backward(discriminator, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real)
    return gamma / 2 * gradient.flatten(1).norm(dim=1).mean()


# 03.4 a number that sees a collapse


def mean_deviation(images):
    """The standard deviation of each pixel over the batch, averaged."""
    return images.std(dim=0).mean()


def _towards_the_mean(answer, seed):
    images = rooms(24, seed)
    mean = images.mean(dim=0, keepdim=True)
    values = [float(answer(mean + t * (images - mean))) for t in (0.1, 0.4, 0.7, 1.0)]
    return all(a < b - 1e-6 for a, b in itertools.pairwise(values))


def _order_is_nothing(answer, seed):
    images = rooms(24, seed)
    return abs(float(answer(images)) - float(answer(images.flip(0)))) < 1e-4


_DIVERSITY = (
    Property("a batch of equal drawings has the value 0",
             lambda f, s: abs(float(f(rooms(1, s).repeat(8, 1, 1, 1)))) < 1e-4),
    Property("the order of the batch does not matter", _order_is_nothing),
    Property("the value grows as drawings move away from their mean", _towards_the_mean),
    Property("busy drawings that are all alike have the value 0: variety is between drawings, not within one",
             lambda f, s: abs(float(f(random_pictures(s, 1).repeat(8, 1, 1, 1)))) < 1e-4),
)  # fmt: skip


EXERCISES = (
    Exercise(
        "03.1",
        "non-saturating loss",
        losses.generator_loss,
        (_logistic(1.0), _logistic(100.0)),
        (
            Mistake("this is the saturating loss: flat where D is sure", lambda t: -F.softplus(t).mean()),
            Mistake("this asks D to call the images fake", lambda t: F.softplus(t).mean()),
            Mistake(
                "log(sigmoid) overflows for sure logits: use softplus", lambda t: -torch.log(torch.sigmoid(t)).mean()
            ),
        ),
        trains=True,
    ),
    Exercise(
        "03.2",
        "R1 penalty",
        losses.r1_penalty,
        (_discriminator_for_r1, _discriminator_for_r1),
        (
            Mistake("square the gradient: no root", _no_double_backward),
            Mistake("sum over pixels, mean over images", lambda d, x, g: losses.r1_penalty(d, x, g) / (3 * 8 * 8)),
            Mistake("gamma is halved", lambda d, x, g: 2 * losses.r1_penalty(d, x, g)),
        ),
        trains=True,
    ),
    Exercise(
        "03.3",
        "running average",
        lerp,
        tuple(lambda g, d=d: (torch.randn(5, generator=g), torch.randn(5, generator=g), d) for d in (0.9, 0.999)),
        (
            Mistake("decay belongs to the old average", lambda a, c, d: (1 - d) * a + d * c),
            Mistake("the weights must sum to 1", lambda a, c, d: d * a + c),
            Mistake("a half-and-half mean forgets at once", lambda a, c, d: (a + c) / 2),
        ),
    ),
    open_exercise("03.4", "a number that sees collapse", mean_deviation, _DIVERSITY,
          (0, lambda x: x.std()), (1, lambda x: x[0].mean() - x[-1].mean()), (2, lambda x: -x.std(dim=0).mean()),
          (0, lambda x: x.std(dim=(1, 2, 3)).mean())),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_generator_loss(fake_logits):
    return F.softplus(-fake_logits).mean()


def my_r1(discriminator, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()


def my_average(average, current, decay):
    return decay * average + (1 - decay) * current


SOLUTIONS = (
    my_generator_loss,
    my_r1,
    my_average,
)

QUESTIONS = (
    Question(
        "03.a",
        "15cf2bf5eb7a81a3",
        "The saturating loss is flat where D is sure; the non-saturating one has slope -1 there.",
    ),
    Question(
        "03.b", "8619c431f8485d35", "Without detach the backward pass of D's loss runs through the drawings into G."
    ),
    Question(
        "03.c",
        "f5001835bb88f1ec",
        "The losses say that the players are even, not how good the pictures are. Look at them.",
    ),
)
