"""Interpretation of a frozen network: a flow translates its hidden code into blocks, one for each factor, and back.

After Esser, Rombach and Ommer, *A Disentangling Invertible Interpretation Network for Explaining Latent
Representations* (CVPR 2020). Blocks are ordered residual first, as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.base.codes import copy_codes
from wwlib.base.descent import descend
from wwlib.flows.flow import Flow, block_sizes, block_slices, log_density, pair_nll, shared_variance
from wwlib.flows.latents import Latents


def partners(values: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Return for each of `rows` `[b]` a random row `[b]` that has the same value of one factor.

    Args:
        values: one factor's value for every row, whole numbers `[n]`.
        rows: positions.
        generator: of the draw.
    """
    order = values.argsort(stable=True)
    counts = values.bincount()
    starts = counts.cumsum(0) - counts
    own_values = values[rows]
    return order[starts[own_values] + (torch.rand(len(rows), generator=generator) * counts[own_values]).long()]


@dataclass(frozen=True)
class Schedule:
    """The settings of training a flow with Adam(0.5, 0.9), whose rate falls linearly to 0.

    A step uses `batch` pairs for every factor.
    """

    blocks: int = 6
    hidden: int = 96
    steps: int = 2800
    batch: int = 32
    rho: float = 0.9
    rate: float = 3e-3
    pairs: bool = True
    seed: int = 0

    def __post_init__(self):
        if min(self.blocks, self.hidden, self.steps, self.batch) < 1 or self.rate <= 0:
            raise ValueError(f"blocks, hidden, steps, batch and rate must be positive, got {self}")


def sizes_from(latents: Latents, generator: torch.Generator, n: int = 4000) -> tuple[list[int], Tensor]:
    """Return the length of every block, residual first, and the shares `[K]` of variance that pairs have in common."""
    rows = torch.randint(len(latents.mean), (n,), generator=generator)
    shares = []
    for values in latents.factors.t():
        others = partners(values, rows, generator)
        shares.append(shared_variance(latents.draw(rows, generator), latents.draw(others, generator)))
    shares = torch.stack(shares)
    return block_sizes(shares, latents.mean.shape[1]), shares


def interpretation_loss(
    flow: Flow, latents: Latents, sizes: list[int], schedule: Schedule, generator: torch.Generator
) -> Tensor:
    """Return one batch's loss in nats a pair: the mean over factors of `pair_nll`, or without pairs the plain NLL."""
    first, second = [], []
    for values in latents.factors.t():
        rows = torch.randint(len(latents.mean), (schedule.batch,), generator=generator)
        first.append(latents.draw(rows, generator))
        second.append(latents.draw(partners(values, rows, generator), generator))
    v, logdet = flow(torch.cat([*first, *second]))
    if not schedule.pairs:
        return -2 * log_density(v, logdet).mean()
    v_a, v_b = v.chunk(2)
    ld_a, ld_b = logdet.chunk(2)
    parts = zip(
        v_a.split(schedule.batch),
        v_b.split(schedule.batch),
        ld_a.split(schedule.batch),
        ld_b.split(schedule.batch),
        block_slices(sizes)[1:],
        strict=True,
    )
    return torch.stack([pair_nll(*part, schedule.rho) for part in parts]).mean()


def train_interpretation(latents: Latents, sizes: list[int], schedule: Schedule) -> tuple[Flow, list[float]]:
    """Train an interpretation network on a host's codes; return it frozen, and the loss of every 25th step.

    Raises:
        FloatingPointError: if the loss stops being finite.
    """
    random = torch.Generator().manual_seed(schedule.seed)
    flow = Flow(latents.mean.shape[1], blocks=schedule.blocks, hidden=schedule.hidden, seed=schedule.seed)
    flow.initialise(latents.draw(torch.randint(len(latents.mean), (1024,), generator=random), random))
    losses = descend(
        flow,
        lambda _: interpretation_loss(flow, latents, sizes, schedule, random),
        schedule.steps,
        schedule.rate,
        betas=(0.5, 0.9),
        clip=5.0,
    )
    flow.standardise(latents.draw(torch.randint(len(latents.mean), (4096,), generator=random), random))
    return flow, losses


@torch.no_grad()
def swap_scores(
    flow: Flow, decode: Callable, judge: Callable, sizes: list[int], z: Tensor, factors: Tensor
) -> tuple[Tensor, Tensor]:
    """Swap each block between neighbours in the sample, and let a judge say what changes.

    Args:
        flow: the interpretation.
        decode: codes `[n, d]` to whatever the judge reads.
        judge: returns factors `[n, K]`.
        sizes: of the blocks, residual first.
        z: codes `[n, d]`.
        factors: the truth `[n, K]`.

    Returns:
        Two tables `[1 + K, K]`, a row for each swapped block: the share of drawings whose factor is now the source's,
        and the share where it is still the target's; both among pairs that differ in that factor.
    """
    v = flow(z)[0]
    source = factors.roll(1, dims=0)
    follows, stays = [], []
    for block in block_slices(sizes):
        verdict = judge(decode(flow.inverse(copy_codes(v, v.roll(1, dims=0), block))))
        differ = factors != source
        count = differ.sum(dim=0).clamp(min=1)
        follows.append(((verdict == source) & differ).sum(dim=0) / count)
        stays.append(((verdict == factors) & differ).sum(dim=0) / count)
    return torch.stack(follows), torch.stack(stays)


def probe_r2(v: Tensor, factors: Tensor, sizes: list[int], train: int = 1500) -> Tensor:
    """Return how well each block predicts each factor, `[1 + K, K]`: R^2 of kernel ridge regression on unseen codes.

    The targets are one column for each value of a factor; a Gaussian kernel, since a class can be any region of its
    block, not only a half-space.

    Args:
        v: translated codes `[n, d]`.
        factors: `[n, K]`.
        sizes: of the blocks, residual first.
        train: rows to learn from; the rest are scored.
    """
    from sklearn.kernel_ridge import KernelRidge

    table = torch.zeros(len(sizes), factors.shape[1])
    for k, values in enumerate(factors.t()):
        target = torch.nn.functional.one_hot(values).double().numpy()
        for b, block in enumerate(block_slices(sizes)):
            x = v[:, block].double().numpy()
            probe = KernelRidge(alpha=0.1, kernel="rbf", gamma=0.5 / x.shape[1]).fit(x[:train], target[:train])
            error = ((probe.predict(x[train:]) - target[train:]) ** 2).sum()
            table[b, k] = 1 - error / ((target[train:] - target[:train].mean(axis=0)) ** 2).sum()
    return table


def probe_gaps(table: Tensor) -> Tensor:
    """Return, for each factor, its own block's R^2 less the best other block's, `[K]`."""
    own = table[1:].diagonal()
    others = table.clone()
    others[1:].fill_diagonal_(-torch.inf)
    return own - others.max(dim=0).values


@torch.no_grad()
def block_response(
    flow: Flow, output: Callable, sizes: list[int], z: Tensor, generator: torch.Generator, draws: int = 16
) -> Tensor:
    """Return how much an output changes when one block is drawn anew and the others stay, `[1 + K]`.

    Args:
        flow: the interpretation.
        output: codes `[n, d]` to outputs `[n, m]`, such as a classifier's logits.
        sizes: of the blocks, residual first.
        z: codes `[n, d]`.
        generator: of the draws from N(0, I).
        draws: per code.

    Returns:
        Standard deviation over draws, averaged over outputs and codes.
    """
    v, responses = flow(z)[0], []
    for block in block_slices(sizes):
        moved = v.repeat(draws, 1)
        moved[:, block] = torch.randn(moved[:, block].shape, generator=generator)
        outputs = output(flow.inverse(moved)).unflatten(0, (draws, len(z)))
        responses.append(outputs.std(dim=0).mean())
    return torch.stack(responses)
