"""Two changes of many codes at once: copy some codes from other rows, or rotate the plane of two codes."""

from __future__ import annotations

import math

from torch import Tensor


def copy_codes(target: Tensor, source: Tensor, positions: list[int] | slice) -> Tensor:
    """Return `target` codes `[B, d]` with some positions taken from `source`; neither changes."""
    mixed = target.clone()
    mixed[:, positions] = source[:, positions]
    return mixed


def rotate_codes(codes: Tensor, i: int, j: int, degrees: float) -> Tensor:
    """Return `codes` `[n, d]` with the plane of positions i and j rotated by an angle in degrees.

    The rotated codes hold the same information on other axes.
    """
    angle = math.radians(degrees)
    turned = codes.clone()
    turned[:, i] = math.cos(angle) * codes[:, i] - math.sin(angle) * codes[:, j]
    turned[:, j] = math.sin(angle) * codes[:, i] + math.cos(angle) * codes[:, j]
    return turned
