"""Exercises of lessons 07 to 10, on measuring and choosing: right answers, and wrong ones that are instructive."""

from __future__ import annotations

import numpy as np
import torch

from wwlib import information, lengths, metrics, selection, where
from wwlib.exercises import Exercise, Mistake


def gaps(table, entropy):
    """Return the information gap of each factor."""
    return torch.from_numpy(information.information_gaps(table.numpy(), entropy.numpy()))


def disentanglement(importances):
    """Return DCI's disentanglement of a table `[d, K]`."""
    from wwlib import dci  # compiled trees behind it: not for the lessons before 07

    return dci.disentanglement(importances.double().numpy())


def agreement(relation):
    """Return the relative strength of a table."""
    from wwlib import udr  # scikit-learn behind it

    return udr.relative_strength(relation.numpy())


def tpl_of(every, threshold):
    """Return the sum of mean lengths that reach the threshold."""
    return lengths.tpl_from_lengths(every, threshold).score


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


def spread_gap(first, second):
    """Return the gap between two spreads."""
    return selection.spread_gap(first.tolist(), second.tolist())


def _table(d: int, k: int):
    return lambda g: torch.rand(d, k, generator=g)


def _gaps(d: int, k: int):
    return lambda g: (torch.rand(d, k, generator=g), 1 + torch.rand(k, generator=g))


def _votes(k: int, d: int):
    return lambda g: (torch.randint(9, (k, d), generator=g), torch.randint(1, 9, (k, d), generator=g))


def _entropy_share(table, axis):
    shares = table / table.sum(dim=axis, keepdim=True)
    return 1 + (shares * shares.log()).sum(dim=axis) / np.log(table.shape[axis])


MEASURING = (
    Exercise(
        "07.1",
        "the information gap",
        gaps,
        (_gaps(5, 3), _gaps(2, 4), _gaps(10, 6)),
        (
            Mistake("a gap needs the second best as well", lambda t, h: t.max(dim=0).values / h),
            Mistake(
                "divide by the factor's entropy, so that factors with many values count the same",
                lambda t, h: t.sort(dim=0, descending=True).values[0] - t.sort(dim=0, descending=True).values[1],
            ),
            Mistake(
                "codes are rows: sort along dim 0",
                lambda t, h: t.sort(dim=1, descending=True).values[:, 0] - t.sort(dim=1, descending=True).values[:, 1],
            ),
        ),
        library=("wwlib.information:information_gaps",),
    ),
    Exercise(
        "07.2",
        "disentanglement of a table of importances",
        disentanglement,
        tuple(lambda g, d=d, k=k: (_table(d, k)(g),) for d, k in ((4, 3), (10, 6), (3, 5))),
        (
            Mistake(
                "that is completeness: take the entropy of each code's row",
                lambda r: (_entropy_share(r, 0) * r.sum(dim=0) / r.sum()).sum().item(),
            ),
            Mistake("weigh each code by its share of all importance", lambda r: _entropy_share(r, 1).mean().item()),
            Mistake(
                "1 less the entropy: a code that serves one factor should score 1",
                lambda r: ((1 - _entropy_share(r, 1)) * r.sum(dim=1) / r.sum()).sum().item(),
            ),
        ),
        library=("wwlib.dci:disentanglement",),
    ),
    Exercise(
        "07.3",
        "a majority classifier",
        metrics.vote_accuracy,
        (_votes(3, 4), _votes(6, 10), _votes(5, 2)),
        (
            Mistake(
                "learn the majority from the training votes, not from the votes that test it",
                lambda a, b: (b.max(dim=0).values.sum() / b.sum()).item(),
            ),
            Mistake(
                "each code names a factor, not each factor a code: argmax over dim 0",
                lambda a, b: (b[torch.arange(len(a)), a.argmax(dim=1)].sum() / b.sum()).item(),
            ),
            Mistake(
                "test on the test votes", lambda a, b: (a.max(dim=0).values.sum() / a.sum()).item()
            ),
        ),
    ),
    Exercise(
        "08.1",
        "the length of a path",
        lengths.path_length,
        tuple(lambda g, n=n: (torch.randn(n, 6, generator=g),) for n in (2, 5, 12)),
        (
            Mistake("from the first to the last is the way as the crow flies", lambda e: (e[-1] - e[0]).square().sum()),
            Mistake("LPIPS is the squared distance: no root", lambda e: (e[1:] - e[:-1]).norm(dim=1).sum()),
            Mistake("sum the steps, do not average them", lambda e: (e[1:] - e[:-1]).square().sum(dim=1).mean()),
        ),
    ),
    Exercise(
        "08.2",
        "TPL from lengths",
        tpl_of,
        tuple(lambda g, d=d: (torch.rand(6, d, generator=g), 0.5) for d in (4, 9)),
        (
            Mistake("asleep codes do not count", lambda e, s: e.mean(dim=0).sum().item()),
            Mistake(
                "a code is active on average, not in a single traversal",
                lambda e, s: (e * (e >= s)).mean(dim=0).sum().item(),
            ),
            Mistake("sum over active codes, not mean", lambda e, s: e.mean(dim=0)[e.mean(dim=0) >= s].mean().item()),
            Mistake(
                "average over base codes (rows) first", lambda e, s: e.mean(dim=1)[e.mean(dim=1) >= s].sum().item()
            ),
        ),
        library=("wwlib.lengths:tpl_from_lengths",),
    ),
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
        library=("wwlib.selection:choose",),
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
        library=("wwlib.selection:rank_correlation",),
    ),
    Exercise(
        "09.3",
        "how nearly two models agree",
        agreement,
        tuple(lambda g, d=d, k=k: (_table(d, k)(g),) for d, k in ((3, 3), (5, 4), (2, 7))),
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
        library=("wwlib.udr:relative_strength",),
    ),
    Exercise(
        "10.1",
        "the gap between two spreads",
        spread_gap,
        tuple(
            lambda g, shift=shift: (torch.rand(3, generator=g) + shift, torch.rand(3, generator=g))
            for shift in (0.1, 0.5, 2.0)
        ),
        (
            Mistake("a difference of means says nothing of spreads", lambda a, b: (a.mean() - b.mean()).item()),
            Mistake("the worst of the first, not the best", lambda a, b: (a.max() - b.max()).item()),
            Mistake("the best of the second, not the worst", lambda a, b: (a.min() - b.min()).item()),
        ),
        library=("wwlib.selection:spread_gap",),
    ),
    Exercise(
        "10.2",
        "an overlap above chance",
        where.above_everywhere,
        tuple(
            lambda g, n=n: (torch.rand(n, generator=g), 0.8 * torch.rand(n, generator=g)) for n in (4, 20)
        ),
        (
            Mistake("scale it, so that a perfect match is 1", lambda i, s: (i - s).clamp(min=0)),
            Mistake("no worse than nothing: clamp at 0", lambda i, s: (i - s) / (1 - s)),
            Mistake("take away what acting everywhere gets", lambda i, s: i),
        ),
    ),
)  # fmt: skip
