"""Poses of the puppet: thirteen named numbers, each in its range.

Angles are in radians; lengths are those of a picture that spans [-1, 1], x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

RANGES = {
    "across": (-0.18, 0.18),
    "down": (-0.18, 0.18),
    "size": (0.88, 1.12),
    "lean": (-0.3, 0.3),
    "facing": (-1.0, 1.0),
    "left arm": (-0.05, 1.65),
    "left elbow": (-1.2, 1.2),
    "right arm": (-0.05, 1.65),
    "right elbow": (-1.2, 1.2),
    "left thigh": (0.0, 0.8),
    "left knee": (-0.7, 0.2),
    "right thigh": (0.0, 0.8),
    "right knee": (-0.7, 0.2),
}
POSE_FACTORS = tuple(RANGES)


@dataclass(frozen=True)
class Pose:
    """How figures stand: `values` `[n, 13]`, the columns are `POSE_FACTORS`.

    `across` and `down` place the middle, `size` scales all lengths, `lean` turns the figure about its pelvis.
    `facing` is 1 for a figure that looks at us and -1 for one that looks away, whose left is then on the left.
    Arms and thighs are angles from straight down, outward; elbows and knees are turned against what they hang on.

    Raises:
        ValueError: for another shape, or a value outside `RANGES`; the message names the factor.
    """

    values: Tensor

    def __post_init__(self):
        if self.values.dim() != 2 or self.values.shape[1] != len(POSE_FACTORS):
            raise ValueError(f"values must be [n, {len(POSE_FACTORS)}], got {tuple(self.values.shape)}")
        low, high = _limits(self.values.device)
        bad = ~((self.values >= low - 1e-5) & (self.values <= high + 1e-5))
        bad[:, POSE_FACTORS.index("facing")] |= self["facing"].abs() != 1
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            name = POSE_FACTORS[column]
            allowed = "-1 or 1" if name == "facing" else "{:g} to {:g}".format(*RANGES[name])
            raise ValueError(f"{name} must be {allowed}, got {self.values[row, column].item():g} in row {row}")

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, which: str) -> Tensor: ...

    @overload
    def __getitem__(self, which: slice | Tensor) -> Pose: ...

    def __getitem__(self, which):
        """Return a factor's values `[n]` for its name, or the poses of some rows."""
        if isinstance(which, str):
            return self.values[:, _column(which)]
        return Pose(self.values[which])

    def to(self, device: torch.device | str) -> Pose:
        """Return these poses on a device."""
        return Pose(self.values.to(device))


def standing(n: int = 1, **factors: float) -> Pose:
    """Return `n` equal poses: the middle of every range, looking at us, but for the factors that are given.

    Args:
        n: number of poses.
        **factors: by name, an underscore for a blank, such as `left_arm=1.2`.

    Raises:
        ValueError: for an unknown factor or a value outside its range.
    """
    low, high = _limits("cpu")
    values = (low + high) / 2
    values[POSE_FACTORS.index("facing")] = 1
    for name, value in factors.items():
        values[_column(name.replace("_", " "))] = value
    return Pose(values.repeat(n, 1))


def sample_pose(n: int, generator: torch.Generator, facing: tuple[int, ...] = (1,)) -> Pose:
    """Return `n` poses, every factor uniform in its range and `facing` one of those given."""
    low, high = _limits("cpu")
    values = low + (high - low) * torch.rand(n, len(POSE_FACTORS), generator=generator)
    choice = torch.randint(len(facing), (n,), generator=generator)
    values[:, POSE_FACTORS.index("facing")] = torch.tensor(facing, dtype=torch.float32)[choice]
    return Pose(values)


def _column(name: str) -> int:
    if name not in RANGES:
        raise ValueError(f"factor must be one of {POSE_FACTORS}, got {name!r}")
    return POSE_FACTORS.index(name)


def _limits(device: torch.device | str) -> tuple[Tensor, Tensor]:
    low, high = torch.tensor(list(RANGES.values()), device=device).unbind(dim=1)
    return low.clone(), high.clone()
