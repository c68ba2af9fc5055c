"""VP score: can a network that has seen few pairs of pictures name the code in which another pair differs?

Source: Zhu, Xu & Tao 2020, Learning Disentangled Representations with Latent Variation Predictability (ECCV), and the
authors' repository VP-metric-pytorch: the network gets the difference of the two pictures, and a tenth of all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.checks import check_whole
from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.base.viz import heat_map
from wwlib.metrics.seen.judges import StridedJudge
from wwlib.models.interface import GeneratorLike

BATCH = 50  # pairs, of a step of the network and of a call of the generator


@dataclass(frozen=True)
class VPScore:
    """The share of pairs whose code is named right, each run's `[runs]`, and the share by code `[d, d]`.

    `named[i, j]` is the share of the pairs that differ in code i for which the network names code j.
    """

    score: float
    every: list[float]
    named: np.ndarray

    @property
    def chance(self) -> float:
        """The score of a network that guesses."""
        return 1 / len(self.named)

    def plot(self):
        """Return a picture of which code the network names for each code that moved."""
        return heat_map(self.named, "code that moved", "code that is named", f"VP score {self.score:.2f}")


def vp_score(
    generator: GeneratorLike,
    pairs: int = 2_000,
    share: float = 0.1,
    runs: int = 3,
    steps: int = 300,
    rate: float = 2e-3,
    seed: int = 0,
) -> VPScore:
    """Return how predictable it is which code moved, from pairs of pictures that differ in one code.

    Both codes of a pair are drawn from N(0, I) and agree except in one position; all positions are equally frequent,
    and the two pictures share their noise. A network of three strided convolutions gets the difference of the two
    pictures, divided by the standard deviation of all differences. It trains on a share of the pairs, and the score is
    its accuracy on the others, averaged over runs: each has a network of its own, which trains on other pairs. The
    authors take the best accuracy along the training; here it is that at the end.

    The score needs no labels, and is blind to three things. It does not ask whether a change can be seen: codes that
    hide in a faint texture are as predictable as codes that move objects. It does not ask whether a change is one
    factor: rotated codes can be predictable, and so can a code that moves size and colour together. And a code that
    repeats what another one does costs as much as a code that does nothing. Compare only models with equally many
    codes: chance is 1 over their number.

    Args:
        generator: G, or the decoder of an autoencoder; the side of its pictures is a multiple of 32.
        pairs: how many are drawn.
        share: of the pairs on which a network trains.
        runs: how many networks, no two of which train on the same pair.
        steps, rate: of Adam, 50 pairs a step; the rate falls linearly to 0.
        seed: of codes, noise and networks.

    Raises:
        ValueError: for a generator with one code, no run, a share that leaves nothing to train or test on, or too few
            pairs for so many runs.
    """
    check_whole(runs=runs, steps=steps)
    check_whole(2, pairs=pairs, codes=generator.codes)
    few = round(share * pairs)
    if not 1 <= few < pairs or few * runs > pairs:
        raise ValueError(f"share must leave pairs to test on, and to train every run, got {share} of {pairs} pairs")
    random = torch.Generator().manual_seed(seed)
    changes, moved = pairs_of_pictures(generator, pairs, random)
    changes /= changes.std().clamp(min=1e-12)  # all are 0 where codes are ignored
    named = torch.zeros(generator.codes, generator.codes)
    every = []
    for run in range(runs):
        trains = torch.zeros(pairs, dtype=torch.bool)
        trains[run * few : (run + 1) * few] = True
        network = _trained(changes[trains], moved[trains], generator.codes, steps, rate, seed + run, random)
        truth = moved[~trains]
        said = torch.cat([network.verdict(some)[:, 0] for some in changes[~trains].split(500)])
        every.append(float((said == truth).float().mean()))
        named.index_put_((truth, said), torch.ones(1), accumulate=True)
    shares = named / named.sum(dim=1, keepdim=True).clamp(min=1)
    return VPScore(float(np.mean(every)), every, shares.double().numpy())


@torch.no_grad()
def pairs_of_pictures(generator: GeneratorLike, pairs: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return differences of pictures `[pairs, C, H, W]` that differ in one code, and which code it is `[pairs]`.

    Args:
        generator: G.
        pairs: how many.
        random: of codes and noise.
    """
    codes = torch.randn(pairs, generator.codes, generator=random)
    moved = torch.randperm(pairs, generator=random) % generator.codes
    others = codes.clone()
    others[torch.arange(pairs), moved] = torch.randn(pairs, generator=random)
    changes = []
    for first, second in zip(codes.split(BATCH), others.split(BATCH), strict=True):
        noise = generator.sample_noise(len(first), random)
        changes.append(generator(second, noise).clamp(-1, 1) - generator(first, noise).clamp(-1, 1))
    return torch.cat(changes), moved


def _trained(changes: Tensor, moved: Tensor, codes: int, steps: int, rate: float, seed: int, random: torch.Generator):
    """Train a network to name the code that moved and return it frozen."""
    with drawn_from(seed):
        network = StridedJudge((codes,), channels=changes.shape[1], resolution=changes.shape[-1], width=16)

    def loss_at(_: int) -> Tensor:
        rows = torch.randint(len(moved), (BATCH,), generator=random)
        return F.cross_entropy(network(changes[rows])[0], moved[rows])

    descend(network, loss_at, steps, rate)
    return network
