"""Exercises, written solutions and quiz questions of lesson 05."""

from __future__ import annotations

import re

import torch

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.models import networks
from wwlib.training import step
from wwlib.training.recipes import recipe


def _half_life(g):
    batch = int(torch.randint(4, 257, (), generator=g))
    return batch, 100 * int(torch.randint(20, 200, (), generator=g))


def _module_list(g):
    kinds = torch.randint(4, (9,), generator=g).tolist()
    numbers = torch.randint(1, 13, (9, 2), generator=g).tolist()
    tokens = {0: "C_spgroup-{0}-{1}", 1: "C_global-{1}", 2: "ResConv-up-1", 3: "Noise-1"}
    middle = (tokens[kind].format(*pair) for kind, pair in zip(kinds, numbers, strict=True))
    return (("Const-64", "ResConv-up-1", "C_spgroup-4-3", "C_global-2", *middle),)


# 05.3 a generator of your own


def all_codes_at_8():
    """Ten codes, all of them at 8 x 8."""
    return ("Const-128", "ResConv-up-1", "C_spgroup-4-5", "ResConv-id-1", "C_spgroup-4-5", "ResConv-id-1",
            "ResConv-up-1", "ResConv-id-1", "ResConv-up-1", "ResConv-id-1")  # fmt: skip


def _build(answer):
    from wwlib.models.networks import Generator

    modules = tuple(answer())
    numbers = [int(number) for token in modules for number in re.findall(r"-(\d{1,9})", str(token))]
    channels = [int(channels) for token in modules for channels in re.findall(r"@(\d{1,9})", str(token))]
    widest, layers = max(numbers[:1] + channels, default=0), len(modules) + sum(numbers[1:])
    if len(modules) > 60 or widest > 1_000 or widest * layers > 20_000:
        raise ValueError("a list of at most 60 modules with small numbers, please: it is built to be tried")
    return Generator(modules, recipe("shapes3d-32").widths)


def _draws_32(answer, seed):
    generator = _build(answer)
    return generator(torch.randn(2, generator.codes, generator=random_of(seed))).shape == (2, 3, 32, 32)


def _affordable(answer, seed):
    weights, shipped_weights = (
        sum(p.numel() for p in _build(modules).parameters())
        for modules in (answer, lambda: recipe("shapes3d-32").modules)
    )
    return weights <= 2 * shipped_weights


_MODULES = (
    Property("the list builds a generator with the shipped widths that draws 32 x 32 pictures", _draws_32),
    Property("it has 6 to 16 codes", lambda f, s: 6 <= _build(f).codes <= 16),
    Property("it has at most twice the weights of the shipped generator", _affordable),
    Property("it is not the shipped list", lambda f, s: tuple(f()) != recipe("shapes3d-32").modules),
)


def codes_by_side(modules):
    """Return {side of the map: codes that act there} of a module list; the map begins with 4 x 4."""
    side, codes_at_side = 4, {}
    for k, token in enumerate(modules):
        side *= 2 if token.startswith("ResConv-up") else 1
        count = networks.count_codes(modules[k : k + 1])
        if count:
            codes_at_side[side] = codes_at_side.get(side, 0) + count
    return codes_at_side


def _codes_at(modules, number=-1, global_too=True, count=lambda n: n, begin=4, before=False, up="ResConv-up"):
    side, codes_at_side = begin, {}
    for token, following in zip(modules, (*modules[1:], ""), strict=True):
        side *= 2 if up in (following if before else token) else 1
        if token.startswith("C_spgroup") or (global_too and token.startswith("C_global")):
            codes_at_side[side] = codes_at_side.get(side, 0) + count(int(token.split("-")[number]))
    return codes_at_side


EXERCISES = (
    Exercise(
        "05.1",
        "decay from half-life",
        step.ema_decay,
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
        "codes at each resolution",
        codes_by_side,
        (_module_list, _module_list, _module_list, lambda g: (("Const-64", "ResConv-up-2"),)),
        (
            Mistake(
                "J comes first, n second",
                lambda m: _codes_at([t.replace("C_global", "C_global-0") for t in m], number=1),
            ),
            Mistake("every module has its own n", lambda m: _codes_at(m, count=lambda n: 1)),
            Mistake("C_global consumes codes too", lambda m: _codes_at(m, global_too=False)),
            Mistake('"up" is also in "C_spgroup": ask for "ResConv-up"', lambda m: _codes_at(m, up="up")),
            Mistake("the constant is 4 x 4", lambda m: _codes_at(m, begin=1)),
            Mistake("the map doubles before the codes that follow", lambda m: _codes_at(m, before=True)),
        ),
    ),
    open_exercise("05.3", "a generator of your own", all_codes_at_8, _MODULES,
          (0, lambda: ("Const-128", "C_spgroup-4-8", "ResConv-up-1")),
          (1, lambda: ("Const-128", "ResConv-up-1", "C_spgroup-4-2", "ResConv-up-1", "ResConv-up-1")),
          (2, lambda: ("Const-128", "C_spgroup-4-8", *["ResConv-id-1"] * 12, *["ResConv-up-1"] * 3)),
          (3, lambda: recipe("shapes3d-32").modules)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_ema_decay(batch, half_life):
    return 0.5 ** (batch / half_life)


def my_codes_by_side(modules):
    side, codes_at_side = 4, {}
    for module in modules:
        if module.startswith("ResConv-up"):
            side = 2 * side
        if module.startswith("C_"):
            codes_at_side[side] = codes_at_side.get(side, 0) + int(module.split("-")[-1])
    return codes_at_side


SOLUTIONS = (
    my_ema_decay,
    my_codes_by_side,
)

QUESTIONS = (
    Question(
        "05.a",
        "e45165aed4ed27e4",
        "The published code has no penalty on masks. Overlap makes codes hard to read, so it does not pay.",
        dict(
            a="D sees pictures only; it has no opinion on who drew which pixel.",
            c="R1 acts on the discriminator's slope at real pictures.",
            d="It sounds natural, but read the losses of the run: no term names a mask.",
        ),
    ),
    Question(
        "05.b",
        "8274621fce97a290",
        "Adam's estimates set every weight's step size; without them the first steps differ, and a GAN amplifies that.",
        dict(
            b="The weights agree, but a step is made of more than weights.",
            c="Speed does not change: the same operations are done.",
            d="Random codes come from the generator's state, which another part of a checkpoint holds.",
        ),
    ),
    Question(
        "05.c",
        "128d7a23019a71cf",
        "High positions act at fine resolution: the geometry is laid out already, colour is what is left.",
        dict(
            a="All codes begin alike; look at where their modules stand in the list.",
            b="Every module of the list has the same number of rectangles.",
            d="The data set knows no positions: the network never sees a label.",
        ),
    ),
)
