"""Lengths of paths through images: TPL, the paper's score that needs no labels, and StyleGAN's PPL.

Sources: Zhu et al. 2021 (traversal perceptual length), Karras et al. 2019 (perceptual path length).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.codes import rotate_codes
from wwlib.base.viz import heat_map
from wwlib.metrics.perceptual import PerceptualDistance

# points on a traversal, traversals, length from which a code counts as active (metric defaults of the author's code)
PRESETS = {
    "tpl_0.1": (25, 50, 0.1),
    **{f"tpl_small_{s}": (25, 10, s) for s in (0.1, 0.3, 0.5)},
    **{f"tpl_large_{s}": (49, 300, s) for s in (0.1, 0.3, 0.5)},
    "tpl_huge_0.1": (193, 300, 0.1),
    **{f"tpl_huge_{s}": (49, 3000, s) for s in (0.3, 0.5)},
    "vae": (50, 500, 0.01),
}
LARGEST = 256  # pixels; larger images are averaged down to this, smaller ones stay as they are
FRAMES = 64  # embedded at a time, or one traversal if it has more; a trunk is a tenth faster than with 25


@dataclass(frozen=True)
class TPLScore:
    """The sum over active codes, every code's mean length `[d]` and each traversal's `[traversals, d]`.

    `roots` `[traversals, d]` are the lengths of the same paths by distances in place of squared ones; None if unknown.
    """

    score: float
    lengths: Tensor
    every: Tensor
    active: Tensor
    provenance: str
    roots: Tensor | None = None

    @property
    def root_score(self) -> float:
        """The sum over active codes of lengths by distances, the roots of LPIPS, in place of squares. Not in the paper.

        Which codes are active is decided by the squares, as for TPL.

        Raises:
            ValueError: if `roots` is None.
        """
        if self.roots is None:
            raise ValueError("roots must be given to tpl_from_lengths for a sum of distances, got None")
        return self.roots.mean(dim=0)[self.active].sum().item()

    @property
    def active_codes(self) -> int:
        """The number of codes that change the picture; TPL compares only models that have about as many."""
        return int(self.active.sum())

    def plot(self):
        """Return a figure of every code's length in every traversal."""
        return heat_map(self.every.t().numpy(), "code", "traversal", f"TPL {self.score:.2f}: length of every traversal")


@torch.no_grad()
def tpl(
    generator,
    distance: PerceptualDistance,
    traversals: int = 10,
    points: int = 25,
    threshold: float = 0.1,
    bound: float = 4.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> TPLScore:
    """Return the traversal perceptual length: how much the picture changes while one code moves, summed over codes.

    From base codes drawn from N(0, I), code i alone takes `points` equally spaced values from -bound to bound, with
    noise fixed. Its length is the sum of the perceptual distances of neighbouring frames, averaged over base codes.
    Codes whose length is at least `threshold` are active. Among models with equally many active codes, lower is
    better. Every frame is embedded once; memory does not grow with the number of traversals.

    Args:
        generator: G: `codes`, `sample_noise`, and codes and noise to images `[B, C, H, W]` in [-1, 1], not clipped.
        distance: between neighbouring frames; the definition uses `PerceptualDistance("vgg")`.
        traversals, points, threshold: `PRESETS` has the published settings.
        bound: of the codes; the definition's lies far outside the prior.
        seed: of base codes and noise, drawn on the CPU whatever the device.
        device: of generator and distance.

    Raises:
        ValueError: for sizes that make no traversal.
    """
    if traversals < 1 or points < 2 or not bound > 0:
        raise ValueError(
            f"tpl needs traversals >= 1, points >= 2 and bound > 0, got {traversals}, {points} and {bound}"
        )
    random = torch.Generator().manual_seed(seed)
    values = torch.linspace(-bound, bound, points)
    every, roots = torch.zeros(2, traversals, generator.codes)
    for row in range(traversals):
        base = torch.randn(1, generator.codes, generator=random)
        for some in torch.arange(generator.codes).split(max(1, FRAMES // points)):
            frames, noise = base.repeat(len(some), points, 1), []
            for position, code in enumerate(some):
                frames[position, :, code] = values
                noise.append([part.expand(points, -1, -1, -1) for part in generator.sample_noise(1, random, device)])
            noise = [torch.cat(maps) for maps in zip(*noise, strict=True)]
            images = generator(frames.flatten(0, 1).to(device), noise)
            embedded = distance.embed(at_most(images, LARGEST)).unflatten(0, frames.shape[:2])
            steps = torch.stack([squared_steps(path) for path in embedded]).cpu()
            every[row, some], roots[row, some] = steps.sum(dim=1), steps.sqrt().sum(dim=1)
    return tpl_from_lengths(every, threshold, getattr(distance, "provenance", type(distance).__name__), roots)


def squared_steps(embedded: Tensor) -> Tensor:
    """Return the squared distances `[points - 1, ...]` between neighbours of `[points, ..., F]`."""
    return (embedded[1:] - embedded[:-1]).square().sum(dim=-1)


def path_length(embedded: Tensor, root: bool = False) -> Tensor:
    """Return the sum of squared distances between neighbours of `[points, ..., F]`: embeddings of one or more paths.

    With `root`, the sum of the distances themselves, which is the path's length in the usual sense. If the embedding
    is a linear function of the codes, squares summed over all codes do not change when the codes are rotated.
    Distances do; they are least along the principal axes, where the codes differ most in strength.
    """
    steps = squared_steps(embedded)
    return (steps.sqrt() if root else steps).sum()


def tpl_from_lengths(every: Tensor, threshold: float, provenance: str = "", roots: Tensor | None = None) -> TPLScore:
    """Return the score of lengths `[traversals, d]` that were measured before, with any threshold."""
    lengths = every.mean(dim=0)
    active = lengths >= threshold
    return TPLScore(lengths[active].sum().item(), lengths, every, active, provenance, roots)


def at_most(images: Tensor, side: int) -> Tensor:
    """Return images averaged down by a whole factor until no side exceeds `side` pixels; smaller ones unchanged."""
    factor = -(-max(images.shape[-2:]) // side)
    return F.avg_pool2d(images, factor) if factor > 1 else images


@torch.no_grad()
def perceptual_path_length(
    generator,
    distance: PerceptualDistance,
    samples: int = 1_000,
    space: str = "lerp",
    ends: bool = True,
    epsilon: float = 1e-4,
    crop_outliers: bool = True,
    batch: int = 50,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> float:
    """Return PPL: the mean squared speed of the picture along paths between two random code vectors.

    Args:
        generator: as for `tpl`; both pictures of a pair share their noise.
        distance: as for `tpl`; the definition uses VGG16, 50,000 samples.
        samples, batch: number of pairs, in all and at a time.
        space: "lerp" (straight, right for codes that are not normalised) or "slerp" (on the sphere).
        ends: measure where the paths start, else at a random place on each.
        epsilon: step along the path, as a share of it.
        crop_outliers: leave out what lies below the 1st and above the 99th percentile.
        seed: of codes, places and noise.
        device: of generator and distance.

    Raises:
        ValueError: for an unknown space or sizes below 1.
    """
    if space not in ("lerp", "slerp") or samples < 1 or batch < 1 or not epsilon > 0:
        raise ValueError(
            "space must be 'lerp' or 'slerp', samples, batch and epsilon positive, "
            f"got {space!r}, {samples}, {batch}, {epsilon}"
        )
    random = torch.Generator().manual_seed(seed)
    speeds = []
    for start in range(0, samples, batch):
        n = min(batch, samples - start)
        first, second = torch.randn(2, n, generator.codes, generator=random)
        at = torch.zeros(n, 1) if ends else torch.rand(n, 1, generator=random)
        mix = torch.lerp if space == "lerp" else _slerp
        noise = generator.sample_noise(n, random, device)
        codes = [mix(first, second, t).to(device) for t in (at, at + epsilon)]
        pair = [distance.embed(at_most(generator(part, noise), LARGEST)) for part in codes]
        speeds.append((pair[0] - pair[1]).square().sum(dim=1) / epsilon**2)
    speeds = torch.cat(speeds)
    if crop_outliers:
        low = torch.quantile(speeds, 0.01, interpolation="lower")
        high = torch.quantile(speeds, 0.99, interpolation="higher")
        speeds = speeds[(speeds >= low) & (speeds <= high)]
    return speeds.mean().item()


def _slerp(first: Tensor, second: Tensor, t: Tensor) -> Tensor:
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    angle = t * (first * second).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    across = F.normalize(second - (first * second).sum(dim=1, keepdim=True) * first, dim=1)
    return F.normalize(first * angle.cos() + across * angle.sin(), dim=1)


@torch.no_grad()
def turned_plane_lengths(
    generator,
    distance: PerceptualDistance,
    i: int,
    j: int,
    degrees: Tensor,
    side: int = 14,
    bound: float = 4.0,
    seeds: int = 10,
) -> Tensor:
    """Return for each angle the length of all rows of a grid in the plane of codes i and j, rotated by the angle.

    At 0 degrees rows run along code i, at 90 along code j, between them along mixtures of both (Zhu et al. 2021,
    rotation experiment).

    Args:
        generator, distance: as for `tpl`.
        i, j: codes that span the plane.
        degrees: angles.
        side: points along each side of the grid.
        bound: the grid spans -bound to bound.
        seeds: base codes averaged over.
    """
    line = torch.linspace(-bound, bound, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    lengths = torch.zeros(seeds, len(degrees))
    for seed in range(seeds):
        random = torch.Generator().manual_seed(seed)
        base = torch.randn(1, generator.codes, generator=random)
        noise = [part.expand(side * side, -1, -1, -1) for part in generator.sample_noise(1, random)]
        plane = base.repeat(side * side, 1)
        plane[:, i], plane[:, j] = x.flatten(), y.flatten()
        for column, angle in enumerate(degrees.tolist()):
            codes = rotate_codes(plane, i, j, angle)
            embedded = distance.embed(at_most(generator(codes, noise), LARGEST)).view(side, side, -1)
            lengths[seed, column] = path_length(embedded.transpose(0, 1))
    return lengths.mean(dim=0)
