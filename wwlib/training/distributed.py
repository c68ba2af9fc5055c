"""One training on several processes, GPUs or machines that `torchrun` starts, and what they exchange.

Gradients are added up by one plain sum a step instead of `DistributedDataParallel`. A step calls D three times,
differentiates R1 twice and accumulates micro-batches, and DDP needs an exception for each of these; it also averages
over processes, while their shares of a batch may be unequal here. The sum is exact in every case, but it cannot run at
the same time as the backward pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from wwlib.models.config import GROUP

# How long to wait for a process that hangs (the others notice at once when one dies). It must be longer than anything
# that the leader does alone, such as an FID or a long TPL at a snapshot.
PATIENCE = timedelta(hours=4)


@dataclass(frozen=True)
class Team:
    """The processes of one training; `Team()` is a single process, which exchanges nothing.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints, pictures and records."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """Return this process's share of a batch, in whole groups of the minibatch deviation.

        Raises:
            ValueError: if there are more processes than groups.
        """
        groups = batch // GROUP
        if groups < self.size:
            raise ValueError(f"batch must be at least {GROUP * self.size} for {self.size} processes, got {batch}")
        return slice(GROUP * (groups * self.rank // self.size), GROUP * (groups * (self.rank + 1) // self.size))

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over all processes; all must be of one type and on one device."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _others_may_be_gone():
            dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set in any process; all processes get the same answers."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)  # on the CPU, so that this does not wait for the GPU
        with _others_may_be_gone():
            dist.all_reduce(raised, dist.ReduceOp.MAX)
        return raised.bool().tolist()

    def gather(self, report: dict) -> list[dict]:
        """Return the reports of all processes, in the order of ranks."""
        if self.size == 1:
            return [report]
        everything: list = [None] * self.size
        with _others_may_be_gone():
            dist.all_gather_object(everything, report)
        return everything

    def hear_leader(self, content: bytes) -> bytes:
        """Return the leader's `content` in every process; the argument of the others is ignored."""
        if self.size == 1:
            return content
        with _others_may_be_gone():
            length = torch.tensor(len(content))
            dist.broadcast(length, src=0)
            received = torch.zeros(int(length), dtype=torch.uint8)
            if self.leads and content:
                received = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            if length:
                dist.broadcast(received, src=0)
        return received.numpy().tobytes()


ALONE = Team()


@contextmanager
def team(device: torch.device) -> Iterator[Team]:
    """Join the processes that `torchrun` started, through gloo on CPU and nccl on CUDA; alone without `torchrun`.

    Args:
        device: of this process's networks.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    yield Team(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()  # not after an error, since it could wait for processes that have ended


def under_torchrun() -> bool:
    """Return whether `torchrun` started this process; it then also passes signals on to it."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def _others_may_be_gone() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ConnectionError(
            f"another process of this training ended or hangs ({reason}); the same command continues"
        ) from error
