"""Traversal score: what a judge of the true factors reads while one code of a generator moves.

Defined here. The recogniser has no part in it, so a code that hides in a texture nobody sees gets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wwlib.base.checks import check_whole
from wwlib.base.viz import heat_map
from wwlib.metrics.dci import completeness, disentanglement
from wwlib.metrics.seen.judges import Reader, readings
from wwlib.models.interface import GeneratorLike
from wwlib.models.traversals import traversal


@dataclass(frozen=True)
class TraversalScore:
    """Purity and compactness in [0, 1], and the table `[d, K]` that they are computed from.

    `matrix[i, k]` says how much the position of code i on its traversal tells of the judge's reading of factor k.
    """

    purity: float
    compactness: float
    matrix: np.ndarray
    silent: np.ndarray
    factor_names: tuple[str, ...]

    @property
    def score(self) -> float:
        """Purity, the number to report where there is room for one."""
        return self.purity

    @property
    def shown(self) -> np.ndarray:
        """How much the code that shows a factor best tells of it, for every factor `[K]`. 0: no code shows it."""
        return self.matrix.max(axis=0)

    def name_of(self, code: int) -> str:
        """Return the factors that a code moves at least half as much as its main one; "nothing" for a silent code.

        Raises:
            ValueError: for an unknown code.
        """
        if not 0 <= code < len(self.matrix):
            raise ValueError(f"code must be 0..{len(self.matrix) - 1}, got {code}")
        row = self.matrix[code]
        if self.silent[code]:
            return "nothing"
        return ", ".join(self.factor_names[k] for k in (-row).argsort(kind="stable") if row[k] >= row.max() / 2)

    def plot(self):
        """Return a picture of how much every code moves every factor."""
        title = f"purity {self.purity:.2f}, compactness {self.compactness:.2f}: what each code moves"
        return heat_map(self.matrix, "code", "factor", title, self.factor_names)


def traversal_score(
    generator: GeneratorLike,
    judge: Reader,
    factor_names: tuple[str, ...],
    **settings: Any,
) -> TraversalScore:
    """Return how separately a generator's codes show the true factors.

    From a base code drawn from N(0, I), code i alone takes nine equally spaced values from -2 to 2, with
    the noise fixed. At each position the judge gives its probabilities of every factor's values. What the position
    tells of factor k is the entropy of the mean reading less the mean entropy of the readings: 0 if the reading stays
    the same, large if it is sure everywhere and differs. Divided by the logarithm of the factor's number of values and
    averaged over base codes, it is entry (i, k) of the matrix. With n positions it is at most log n over that
    logarithm.

    A code is silent if its largest entry is below 0.05; its row counts as zero, since such small numbers are the
    judge's own doubt. Purity is 1 less the entropy of a row in units of log K: a pure code moves one factor. Codes
    count by the sum of their rows, as in DCI. Compactness is the same of the columns: a compact factor is moved by one
    code. A hue is a circle, so two codes may well share it, and compactness is then below 1 for a good reason. If all
    codes are silent, both are 0. A factor that no code shows has no share in either: `shown` says which ones.

    The score is 1 where each code moves one factor of its own. It is 0 where the codes are ignored or move only what
    the judge does not see, such as a faint texture; and near 0 where the codes of such a generator are rotated, so
    that each moves every factor. It sees only the factors that the judge knows, and says nothing of how good the
    pictures are.

    Args:
        generator: G, or the decoder of an autoencoder.
        judge: images to a list of logits `[B, size]`, one for each factor. It must never have been shown to the model.
        factor_names: of the factors that the judge names.
        settings: as for `traversal_scores`.

    Raises:
        ValueError: as `traversal_scores`.
    """
    return traversal_scores(generator, (judge,), factor_names, **settings)[0]


@torch.no_grad()
def traversal_scores(
    generator: GeneratorLike,
    judges: Sequence[Reader],
    factor_names: tuple[str, ...],
    bases: int = 100,
    positions: int = 9,
    span: float = 2.0,
    least: float = 0.05,
    seed: int = 0,
) -> list[TraversalScore]:
    """Return the traversal score as each of several judges reads the same drawings.

    Args:
        generator, factor_names: as for `traversal_score`.
        judges: each as for `traversal_score`.
        bases: number of base codes.
        positions, span: of each traversal.
        least: the largest entry that a code needs, to count.
        seed: of base codes and noise.

    Raises:
        ValueError: for fewer than one base code or two positions, or names that do not fit a judge.
    """
    check_whole(bases=bases)
    check_whole(2, positions=positions)
    random = torch.Generator().manual_seed(seed)
    totals = torch.zeros(len(judges), generator.codes, len(factor_names))
    for base in torch.randn(bases, generator.codes, generator=random):
        frames = traversal(generator, base, span, positions, generator.sample_noise(1, random))
        for total, judge in zip(totals, judges, strict=True):
            probabilities = readings(judge, frames.flatten(0, 1))
            if len(probabilities) != len(factor_names):
                raise ValueError(f"factor_names must name the judge's {len(probabilities)} factors, got {factor_names}")
            total += torch.stack([told(p.unflatten(0, frames.shape[:2])) for p in probabilities], dim=1)
    return [from_matrix((total / bases).double().numpy(), tuple(factor_names), least) for total in totals]


def told(probabilities: Tensor) -> Tensor:
    """Return what the position tells of the reading `[...]`, as a share of the logarithm of the number of values.

    Args:
        probabilities: `[..., positions, size]`.
    """
    of_mean, mean = entropy(probabilities.mean(dim=-2)), entropy(probabilities).mean(dim=-1)
    return (of_mean - mean).clamp(min=0) / np.log(probabilities.shape[-1])


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy `[...]` in nats of probabilities `[..., size]`."""
    return torch.special.entr(probabilities).sum(dim=-1)


def from_matrix(matrix: np.ndarray, factor_names: tuple[str, ...], least: float = 0.05) -> TraversalScore:
    """Return the score of a matrix `[d, K]` that was measured before; `least` as for `traversal_scores`."""
    silent = matrix.max(axis=1) < least
    heard = np.where(silent[:, None], 0.0, matrix)
    return TraversalScore(disentanglement(heard), completeness(heard), matrix, silent, factor_names)
