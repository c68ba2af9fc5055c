"""Exercises, written solutions and quiz questions of lesson 03."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F

from wwlib.course.answers.common import image_batch, open_exercise, random_of, random_pictures, rooms
from wwlib.course.exercise import Exercise, Mistake, Property, Question, TinyCritic
from wwlib.models import losses


def _logistic(scale: float, smooth: float):
    return lambda g: (scale * torch.randn(16, generator=g), scale * torch.randn(16, generator=g), smooth)


def _discriminator_for_r1(g):
    return TinyCritic(g), 0.05 * image_batch(4)(g), 2.0  # faint pictures: the critic is steep there, not saturated


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
    """The value stays whatever pictures come first, last and next to each other."""
    images = rooms(24, seed)
    orders = [torch.randperm(24, generator=random_of(seed + k)) for k in range(4)]
    values = [float(answer(images)), *(float(answer(images[order])) for order in orders)]
    return max(values) - min(values) < 1e-4 * max(1.0, abs(values[0]))


def _sees_mirrored_rooms(answer, seed):
    """A picture and its mirror image have the same mean colour."""
    room = rooms(1, seed)
    return float(answer(torch.cat([room, room.flip(3)] * 4))) > 1e-3


_DIVERSITY = (
    Property(
        "a batch of equal drawings has the value 0", lambda f, s: abs(float(f(rooms(1, s).repeat(8, 1, 1, 1)))) < 1e-4
    ),
    Property("the order of the batch does not matter", _order_is_nothing),
    Property("two pictures that differ only in what is where are not alike", _sees_mirrored_rooms),
    Property("the value grows as drawings move away from their mean", _towards_the_mean),
    Property(
        "busy drawings that are all alike have the value 0: variety is between drawings, not within one",
        lambda f, s: abs(float(f(random_pictures(s, 1).repeat(8, 1, 1, 1)))) < 1e-4,
    ),
)


def smoothed_loss(real_logits, fake_logits, smooth):
    """Return D's loss if a real picture counts as real with a share of 1 - smooth only."""
    wrong_side = F.softplus(real_logits).mean()
    sure = losses.discriminator_loss(real_logits, fake_logits)
    return sure + smooth * (wrong_side - F.softplus(-real_logits).mean())


def _not_averaged(real_logits, fake_logits, smooth):
    real = (1 - smooth) * F.softplus(-real_logits) + smooth * F.softplus(real_logits)
    return real + F.softplus(fake_logits)


def _slope_penalty(discriminator, real, gamma, create_graph=True, size=lambda g: g.flatten(1).norm(dim=1)):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=create_graph)
    return gamma * (size(gradient) - 1).square().mean()


def _norms(discriminator, real):
    real = real.detach().requires_grad_(True)
    return torch.autograd.grad(discriminator(real).sum(), real)[0].flatten(1).norm(dim=1)


def _slope_variance(discriminator, real):
    return _norms(discriminator, real).var(correction=0)


def slope_one_penalty(discriminator, real, gamma):
    """Return `gamma` times the mean squared distance of the gradient's norm from 1."""
    return _slope_penalty(discriminator, real, gamma)


def averages_from_zero(values, decay):
    """Return the running average of a series that begins at 0, divided by the weights that it has had so far."""
    average, every = 0 * values[0], []
    for step, value in enumerate(values, 1):
        average = decay * average + (1 - decay) * value
        every.append(average / (1 - decay**step))
    return torch.stack(every)


def _from_zero(values, decay, divisor=lambda decay, step: 1.0):
    right = averages_from_zero(values, decay)
    steps = torch.arange(1, len(values) + 1)
    return right * (1 - decay**steps) / divisor(decay, steps)


def _from_first(values, decay):
    average, every = values[0], []
    for value in values:
        average = decay * average + (1 - decay) * value
        every.append(average)
    return torch.stack(every)


def _divided_as_it_goes(values, decay):
    average, every = 0 * values[0], []
    for step, value in enumerate(values, 1):
        average = (decay * average + (1 - decay) * value) / (1 - decay**step)
        every.append(average)
    return torch.stack(every)


EXERCISES = (
    Exercise(
        "03.1",
        "a discriminator that is less sure",
        smoothed_loss,
        (_logistic(1.0, 0.1), _logistic(100.0, 0.1), _logistic(3.0, 0.25)),
        (
            Mistake(
                "this is the loss of section 2: a real picture counts as real with all its weight",
                lambda r, f, s: losses.discriminator_loss(r, f),
            ),
            Mistake(
                "the rest of the weight, smooth, says drawn: softplus(D) of the real pictures",
                lambda r, f, s: (1 - s) * F.softplus(-r).mean() + F.softplus(f).mean(),
            ),
            Mistake(
                "drawings stay drawings: only real pictures are smoothed",
                lambda r, f, s: smoothed_loss(r, f, s) + s * (F.softplus(-f) - F.softplus(f)).mean(),
            ),
            Mistake(
                "real pictures count as real with the weight 1 - smooth, not with smooth",
                lambda r, f, s: smoothed_loss(r, f, 1 - s),
            ),
            Mistake("take the mean over the batch, not the sum", lambda r, f, s: len(r) * smoothed_loss(r, f, s)),
            Mistake("one number for the batch: take the mean", _not_averaged),
            Mistake("the two means are added, not averaged", lambda r, f, s: smoothed_loss(r, f, s) / 2),
            Mistake("the weights belong before softplus, not inside it",
                    lambda r, f, s: losses.discriminator_loss((1 - s) * r, f)),
            Mistake(
                "log and exp of sure logits become infinite, and a sigmoid exactly 0 or 1: F.softplus stays finite",
                lambda r, f, s: -((1 - s) * r.sigmoid().log() + s * (1 - r.sigmoid()).log() + (1 - f.sigmoid()).log()
                                  ).mean(),
            ),
            Mistake(
                "the sigmoid of a sure logit is exactly 0 or 1: use F.softplus of the logits",
                lambda r, f, s: F.binary_cross_entropy(r.sigmoid(), torch.full_like(r, 1 - s))
                + F.binary_cross_entropy(f.sigmoid(), torch.zeros_like(f)),
            ),
        ),
        trains=(0, 1),
    ),
    Exercise(
        "03.2",
        "a penalty that asks for slope 1",
        slope_one_penalty,
        (_discriminator_for_r1, _discriminator_for_r1),
        (
            Mistake("this is R1: it asks for slope 0", losses.r1_penalty),
            Mistake(
                "the norm of each picture's gradient, not of the whole batch's",
                lambda d, x, g: _slope_penalty(d, x, g, size=lambda t: t.norm()),
            ),
            Mistake(
                "the norm takes the root: square, sum over pixels, root",
                lambda d, x, g: _slope_penalty(d, x, g, size=lambda t: t.square().flatten(1).sum(dim=1)),
            ),
            Mistake(
                "sum over pixels, mean over images",
                lambda d, x, g: _slope_penalty(d, x, g, size=lambda t: t.square().flatten(1).mean(dim=1).sqrt()),
            ),
            Mistake("gamma is not halved here", lambda d, x, g: slope_one_penalty(d, x, g) / 2),
            Mistake(
                "differentiate the sum of the logits: their mean makes each picture's gradient too small",
                lambda d, x, g: slope_one_penalty(lambda images: d(images) / len(images), x, g),
            ),
            Mistake(
                "one norm a picture, over channels and pixels: not one for each pixel",
                lambda d, x, g: _slope_penalty(d, x, g, size=lambda t: t.norm(dim=1)),
            ),
            Mistake(
                "the distance from 1 is squared picture by picture, before the mean",
                lambda d, x, g: g * (slope_one_penalty(d, x, 1) - _slope_variance(d, x)),
            ),
            Mistake(
                "the distance from 1 is squared",
                lambda d, x, g: g * (_norms(d, x) - 1).abs().mean(),
            ),
        ),
        trains=(0,),
    ),
    Exercise(
        "03.3",
        "a running average from zero",
        averages_from_zero,
        tuple(lambda g, n=n, d=d: (3 + torch.randn(n, generator=g), d) for n, d in ((5, 0.9), (12, 0.99), (1, 0.5))),
        (
            Mistake("divide: an average that began at 0 still holds a share of it", lambda v, d: _from_zero(v, d)),
            Mistake("begin at 0, not at the first value", lambda v, d: _from_first(v, d)),
            Mistake(
                "the first value is t = 1: with t = 0 you divide by 0",
                lambda v, d: _from_zero(v, d, lambda decay, step: 1 - decay ** (step - 1)),
            ),
            Mistake("divide only what you return: the next step goes on with the plain average", _divided_as_it_goes),
            Mistake("an average after every value, not only after the last", lambda v, d: averages_from_zero(v, d)[-1]),
            Mistake(
                "that is the plain mean so far: newer values count more",
                lambda v, d: v.cumsum(0) / torch.arange(1, len(v) + 1),
            ),
            Mistake(
                "decay belongs to the old average, 1 - decay to the new value",
                lambda v, d: averages_from_zero(v, 1 - d),
            ),
            Mistake(
                "after the first step one power of decay is left, not two",
                lambda v, d: _from_zero(v, d, lambda decay, step: 1 - decay ** (step + 1)),
            ),
            Mistake(
                "divide by what the values weigh, not by what is left of the zero",
                lambda v, d: _from_zero(v, d, lambda decay, step: decay**step),
            ),
        ),
    ),
    open_exercise("03.4", "a number that sees collapse", mean_deviation, _DIVERSITY,
          (0, lambda x: x.std()), (1, lambda x: x[0].mean() - x[-1].mean()), (1, lambda x: (x[0] - x[-1]).abs().mean()),
          (1, lambda x: (x[1:] - x[:-1]).square().mean()), (2, lambda x: x.mean(dim=(1, 2, 3)).std()),
          (3, lambda x: (x.std(dim=0) > 0).float().mean()), (0, lambda x: x.std(dim=(1, 2, 3)).mean())),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_smoothed_loss(real_logits, fake_logits, smooth):
    real = (1 - smooth) * F.softplus(-real_logits) + smooth * F.softplus(real_logits)
    return real.mean() + F.softplus(fake_logits).mean()


def my_slope_penalty(discriminator, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    norms = gradient.square().sum(dim=(1, 2, 3)).sqrt()
    return gamma * (norms - 1).square().mean()


def my_averages(values, decay):
    average, result = torch.zeros_like(values[0]), torch.empty_like(values)
    for t, value in enumerate(values):
        average = decay * average + (1 - decay) * value
        result[t] = average / (1 - decay ** (t + 1))
    return result


SOLUTIONS = (
    my_smoothed_loss,
    my_slope_penalty,
    my_averages,
)

QUESTIONS = (
    Question(
        "03.a",
        "8aea29b2d3268e7b",
        "The saturating loss is flat where D is sure; the non-saturating one has slope -1 there.",
        dict(
            b="One of the curves is steep at −9.",
            c="Its value at −9 is fine. What is its slope there?",
            d="Compare the slopes of the two curves at −9, not their values.",
        ),
    ),
    Question(
        "03.b",
        "5661b34c856b87e2",
        "Without detach the backward pass of D's loss runs through the drawings into G, in the wrong direction for G.",
        dict(
            a="PyTorch reports an error only where a graph was used up before; this one is new.",
            b="D does the same work as before; ask which other weights are reached.",
            c="D's loss is the same, but ask where backward() goes after D.",
        ),
    ),
    Question(
        "03.c",
        "d841166ee5de4f61",
        "The losses say that D cannot tell, not how good the pictures are. Look at them.",
        dict(
            b="D would soon tell noise from real pictures, and its loss would fall below 1.39.",
            c="A crash shows as nan or as a jump; these are the losses of logits that are 0.",
            d="D may be too weak to see the faults: its logits do not prove quality.",
        ),
    ),
)
