"""Invertible flows: bijections of code vectors whose change of volume is known, trained by exact likelihood.

With `cond_dim=0` it is the network of Esser, Rombach and Ommer, *A Disentangling Invertible Interpretation Network*
(CVPR 2020); with a condition, the one of *Network-to-Network Translation* by the same authors (NeurIPS 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wwlib.base.seeds import drawn_from


class ActNorm(nn.Module):
    """Scale and shift of each dimension, y = exp(log_scale) (x + shift), which `initialise` sets from data.

    Args:
        dim: length d of the vectors.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set scale and shift so that `x` `[B, d]` leaves with mean 0 and standard deviation 1.

        A dimension that never varies is only shifted: to stretch rounding errors to 1 would end in infinities.

        Raises:
            ValueError: for fewer than two vectors, or a value that is not finite.
        """
        if len(x) < 2 or not x.isfinite().all():
            raise ValueError(f"x must be at least 2 finite vectors, got {tuple(x.shape)}")
        mean, spread = x.mean(dim=0), x.std(dim=0, correction=0)
        varies = spread > 1e-6 * mean.abs().clamp(min=1)  # more than rounding makes
        self.shift.copy_(-mean)
        self.log_scale.copy_(torch.where(varies, -(spread + 1e-6).log(), 0.0))
        self.initialised.fill_(True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y `[B, d]` and the log-determinant `[B]`, the same for every vector."""
        return self.log_scale.exp() * (x + self.shift), self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that `forward` turns into y."""
        return y * (-self.log_scale).exp() - self.shift


def conditioner(inputs: int, outputs: int, hidden: int, depth: int = 2) -> nn.Sequential:
    """Return an MLP with `depth` hidden layers whose last layer starts at 0, so that a new coupling changes nothing.

    It has no BatchNorm, which would make the density of one vector depend on the other vectors of its batch.
    """
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, hidden), nn.LeakyReLU(0.01)]
        inputs = hidden
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def half_step(w: Tensor, raw_scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Return w exp(tanh raw_scale) + shift `[B, n]` and its log-determinant `[B]`; every scale lies in [1/e, e].

    Args:
        w: the half that changes, `[B, n]`.
        raw_scale, shift: `[B, n]`, read from the other half.
    """
    log_scale = raw_scale.tanh()
    return w * log_scale.exp() + shift, log_scale.sum(dim=1)


def undo_half_step(w: Tensor, raw_scale: Tensor, shift: Tensor) -> Tensor:
    """Return the w `[B, n]` that `half_step` turned into this one."""
    return (w - shift) * (-raw_scale.tanh()).exp()


class Coupling(nn.Module):
    """Two affine half-steps: the first half of a vector scales and shifts the second, then the second the first.

    Scale and shift come from networks that are never inverted, so any network will do.

    Args:
        dim: length d of the vectors, even.
        cond_dim: length of the condition, 0 for none.
        hidden, depth: of the two conditioners.
    """

    def __init__(self, dim: int, cond_dim: int = 0, hidden: int = 64, depth: int = 2):
        super().__init__()
        self.first = conditioner(dim // 2 + cond_dim, dim, hidden, depth)
        self.second = conditioner(dim // 2 + cond_dim, dim, hidden, depth)

    @staticmethod
    def _read(network: nn.Module, half: Tensor, cond: Tensor | None) -> tuple[Tensor, ...]:
        return network(half if cond is None else torch.cat([half, cond], dim=1)).chunk(2, dim=1)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return y `[B, d]` and the log-determinant `[B]`."""
        u, w = x.chunk(2, dim=1)
        w, first_logdet = half_step(w, *self._read(self.first, u, cond))
        u, second_logdet = half_step(u, *self._read(self.second, w, cond))
        return torch.cat([u, w], dim=1), first_logdet + second_logdet

    def inverse(self, y: Tensor, cond: Tensor | None = None) -> Tensor:
        """Return the x that `forward` turns into y."""
        u, w = y.chunk(2, dim=1)
        u = undo_half_step(u, *self._read(self.second, w, cond))
        return torch.cat([u, undo_half_step(w, *self._read(self.first, u, cond))], dim=1)


class Permutation(nn.Module):
    """A fixed random order of the dimensions; a buffer, so that it is saved with the weights.

    Args:
        dim: length d of the vectors.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("order", torch.randperm(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.order]

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that `forward` turns into y."""
        return y[:, self.order.argsort()]


class Flow(nn.Module):
    """A bijection z -> v of vectors `[B, d]`, optionally given a condition `[B, cond_dim]`.

    Call `initialise` once with data before anything else; weights from a file include that state.

    Args:
        dim: length d, even and at least 2.
        cond_dim: length of the condition, 0 for none.
        blocks: number of blocks of ActNorm, coupling and permutation; a last ActNorm follows them.
        hidden, depth: of the conditioners.
        seed: of weights and permutations.

    Raises:
        ValueError: if `dim` is odd or below 2, or another size is not positive.
    """

    def __init__(self, dim: int, cond_dim: int = 0, blocks: int = 6, hidden: int = 64, depth: int = 2, seed: int = 0):
        super().__init__()
        if dim < 2 or dim % 2:
            raise ValueError(f"dim must be even and at least 2 (append a dimension of noise to an odd one), got {dim}")
        if min(blocks, hidden, depth) < 1 or cond_dim < 0:
            raise ValueError(
                "blocks, hidden, depth must be positive, cond_dim 0 or more, "
                f"got {blocks}, {hidden}, {depth}, {cond_dim}"
            )
        self.dim, self.cond_dim = dim, cond_dim
        with drawn_from(seed):
            self.norms = nn.ModuleList(ActNorm(dim) for _ in range(blocks))
            self.couplings = nn.ModuleList(Coupling(dim, cond_dim, hidden, depth) for _ in range(blocks))
            self.permutations = nn.ModuleList(Permutation(dim) for _ in range(blocks))
            self.last = ActNorm(dim)

    def _check(self, x: Tensor, cond: Tensor | None) -> None:
        if x.dim() != 2 or x.shape[1] != self.dim:
            raise ValueError(f"vectors must be [B, {self.dim}], got {tuple(x.shape)}")
        if (cond is None) != (self.cond_dim == 0) or (cond is not None and cond.shape != (len(x), self.cond_dim)):
            expected = f"[{len(x)}, {self.cond_dim}]" if self.cond_dim else "None"
            raise ValueError(f"cond must be {expected}, got {cond if cond is None else tuple(cond.shape)}")

    def _check_ready(self) -> None:
        if not self.norms[0].initialised:
            raise RuntimeError("the flow is not initialised: call flow.initialise(z) first, or load weights")

    @torch.no_grad()
    def initialise(self, z: Tensor, cond: Tensor | None = None) -> Flow:
        """Set every ActNorm from the values that reach it for the data `z` `[B, d]`; return the flow."""
        self._check(z, cond)
        for norm, coupling, permutation in zip(self.norms, self.couplings, self.permutations, strict=True):
            norm.initialise(z)
            z = permutation(coupling(norm(z)[0], cond)[0])
        self.last.initialise(z)
        return self

    @torch.no_grad()
    def standardise(self, z: Tensor, cond: Tensor | None = None) -> Flow:
        """Set the last ActNorm from the data `z` `[B, d]` once more, after training; return the flow.

        A loss that expects more correlation than pairs have shrinks their block. This gives every dimension of v mean 0
        and standard deviation 1 again. Swaps of blocks stay the same, since each dimension is only scaled and shifted.
        """
        v, _ = self(z, cond)
        self.last.initialise(self.last.inverse(v))
        return self

    def forward(self, z: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return v `[B, d]` and log|det dv/dz| `[B]`.

        Raises:
            RuntimeError: before `initialise`.
            ValueError: for other shapes.
        """
        self._check(z, cond)
        self._check_ready()
        total = z.new_zeros(len(z))
        for norm, coupling, permutation in zip(self.norms, self.couplings, self.permutations, strict=True):
            z, norm_logdet = norm(z)
            z, logdet = coupling(z, cond)
            z, total = permutation(z), total + norm_logdet + logdet
        z, logdet = self.last(z)
        return z, total + logdet

    def inverse(self, v: Tensor, cond: Tensor | None = None) -> Tensor:
        """Return the z that `forward` turns into v; raises as `forward`."""
        self._check(v, cond)
        self._check_ready()
        v = self.last.inverse(v)
        parts = zip(self.norms, self.couplings, self.permutations, strict=True)
        for norm, coupling, permutation in reversed(list(parts)):
            v = norm.inverse(coupling.inverse(permutation.inverse(v), cond))
        return v


def log_density(v: Tensor, logdet: Tensor) -> Tensor:
    """Return log p(z) `[B]` in nats: the log-density of N(0, I) at v plus the log of the change of volume."""
    return -0.5 * v.square().sum(dim=1) - 0.5 * v.shape[1] * math.log(2 * math.pi) + logdet


def pair_nll(v_a: Tensor, v_b: Tensor, logdet_a: Tensor, logdet_b: Tensor, shared: slice, rho: float = 0.9) -> Tensor:
    """Return the mean negative log-likelihood of pairs that share one factor, in nats a pair.

    Every v is N(0, I), and the two are independent but for the block of the shared factor, where
    v_b | v_a ~ N(rho v_a, (1 - rho^2) I).

    Args:
        v_a, v_b: `[B, d]`.
        logdet_a, logdet_b: `[B]`.
        shared: the positions of the shared factor's block.
        rho: correlation of the shared block, in [0, 1).

    Raises:
        ValueError: if rho lies outside [0, 1).
    """
    if not 0 <= rho < 1:
        raise ValueError(f"rho must lie in [0, 1), got {rho}")
    a, b = v_a[:, shared], v_b[:, shared]
    conditional = (b - rho * a).square() / (1 - rho**2) + math.log(1 - rho**2) - b.square()
    return -(log_density(v_a, logdet_a) + log_density(v_b, logdet_b)).mean() + 0.5 * conditional.sum(dim=1).mean()


def shared_variance(z_a: Tensor, z_b: Tensor) -> Tensor:
    """Return the share of codes' variance that the two halves of pairs `[B, d]` have in common, a number up to 1."""
    a, b = z_a - z_a.mean(dim=0), z_b - z_b.mean(dim=0)
    return (a * b).mean() / ((a.square() + b.square()).mean() / 2)


def block_sizes(shares: Tensor, dim: int) -> list[int]:
    """Return the length of every block, the residual's first.

    N_F = floor(dim softmax(s)_F) for every factor, where the residual has the share 1; dimensions that rounding leaves
    over go to the residual.

    Args:
        shares: s `[K]`, as `shared_variance` gives them.
        dim: length d to divide.

    Raises:
        ValueError: if a factor would get no dimension.
    """
    weights = torch.cat([shares.new_ones(1), shares]).softmax(dim=0)
    sizes = (weights[1:] * dim).floor().int().tolist()
    if min(sizes) < 1:
        raise ValueError(f"dim must leave every factor a dimension, got {dim} for {len(sizes)} factors")
    return [dim - sum(sizes), *sizes]


def block_slices(sizes: list[int]) -> list[slice]:
    """Return the positions of every block, in order."""
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
