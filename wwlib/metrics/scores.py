"""Every score of a model in one call: the supervised ones, the where score, and what they were computed from."""

from __future__ import annotations

from collections.abc import Callable

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

SUPERVISED = ("factor_vae", "beta_vae", "mig", "modularity", "sap", "explicitness", "dci")
TRAIN, TEST = 10_000, 5_000  # points of the definitions


def score_points(
    codes, factors, names: tuple[str, ...] = SUPERVISED, seed: int = 0, threads: int = 1, progress: bool = False
) -> dict:
    """Return the result object of every supervised score by name, from plain arrays.

    FactorVAE and BetaVAE score draw from all rows; the others train on the first 10,000 and test on the next 5,000 (or
    on the first two thirds and the rest, if there are fewer than 15,000).

    Args:
        codes: `[N, d]`.
        factors: `[N, K]`, whole numbers, in random order; one that never varies does not count in any score.
        names: which scores.
        seed: of votes, points and trees.
        threads: CPU threads of DCI.
        progress: show which score is being computed (never when headless).

    Raises:
        ValueError: for an unknown name, or points that a score cannot use.
    """
    if unknown := sorted(set(names) - set(SUPERVISED)):
        raise ValueError(f"names must be among {SUPERVISED}, got {unknown}")
    codes, factors = as_points(codes, factors)
    train = TRAIN if len(codes) >= TRAIN + TEST else len(codes) * 2 // 3
    head, rest = slice(0, train), slice(train, train + TEST)
    split = codes[head], factors[head], codes[rest], factors[rest]
    random = torch.Generator()
    compute: dict[str, Callable] = dict(
        factor_vae=lambda: factor_vae_score(codes, factors, random.manual_seed(seed)),
        beta_vae=lambda: beta_vae_score(codes, factors, random.manual_seed(seed)),
        mig=lambda: mig_score(*split[:2]),
        modularity=lambda: modularity_score(*split[:2]),
        sap=lambda: sap_score(*split),
        explicitness=lambda: explicitness_score(*split),
        dci=lambda: dci_score(*split, seed=seed, threads=threads),
    )
    bar = tqdm(names, mininterval=0.5, disable=headless() or not progress)
    results = {}
    for name in bar:
        bar.set_description(name)
        results[name] = compute[name]()
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
