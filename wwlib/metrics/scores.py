"""Every supervised score in one table, and in one call on plain arrays or on a representation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from wwlib.base.device import headless
from wwlib.datasets.factors import FactorData
from wwlib.metrics.beta_vae import beta_vae_score
from wwlib.metrics.dci import dci_score
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.information import mig_score, modularity_score
from wwlib.metrics.points import as_points, encode_sample
from wwlib.metrics.separability import explicitness_score, sap_score

TRAIN, TEST = 10_000, 5_000  # points of the definitions


@dataclass(frozen=True)
class Points:
    """What a score is computed from: a table of points, how it is split, and what random draws and threads there are.

    Args:
        codes: `[N, d]`.
        factors: `[N, K]`, in random order.
        seed: of a score that draws.
        threads: CPU threads of a score that can use several.
    """

    codes: Tensor
    factors: Tensor
    seed: int = 0
    threads: int = 1

    @property
    def all(self) -> tuple[Tensor, Tensor]:
        """Every row: codes and factors."""
        return self.codes, self.factors

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        """The first 10,000 rows, or two thirds where there are fewer than 15,000: codes and factors."""
        return self.codes[: self._border], self.factors[: self._border]

    @property
    def train_and_test(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The rows of `train`, then those of the next 5,000, or of the rest."""
        rest = slice(self._border, self._border + TEST)
        return *self.train, self.codes[rest], self.factors[rest]

    @property
    def _border(self) -> int:
        return TRAIN if len(self.codes) >= TRAIN + TEST else len(self.codes) * 2 // 3

    def generator(self) -> torch.Generator:
        """Return a fresh CPU generator, the same for every score."""
        return torch.Generator().manual_seed(self.seed)


@dataclass(frozen=True)
class Score:
    """One supervised score.

    Args:
        label: its name in tables.
        question: what it asks, one sentence.
        compute: points to a result object, which has `score` and `plot`; higher is better.
    """

    label: str
    question: str
    compute: Callable[[Points], Any]


SCORES: dict[str, Score] = {
    "factor_vae": Score(
        "FactorVAE score",
        "Does the code that varies least tell which factor was held fixed?",
        lambda points: factor_vae_score(*points.all, points.generator()),
    ),
    "beta_vae": Score(
        "BetaVAE score",
        "Can a linear classifier tell from differences of codes which factor two images share?",
        lambda points: beta_vae_score(*points.all, points.generator()),
    ),
    "mig": Score(
        "MIG",
        "Does one code know much more about each factor than any other code does?",
        lambda points: mig_score(*points.train),
    ),
    "modularity": Score(
        "modularity",
        "Does each code know about one factor only?",
        lambda points: modularity_score(*points.train),
    ),
    "sap": Score(
        "SAP",
        "Does one code predict each factor much better than any other code does?",
        lambda points: sap_score(*points.train_and_test),
    ),
    "explicitness": Score(
        "explicitness",
        "Can a linear classifier read every value of each factor from all codes?",
        lambda points: explicitness_score(*points.train_and_test),
    ),
    "dci": Score(
        "DCI disentanglement",
        "Does each code matter for one factor only, to trees that predict the factors?",
        lambda points: dci_score(*points.train_and_test, seed=points.seed, threads=points.threads),
    ),
}
SUPERVISED = tuple(SCORES)


def score_points(
    codes, factors, names: tuple[str, ...] = SUPERVISED, seed: int = 0, threads: int = 1, progress: bool = False
) -> dict:
    """Return the result object of every supervised score by name, from plain arrays.

    `SCORES` says which rows a score uses, and `Points` what they are.

    Args:
        codes: `[N, d]`.
        factors: `[N, K]`, whole numbers, in random order; one that never varies does not count in any score.
        names: which scores of `SCORES`.
        seed: of votes, points and trees.
        threads: CPU threads of DCI.
        progress: show which score is being computed (never when headless).

    Raises:
        ValueError: for an unknown name, or points that a score cannot use.
    """
    if unknown := sorted(set(names) - set(SUPERVISED)):
        raise ValueError(f"names must be among {SUPERVISED}, got {unknown}")
    codes, factors = as_points(codes, factors)
    points = Points(torch.as_tensor(codes), torch.as_tensor(factors), seed, threads)
    bar = tqdm(names, mininterval=0.5, disable=headless() or not progress)
    results = {}
    for name in bar:
        bar.set_description(name)
        results[name] = SCORES[name].compute(points)
    return results


def score_representation(
    represent: Callable[[Tensor], Tensor],
    data: FactorData,
    names: tuple[str, ...] = SUPERVISED,
    n: int = 40_000,
    seed: int = 0,
    threads: int = 1,
    progress: bool = True,
) -> dict:
    """Return the result object of every supervised score by name, of a representation of a data set.

    Args:
        represent: images `[B, C, H, W]` in [-1, 1] to codes `[B, d]`.
        data: images with known factors.
        names: which scores.
        n: images to encode, drawn uniformly.
        seed, threads, progress: as for `score_points`.
    """
    codes, factors = encode_sample(represent, data, n, torch.Generator().manual_seed(seed))
    return score_points(codes, factors, names, seed, threads, progress)
