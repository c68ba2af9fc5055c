"""Exercises, written solutions and quiz questions of lesson 19."""

from __future__ import annotations

import random

import torch

from wwlib.course.answers.common import open_exercise
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.datasets.captions import DIGITS, FILLERS, INKS, SIZES, UNSAID, vocabulary, write
from wwlib.flows import text_to_image

# 19.1 told anew, where both conditionals are Gaussians


def retell_gaussian(z, old_mean, old_spread, new_mean, new_spread):
    """Standardise z under the old condition and undo that under the new one; all `[B, d]`."""
    return (z - old_mean) / old_spread * new_spread + new_mean


def _gaussians(n: int, d: int):
    def make(g):
        z, old, new = torch.randn(3, n, d, generator=g)
        spreads = 0.3 + torch.rand(2, n, d, generator=g)
        return z, old, spreads[0], new, spreads[1]

    return make


# 19.2 what the residual still says of its condition


def mean_kl(means, spreads):
    """Mean over conditions of KL(N(mean, spread^2) || N(0, I)) in nats, for `[C, d]` and `[C, d]`."""
    return 0.5 * (means.square() + spreads.square() - 1 - 2 * spreads.log()).sum(dim=1).mean()


def _residuals(c: int, d: int):
    return lambda g: (torch.randn(c, d, generator=g), 0.3 + torch.rand(c, d, generator=g))


def _draws(n: int, m: int, d: int):
    def make(g):
        return (torch.randn(n, 1, d, generator=g) + 0.4 * torch.randn(n, m, d, generator=g),)

    return make


def _root_mean(variances):
    return float(variances.mean().sqrt())


# 19.4 an editor of captions


def change_ink(caption, ink):
    """Put another ink into a caption: the word for a hue that is not the paper's."""
    inks = ("red", "orange", "lime", "green", "mint", "cyan", "blue", "violet", "purple", "pink")
    words = caption.split()
    for k, word in enumerate(words):
        if word in inks and (k == 0 or words[k - 1] != "dark"):
            words[k] = ink
            if k and words[k - 1] in ("a", "an"):
                words[k - 1] = "an" if ink == "orange" else "a"
    return " ".join(words)


def _captions(seed: int, ink: bool = True) -> list[tuple[list[int], str]]:
    """Twenty things stated, with captions that say them."""
    words = random.Random(seed)
    captions = []
    for _ in range(20):
        stated = [
            UNSAID if words.random() < share else words.randrange(size)
            for share, size in zip((0.2, 0.0 if ink else 1.0, 0.2), SIZES, strict=True)
        ]
        captions.append((stated, write(stated, words)))
    return captions


def _edited(answer, seed: int, ink: bool = True):
    """Original, new ink and edited caption of twenty captions."""
    words = random.Random(seed + 1)
    for stated, caption in _captions(seed, ink):
        new = INKS[(max(stated[1], 0) + words.randrange(1, len(INKS))) % len(INKS)]
        yield caption.split(), new, answer(caption, new).split()


def _names_ink(words: list[str], k: int) -> bool:
    return words[k] in INKS and (k == 0 or words[k - 1] != "dark")


def _inks(words: list[str]) -> list[str]:
    return [word for k, word in enumerate(words) if _names_ink(words, k)]


def _rest(words: list[str]) -> list[str]:
    """Every word that means something and is not the ink's."""
    return [word for k, word in enumerate(words) if word not in FILLERS and not _names_ink(words, k)]


_EDITOR = (
    Property("the result is text, and every word of it belongs to the grammar",
             lambda f, s: all(set(e) <= set(vocabulary()) and e for _, _, e in _edited(f, s))),
    Property("a caption that names an ink names the new one instead",
             lambda f, s: all(_inks(e) == [new] for _, new, e in _edited(f, s))),
    Property("the paper keeps its colour, also where it is called dark red and the ink was red",
             lambda f, s: f("a red two on dark red paper", "blue").split()[-3:] == ["dark", "red", "paper"]
             and all(_paper(c) == _paper(e) for c, _, e in _edited(f, s))),
    Property("all other words that mean something stay",
             lambda f, s: all(_rest(e) == _rest(c) for c, _, e in _edited(f, s))),
    Property("a caption that names no ink comes back as it was",
             lambda f, s: all(c == e for c, _, e in _edited(f, s, ink=False))),
)  # fmt: skip


def _paper(words: list[str]) -> list[str]:
    """The two words before "paper": enough to know its colour."""
    end = words.index("paper") if "paper" in words else 0
    return [word for word in words[max(0, end - 2) : end] if word not in FILLERS]


def _every_hue(caption, ink):
    return " ".join(ink if word in INKS else word for word in caption.split())


def _first_hue(caption, ink):
    words = caption.split()
    hues = [k for k, word in enumerate(words) if word in INKS]
    return " ".join([*words[: hues[0]], ink, *words[hues[0] + 1 :]]) if hues else caption


EXERCISES = (
    Exercise(
        "19.1",
        "told anew",
        retell_gaussian,
        (_gaussians(4, 3), _gaussians(1, 6), _gaussians(7, 2)),
        (
            Mistake("the spread of the new condition counts as well", lambda z, m, s, n, t: (z - m) / s + n),
            Mistake("first undo the old condition, then apply the new one",
                    lambda z, m, s, n, t: (z - n) / t * s + m),
            Mistake("divide by the old spread", lambda z, m, s, n, t: (z - m) * t + n),
            Mistake("the mean moves, and the spread changes, too", lambda z, m, s, n, t: z - m + n),
            Mistake("divide by the old spread and multiply by the new one, not the reverse",
                    lambda z, m, s, n, t: (z - m) * s / t + n),
            Mistake("that is the residual: go back under the new condition", lambda z, m, s, n, t: (z - m) / s),
            Mistake("add the new mean, too", lambda z, m, s, n, t: (z - m) / s * t),
            Mistake("subtract the old mean before you divide", lambda z, m, s, n, t: z / s * t - m + n),
            Mistake("the residual must keep what the old condition left open", lambda z, m, s, n, t: n),
        ),
    ),
    Exercise(
        "19.2",
        "what the residual still says",
        mean_kl,
        (_residuals(5, 4), _residuals(1, 3), _residuals(8, 1)),
        (
            Mistake("the mean over conditions, the sum over dimensions",
                    lambda m, s: 0.5 * (m.square() + s.square() - 1 - 2 * s.log()).mean()),
            Mistake("a spread below 1 costs too: subtract its logarithm",
                    lambda m, s: 0.5 * (m.square() + s.square() - 1).sum(dim=1).mean()),
            Mistake("one half of all of it", lambda m, s: 2 * mean_kl(m, s)),
            Mistake("the mean over conditions, not their sum", lambda m, s: len(m) * mean_kl(m, s)),
            Mistake("dimensions are summed and conditions averaged, not the reverse",
                    lambda m, s: mean_kl(m.t(), s.t())),
            Mistake("one number: the mean over conditions",
                    lambda m, s: torch.stack([mean_kl(*row) for row in zip(m.split(1), s.split(1), strict=True)])),
            Mistake("nats: the natural logarithm", lambda m, s: mean_kl(m, s) / torch.tensor(2.0).log()),
            Mistake("from the residuals to N(0, I), not from N(0, I) to the residuals",
                    lambda m, s: (s.log() + (1 + m.square()) / (2 * s.square()) - 0.5).sum(dim=1).mean()),
            Mistake("what you get are standard deviations, not variances", lambda m, s: mean_kl(m, s.sqrt())),
            Mistake("log of the variance is twice the log of the spread",
                    lambda m, s: 0.5 * (m.square() + s.square() - 1 - s.log()).sum(dim=1).mean()),
            Mistake("a mean away from 0 is what tells conditions apart", lambda m, s: mean_kl(0 * m, s)),
        ),
    ),
    Exercise(
        "19.3",
        "spread within, and altogether",
        text_to_image.within_and_total,
        (_draws(5, 6, 3), _draws(3, 4, 1), _draws(8, 2, 4)),
        (
            Mistake("average variances, then take the root: the mean of roots is smaller",
                    lambda x: (float(x.std(dim=1, correction=0).mean()),
                               _root_mean(x.flatten(0, 1).var(dim=0, correction=0)))),
            Mistake("correction=0: divide by the number, not by the number minus 1",
                    lambda x: (float(x.var(dim=1).mean().sqrt()),
                               float(x.flatten(0, 1).var(dim=0).mean().sqrt()))),
            Mistake("average variances, then take the root: both of yours average spreads",
                    lambda x: (float(x.std(dim=1, correction=0).mean()),
                               float(x.flatten(0, 1).std(dim=0, correction=0).mean()))),
            Mistake("the root of each of the two is missing",
                    lambda x: tuple(value**2 for value in text_to_image.within_and_total(x))),
            Mistake("first within, then altogether", lambda x: text_to_image.within_and_total(x)[::-1]),
            Mistake("two numbers are asked for: within and altogether", lambda x: text_to_image.within_and_total(x)[0]),
            Mistake("within a condition means along the draws, dimension 1",
                    lambda x: (_root_mean(x.var(dim=0, correction=0)),
                               _root_mean(x.flatten(0, 1).var(dim=0, correction=0)))),
            Mistake("altogether means over conditions and draws at once",
                    lambda x: (_root_mean(x.var(dim=1, correction=0)),
                               _root_mean(x.mean(dim=1).var(dim=0, correction=0)))),
            Mistake("each dimension has its own mean: do not mix them",
                    lambda x: (_root_mean(x.var(dim=1, correction=0)), _root_mean(x.var(correction=0)))),
        ),
    ),
    open_exercise("19.4", "an editor of captions", change_ink, _EDITOR,
          (0, lambda c, ink: c.replace(c.split()[0], "crimson")), (1, lambda c, ink: c),
          (2, _every_hue), (1, lambda c, ink: f"{c} in {ink} ink"), (1, _first_hue),
          (3, lambda c, ink: " ".join(w for w in change_ink(c, ink).split() if w not in DIGITS) or c),
          (4, lambda c, ink: change_ink(c, ink) if set(_inks(c.split())) else f"{c} in {ink} ink")),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_retell(z, old_mean, old_spread, new_mean, new_spread):
    residual = (z - old_mean) / old_spread
    return residual * new_spread + new_mean


def my_mean_kl(means, spreads):
    nats = (means.square() + spreads.square() - 1) / 2 - spreads.log()
    return nats.sum(dim=1).mean()


def my_within_and_total(codes):
    within = codes.var(dim=1, correction=0).mean().sqrt()
    total = codes.flatten(0, 1).var(dim=0, correction=0).mean().sqrt()
    return within.item(), total.item()


SOLUTIONS = (
    my_retell,
    my_mean_kl,
    my_within_and_total,
)

QUESTIONS = (
    Question(
        "19.a",
        "2344d2e32b02a017",
        "The mean over all colours is grey, and the mean over all places is blurred.",
        dict(
            b="The same decoder draws the translation sharply.",
            c="Longer training brings it closer to the mean, which its loss asks for.",
            d="Ten numbers suffice to steer a digit: the translation does it.",
        ),
    ),
    Question(
        "19.b",
        "331edbdaf8b6e24c",
        "The training only sees pairs of code and embedding.",
        dict(
            a="Both are frozen, and their outputs are computed once, before the training.",
            b="The loss is taken on codes: no picture is drawn in training.",
            c="Captions become numbers before the training starts.",
        ),
    ),
    Question(
        "19.c",
        "6ee7fe99e6d1731d",
        "The loss is that entropy plus two terms, and both must then be 0.",
        dict(
            a="A residual of 0 could not make one caption many pictures.",
            b="One of the two remaining terms measures just this dependence.",
            d="Then v would tell something of the caption, and the mutual information would be above 0.",
        ),
    ),
    Question(
        "19.d",
        "8038b7948edc084c",
        "An edit replaces what the condition says and keeps all the rest.",
        dict(
            a="The residual is taken from picture b, not drawn anew.",
            c="The caption of picture a does not state an ink; where could it come from?",
            d="A mixture would need both residuals; only that of b is used.",
        ),
    ),
)
