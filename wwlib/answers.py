"""Exercises of the lessons: right answers are the library's functions, wrong ones are instructive."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wwlib import (
    answers_flows,
    answers_fusion,
    answers_invariances,
    answers_translation,
    editing,
    factors,
    losses,
    masks,
    networks,
    training,
    where,
)
from wwlib.answers_measuring import MEASURING
from wwlib.answers_open import BUILDING_OPEN
from wwlib.answers_open_measuring import MEASURING_OPEN
from wwlib.answers_real import REAL
from wwlib.exercises import Exercise, Mistake, TinyCritic


def _randn(*shape: int):
    return lambda g: (torch.randn(*shape, generator=g),)


def _two(*shape: int):
    return lambda g: (torch.randn(*shape, generator=g), torch.randn(*shape, generator=g))


def _images(n: int, side: int = 8):
    return lambda g: torch.rand(n, 3, side, side, generator=g) * 2 - 1


def _pairs(n: int):
    return lambda g: (_images(n)(g), _images(n)(g))


def _masks(b: int, n: int, r: int):
    return lambda g: (torch.rand(b, n, r, r, generator=g),)


def _ps(b: int, d: int):
    def make(g):
        codes = torch.randn(b, d, generator=g)
        perturbed, k = losses.perturb(codes, 6.0, g)
        return codes, perturbed, k, torch.randn(b, d, generator=g), torch.randn(b, d, generator=g)

    return make


def _perturb(b: int, d: int):
    return lambda g: (
        torch.randn(b, d, generator=g),
        torch.randint(d, (b,), generator=g),
        6 * torch.randn(b, generator=g),
    )


def _booleans(g):
    return torch.rand(5, 9, 9, generator=g) > 0.6, torch.rand(5, 9, 9, generator=g) > 0.4


def _transfer(positions: list[int]):
    return lambda g: (torch.randn(4, 6, generator=g), torch.randn(4, 6, generator=g), list(positions))


def _blend(g):
    return _images(3)(g), _images(3)(g), torch.rand(3, 8, 8, generator=g)


def _start(g):
    return int(torch.randint(3, 60, (), generator=g)), round(float(torch.rand((), generator=g)) * 8 + 0.5, 2)


def _half_life(g):
    batch = int(torch.randint(4, 257, (), generator=g))
    return batch, 100 * int(torch.randint(20, 200, (), generator=g))


def _module_list(g):
    kinds = torch.randint(4, (9,), generator=g).tolist()
    numbers = torch.randint(1, 13, (9, 2), generator=g).tolist()
    tokens = {0: "C_spgroup-{0}-{1}", 1: "C_global-{1}", 2: "ResConv-id-1", 3: "Noise-1"}
    middle = (tokens[kind].format(*pair) for kind, pair in zip(kinds, numbers, strict=True))
    return (("Const-64", "ResConv-up-1", "C_spgroup-4-3", "C_global-2", *middle),)


def _logistic(scale: float):
    return lambda g: (scale * torch.randn(16, generator=g),)


def _discriminator_for_r1(g):
    return TinyCritic(g), _images(4)(g), 2.0


def add_at(codes, k, p):
    """Return `codes` with `p` added at position `k` of each row."""
    return codes + p[:, None] * F.one_hot(k, codes.shape[1])


def lerp(average, current, decay):
    """Return one step of a running average."""
    return decay * average + (1 - decay) * current


def _no_double_backward(discriminator, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real)
    return gamma / 2 * gradient.flatten(1).norm(dim=1).mean()


def _per_sample(c, c2, k, r, r2):
    mean, moved = (r + r2) / 2, F.one_hot(k, c.shape[1]).bool()
    first, second = c - torch.where(moved, r, mean), c2 - torch.where(moved, r2, mean)
    return (first.square() + second.square()).sum(1) / 2


def _all_averaged(c, c2, k, r, r2):
    mean = (r + r2) / 2
    return ((c - mean).square() + (c2 - mean).square()).sum(1).mean() / 2


_ALL = (
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
        "rotate two codes",
        factors.rotate_codes,
        (
            lambda g: (torch.randn(6, 4, generator=g), 0, 2, 30.0),
            lambda g: (torch.randn(3, 5, generator=g), 4, 1, -75.0),
        ),
        (
            Mistake(
                "turn by degrees, but sin and cos want radians",
                lambda c, i, j, a: factors.rotate_codes(c, i, j, a * 57.29578),
            ),
            Mistake("this turns the other way", lambda c, i, j, a: factors.rotate_codes(c, i, j, -a)),
            Mistake(
                "the second line must use the old value of code i, not the new one",
                lambda c, i, j, a: _in_place(c, i, j, a),
            ),
        ),
    ),
    Exercise(
        "02.1",
        "cumax",
        masks.cumax,
        (_randn(7), _randn(3, 5), _randn(2, 3, 4, 16)),
        (
            Mistake("the running sum needs the softmax first", lambda v: v.cumsum(-1)),
            Mistake("softmax over the last axis, not the first", lambda v: v.softmax(0).cumsum(-1)),
            Mistake("this is a running maximum, not a running sum", lambda v: v.softmax(-1).cummax(-1).values),
        ),
    ),
    Exercise(
        "02.2",
        "soft window",
        masks.soft_window,
        (_two(8), _two(4, 16), _two(2, 3, 9)),
        (
            Mistake("1 - cumax belongs to the closing edge", lambda a, b: (1 - masks.cumax(a)) * masks.cumax(b)),
            Mistake("both edges open here", lambda a, b: masks.cumax(a) * masks.cumax(b)),
            Mistake("multiply the two steps, do not subtract them", lambda a, b: masks.cumax(a) - masks.cumax(b)),
        ),
    ),
    Exercise(
        "02.3",
        "compositing weights",
        masks.compositing_weights,
        (_masks(2, 3, 5), _masks(1, 1, 4), _masks(3, 6, 4)),
        (
            Mistake("later codes cover earlier ones: multiply by (1 - m_j) for j > i", lambda m: _front_to_back(m)),
            Mistake(
                "the weights must account for what is painted over them", lambda m: (m, (1 - m).prod(1, keepdim=True))
            ),
            Mistake("keep the axis of T: [B, 1, R, R]", lambda m: (masks.compositing_weights(m)[0], (1 - m).prod(1))),
        ),
    ),
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
    Exercise(
        "04.1",
        "perturb one code",
        add_at,
        (_perturb(4, 6), _perturb(1, 3), _perturb(16, 10)),
        (
            Mistake("only position k of each row changes", lambda c, k, p: c + p[:, None]),
            Mistake(
                "add p to the code, do not replace it",
                lambda c, k, p: torch.where(F.one_hot(k, c.shape[1]).bool(), p[:, None], c),
            ),
            Mistake(
                "c[:, k] picks columns for all rows at once: index row by row",
                lambda c, k, p: c.index_add(1, k, p.expand(len(c), -1)),
            ),
        ),
    ),
    Exercise(
        "04.2",
        "perceptual simplicity loss",
        losses.perceptual_simplicity_loss,
        (_ps(4, 6), _ps(1, 3), _ps(32, 10)),
        (
            Mistake(
                "the codes that did not change are regressed from the average of both answers",
                lambda *a: losses.perceptual_simplicity_loss(*a, average=False),
            ),
            Mistake(
                "sum over the codes, mean over the batch",
                lambda *a: losses.perceptual_simplicity_loss(*a) / a[0].shape[1],
            ),
            Mistake("halve the sum over both images", lambda *a: 2 * losses.perceptual_simplicity_loss(*a)),
            Mistake(
                "halve once: the two images add up to one full square",
                lambda *a: losses.perceptual_simplicity_loss(*a) / 2,
            ),
            Mistake("read the moved position from each image alone, not from the average", _all_averaged),
            Mistake("one number: the mean over the batch", _per_sample),
        ),
        trains=True,
    ),
    Exercise(
        "04.3",
        "the loss before any learning",
        losses.untrained_ps_loss,
        (_start, _start, _start),
        (
            Mistake("the perturbation's variance is halved: it is in one of the two images", lambda d, s: d + s**2),
            Mistake("variance is the square of the standard deviation", lambda d, s: d + s / 2),
            Mistake("only the perturbation's part is halved: both images hold the codes", lambda d, s: (d + s**2) / 2),
            Mistake("each of the d codes has mean square 1", lambda d, s: s**2 / 2),
        ),
    ),
    Exercise(
        "05.1",
        "decay from half-life",
        training.ema_decay,
        (_half_life, _half_life, _half_life),
        (
            Mistake("the half-life is in images, a step is `batch` images", lambda b, h: 0.5 ** (1 / h)),
            Mistake("after half_life images a half is left, not 1/e", lambda b, h: torch.tensor(-b / h).exp().item()),
            Mistake("more images per step, more decay", lambda b, h: 0.5 ** (h / b)),
        ),
        tolerance=1e-7,
    ),
    Exercise(
        "05.2",
        "count the codes",
        networks.count_codes,
        (_module_list, _module_list, _module_list, lambda g: (("Const-64", "ResConv-up-2"),)),
        (
            Mistake("J comes first, n second", lambda m: sum(int(t.split("-")[1]) for t in m if t.startswith("C_"))),
            Mistake("every module has its own n", lambda m: sum(t.startswith("C_") for t in m)),
            Mistake(
                "C_global consumes codes too",
                lambda m: sum(int(t.split("-")[2]) for t in m if t.startswith("C_spgroup")),
            ),
        ),
    ),
    Exercise(
        "06.1",
        "intersection over union",
        where.iou,
        (_booleans, _booleans, lambda g: (torch.zeros(2, 4, 4).bool(), torch.zeros(2, 4, 4).bool())),
        (
            Mistake(
                "divide by the union, not by the footprint",
                lambda a, b: (a & b).sum((1, 2)) / b.sum((1, 2)).clamp(min=1),
            ),
            Mistake(
                "this is the share of agreeing pixels; empty corners would count as success",
                lambda a, b: (a == b).float().mean((1, 2)),
            ),
            Mistake(
                "one value per mask: sum over the last two axes only",
                lambda a, b: (a & b).sum() / (a | b).sum().clamp(min=1),
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
)


def _in_place(codes, i, j, degrees):
    angle = torch.deg2rad(torch.tensor(degrees))
    turned = codes.clone()
    turned[:, i] = angle.cos() * turned[:, i] - angle.sin() * turned[:, j]
    turned[:, j] = angle.sin() * turned[:, i] + angle.cos() * turned[:, j]
    return turned


def _front_to_back(m):
    weights, ground = masks.compositing_weights(m.flip(1))
    return weights.flip(1), ground


_EVERY = (
    *_ALL,
    *MEASURING,
    *BUILDING_OPEN,
    *MEASURING_OPEN,
    *REAL,
    *answers_flows.EXACT,
    *answers_flows.OPEN,
    *answers_invariances.EXACT,
    *answers_invariances.OPEN,
    *answers_translation.EXACT,
    *answers_translation.OPEN,
    *answers_fusion.EXACT,
    *answers_fusion.OPEN,
)
EXERCISES = {exercise.id: exercise for exercise in _EVERY}
