"""Exercises, written solutions and quiz questions of lesson 08."""

from __future__ import annotations

import torch

from wwlib.course.answers.common import open_exercise, random_of, rooms
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import lengths

# 08.3 a distance of your own


def coarse_pixels(images):
    """The picture averaged over 4 x 4 pixels, as one vector: squared distances compare it point by point."""
    return torch.nn.functional.avg_pool2d(images, 4).flatten(1)


def _rounded_mean(images):
    return images.mean(dim=(1, 2, 3))[:, None].round()


def _sees_every_factor(answer, seed):
    from wwlib.datasets.shapes3d import Shapes3D

    data = Shapes3D(32)
    room = data.sample_factors(1, random_of(seed))
    for name in data.factor_names:
        embedded = answer(data.variations(room, name)[0])
        if not bool(((embedded[1:] - embedded[:-1]).square().sum(dim=1) > 1e-6).all()):
            return False
    return True


def _smaller_than_any_factor(answer, seed):
    from wwlib.datasets.shapes3d import Shapes3D

    data = Shapes3D(32)
    room = data.sample_factors(1, random_of(seed))
    image = data.images(room)
    grain = 0.004 * torch.randn(image.shape, generator=random_of(seed))
    speckle = (answer(image + grain) - answer(image)).square().sum()
    steps = [answer(data.variations(room, name)[0][:2]) for name in data.factor_names]
    return all(bool((step[1] - step[0]).square().sum() > speckle) for step in steps)


_DISTANCE = (
    Property("images [n, 3, H, W] become one vector each, [n, F]",
             lambda f, s: (e := f(rooms(5, s))).dim() == 2 and len(e) == 5 and bool(e.isfinite().all())),
    Property("each picture is embedded by itself: its neighbours in the batch do not matter",
             lambda f, s: torch.allclose(f(rooms(5, s))[:1], f(rooms(5, s)[:1]), atol=1e-4)),
    Property("it sees every step of every factor of a room", _sees_every_factor),
    Property("a step of any factor is longer than a grain too fine to see", _smaller_than_any_factor),
)  # fmt: skip


def closed_length(embedded):
    """Return the length of a path that goes on from its last point to its first."""
    return lengths.path_length(torch.cat([embedded, embedded[:1]]))


def _tpl(every, threshold):
    return lengths.tpl_from_lengths(every, threshold).score


def length_per_active(every, threshold):
    """Return the mean length of the codes that reach the threshold, 0 if none does."""
    return _tpl(every, threshold) / max(1, int((every.mean(dim=0) >= threshold).sum()))


EXERCISES = (
    Exercise(
        "08.1",
        "the length of a closed path",
        closed_length,
        tuple(lambda g, n=n: (torch.randn(n, 6, generator=g),) for n in (3, 5, 12)),
        (
            Mistake("the step from the last point back to the first is missing", lambda e: lengths.path_length(e)),
            Mistake("LPIPS is the squared distance: no root", lambda e: (e - e.roll(1, 0)).norm(dim=1).sum()),
            Mistake("sum the steps, do not average them", lambda e: closed_length(e) / len(e)),
        ),
    ),
    Exercise(
        "08.2",
        "the mean length of an active code",
        length_per_active,
        (*(lambda g, d=d: (torch.rand(6, d, generator=g), 0.5) for d in (4, 9)),
         lambda g: (0.1 * torch.rand(6, 3, generator=g), 0.5)),
        (
            Mistake("asleep codes do not count", lambda e, s: e.mean(dim=0).mean().item()),
            Mistake(
                "a code is active on average, not in a single traversal",
                lambda e, s: e[e >= s].sum().item() / max(1, int((e >= s).sum())),
            ),
            Mistake("that is TPL: divide by how many codes are active", _tpl),
            Mistake("divide by the active codes, not by all", lambda e, s: _tpl(e, s) / e.shape[1]),
            Mistake(
                "0 where no code is active: a mean of nothing is nan",
                lambda e, s: e.mean(0)[e.mean(0) >= s].mean().item(),
            ),
        ),
    ),
    open_exercise("08.3", "a distance of your own", coarse_pixels, _DISTANCE,
          (0, lambda x: x), (1, lambda x: (x - x.mean(dim=0)).flatten(1)), (2, _rounded_mean),
          (2, lambda x: x[:, :, :4].flatten(1))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_closed_length(embedded):
    return (embedded - embedded.roll(1, dims=0)).square().sum()


def my_mean_length(every, threshold):
    lengths = every.mean(dim=0)
    active = lengths[lengths >= threshold]
    return float(active.sum()) / max(1, len(active))


SOLUTIONS = (
    my_closed_length,
    my_mean_length,
)

QUESTIONS = (
    Question(
        "08.a",
        "954bed1f23664e56",
        "A sum over seven codes and a sum over three are not comparable.",
        dict(
            a="Lower is better among models with equally many active codes.",
            c="More active codes may also mean that factors are split.",
            d="Per code they are 0.70 and 0.49: is a mean over other codes a fair comparison?",
        ),
    ),
    Question(
        "08.b",
        "6761f746b1d21336",
        "Half the step, a quarter of its square, twice as many: one half.",
        dict(
            a="Work it out: the square of half a step, times twice as many steps.",
            b="An ordinary length would stay; here steps are squared.",
            d="Twice as many steps, but each is shorter: by how much does its square fall?",
        ),
    ),
    Question(
        "08.c",
        "1fc93d1fdc14682e",
        "Mixtures pass through the change of both factors at every step.",
        dict(
            a="The paths are equally long in code space; only their direction differs.",
            c="Such mixtures are drawn from the same prior: training was full of them.",
            d="LPIPS knows no codes, and lines in code space are no lines in pictures.",
        ),
    ),
)
