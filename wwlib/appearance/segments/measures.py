"""Measures of segments where the right ones are known: slots named by parts, overlap, and what repainting changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.appearance.landmarks.measures import change_inside
from wwlib.appearance.warps import pixel_centres
from wwlib.datasets.puppet import PARTS

FOREGROUND = range(1, len(PARTS))  # the six parts that are not background
ACTIVE = 0.005  # share of all pixels that a slot needs to count


def counts(slots: Tensor, parts: Tensor, n: int) -> Tensor:
    """Return how many pixels each slot shares with each part, `[n, 7]`.

    Args:
        slots, parts: of every pixel, whole numbers of the same shape.
        n: how many slots there are.
    """
    pairs = slots.flatten() * len(PARTS) + parts.flatten()
    return torch.bincount(pairs, minlength=n * len(PARTS)).view(n, len(PARTS))


def fit_mapping(slots: Tensor, parts: Tensor, n: int) -> Tensor:
    """Return the part that each of `n` slots shows most, `[n]`: several slots may get the same part.

    Fit it on pictures that are not scored: fitted on the scored ones, it flatters.

    Args:
        slots, parts: of every pixel, `[m, S, S]`.
        n: how many slots there are; one that never appears gets the background.
    """
    return counts(slots, parts, n).argmax(dim=1)


def part_ious(named: Tensor, parts: Tensor) -> list[float]:
    """Return each foreground part's intersection over union, over all pixels of all pictures together.

    Args:
        named: part that each pixel is taken for.
        parts: part that it shows, of the same shape.
    """
    shared = counts(named, parts, len(PARTS)).double()
    union = shared.sum(dim=0) + shared.sum(dim=1) - shared.diagonal()
    return [float(shared[part, part] / union[part].clamp_min(1)) for part in FOREGROUND]


def mean_iou(named: Tensor, parts: Tensor) -> float:
    """Return the mean of `part_ious`, the foreground mIoU."""
    return float(np.mean(part_ious(named, parts)))


def foreground_slots(slots: Tensor, mapping: Tensor) -> list[int]:
    """Return the slots that cover more than half a percent of all pixels and are mapped to a foreground part.

    Slots on the background do not count: a segmentation that only chops up the background would have many.
    """
    shares = torch.bincount(slots.flatten(), minlength=len(mapping)) / slots.numel()
    return [k for k, part in enumerate(mapping.tolist()) if part != 0 and shares[k] > ACTIVE]


class Repaints(Protocol):
    """What can be repainted, such as a `DiscoveryModel`."""

    def masks(self, images: Tensor) -> Tensor:
        """Return the hard masks `[n, P, S, S]` of pictures."""

    def transfer(self, x: Tensor, onto: Tensor, slots: list[int] | None = None) -> Tensor:
        """Return `onto` with the looks of `x` in some slots, or in all."""


@dataclass(frozen=True)
class Repainted:
    """Where a picture changes with one slot's look, as shares of the change's energy.

    `inside` the slot, and `near` it: inside or one pixel away; `inside_part` and `near_part` for the true part that the
    slot is mapped to. A decoder that sees 3 x 3 pixels has `near` 1 whatever it learned; ask for the true part's.
    """

    inside: float
    near: float
    inside_part: float
    near_part: float


def repainting(
    model: Repaints, images: Tensor, others: Tensor, parts: Tensor, part_of: dict[int, int]
) -> dict[int, Repainted]:
    """Return, for each slot, where pictures change when the slot's look comes from other pictures.

    Args:
        model: trained.
        images, others: pictures that are changed, and pictures that give looks, `[n, 3, S, S]`.
        parts: that `images` show, `[n, S, S]`.
        part_of: slots to repaint, one at a time, and the part that each is mapped to.
    """
    with torch.no_grad():
        masks, given, before = model.masks(images), model.masks(others), model.transfer(images, images)
        scores = {}
        for slot, part in part_of.items():
            # only where both pictures show the slot: an empty slot has no look to give
            rows = (masks[:, slot].sum(dim=(1, 2)) > 0) & (given[:, slot].sum(dim=(1, 2)) > 0)
            change = before[rows], model.transfer(others[rows], images[rows], [slot])
            inside = [change_inside(*change, mask[rows], margin) for mask in (masks[:, slot], parts == part)
                      for margin in (0, 1)]  # fmt: skip
            scores[slot] = Repainted(*inside)
        return scores


def static_map(footprint: Tensor, threshold: float | None = None) -> Tensor:
    """Return the map `[S, S]` that names every pixel by the mean of known pictures, the same for all pictures.

    Args:
        footprint: share of every pixel that shows each part, `[n, 7, S, S]`.
        threshold: a pixel is foreground where the mean foreground is above it; None to let all parts and the
            background compete.
    """
    mean = footprint.mean(dim=0)
    if threshold is None:
        return mean.argmax(dim=0)
    return torch.where(1 - mean[0] > threshold, mean[1:].argmax(dim=0) + 1, 0)


def tuned_static_map(footprint: Tensor, parts: Tensor) -> Tensor:
    """Return the `static_map` whose threshold gives the best mIoU on the known pictures; `parts` `[n, S, S]`."""
    maps = [static_map(footprint, threshold) for threshold in torch.linspace(0.05, 0.95, 19).tolist()]
    return max(maps, key=lambda named: mean_iou(named.expand_as(parts), parts))


def colour_clusters(image: Tensor, weight: float, clusters: int, seed: int = 0) -> Tensor:
    """Return k-means clusters of a picture's pixels by (red, green, blue, weight x, weight y), `[S, S]`.

    Args:
        image: `[3, S, S]` in [-1, 1].
        weight: of the coordinates in [-1, 1].
        clusters: how many.
        seed: of the first centres.
    """
    from sklearn.cluster import KMeans

    places = weight * pixel_centres(image.shape[-1]).flatten(0, 1)
    features = torch.cat([image.flatten(1).T, places], dim=1).numpy()
    labels = KMeans(clusters, n_init=1, random_state=seed).fit(features).labels_
    return torch.from_numpy(labels).long().view(image.shape[1:])


def mean_places(labels: Tensor, n: int) -> Tensor:
    """Return the mean (x, y) of the pixels of every label, `[n, 2]`; far away for one that no pixel has.

    Args:
        labels: of every pixel, whole numbers below `n`, `[m, S, S]`: all pictures together.
        n: how many labels there are.
    """
    chosen = F.one_hot(labels.flatten(1), n).float()  # [m, pixels, n]
    total = chosen.sum(dim=0).T @ pixel_centres(labels.shape[-1]).flatten(0, 1)
    number = chosen.sum(dim=(0, 1))[:, None]
    return torch.where(number > 0, total / number.clamp_min(1), torch.inf)


def named_by_place(labels: Tensor, clusters: int, of_parts: Tensor) -> Tensor:
    """Return a picture's pixels named by the part whose mean place lies nearest to their cluster's, `[S, S]`.

    Args:
        labels: cluster of every pixel, `[S, S]`.
        clusters: how many there are.
        of_parts: `mean_places` of the parts of known pictures, `[7, 2]`.
    """
    distances = (mean_places(labels[None], clusters)[:, None] - of_parts).square().sum(dim=2)
    return distances.argmin(dim=1)[labels]


def named_by_oracle(labels: Tensor, parts: Tensor, clusters: int) -> Tensor:
    """Return a picture's pixels named by the part that their cluster shows most: the answer chooses the names."""
    return fit_mapping(labels, parts, clusters)[labels]
