"""Portraits at 32 px with the region that every pixel shows, and what needs no training to find the regions again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from wwlib.appearance.segments.measures import (
    colour_clusters,
    fit_mapping,
    mean_places,
    named_by_oracle,
    named_by_place,
    part_ious,
    static_map,
    tuned_static_map,
)
from wwlib.appearance.warps import sample_warp
from wwlib.datasets.portraits import REGIONS, Portraits

WEIGHTS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the place in k-means, tried on known pictures
SCORED = tuple(REGIONS)[1:]  # all but the background
PLACE, STILL, ORACLE = "k-means, named by place", "k-means, named by the static map", "k-means, named by an oracle"


@dataclass(frozen=True)
class Sitters:
    """Portraits `images` `[n, 3, 32, 32]` in [-1, 1] and the `shares` `[n, 4, 32, 32]` of `REGIONS` in every pixel."""

    images: Tensor
    shares: Tensor

    def __getitem__(self, rows: slice) -> Sitters:
        return Sitters(self.images[rows], self.shares[rows])

    @property
    def regions(self) -> Tensor:
        """The region that most of a pixel shows, `[n, 32, 32]`, positions in `REGIONS`."""
        return self.shares.argmax(dim=1)

    def warped(self, seed: int) -> Sitters:
        """Return the same portraits, each turned, moved, scaled and bent at random, and the truth with them."""
        warp = sample_warp(len(self.images), torch.Generator().manual_seed(seed))
        images, shares = warp.apply(torch.cat([self.images, self.shares], dim=1)).split((3, len(REGIONS)), dim=1)
        return Sitters(images, shares)


def draw_sitters(n: int, seed: int) -> Sitters:
    """Return `n` portraits drawn from a seed."""
    data = Portraits(32)
    factors = data.sample_factors(n, torch.Generator().manual_seed(seed))
    images, shares = zip(*((data.images(some), data.regions(some)) for some in factors.split(500)), strict=True)
    return Sitters(torch.cat(images), torch.cat(shares))


def region_ious(named: Tensor, sitters: Sitters) -> dict[str, float]:
    """Return each region's intersection over union, over all pixels of all pictures together; no background.

    Args:
        named: region that each pixel is taken for, `[n, 32, 32]`, positions in `REGIONS`.
        sitters: the truth.
    """
    overlaps = part_ious(named, sitters.regions)[: len(SCORED)]  # the measure has room for the six parts of a puppet
    return dict(zip(SCORED, overlaps, strict=True))


def static_scores(known: Sitters, tested: dict[str, Sitters]) -> dict[str, dict]:
    """Return the overlaps of the map that names every pixel by the mean of known portraits, plain and tuned.

    Args:
        known: portraits whose mean is taken, and that choose the foreground's threshold.
        tested: portraits by the name of a view.
    """
    maps = {
        "static map": static_map(known.shares),
        "static map, tuned": tuned_static_map(known.shares, known.regions),
    }
    return {
        name: {view: region_ious(named.expand_as(one.regions), one) for view, one in tested.items()}
        for name, named in maps.items()
    }


def cluster_scores(known: Sitters, tested: dict[str, Sitters], clusters: int, few: int, seed: int) -> dict[str, dict]:
    """Return the overlaps of k-means on colour and place, for three ways to name the clusters of a picture.

    By place: the region whose mean place in known portraits lies nearest. By the static map: the region that the map
    shows most under the cluster. By an oracle: the region that the cluster shows most, which nobody knows. Each has the
    weight of the place that suits it best on known portraits.

    Args:
        known: portraits to learn from.
        tested: portraits by the name of a view.
        clusters: in each picture.
        few: how many known portraits choose the weight.
        seed: of the first centres.
    """
    still, of_regions = static_map(known.shares), mean_places(known.regions, len(REGIONS))
    naming: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        PLACE: lambda labels, _: named_by_place(labels, clusters, of_regions),
        STILL: lambda labels, _: fit_mapping(labels, still, clusters)[labels],
        ORACLE: lambda labels, regions: named_by_oracle(labels, regions, clusters),
    }
    views = {None: known[:few]} | tested
    cut = cache(lambda view, weight: [colour_clusters(x, weight, clusters, seed) for x in views[view].images])

    def overlaps(name: str, view: str | None, weight: float) -> dict[str, float]:
        pairs = zip(cut(view, weight), views[view].regions, strict=True)
        return region_ious(torch.stack([naming[name](labels, regions) for labels, regions in pairs]), views[view])

    scores = {}
    for name in naming:
        best = max(WEIGHTS, key=lambda weight, name=name: sum(overlaps(name, None, weight).values()))
        scores[name] = {view: overlaps(name, view, best) for view in tested} | dict(weight=best)
    return scores
