"""Exercises, written solutions and quiz questions of lesson 11."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.models import editing


def celeba_crop(picture: Tensor) -> Tensor:
    """Return rows 57 to 184 and columns 25 to 152 of an aligned CelebA picture `[C, 218, 178]`."""
    return picture[:, 57:185, 25:153]


def mirror(images: Tensor, coins: Tensor) -> Tensor:
    """Return images `[n, C, H, W]` flipped left to right where `coins` `[n]` is true."""
    return torch.where(coins[:, None, None, None], images.flip(-1), images)


# 11.4 does it copy


def closest(drawn, pictures):
    """The position of the closest picture for each drawing, and the root of the mean squared difference to it."""
    distances = torch.cdist(drawn.flatten(1), pictures.flatten(1)) / drawn[0].numel() ** 0.5
    nearest = distances.min(dim=1)
    return nearest.indices, nearest.values


@functools.cache
def _portraits():
    from wwlib.datasets.portraits import Portraits

    return Portraits(32)


def _faces(n: int, seed: int) -> Tensor:
    return _portraits().sample_images(n, random_of(seed))


def _finds_copies(answer, seed):
    pictures = _faces(30, seed)
    where, how_far = answer(pictures[[4, 0, 17]].clone(), pictures)
    # relative: distances come in any unit, and torch.cdist finds a hundredth of one between equal pictures
    nothing = 0.01 * answer(_faces(5, seed + 100), pictures)[1].min()
    return where.tolist() == [4, 0, 17] and bool((how_far.abs() <= nothing).all())


def _finds_copies_under_grain(answer, seed):
    pictures = _faces(30, seed)
    grain = 0.05 * torch.randn(3, *pictures.shape[1:], generator=random_of(seed))
    return answer(pictures[[4, 0, 17]] + grain, pictures)[0].tolist() == [4, 0, 17]


def _follows_the_order(answer, seed):
    pictures, drawn = _faces(30, seed), _faces(5, seed + 100)
    order = torch.randperm(30, generator=random_of(seed))
    return torch.equal(order[answer(drawn, pictures[order])[0]], answer(drawn, pictures)[0])


def _unseen_are_further(answer, seed):
    pictures = _faces(30, seed)
    copies = pictures[:5] + 0.02 * torch.randn(5, *pictures.shape[1:], generator=random_of(seed))
    return bool(answer(copies, pictures)[1].max() < answer(_faces(5, seed + 100), pictures)[1].min())


def _each_by_itself(answer, seed):
    pictures, drawn = _faces(30, seed), _faces(5, seed + 100)
    return torch.allclose(answer(drawn, pictures)[1][:1], answer(drawn[:1], pictures)[1], rtol=1e-2)


def _more_pictures_are_closer(answer, seed):
    pictures, drawn = _faces(200, seed), _faces(5, seed + 100)
    few, many = answer(drawn, pictures[:20])[1], answer(drawn, pictures)[1]
    return bool((many <= 1.01 * few).all()) and bool(many.sum() < few.sum())


_COPY = (
    Property("a copy is found where it stands, at distance 0", _finds_copies),
    Property("a copy is found under a fine grain", _finds_copies_under_grain),
    Property("another order of the pictures changes the positions, not the choice", _follows_the_order),
    Property("pictures that were never seen are further away than grainy copies", _unseen_are_further),
    Property("each drawing is judged by itself", _each_by_itself),
    Property("among more pictures the closest is at least as close", _more_pictures_are_closer),
)


def _equal_only(drawn, pictures):
    equal = (drawn[:, None] == pictures).flatten(2).all(dim=2)
    return equal.int().argmax(dim=1), 1 - equal.any(dim=1).float()


def _drawings_and_pictures(n: int):
    def make(g: torch.Generator) -> tuple[Tensor, Tensor]:
        pictures = torch.rand(n, 3, 6, 6, generator=g) * 2 - 1
        return pictures + 0.4 * torch.randn(pictures.shape, generator=g), pictures

    return make


def _pictures_and_coins(n: int):
    return lambda g: (torch.randn(n, 3, 5, 6, generator=g), torch.arange(n) % 2 == 0)


EXERCISES = (
    Exercise(
        "11.1",
        "the paper's crop",
        celeba_crop,
        tuple(lambda g, c=c: (torch.randn(c, 218, 178, generator=g),) for c in (3, 1, 4)),
        (
            Mistake("the crop lies below the middle: it begins at row 57", lambda p: p[:, 45:173, 25:153]),
            Mistake("rows come first: 57 to 184 are rows", lambda p: p[:, 25:153, 49:177]),
            Mistake("the last row is 184, and a slice ends before its end", lambda p: p[:, 57:184, 25:152]),
            Mistake("rows count from 0: no shift by one", lambda p: p[:, 58:186, 26:154]),
        ),
    ),
    Exercise(
        "11.2",
        "mirror by coin",
        mirror,
        (
            _pictures_and_coins(4),
            _pictures_and_coins(7),
            lambda g: (torch.randn(2, 1, 3, 4, generator=g), torch.tensor([False, True])),
        ),
        (
            Mistake(
                "left to right is the last axis; you turned the pictures upside down",
                lambda x, c: torch.where(c[:, None, None, None], x.flip(-2), x),
            ),
            Mistake("only where the coin says so", lambda x, c: x.flip(-1)),
            Mistake(
                "flip where the coin is true, not where it is false",
                lambda x, c: torch.where(c[:, None, None, None], x, x.flip(-1)),
            ),
            Mistake(
                "a turn by half a circle flips both axes",
                lambda x, c: torch.where(c[:, None, None, None], x.flip(-1, -2), x),
            ),
        ),
    ),
    Exercise(
        "11.3",
        "how much is explained",
        editing.share_explained,
        (_drawings_and_pictures(3), _drawings_and_pictures(8), _drawings_and_pictures(20)),
        (
            Mistake(
                "1 less the ratio: a perfect drawing explains everything",
                lambda d, w: ((d - w).square().sum() / (w - w.mean(dim=0)).square().sum()).item(),
            ),
            Mistake(
                "the mean *picture*: average over the pictures, not over all pixels",
                lambda d, w: (1 - (d - w).square().sum() / (w - w.mean()).square().sum()).item(),
            ),
            Mistake(
                "squared errors, not absolute ones",
                lambda d, w: (1 - (d - w).abs().sum() / (w - w.mean(dim=0)).abs().sum()).item(),
            ),
            Mistake(
                "the mean of the wanted pictures, not of the drawings",
                lambda d, w: (1 - (d - w).square().sum() / (w - d.mean(dim=0)).square().sum()).item(),
            ),
        ),
    ),
    open_exercise(
        "11.4",
        "does it copy",
        closest,
        _COPY,
        (0, lambda d, p: (torch.zeros(len(d), dtype=torch.int64), torch.zeros(len(d)))),
        (1, _equal_only),
        (0, lambda d, p: (closest(d, p)[0], torch.zeros(len(d)) + 1)),
        (4, lambda d, p: (closest(d, p)[0], closest(d, p)[1] * len(d))),
        (5, lambda d, p: (closest(d, p)[0], closest(d, p)[1] * len(p))),
    ),
)


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_crop(picture):
    return picture[:, 57:185, 25:153]


def my_mirror(images, coins):
    return torch.where(coins[:, None, None, None], images.flip(-1), images)


def my_share(drawn, wanted):
    mean_picture = wanted.mean(dim=0, keepdim=True)
    left = (drawn - wanted).square().sum() / (mean_picture - wanted).square().sum()
    return 1 - left.item()


SOLUTIONS = (
    my_crop,
    my_mirror,
    my_share,
)

QUESTIONS = (
    Question(
        "11.a",
        "5037ab7b154ac413",
        "Eyes and votes ask different questions; a reader needs both, and which was asked.",
        dict(
            a="Votes ask the model's own reader and known factors, which photographs do not have.",
            b="The mean of answers to different questions answers neither.",
            c="A single reader is a small sample, and was asked another question.",
        ),
    ),
    Question(
        "11.b",
        "e3f2b8a7e2c0a0b0",
        "An answer without a model is the level from which a model's answer counts.",
        dict(
            b="Without it, is 80 % much or little?",
            c="Copying would show in the distance to pictures of the training set.",
            d="A ceiling would have to be an upper bound; projection has just passed it.",
        ),
    ),
    Question(
        "11.c",
        "00d3ad3d2cb0d1bb",
        "TPL asks the generator alone; the other three need the factors of every picture.",
        dict(
            a="It compares with footprints of factors.",
            b="DCI predicts factors from codes: there is nothing to predict.",
            d="It holds a factor fixed; which one would you hold?",
        ),
    ),
    Question(
        "11.d",
        "fe9479a5407f6608",
        "Another crop is another data set, and a score belongs to its pictures.",
        dict(
            a="Dividing by an area does not make the pictures the same.",
            c="A threshold decides which codes count; the lengths themselves would still differ.",
            d="TPL needs no labels, but it is measured on drawings of a data set.",
        ),
    ),
)
