"""Exercises, written solutions and quiz questions of lesson 09."""

from __future__ import annotations

import torch

from wwlib.course.answers.common import open_exercise, random_of, random_table
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import ranking as selection
from wwlib.metrics import udr


def agreement(relation):
    """Return the relative strength of a table."""
    return udr.relative_strength(relation.numpy())


def pick(tpl, active, least):
    """Return the position of the model that TPL chooses."""
    records = [
        dict(name=i, scores=dict(tpl=t, active_codes=a))
        for i, (t, a) in enumerate(zip(tpl.tolist(), active.tolist(), strict=True))
    ]
    return selection.choose(records, least=least)["name"]


def rank_correlation(first, second):
    """Return Spearman's correlation of two vectors without ties."""
    from scipy.stats import spearmanr

    return float(spearmanr(first.numpy(), second.numpy()).statistic)


# 09.4 a rule that does not reward sleep


def length_per_code(tpl, active):
    """TPL for each active code; a model without active codes comes last."""
    return torch.where(active > 0, tpl / active.clamp(min=1), torch.inf)


def _as_tpl(answer, seed):
    tpl = torch.rand(9, generator=random_of(seed)) * 5 + 0.1
    score = answer(tpl, torch.full((9,), 6))
    return score.shape == tpl.shape and bool((score.argsort() == tpl.argsort()).all())


def _moves_with_models(answer, seed):
    random = random_of(seed)
    tpl, active = torch.rand(9, generator=random) * 5, torch.randint(1, 10, (9,), generator=random)
    order = torch.randperm(9, generator=random)
    return torch.allclose(answer(tpl, active)[order].float(), answer(tpl[order], active[order]).float(), atol=1e-5)


def _collapse_is_last(answer, seed):
    score = answer(torch.tensor([0.0, 3.0, 90.0]), torch.tensor([0, 5, 9]))
    return bool(score[0] >= score[1:].max())


def _twice_as_much(answer, seed):
    score = answer(torch.tensor([2.0, 4.0]), torch.tensor([4, 8]))
    return bool(score[1] <= score[0] + 1e-6)


_RULE = (
    Property("models with equally many active codes are ordered as by TPL, the smallest value best", _as_tpl),
    Property("each model keeps its value when the models come in another order", _moves_with_models),
    Property("a model with no active code, whose TPL is 0, is not better than any other", _collapse_is_last),
    Property("twice as many codes of the same length are no worse", _twice_as_much),
)


EXERCISES = (
    Exercise(
        "09.1",
        "choose without labels",
        pick,
        tuple(
            lambda g, n=n: (5 * torch.rand(n, generator=g), torch.arange(n) % 8, 5) for n in (12, 24, 40)
        ),
        (
            Mistake("a model with too few active codes is short for nothing", lambda t, a, n: t.argmin().item()),
            Mistake("shorter is better", lambda t, a, n: torch.where(a >= n, t, -1.0).argmax().item()),
            Mistake(
                "return the position in the whole list, not among the candidates",
                lambda t, a, n: t[a >= n].argmin().item(),
            ),
        ),
        library=(selection.choose,),
    ),
    Exercise(
        "09.2",
        "rank correlation",
        rank_correlation,
        tuple(
            lambda g, n=n: (torch.randn(n, generator=g).exp(), torch.randn(n, generator=g)) for n in (7, 30)
        ),
        (
            Mistake(
                "correlate ranks, not values",
                lambda a, b: torch.corrcoef(torch.stack([a, b]))[0, 1].item(),
            ),
            Mistake(
                "argsort gives the order; argsort of it gives the ranks",
                lambda a, b: torch.corrcoef(torch.stack([a.argsort(), b.argsort()]).float())[0, 1].item(),
            ),
            Mistake(
                "rank both in the same direction",
                lambda a, b: -rank_correlation(a, b),
            ),
        ),
        tolerance=1e-4,
        library=(selection.rank_correlation,),
    ),
    Exercise(
        "09.3",
        "how nearly two models agree",
        agreement,
        tuple(lambda g, d=d, k=k: (random_table(d, k)(g),) for d, k in ((3, 3), (5, 4), (2, 7))),
        (
            Mistake(
                "rows and columns both: a code of one model may be split among several of the other",
                lambda r: (r.max(dim=0).values ** 2 / r.sum(dim=0)).mean().item(),
            ),
            Mistake(
                "average the two means: the score ends at 1",
                lambda r: (
                    (r.max(dim=0).values ** 2 / r.sum(dim=0)).mean() + (r.max(dim=1).values ** 2 / r.sum(dim=1)).mean()
                ).item(),
            ),
            Mistake(
                "square the maximum: strong matches should count more than weak ones",
                lambda r: (
                    ((r.max(dim=0).values / r.sum(dim=0)).mean() + (r.max(dim=1).values / r.sum(dim=1)).mean()) / 2
                ).item(),
            ),
        ),
        library=(udr.relative_strength,),
    ),
    open_exercise("09.4", "a better rule", length_per_code, _RULE,
          (2, lambda t, a: t), (0, lambda t, a: -t), (3, lambda t, a: torch.where(a > 0, t, torch.inf)),
          (1, lambda t, a: t / torch.arange(1, len(t) + 1).sqrt() if a.unique().numel() > 1 else t)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_choice(tpl, active, least):
    return int(torch.where(active >= least, tpl, torch.inf).argmin())


def my_spearman(first, second):
    ranks = [values.argsort().argsort().double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def my_agreement(relation):
    rows = relation.max(dim=1).values ** 2 / relation.sum(dim=1)
    columns = relation.max(dim=0).values ** 2 / relation.sum(dim=0)
    return float((rows.mean() + columns.mean()) / 2)


SOLUTIONS = (
    my_choice,
    my_spearman,
    my_agreement,
)

QUESTIONS = (
    Question(
        "09.a",
        "8473a8e591f57fc0",
        "Ranks use only the order, and the two scores have no common scale.",
        dict(
            a="TPL is a sum of squares, and its sign would not matter to a correlation.",
            b="Both become unsure with few models.",
            c="It can be larger or smaller; size is no reason to prefer it.",
        ),
    ),
    Question(
        "09.b",
        "efde93027e1dd880",
        "Codes that sleep cost nothing: TPL rewards a collapse unless codes are counted.",
        dict(
            a="They are in another family; the rule on codes was not made against them.",
            b="Size does not enter; the number of moving codes does.",
            d="That is what one hopes for; ask which models have the shortest paths of all.",
        ),
    ),
    Question(
        "09.c",
        "799de8659959e428",
        "An interval from bootstrap over models says how far chance could have moved it.",
        dict(
            a="A wide interval is what few models give; no error is needed.",
            c="Not useful is more than the interval says: it also holds −0.6.",
            d="The interval holds 0 and small positive values as well.",
        ),
    ),
)
