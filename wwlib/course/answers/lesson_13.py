"""Exercises, written solutions and quiz questions of lesson 13."""

from __future__ import annotations

import math

import torch

from wwlib.course.answers.common import open_exercise
from wwlib.course.exercise import Exercise, Mistake, Property, Question

# 13.1 a bound that no critic can exceed


def lower_bound(scores):
    """The bound of Donsker and Varadhan on mutual information, nats, from scores `[B, B]` of true and mixed pairs."""
    n = len(scores)
    mixed = scores[~torch.eye(n, dtype=torch.bool, device=scores.device)]
    return scores.diagonal().mean() - (mixed.logsumexp(dim=0) - math.log(n * (n - 1)))


def _scores(n: int, shift: float = 0.0, true: float = 2.0):
    return lambda g: (torch.randn(n, n, generator=g) + torch.eye(n) * true + shift,)


def _mixed(scores):
    return scores[~torch.eye(len(scores), dtype=torch.bool, device=scores.device)]


# 13.2 information without a critic


def _row_by_row(scores):
    n = len(scores)
    rows = _mixed(scores).view(n, n - 1)
    return scores.diagonal().mean() - rows.exp().mean(dim=1).log().mean()


def gaussian_information(x, y):
    """Mutual information of two Gaussian vectors, nats, from samples `[n, d]` and `[n, e]`."""
    both = torch.cov(torch.cat([x, y], dim=1).t())
    d = x.shape[1]
    return 0.5 * (both[:d, :d].logdet() + both[d:, d:].logdet() - both.logdet())


def _samples(n: int, d: int, e: int):
    def make(g):
        x, noise = torch.randn(n, d, generator=g) + 1, torch.randn(n, e, generator=g)
        return x, x @ torch.randn(d, e, generator=g) * 0.7 + noise - 2

    return make


def _second_moments(x, y):
    """The formula with moments about 0 in place of covariances."""
    z, d = torch.cat([x, y], dim=1), x.shape[1]
    both = z.t() @ z / len(z)
    return 0.5 * (both[:d, :d].logdet() + both[d:, d:].logdet() - both.logdet())


def _by_pairs(x, y):
    """Adds up what every pair of columns would share alone."""
    d = x.shape[1]
    r = torch.corrcoef(torch.cat([x, y], dim=1).t())[:d, d:]
    return -0.5 * torch.log(1 - r.square()).sum()


# 13.3 a probe


def probe(codes, targets, train, penalty):
    """R^2 of ridge regression from codes `[n, d]` to targets `[n, k]`: fitted on the first rows, scored on the rest."""
    middle, average = codes[:train].mean(dim=0), targets[:train].mean(dim=0)
    x, y = codes - middle, targets - average
    ridge = penalty * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(x[:train].t() @ x[:train] + ridge, x[:train].t() @ y[:train])
    error = (x[train:] @ weights - y[train:]).square().sum()
    return 1 - error / y[train:].square().sum()


def _probed(n: int, d: int, k: int, train: int, penalty: float):
    def make(g):
        codes = torch.randn(n, d, generator=g) + 2
        targets = codes @ torch.randn(d, k, generator=g) + 0.5 * torch.randn(n, k, generator=g) - 3
        return codes, targets, train, penalty

    return make


def _on_what_it_learned(codes, targets, train, penalty):
    return probe(torch.cat([codes[:train]] * 2), torch.cat([targets[:train]] * 2), train, penalty)


def _fitted(codes, targets, train, penalty):
    gram = codes[:train].t() @ codes[:train] + penalty * torch.eye(codes.shape[1], dtype=codes.dtype)
    return codes[train:] @ torch.linalg.solve(gram, codes[:train].t() @ targets[:train])


def _means_of_all(codes, targets, train, penalty):
    x, y = codes - codes.mean(dim=0), targets - targets.mean(dim=0)
    return 1 - (_fitted(x, y, train, penalty) - y[train:]).square().sum() / y[train:].square().sum()


def _mean_over_columns(codes, targets, train, penalty):
    x, y = codes - codes[:train].mean(dim=0), targets - targets[:train].mean(dim=0)
    missed = (_fitted(x, y, train, penalty) - y[train:]).square().sum(dim=0)
    return (1 - missed / y[train:].square().sum(dim=0)).mean()


def _without_means(codes, targets, train, penalty):
    ridge = penalty * torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    x, y = codes[:train], targets[:train]
    weights = torch.linalg.solve(x.t() @ x + ridge, x.t() @ y)
    error = (codes[train:] @ weights - targets[train:]).square().sum()
    return 1 - error / (targets[train:] - y.mean(dim=0)).square().sum()


# 13.4 a rule for gamma


def careful_gamma(gamma, reported, watched):
    """Grows with what T overlooks, up to 0.05; falls faster than it grew where nothing is overlooked."""
    overlooked = watched - reported
    rate = 0.002 if overlooked > 0 else 0.004
    return min(0.05, max(0.0, gamma + rate * (overlooked - 0.02)))


def _after(answer, gamma: float, reported: float, watched: float, steps: int) -> float:
    """Where gamma is after some steps with the same two estimates."""
    for _ in range(steps):
        gamma = float(answer(gamma, reported, watched))
    return gamma


def _slower_the_more(gamma, reported, watched):
    """Rises most where T overlooks least."""
    return min(0.4, max(0.0, gamma + 0.001 * math.exp(reported - watched) * (1 if watched > reported else -1)))


def _is_weight(value) -> bool:
    return 0 <= float(value) < math.inf


_RULE = (
    Property("gamma is a finite number, 0 or more, also where T reports more than T' sees",
             lambda f, s: all(_is_weight(f(g, t, w)) for g in (0.0, 0.001, 0.3) for t in (0, 0.1, 2) for w in (0, 1))),
    Property("within 100 steps in which T reports 0.1 and T' sees 0.6, gamma rises from 0 above 0.005",
             lambda f, s: _after(f, 0.0, 0.1, 0.6, 100) > 0.005),
    Property("where T overlooks more, gamma rises no less: after 5 steps from 0.001 with T' at 0.9, and at 0.4",
             lambda f, s: _after(f, 0.001, 0.1, 0.4, 5) <= _after(f, 0.001, 0.1, 0.9, 5) + 1e-9),
    Property("one step changes gamma by 0.02 at most: noise that comes all at once wipes out the pose",
             lambda f, s: all(abs(float(f(g, 0.1, w)) - g) <= 0.02 for g in (0.0, 0.01, 0.03) for w in (0, 1, 3))),
    Property("while T' sees no more than T reports, gamma never rises",
             lambda f, s: all(float(f(g, t, w)) <= g + 1e-9 for g in (0.0, 0.01, 0.04)
                              for t, w in ((0.1, 0.1), (0.3, 0.1), (1.0, 0.0), (0.6, 0.6), (2.0, 1.5)))),
    Property("noise that is no longer needed goes: from 0.03, with T at 0.3 and T' at 0.2, gamma is below 0.001 "
             "after 1,000 steps",
             lambda f, s: _after(f, 0.03, 0.3, 0.2, 1_000) < 0.001),
    Property("gamma stays below 0.5 even if T overlooks 2 nats for 1,000 steps",
             lambda f, s: _after(f, 0.0, 0.1, 2.1, 1_000) < 0.5),
)  # fmt: skip

EXERCISES = (
    Exercise(
        "13.1",
        "a bound that no critic can exceed",
        lower_bound,
        (_scores(5), _scores(2), _scores(7, 1.5), _scores(6, true=-3.0)),
        (
            Mistake("take the logarithm of the mean, not the mean of the logarithms",
                    lambda s: s.diagonal().mean() - _mixed(s).mean()),
            Mistake("the mean of exp, not the sum: subtract the logarithm of the number of mixed pairs",
                    lambda s: s.diagonal().mean() - _mixed(s).logsumexp(dim=0)),
            Mistake("true pairs lie on the diagonal and are no mixed ones",
                    lambda s: s.diagonal().mean() - s.exp().mean().log()),
            Mistake("the answer may be negative: leave it so", lambda s: lower_bound(s).clamp_min(0)),
            Mistake("one mean over all mixed pairs, then one logarithm, not one for each row", _row_by_row),
            Mistake("the second term is subtracted", lambda s: s.diagonal().mean() + _mixed(s).exp().mean().log()),
        ),
    ),
    Exercise(
        "13.2",
        "information without a critic",
        gaussian_information,
        (_samples(60, 3, 2), _samples(40, 1, 1), _samples(80, 2, 4)),
        (
            Mistake("one half of all of it", lambda x, y: 2 * gaussian_information(x, y)),
            Mistake("subtract the means first: covariances, not second moments", _second_moments),
            Mistake("columns of one vector share information too: adding up pairs counts it more than once", _by_pairs),
            Mistake("what both hold alone, less what they hold together", lambda x, y: -gaussian_information(x, y)),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "13.3",
        "a probe",
        probe,
        (_probed(40, 3, 2, 25, 1.0), _probed(30, 5, 1, 20, 0.1), _probed(50, 2, 3, 30, 10.0)),
        (
            Mistake("score the rows that the probe has not seen", _on_what_it_learned),
            Mistake("subtract the means of the training rows from codes and targets first", _without_means),
            Mistake("means of the training rows alone: the others are not known yet", _means_of_all),
            Mistake("one R² over all columns together, not a mean of one R² for each", _mean_over_columns),
            Mistake("R² is 1 minus the share of the variance that is left",
                    lambda c, t, n, p: 1 - probe(c, t, n, p)),
            Mistake("the penalty is added to the diagonal of XᵀX", lambda c, t, n, p: probe(c, t, n, 0.0)),
            Mistake("the share of the squared error, not of its root",
                    lambda c, t, n, p: 1 - (1 - probe(c, t, n, p)).sqrt()),
        ),
        tolerance=1e-4,
    ),
    open_exercise("13.4", "a rule for gamma", careful_gamma, _RULE,
          (0, lambda g, t, w: g + 0.002 * (w - t)), (1, lambda g, t, w: g), (2, _slower_the_more),
          (3, lambda g, t, w: min(0.3, max(0.0, g + 0.1 * (w - t)))),
          (4, lambda g, t, w: min(0.4, max(0.0, g + 0.002 * (w - t + 0.05)))),
          (5, lambda g, t, w: min(0.4, g + 0.002 * max(0.0, w - t))),
          (6, lambda g, t, w: max(0.0, g + 0.002 * (w - t)))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_lower_bound(scores):
    n = len(scores)
    mixed = scores[~torch.eye(n, dtype=torch.bool)]
    return scores.diagonal().mean() - mixed.exp().mean().log()


def my_gaussian_information(x, y):
    together = torch.cat([x, y], dim=1)
    return 0.5 * (torch.logdet(torch.cov(x.T).reshape(x.shape[1], -1))
                  + torch.logdet(torch.cov(y.T).reshape(y.shape[1], -1))
                  - torch.logdet(torch.cov(together.T)))  # fmt: skip


def my_probe(codes, targets, train, penalty):
    x = codes - codes[:train].mean(dim=0)
    y = targets - targets[:train].mean(dim=0)
    ridge = penalty * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(x[:train].T @ x[:train] + ridge, x[:train].T @ y[:train])
    left = (y[train:] - x[train:] @ weights).square().sum()
    return 1 - left / y[train:].square().sum()


SOLUTIONS = (
    my_lower_bound,
    my_gaussian_information,
    my_probe,
)

QUESTIONS = (
    Question(
        "13.a",
        "b1ce1f18e406dc8c",
        "An estimate is what this critic sees; the encoder was trained to hide from just this one.",
        dict(
            a="Only a critic at its best measures what there is, and this one has an opponent.",
            c="T' is trained on its own and sees only finished codes: it may see far more.",
            d="The bound speaks of what T sees, not of what the code holds.",
        ),
    ),
    Question(
        "13.b",
        "7f88759687bca3d9",
        "Whoever trains the encoder is deceived by it. T' must stay out of that game to be worth asking.",
        dict(
            a="A detached code costs a little less, but that is not why.",
            b="T' is as large as T or larger, and size is not why.",
            c="Its loss is the same as T's; it is not asked for anything else.",
        ),
    ),
    Question(
        "13.c",
        "a017d31c8350e7f5",
        "Gamma follows the running mean of T' less that of T: what T overlooks.",
        dict(
            b="That is what the multiplier lambda answers to.",
            c="The error of the picture does not enter the rule.",
            d="Gamma may start at 0; where nothing is overlooked it stays there.",
        ),
    ),
    Question(
        "13.d",
        "62605fb87b3d1e42",
        "Less information about appearance, at the price of some noise on the pose.",
        dict(
            a="The recorded transfers are no better, and mostly a little worse: noise costs pose.",
            b="Noise on the code takes some of the pose along.",
            d="A critic sees codes only; how fast a picture is drawn has nothing to do with it.",
        ),
    ),
)
