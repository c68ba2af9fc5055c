"""Rows of codes changed as a whole: some copied from another row, two turned into each other."""

from __future__ import annotations

import math

from torch import Tensor


def copy_codes(target: Tensor, source: Tensor, positions: list[int] | slice) -> Tensor:
    """Return `target` codes `[B, d]` with some positions taken from `source`; neither changes."""
    mixed = target.clone()
    mixed[:, positions] = source[:, positions]
    return mixed


def rotate_codes(codes: Tensor, i: int, j: int, degrees: float) -> Tensor:
    """Return `codes` `[n, d]` with positions i and j turned by an angle: the same information, other axes."""
    angle = math.radians(degrees)
    turned = codes.clone()
    turned[:, i] = math.cos(angle) * codes[:, i] - math.sin(angle) * codes[:, j]
    turned[:, j] = math.sin(angle) * codes[:, i] + math.cos(angle) * codes[:, j]
    return turned
