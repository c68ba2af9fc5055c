"""The measures of "where": how well the place on which a code acts coincides with the true footprint of a factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wwlib.base.checks import check_whole
from wwlib.base.viz import heat_map, stretched
from wwlib.datasets.factors import FactorData
from wwlib.metrics.information import binned, entropies, mutual_information
from wwlib.metrics.points import encode_sample
from wwlib.models.interface import GeneratorLike
from wwlib.models.traversals import code_masks


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union of two boolean masks over their last two axes; 0 where both are empty."""
    if a.dtype != torch.bool or b.dtype != torch.bool:
        raise TypeError(f"a and b must be boolean masks, got {a.dtype} and {b.dtype}")
    intersection = (a & b).sum(dim=(-2, -1)).float()
    union = (a | b).sum(dim=(-2, -1)).float()
    return torch.where(union > 0, intersection / union.clamp(min=1), 0.0)


@dataclass(frozen=True)
class MaskIoU:
    """IoU `[d, K]` of every code's mask with every factor's footprint, and the threshold `[d, K]` chosen for it."""

    iou: Tensor
    threshold: Tensor
    factor_names: tuple[str, ...]

    def best(self, factor: str) -> tuple[int, float]:
        """Return the code whose mask fits a factor's footprint best, and its IoU."""
        column = self.iou[:, self.factor_names.index(factor)]
        return int(column.argmax()), column.max().item()


@torch.no_grad()
def mask_iou(model, data: FactorData, n: int = 256, seed: int = 0, levels: int = 19) -> MaskIoU:
    """Compare masks with true footprints on real images.

    The recogniser reads the codes of each image, and the generator gives its masks for those codes. The threshold that
    turns a soft mask into a region is a share of the mask's own range. It is chosen for each pair of code and factor
    on the first half of the images, and the IoU is measured on the second.

    Args:
        model: has `generator` and `recogniser`.
        data: real images with footprints.
        n: number of images.
        seed: of the images.
        levels: thresholds tried.

    Raises:
        ValueError: for fewer than two images or no threshold.
    """
    check_whole(2, n=n)  # half of them choose the thresholds
    check_whole(levels=levels)
    factors = data.sample_factors(n, torch.Generator().manual_seed(seed))
    masks = code_masks(model.generator, model.recogniser(data.images(factors)), data.resolution)
    masks = stretched(masks)
    shares = torch.linspace(0.05, 0.95, levels)
    half = n // 2
    d, k = masks.shape[1], len(data.factor_names)
    scores, thresholds = torch.zeros(d, k), torch.zeros(d, k)
    for column, name in enumerate(data.factor_names):
        footprint = data.footprint(factors, name)[:, None]
        table = torch.stack([iou(masks > share, footprint) for share in shares])
        chosen = table[:, :half].mean(dim=1).argmax(dim=0)
        scores[:, column] = table[chosen, half:, torch.arange(d)].mean(dim=1)
        thresholds[:, column] = shares[chosen]
    return MaskIoU(scores, thresholds, data.factor_names)


def above_everywhere(overlap: Tensor, share: Tensor) -> Tensor:
    """Return an IoU rescaled so that a match is 1, and acting everywhere, whose IoU is the footprint's share, is 0."""
    return ((overlap - share) / (1 - share).clamp(min=1e-6)).clamp(min=0)


@dataclass(frozen=True)
class WhereScore:
    """The where score, each factor's `[K]`, each factor's code `[K]` (-1 for none) and every overlap `[d, K]`."""

    score: float
    factors: np.ndarray
    codes: np.ndarray
    overlaps: np.ndarray
    factor_names: tuple[str, ...]

    def plot(self):
        """Return a picture of how every code's place overlaps with every factor's."""
        title = f"where score {self.score:.2f}: overlap above that of the whole image"
        return heat_map(self.overlaps, "code", "factor", title, self.factor_names)


@torch.no_grad()
def where_score(
    model,
    data: FactorData,
    n: int = 64,
    seed: int = 0,
    place: str = "change",
    threshold: float = 0.1,
    least_share: float = 0.05,
) -> WhereScore:
    """Return how well the place on which each factor's code acts coincides with the factor's own place, in [0, 1].

    This score is defined here. A factor's code is the one with most mutual information about it, on real images. Both
    places are found by the same rule: the pixels that change by more than `threshold` of the range from black to
    white, once while the code runs through the prior's values with everything else fixed, once while the factor runs
    through its own. Their IoU is averaged over images and rescaled so that a code that acts everywhere gets 0:
    `(IoU - all) / (1 - all)`, at least 0, where `all` is the share of the image that the factor changes. The score is
    the mean over factors that vary. A factor counts 0 if no code has at least the share `least_share` of its entropy.
    1 means that every factor has a code that changes its pixels and no others; a code that acts nowhere, elsewhere or
    everywhere gets 0. Generators with and without masks can be scored.

    Args:
        model: has `generator` and `recogniser`, such as `Model` or `VAE`.
        data: real images with footprints.
        n: images on which places are compared; 2,000 more decide which code tells which factor.
        seed: of the images.
        place: "change", or "mask" for the masks of a PS-SC generator (above half of their own range).
        threshold: smallest change that counts.
        least_share: of a factor's entropy, which its code must tell.

    Raises:
        ValueError: for an unknown place.
    """
    if place not in ("change", "mask"):
        raise ValueError(f"place must be 'change' or 'mask', got {place!r}")
    if place == "mask" and not hasattr(model.generator, "blocks"):
        raise ValueError(f"place 'mask' needs a generator with masks, got {type(model.generator).__name__}")
    random = torch.Generator().manual_seed(seed)
    codes, values = encode_sample(model.recogniser, data, 2000, random)
    if not codes.isfinite().all():
        raise ValueError("codes must be finite, the recogniser gave NaN or infinity")
    information = mutual_information(binned(codes.numpy(), 20), values.numpy())
    entropy = entropies(values.numpy())
    code_of = np.where(information.max(axis=0) >= least_share * entropy, information.argmax(axis=0), -1)
    factors = data.sample_factors(n, random)
    base = model.recogniser(data.images(factors))
    if place == "mask":
        masks = code_masks(model.generator, base, data.resolution)
        # a mask that is dark everywhere marks no place
        places = (stretched(masks) > 0.5) & (masks.amax(dim=(2, 3), keepdim=True) > 0.05)
    else:
        moves = [change_map(model.generator, base, code) > threshold for code in range(base.shape[1])]
        places = torch.stack(moves, dim=1)
    overlaps = np.zeros((base.shape[1], len(data.factor_names)))
    for k, name in enumerate(data.factor_names):
        footprint = data.footprint(factors, name, threshold)[:, None]
        everywhere = footprint.float().mean(dim=(2, 3))
        overlaps[:, k] = above_everywhere(iou(places, footprint).mean(dim=0), everywhere.mean()).cpu()
    scores = np.where(code_of >= 0, overlaps[code_of, range(len(code_of))], 0.0)
    return WhereScore(float(scores[entropy > 0].mean()), scores, code_of, overlaps, data.factor_names)


@torch.no_grad()
def change_map(
    generator: GeneratorLike, base: Tensor, code: int, span: float = 2.0, steps: int = 7, noise=None
) -> Tensor:
    """Return how much each pixel changes while one code runs from -span to span, `[B, H, W]` in [0, 1].

    Works for any generator, with masks or without.

    Args:
        generator: G.
        base: `[B, d]`.
        code: which code moves.
        span, steps: of the traversal.
        noise: as `sample_noise` gives it; fixed while the code moves.
    """
    frames = []
    noise = generator.sample_noise(len(base), torch.Generator().manual_seed(0)) if noise is None else noise
    for value in torch.linspace(-span, span, steps):
        moved = base.clone()
        moved[:, code] = value
        frames.append(generator(moved, noise).clamp(-1, 1))
    frames = torch.stack(frames)
    return ((frames.amax(dim=0) - frames.amin(dim=0)).amax(dim=1) / 2).clamp(0, 1)


def changed_share(before: Tensor, after: Tensor, threshold: float = 0.1) -> Tensor:
    """Return the share of pixels `[n]` in [0, 1] that differ between images `[n, C, H, W]` by more than `threshold`.

    A pixel's difference is that of its most different channel, as a share of the range from black to white.
    """
    difference = (after - before).abs().amax(dim=1) / 2
    return (difference > threshold).float().mean(dim=(1, 2))


def traversal_change(frames: Tensor) -> Tensor:
    """Return how much each code's traversal changes the picture `[d]`: the sum of neighbouring frames' differences.

    Args:
        frames: `[d, steps, C, H, W]` in [-1, 1], as `viz.traversal` gives them.
    """
    return (frames[:, 1:] - frames[:, :-1]).abs().mean(dim=(2, 3, 4)).sum(dim=1)
