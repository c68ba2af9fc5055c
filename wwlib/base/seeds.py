"""Weights drawn from a seed, without a trace in torch's global random states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let what is drawn inside come from `seed`, and leave the random state of the CPU and of every GPU as it was.

    `torch.manual_seed` would also seed all GPUs, whose states `fork_rng(devices=[])` does not give back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
