"""The FactorVAE score: if one factor is held fixed, does the code that varies least reveal which one?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.base.checks import check_whole
from wwlib.base.viz import heat_map
from wwlib.metrics.points import as_points, batch_mean, rows_by_value, rows_with, varying


@dataclass(frozen=True)
class FactorVAEScore:
    """The score, its votes `[K, d]` (factor by code, of the training half) and which codes were active `[d]`."""

    score: float
    votes: Tensor
    active: Tensor

    def plot(self, factor_names=None):
        """Return a picture of the votes."""
        title = f"FactorVAE score {self.score:.2f}: votes"
        return heat_map(self.votes.t().numpy(), "code", "factor", title, factor_names, digits=0)

    def code_of(self, factor: int) -> int:
        """Return the code that most often varied least while `factor` was held fixed."""
        return int(self.votes[factor].argmax())


def factor_vae_score(
    codes,
    factors,
    generator: torch.Generator,
    train_votes: int = 10_000,
    test_votes: int = 5_000,
    batch: int = 64,
    threshold: float = 0.05,
) -> FactorVAEScore:
    """Return how reliably the code that varies least reveals the factor that is held fixed (Kim & Mnih 2018).

    For one vote, one factor is held at one value and `batch` images are drawn; each code's variance is divided by its
    variance over all images, and the code with the smallest ratio is noted. The factor most often noted with a code in
    `train_votes` votes is then the prediction in `test_votes` fresh votes; the score is its accuracy. Images are drawn
    from the rows of `codes`: the whole grid (`encode_grid`) gives the score of the definition, a sample an estimate. A
    factor that never varies is never held fixed.

    Args:
        codes: `[N, d]`, a representation of N images.
        factors: `[N, K]`, their true factors.
        generator: CPU generator of the votes.
        train_votes, test_votes, batch: sizes as above.
        threshold: codes with a smaller standard deviation count as inactive and never win.

    Raises:
        ValueError: for wrong shapes, values that are not finite, nothing that varies, no votes, or a batch below 2.
    """
    check_whole(train_votes=train_votes, test_votes=test_votes)
    check_whole(2, batch=batch)
    codes, factors = as_points(codes, factors)
    number_of_factors, counted = factors.shape[1], torch.as_tensor(varying(factors))
    codes, factors = torch.as_tensor(codes), torch.as_tensor(factors)
    variance, d = codes.var(dim=0), codes.shape[1]
    active = variance.sqrt() >= threshold
    if not active.any():
        return FactorVAEScore(0.0, torch.zeros(number_of_factors, d, dtype=torch.int64), active)
    rows = {k: rows_by_value(factors[:, k].contiguous()) for k in counted.tolist()}

    def votes(n: int) -> Tensor:
        table = torch.zeros(number_of_factors, d, dtype=torch.int64)
        fixed = torch.randint(len(counted), (n,), generator=generator).bincount().tolist()
        for k, count in zip(rows, fixed, strict=False):
            value = torch.randint(len(rows[k][2]), (count, 1), generator=generator)
            for chosen in rows_with(rows[k], value, batch, generator).split(1000):
                ratio = _variance(codes, chosen) / variance
                table[k] += ratio.masked_fill(~active, torch.inf).argmin(dim=1).bincount(minlength=d)
        return table

    train, test = votes(train_votes), votes(test_votes)
    return FactorVAEScore(vote_accuracy(train[counted], test[counted]), train, active)


def vote_accuracy(train: Tensor, test: Tensor) -> float:
    """Return how often the factor with most votes for a code in `train` is right in `test`; both `[K, d]` counts."""
    majority = train.argmax(dim=0)
    return (test.gather(0, majority[None]).sum() / test.sum()).item()


def _variance(codes: Tensor, rows: Tensor) -> Tensor:
    """Return the variance `[n, d]` of the codes in each line of `rows` `[n, batch]`.

    It is the mean square less the squared mean, after the first code is subtracted, which saves digits.
    """
    batch = rows.shape[1]
    x = codes.index_select(0, rows.flatten()).view(-1, batch, codes.shape[1])
    x = x - x[:, :1]
    return (batch_mean(x.square()) - batch_mean(x).square()).clamp(min=0) * (batch / (batch - 1))
