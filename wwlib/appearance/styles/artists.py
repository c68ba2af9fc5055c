"""What lesson 16's model learns from when artists are the families, and the judge of their drawings."""

from __future__ import annotations

from functools import cache

import torch

from wwlib.appearance.style import Schedule
from wwlib.appearance.styles.training import Batch
from wwlib.datasets.styles.artists import ARTISTS, Drawings
from wwlib.models.judges import Judge, new_judge, train_judge

READ = 7  # factors that the judge reads: the artist and six attributes, not the versions


@cache
def learned_drawings() -> Drawings:
    """Return the drawings that models and judges learn from."""
    return Drawings()


def artist_batch(schedule: Schedule, generator: torch.Generator) -> Batch:
    """Return a batch of drawings whose attributes are not held out.

    A photo is a drawing by any artist. A reference is another drawing, the second by another artist than the first; its
    partner shows other attributes in the same hand.
    """
    n, drawings = schedule.batch, learned_drawings()
    photos = drawings.images(drawings.sample_factors(2 * n, generator))
    shown, others = (drawings.sample_factors(2 * n, generator) for _ in range(2))
    further = torch.randint(1, len(ARTISTS), (n,), generator=generator)
    shown[n:, 0] = (shown[:n, 0] + further) % len(ARTISTS)
    others[:, 0] = shown[:, 0]
    references = drawings.images(shown)
    partners = drawings.images(others) if schedule.siblings else references
    return Batch(photos, references, partners, shown[:, 0])


def new_artist_judge(seed: int = 0) -> Judge:
    """Return an untrained judge of drawings `[B, 3, 32, 32]`."""
    return new_judge(Drawings.factor_sizes[:READ], seed, features=96, width=24)


def train_artist_judge(steps: int = 2_000, seed: int = 901) -> Judge:
    """Train a judge of drawings and return it frozen; it learns from real ones whose attributes are not held out.

    Args:
        steps: of Adam, with 64 drawings each.
        seed: of weights and drawings.
    """
    return train_judge(new_artist_judge(seed), learned_drawings(), steps, seed)
