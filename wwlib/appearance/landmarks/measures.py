"""Measures of landmarks and of exchanging parts, where the right answer is known. Distances are in pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.appearance.warps import Jitter, Warp

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of ridge regressions, per row


def in_pixels(distance: Tensor, resolution: int = 32) -> Tensor:
    """Return distances in pixels; a picture is 2 wide."""
    return distance * resolution / 2


def joint_regression(features: Tensor, joints: Tensor, train: int) -> float:
    """Return the mean distance between true joints and those that a ridge regression reads from features.

    The penalty is chosen on the last quarter of the rows that are learned from.

    Args:
        features: `[n, ...]`, such as the landmarks of a picture.
        joints: `[n, 9, 2]`.
        train: rows to learn from; the rest are scored.
    """
    x, y = features.flatten(1).double(), joints.flatten(1).double()
    x = (x - x[:train].mean(dim=0)) / (x[:train].std(dim=0) + 1e-9)
    fitted = train * 3 // 4

    def error(rows: int, until: int, penalty: float) -> float:
        read = _ridge(x[:rows], y[:rows], penalty)(x[rows:until])
        return _distance(read, y[rows:until])

    best = min(PENALTIES, key=lambda penalty: error(fitted, train, penalty))
    return error(train, len(x), best)


def _ridge(x: Tensor, y: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
    middle, offset = x.mean(dim=0), y.mean(dim=0)
    x = x - middle
    square = x.T @ x + penalty * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(square, x.T @ (y - offset))
    return lambda rows: (rows - middle) @ weights + offset


def _distance(one: Tensor, other: Tensor) -> float:
    return float(in_pixels((one - other).unflatten(1, (-1, 2)).norm(dim=2)).mean())


def mean_pose_error(joints: Tensor, train: int) -> float:
    """Return the error of reading the same joints from every picture: those of the mean pose."""
    known = joints.flatten(1)
    return _distance(known[:train].mean(dim=0).expand(len(known) - train, -1), known[train:])


def equivariance_error(read: Callable[[Tensor], Tensor], images: Tensor, warp: Warp) -> float:
    """Return how far landmarks of warped pictures, taken back by the warp, lie from those of the pictures.

    Args:
        read: gives the landmarks `[n, K, 2]` of pictures.
        images: `[n, 3, S, S]`.
        warp: one for each picture.
    """
    back = warp.points(read(warp.apply(images)))
    return float(in_pixels((back - read(images)).norm(dim=2)).mean())


def recolour_shift(read: Callable[[Tensor], Tensor], images: Tensor, jitter: Jitter) -> float:
    """Return how far landmarks move when only the colours change; the arguments are like `equivariance_error`'s."""
    return float(in_pixels((read(jitter.apply(images)) - read(images)).norm(dim=2)).mean())


def landmark_spread(landmarks: Tensor) -> float:
    """Return how far landmarks `[n, K, 2]` of different pictures lie apart: the root of x's and y's variances' sum.

    It is the mean over landmarks. Landmarks that do not follow the figure have a small one.
    """
    return float(in_pixels(landmarks.var(dim=0).sum(dim=1).sqrt()).mean())


def landmark_parts(landmarks: Tensor, footprint: Tensor) -> list[int]:
    """Return the part on which each landmark lies most, a position in `PARTS`, never the background's.

    Args:
        landmarks: `[n, K, 2]`.
        footprint: share of every pixel that shows each part, the background first, `[n, parts, S, S]`.
    """
    under = F.grid_sample(footprint, landmarks[:, :, None], align_corners=False)[..., 0]  # [n, parts, K]
    return (under[:, 1:].mean(dim=0).argmax(dim=0) + 1).tolist()


def change_inside(before: Tensor, after: Tensor, mask: Tensor, margin: int = 0) -> float:
    """Return the share of a change's energy that lies inside a mask, over all pictures together.

    Args:
        before, after: `[n, 3, S, S]`.
        mask: of the part whose look was exchanged, `[n, S, S]`, True inside.
        margin: pixels by which the mask is widened on every side.
    """
    energy = (after - before).square().sum(dim=1)
    wide = F.max_pool2d(mask[:, None].float(), 2 * margin + 1, stride=1, padding=margin)[:, 0]
    return float((energy * wide).sum() / energy.sum().clamp_min(1e-12))


def change_size(before: Tensor, after: Tensor, true_before: Tensor, true_after: Tensor) -> float:
    """Return the size of a change over that of the right one: the root of the ratio of their energies.

    A model that draws grey changes little, and may still change it in the right place.
    """
    return float(((after - before).square().sum() / (true_after - true_before).square().sum()).sqrt())
