"""Exercises, written solutions and quiz questions of lesson 07."""

from __future__ import annotations

import math

import torch

from wwlib.course.answers.common import factor_vae, factors_of, open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import information
from wwlib.metrics.factor_vae import vote_accuracy


def code_gaps(table, entropy):
    """Return for each code the information gap of its best factor, as a share of that factor's entropy."""
    one = torch.ones(len(table))
    best = table.argmax(dim=1)
    return torch.from_numpy(information.information_gaps(table.t().numpy(), one.numpy())) / entropy[best]


def factors_served(importances):
    """Return for each code the exponential of its row's entropy, and 0 for a row of zeros."""
    rows = importances.sum(dim=1, keepdim=True)
    shares = importances / torch.where(rows > 0, rows, torch.ones_like(rows))
    served = (-torch.special.xlogy(shares, shares).sum(dim=1)).exp()
    return torch.where(rows[:, 0] > 0, served, torch.zeros_like(served))


def _gaps(d: int, k: int):
    return lambda g: (torch.rand(d, k, generator=g), 1 + torch.rand(k, generator=g))


def _votes(k: int, d: int):
    return lambda g: (torch.randint(9, (k, d), generator=g), torch.randint(1, 9, (k, d), generator=g))


def _importances(d: int, k: int):
    """Tables with some zeros, one code that serves a single factor, and one that nothing uses."""

    def make(g):
        table = torch.rand(d, k, generator=g)
        table[table < 0.2] = 0.0
        table[0] = torch.nn.functional.one_hot(torch.tensor(1), k) * 0.7
        table[1] = 0.0
        return (table,)

    return make


def _entropy(table, axis):
    """The entropy of each row (axis 1) or column (axis 0) in nats."""
    shares = table / table.sum(dim=axis, keepdim=True).clamp(min=1e-12)
    return -torch.special.xlogy(shares, shares).sum(dim=axis)


def _used(importances, served):
    """0 for the codes that nothing uses."""
    return torch.where(importances.sum(dim=1) > 0, served, torch.zeros_like(served))


# 07.4 a patient that two metrics judge differently


def rare_value_codes(factors):
    """One code a factor that only says whether the factor has its first value."""
    return (factors == 0).float()


def _turned(factors):
    return factors.float() @ torch.linalg.qr(torch.randn(6, 6, generator=random_of(1)))[0]


def _mig(answer, seed):
    from wwlib.metrics.information import mig_score

    factors = factors_of(seed)
    return mig_score(answer(factors).float().numpy(), factors.numpy()).score


def _nothing_twice(answer, seed):
    relation = torch.corrcoef(answer(factors_of(seed)).double().t()).nan_to_num().abs()
    return bool((relation - torch.eye(len(relation))).max() < 0.9)


_PATIENT = (
    Property(
        "factors [n, 6] become finite codes [n, d]",
        lambda f, s: (c := f(factors_of(s, 50))).dim() == 2 and len(c) == 50 and bool(c.isfinite().all()),
    ),
    Property("nothing is stored twice: no two codes correlate by 0.9 or more", _nothing_twice),
    Property("the FactorVAE score is above 0.9", lambda f, s: factor_vae(f, s) > 0.9),
    Property("MIG is below 0.2", lambda f, s: _mig(f, s) < 0.2),
)


def right_by_factor(train, test):
    """Return for each factor the share of its test votes that the majority classifier gets right."""
    shares = []
    for k, row in enumerate(test):
        only = torch.zeros_like(test)
        only[k] = row
        shares.append(vote_accuracy(train, only))
    return torch.tensor(shares)


def _right(train, test):
    chosen = train.argmax(dim=0) == torch.arange(len(train))[:, None]
    return (test * chosen).float()


EXERCISES = (
    Exercise(
        "07.1",
        "the gap of a code",
        code_gaps,
        (_gaps(5, 3), _gaps(2, 4), _gaps(10, 6)),
        (
            Mistake("a gap needs the second best as well", lambda t, h: t.amax(dim=1) / h[t.argmax(dim=1)]),
            Mistake(
                "divide by the entropy of the factor that the code tells most about",
                lambda t, h: t.sort(dim=1, descending=True).values[:, 0] - t.sort(dim=1, descending=True).values[:, 1],
            ),
            Mistake(
                "that is the gap of each factor; codes are rows: sort along dim 1",
                lambda t, h: torch.from_numpy(information.information_gaps(t.numpy(), h.numpy())),
            ),
            Mistake(
                "divide after choosing the factor, or another factor may win",
                lambda t, h: (t / h).sort(dim=1).values.diff(dim=1)[:, -1],
            ),
        ),
    ),
    Exercise(
        "07.2",
        "how many factors a code serves",
        factors_served,
        (_importances(4, 3), _importances(10, 6), _importances(6, 5)),
        (
            Mistake(
                "codes are rows: take the entropy of each row",
                lambda r: torch.where(r.sum(dim=0) > 0, _entropy(r, 0).exp(), 0.0),
            ),
            Mistake(
                "e to the power of an entropy in nats: do not divide by log K before",
                lambda r: _used(r, (_entropy(r, 1) / math.log(r.shape[1])).exp()),
            ),
            Mistake("the entropy is not yet a number of factors: take its exponential", lambda r: _entropy(r, 1)),
            Mistake("an entropy is 0 or more: it has a minus sign", lambda r: _used(r, (-_entropy(r, 1)).exp())),
            Mistake(
                "a code that nothing uses serves 0 factors, and e to the power of 0 is 1",
                lambda r: _entropy(r, 1).exp(),
            ),
            Mistake(
                "count a small share as less than a large one: this counts every entry above 0",
                lambda r: (r > 0).sum(dim=1).to(r.dtype),
            ),
            Mistake(
                "0 log 0 counts as 0: `torch.special.xlogy` knows that, `p * p.log()` gives NaN",
                lambda r: -((p := r / r.sum(dim=1, keepdim=True)) * p.log()).sum(dim=1).exp(),
            ),
        ),
    ),
    Exercise(
        "07.3",
        "right votes, factor by factor",
        right_by_factor,
        (_votes(3, 4), _votes(6, 10), _votes(5, 2)),
        (
            Mistake(
                "learn the majority from the training votes, not from the votes that test it",
                lambda a, b: right_by_factor(b, b),
            ),
            Mistake(
                "one share for each factor, not one for all votes", lambda a, b: _right(a, b).sum() / b.sum()
            ),
            Mistake(
                "a share of the factor's own votes: divide by the sum of its row",
                lambda a, b: _right(a, b).sum(dim=1) / b.sum(),
            ),
            Mistake("factors are rows: sum along dim 1", lambda a, b: _right(a, b).sum(dim=0) / b.sum(dim=0)),
            Mistake("test on the test votes", lambda a, b: right_by_factor(a, a)),
        ),
    ),
    open_exercise("07.4", "a patient of your own", rare_value_codes, _PATIENT,
          (1, lambda v: torch.cat([v, v], dim=1).float()), (2, _turned),
          (3, lambda v: v.float())),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_code_gaps(information, entropy):
    best = information.topk(2, dim=1)
    return (best.values[:, 0] - best.values[:, 1]) / entropy[best.indices[:, 0]]


def my_factors_served(importances):
    rows = importances.sum(dim=1)
    shares = importances / rows.clamp(min=1e-12)[:, None]
    entropy = -torch.special.xlogy(shares, shares).sum(dim=1)
    return torch.where(rows > 0, entropy.exp(), 0.0)


def my_right_votes(train, test):
    majority = train.argmax(dim=0)
    right = torch.zeros(len(test))
    right.index_add_(0, majority, test[majority, torch.arange(test.shape[1])].float())
    return right / test.sum(dim=1)


SOLUTIONS = (
    my_code_gaps,
    my_factors_served,
    my_right_votes,
)

QUESTIONS = (
    Question(
        "07.a",
        "113a01f72db38b8f",
        "Doubled codes: the runner-up knows as much as the winner, and each copy speaks of one factor only.",
        dict(
            a="Turned axes lower MIG too, but turned codes mix factors, and modularity sees that.",
            b="Too few codes must mix factors, and modularity would fall.",
            d="A representation that knows nothing scores at chance in the BetaVAE score.",
        ),
    ),
    Question(
        "07.b",
        "ac9cf6c93581020a",
        "The classifier decides: the table of section 4 has one representation and several values.",
        dict(
            a="Both used the same data.",
            c="It matters a little, but the score weighs codes by their importance.",
            d="Training time changes the representation, not how its score is computed.",
        ),
    ),
    Question(
        "07.c",
        "12ae7e2bf9df4b09",
        "Only the where score looks at pixels; the rest see what can be read off.",
        dict(
            b="Explicitness asks whether factors can be read off, and here they can.",
            c="MIG looks at codes and factors; a tint is in neither table.",
            d="A tint changes pixels: does every score of this lesson look at tables only?",
        ),
    ),
)
