"""One training on several processes, GPUs or machines that `torchrun` starts, and what they exchange.

Gradients are added up by one plain sum a step instead of `DistributedDataParallel`. A step calls D three times,
differentiates R1 twice and accumulates micro-batches, and DDP needs an exception for each of these; it also averages
over processes, while their shares of a batch may be unequal here. The sum is exact in every case, but it cannot run at
the same time as the backward pass.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from wwlib.base.device import environment_number
from wwlib.models.config import GROUP

# How long to wait for a process that hangs (the others notice at once when one dies). It must be longer than anything
# that the leader does alone, such as an FID or a long TPL at a snapshot.
PATIENCE = timedelta(hours=4)
JOINING, SILENCE = 30 * 60, 3  # seconds that processes may take to meet, and that pass before this is worth a line


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

    Where something else set `WORLD_SIZE`, `RANK`, `MASTER_ADDR` and `MASTER_PORT`, it says whom it waits for.

    Args:
        device: of this process's networks.

    Raises:
        ValueError: if one of these variables is missing or holds no such number.
        ConnectionError: if the others do not come within `JOINING`.
    """
    size = environment_number("WORLD_SIZE", 1, 1)
    if size == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if under_torchrun():  # which has gathered them all before it started any
        dist.init_process_group(backend, timeout=PATIENCE)
    else:
        rank = environment_number("RANK", -1, 0)
        dist.init_process_group(backend, store=_gather(rank, size), rank=rank, world_size=size, timeout=PATIENCE)
    yield Team(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()  # not after an error, since it could wait for processes that have ended


def _gather(rank: int, size: int) -> dist.Store:
    """Return the store that all processes share, once all have come to it; say after a few seconds who is missing."""
    host, port = os.environ.get("MASTER_ADDR", ""), environment_number("MASTER_PORT", 0, 1)
    if not host or not port or not 0 <= rank < size:
        given = {name: os.environ.get(name) for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT")}
        raise ValueError(f"WORLD_SIZE above 1 needs RANK below it, MASTER_ADDR and MASTER_PORT, got {given}")
    place, start, told = f"{host}:{port}", time.monotonic(), ""

    def wait(whom: str) -> None:
        nonlocal told
        waited = time.monotonic() - start
        if waited > JOINING:
            raise ConnectionError(f"waited {JOINING / 60:.0f} minutes for {whom} at {place}, in vain")
        if waited > SILENCE and whom != told:
            print(f"waiting for {whom} at {place}", flush=True)
            told = whom
        time.sleep(0.1)

    while rank and not _answers(host, port):
        wait(f"the first of {size} processes")
    try:
        store = dist.TCPStore(host, port, size, rank == 0, PATIENCE, wait_for_workers=False)
    except RuntimeError as error:
        raise ConnectionError(f"the processes cannot meet at {place}: {str(error).splitlines()[0]}") from None
    store.set(f"joined {rank}", "")
    while missing := sum(not store.check([f"joined {other}"]) for other in range(size)):
        wait(f"{missing} of {size} processes")
    return dist.PrefixStore("team", store)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False


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
