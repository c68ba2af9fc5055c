"""Exercises, written solutions and quiz questions of lesson 09."""

from __future__ import annotations

import itertools

import torch

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question
from wwlib.metrics import ranking as selection


def partners_of(relation):
    """Return for each code of one model its partner in the other, so that the sum of the ties is largest."""
    codes = torch.arange(len(relation))
    orders = torch.tensor(list(itertools.permutations(codes.tolist())))
    return orders[relation[codes, orders].sum(dim=1).argmax()]


def pick(tpl, active, least):
    """Return the position of the model that TPL chooses."""
    records = [
        dict(name=i, scores=dict(tpl=t, active_codes=a))
        for i, (t, a) in enumerate(zip(tpl.tolist(), active.tolist(), strict=True))
    ]
    return selection.choose(records, least=least)["name"]


def better_of_two(length, label):
    """Return the share of pairs of models of which the shorter one has the better label; ties count one half."""
    products = (length[:, None] - length).sign() * (label[:, None] - label).sign()
    first, second = torch.triu_indices(len(length), len(length), offset=1)
    return (0.5 - products[first, second].double().mean() / 2).item()


def _models(n: int):
    """Lengths and labels of n models; some are equal."""
    return lambda g: (torch.randint(n, (n,), generator=g) / 4, torch.randint(n, (n,), generator=g) / n)


def _pairs(length, label):
    first, second = torch.triu_indices(len(length), len(length), offset=1)
    return (length[first] - length[second]).sign(), (label[first] - label[second]).sign()


def _greedy(relation):
    """The strongest tie first, then the strongest among the codes that are left."""
    left, order = relation.clone(), torch.zeros(len(relation), dtype=torch.long)
    for _ in range(len(relation)):
        row, column = divmod(int(left.argmax()), len(relation))
        order[row] = column
        left[row], left[:, column] = -1.0, -1.0
    return order


def _ties(d: int):
    """A table of ties whose best order differs from its inverse and from the one that takes the strongest tie first."""

    def make(g):
        while True:
            relation = torch.rand(d, d, generator=g)
            order = partners_of(relation)
            if not order.equal(order.argsort()) and not order.equal(_greedy(relation)):
                return (relation,)

    return make


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
        tuple(lambda g, n=n: (5 * torch.rand(n, generator=g), torch.arange(n) % 8, 5) for n in (12, 24, 40)),
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
        "the better of two",
        better_of_two,
        (_models(6), _models(9), _models(30)),
        (
            Mistake("the shorter length should win", lambda t, y: 1 - better_of_two(t, y)),
            Mistake(
                "a tie counts one half, and not nothing",
                lambda t, y: ((p := _pairs(t, y))[0] * p[1] < 0).double().mean().item(),
            ),
            Mistake(
                "a tie counts one half, and not in full",
                lambda t, y: ((p := _pairs(t, y))[0] * p[1] <= 0).double().mean().item(),
            ),
            Mistake(
                "a model makes no pair with itself",
                lambda t, y: (0.5 - ((t[:, None] - t).sign() * (y[:, None] - y).sign()).double().mean() / 2).item(),
            ),
            Mistake(
                "divide by the number of all pairs, ties included",
                lambda t, y: ((q := (p := _pairs(t, y))[0] * p[1]) < 0).sum().item() / max(1, int((q != 0).sum())),
            ),
        ),
    ),
    Exercise(
        "09.3",
        "which code is which",
        partners_of,
        (_ties(3), _ties(5), _ties(6)),
        (
            Mistake("two codes must not have the same partner", lambda r: r.argmax(dim=1)),
            Mistake("rows first: for each code of the first model its partner", lambda r: partners_of(r).argsort()),
            Mistake("the strongest ties first need not give the largest sum: try other orders as well", _greedy),
            Mistake("the sum of the ties should be the largest, not the smallest", lambda r: partners_of(-r)),
        ),
    ),
    open_exercise(
        "09.4",
        "a better rule",
        length_per_code,
        _RULE,
        (2, lambda t, a: t),
        (0, lambda t, a: -t),
        (3, lambda t, a: torch.where(a > 0, t, torch.inf)),
        (1, lambda t, a: t / torch.arange(1, len(t) + 1).sqrt() if a.unique().numel() > 1 else t),
    ),
)


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_choice(tpl, active, least):
    return int(torch.where(active >= least, tpl, torch.inf).argmin())


def my_better_of_two(length, label):
    right = []
    for i, j in itertools.combinations(range(len(length)), 2):
        agreement = (length[j] - length[i]) * (label[i] - label[j])
        right.append(0.5 if agreement == 0 else float(agreement > 0))
    return sum(right) / len(right)


def my_partners(relation):
    best, partners = -1.0, ()
    for order in itertools.permutations(range(len(relation))):
        total = sum(float(relation[code, partner]) for code, partner in enumerate(order))
        if total > best:
            best, partners = total, order
    return torch.tensor(partners)


SOLUTIONS = (
    my_choice,
    my_better_of_two,
    my_partners,
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
