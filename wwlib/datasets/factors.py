"""The interface that all data sets with known factors share: names, sizes, images, and where each factor acts."""

from __future__ import annotations

import torch
from torch import Tensor


class FactorData:
    """Images that are a function of a few known, independent factors.

    A data set sets `factor_names`, `factor_sizes`, `channels`, `resolution`, `device` and defines `images`.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    channels: int
    resolution: int
    device: torch.device = torch.device("cpu")

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, C, H, W]` in [-1, 1] for whole-number `factors` `[n, K]`."""
        raise NotImplementedError

    def __len__(self) -> int:
        return int(torch.tensor(self.factor_sizes).prod())

    def __repr__(self) -> str:
        factors = ", ".join(f"{name} {size}" for name, size in zip(self.factor_names, self.factor_sizes, strict=True))
        return f"{type(self).__name__}({len(self):,} images, {self.resolution} px, factors: {factors})"

    def factor_index(self, factor: int | str) -> int:
        """Return the position of a factor given by name or position; raise ValueError for any other."""
        if factor in self.factor_names:
            return self.factor_names.index(factor)
        if isinstance(factor, int) and 0 <= factor < len(self.factor_names):
            return factor
        raise ValueError(
            f"factor must be one of {self.factor_names} or 0..{len(self.factor_names) - 1}, got {factor!r}"
        )

    def check_factors(self, factors: Tensor) -> Tensor:
        """Return `factors` as int64 on this data set's device; raise ValueError or TypeError if they do not fit."""
        factors = torch.as_tensor(factors)
        if factors.is_floating_point() or factors.is_complex():
            raise TypeError(f"factors must be whole numbers (an integer tensor), got {factors.dtype}")
        if factors.dim() != 2 or factors.shape[1] != len(self.factor_sizes):
            raise ValueError(f"factors must be [n, {len(self.factor_sizes)}], got {tuple(factors.shape)}")
        factors = factors.to(self.device, torch.int64)
        sizes = torch.tensor(self.factor_sizes, device=self.device)
        bad = (factors < 0) | (factors >= sizes)
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            raise ValueError(
                f"factors[{row}, {column}] ({self.factor_names[column]}) must be 0..{self.factor_sizes[column] - 1}, "
                f"got {factors[row, column].item()}"
            )
        return factors

    def sample_factors(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` factor vectors `[n, K]` uniformly and independently; seeded by `generator` (a CPU generator)."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        columns = [torch.randint(size, (n,), generator=generator) for size in self.factor_sizes]
        return torch.stack(columns, dim=1).to(self.device)

    def sample_unseen(self, n: int, generator: torch.Generator | None, seen: Tensor) -> Tensor:
        """Draw as `sample_factors` does, but only factor vectors that are not among `seen` `[m, K]`.

        Raises:
            ValueError: if `seen` holds every factor vector there is.
        """
        known = set(map(tuple, self.check_factors(seen).tolist()))
        if len(known) == len(self):
            raise ValueError(f"seen must leave something out, got all {len(self):,} factor vectors")
        rows: list[list[int]] = []
        while len(rows) < n:
            rows += [row for row in self.sample_factors(n, generator).tolist() if tuple(row) not in known]
        return torch.tensor(rows[:n], device=self.device)

    def sample_images(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` images `[n, C, H, W]` in [-1, 1] uniformly from the whole factor grid."""
        return self.images(self.sample_factors(n, generator))

    def sample_rows(self, n: int, generator: torch.Generator | None, rows: slice) -> Tensor:
        """Draw as `sample_images` does, but make only some rows of the `n` images, such as one process's share."""
        return self.images(self.sample_factors(n, generator)[rows])

    def variations(self, factors: Tensor, factor: int | str) -> Tensor:
        """Return every image `[n, size, C, H, W]` that differs from `factors` `[n, K]` in one factor only."""
        index = self.factor_index(factor)
        factors = self.check_factors(factors)
        size = self.factor_sizes[index]
        all_values = factors[:, None].repeat(1, size, 1)
        all_values[:, :, index] = torch.arange(size, device=factors.device)
        images = self.images(all_values.flatten(0, 1))
        return images.unflatten(0, (len(factors), size))

    def footprint(self, factors: Tensor, factor: int | str, threshold: float = 0.1) -> Tensor:
        """Return where a factor acts: the pixels that change when it alone runs through all its values.

        Args:
            factors: `[n, K]` whole numbers.
            factor: name or position of the factor.
            threshold: smallest change that counts, as a share of the full range from black to white.

        Returns:
            `[n, H, W]` bool.
        """
        images = self.variations(factors, factor)
        change = (images.amax(dim=1) - images.amin(dim=1)).amax(dim=1) / 2
        return change > threshold
