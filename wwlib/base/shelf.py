"""The two files of a lesson in `data/`: the weights of its networks, and the record of all runs made for it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from filelock import FileLock
from torch import nn

from wwlib.base.files import (
    half_floats,
    load_json,
    load_tensors,
    prefixed,
    remove_unfinished,
    save_json,
    save_tensors,
    unprefixed,
)
from wwlib.base.paths import is_shipped, require_clone

Network = TypeVar("Network", bound=nn.Module)


def rounded(network: Network) -> Network:
    """Round a network's weights to float16, as `Shelf.keep` stores them, and return the network.

    Measured after this, a network gives the numbers that the stored one will give.
    """
    network.load_state_dict(half_floats(network.state_dict()))
    return network


def runs_of(record: dict, case: str, seed: int | None = None) -> list[dict]:
    """Return the runs of one case, in the order of seeds; with `seed`, only the run with that seed.

    Raises:
        ValueError: if there is none.
    """
    runs = [run for run in record["runs"] if seed in (None, run["seed"])]
    if of_case := [run for run in runs if run["case"] == case]:
        return of_case
    known, with_seed = sorted({run["case"] for run in runs}), "" if seed is None else f" with seed {seed}"
    raise ValueError(f"case must be one of {known}{with_seed}, got {case!r}")


def named_run(record: dict, case: str, seed: int = 0) -> dict:
    """Return the run of a case and a seed; raises as `runs_of`."""
    return runs_of(record, case, seed)[0]


@dataclass(frozen=True)
class Shelf:
    """The place of a lesson's networks and of its record.

    Args:
        weights: a safetensors file; each network's tensors under a prefixed name.
        record: a JSON file with `command`, `hosts` (seconds that each frozen network took), `runs`.
        command: the command that makes both files.
    """

    weights: Path
    record: Path
    command: str

    def _locked(self) -> FileLock:
        """Return the lock under which one process at a time reads, changes and writes."""
        return FileLock(self.record.with_suffix(".lock"))

    def load(self, name: str, network: Network) -> Network:
        """Fill an untrained network with the stored weights of `name`, and return it frozen.

        Raises:
            FileNotFoundError: if no weights of that name are stored, or the shipped file is missing.
        """
        made = self.weights.exists() or (is_shipped(self.weights) and self.record.exists())
        tensors = unprefixed(name, load_tensors(self.weights)[0]) if made else {}
        if not tensors:
            require_clone(f"data/{self.weights.name}")
            raise FileNotFoundError(f"{self.weights.name} holds no {name!r}; make it with: {self.command}")
        network.load_state_dict(tensors)
        return network.eval().requires_grad_(False)

    def keep(self, networks: Mapping[str, nn.Module], half: bool) -> None:
        """Write networks into the file of weights, beside those that are there already.

        Args:
            networks: the networks by name; one that is stored already is replaced.
            half: store the weights as float16.
        """
        with self._locked():
            remove_unfinished(self.weights)
            tensors = load_tensors(self.weights)[0] if self.weights.exists() else {}
            for name, network in networks.items():
                tensors = {key: value for key, value in tensors.items() if not key.startswith(f"{name}.")}
                weights = network.state_dict()
                tensors |= prefixed(name, half_floats(weights) if half else weights)
            save_tensors(self.weights, tensors, dict(kind=self.record.stem))

    def read(self) -> dict:
        """Return the record of every run."""
        return load_json(self.record)

    def note(self, change: Callable[[dict], None]) -> None:
        """Read the record, change it and write it; several processes may do so at the same time."""
        with self._locked():
            record = self.read() if self.record.exists() else dict(command=self.command, hosts={}, runs=[])
            versions = dict(torch=torch.__version__, python=platform.python_version(), machine=platform.machine())
            record |= dict(versions=versions, threads=torch.get_num_threads())
            change(record)
            save_json(self.record, record)

    def keep_host(self, name: str, train: Callable[[], nn.Module]) -> None:
        """Train a frozen network, write it as float16, and record how long that took."""
        start = time.perf_counter()
        self.keep({name: train()}, half=True)
        self.note_host(name, time.perf_counter() - start)

    def note_host(self, name: str, seconds: float) -> None:
        """Record how long a frozen network took to train."""
        self.note(lambda record: record["hosts"].update({name: round(seconds, 1)}))

    def note_run(self, run: dict) -> None:
        """Record a run in place of an earlier one of the same `case` and `seed`."""

        def replace_run(record: dict) -> None:
            others = [r for r in record["runs"] if (r["case"], r["seed"]) != (run["case"], run["seed"])]
            record["runs"] = sorted([*others, run], key=lambda r: (r["case"], r["seed"]))

        self.note(replace_run)
