"""A lesson's shelf in `data/`: one file of weights, one record of every run that was made for it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from filelock import FileLock
from torch import nn

from wwlib.base.files import (
    half_floats,
    is_shipped,
    load_tensors,
    prefixed,
    remove_unfinished,
    save_json,
    save_tensors,
    unprefixed,
)

Network = TypeVar("Network", bound=nn.Module)


def rounded(network: Network) -> Network:
    """Round a network's weights to float16, as `Shelf.keep` does, and return it: what is measured is what is kept."""
    network.load_state_dict(half_floats(network.state_dict()))
    return network


def runs_of(record: dict, case: str, seed: int | None = None) -> list[dict]:
    """Return the runs of one case, by seed, or the one of a seed.

    Raises:
        ValueError: if there is none.
    """
    runs = [run for run in record["runs"] if seed in (None, run["seed"])]
    if found := [run for run in runs if run["case"] == case]:
        return found
    known, of_seed = sorted({run["case"] for run in runs}), "" if seed is None else f" with seed {seed}"
    raise ValueError(f"case must be one of {known}{of_seed}, got {case!r}")


def named_run(record: dict, case: str, seed: int = 0) -> dict:
    """Return the run of a case and a seed; raises as `runs_of`."""
    return runs_of(record, case, seed)[0]


@dataclass(frozen=True)
class Shelf:
    """Where the networks and the record of a lesson lie.

    Args:
        weights: a safetensors file; each network's tensors under a prefixed name.
        record: a JSON file with `command`, `hosts` (seconds that each frozen network took), `runs`.
        command: that makes both.
    """

    weights: Path
    record: Path
    command: str

    def _locked(self) -> FileLock:
        """Return the lock under which one process at a time reads, changes and writes."""
        return FileLock(self.record.with_suffix(".lock"))

    def load(self, name: str, network: Network) -> Network:
        """Fill an untrained network with the kept weights of `name`; return it frozen.

        Raises:
            FileNotFoundError: if nothing of that name is kept, or the file that the repository ships is gone.
        """
        made = self.weights.exists() or (is_shipped(self.weights) and self.record.exists())
        tensors = unprefixed(name, load_tensors(self.weights)[0]) if made else {}
        if not tensors:
            raise FileNotFoundError(f"{self.weights.name} holds no {name!r}; make it with: {self.command}")
        network.load_state_dict(tensors)
        return network.eval().requires_grad_(False)

    def keep(self, networks: Mapping[str, nn.Module], half: bool) -> None:
        """Write networks into the file of weights, beside what is there.

        Args:
            networks: by name.
            half: as float16.
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
        return json.loads(self.record.read_text(encoding="utf-8"))

    def note(self, change: Callable[[dict], None]) -> None:
        """Change the record on disk, read anew each time; other processes may do so at the same time."""
        with self._locked():
            record = self.read() if self.record.exists() else dict(command=self.command, hosts={}, runs=[])
            versions = dict(torch=torch.__version__, python=platform.python_version(), machine=platform.machine())
            record |= dict(versions=versions, threads=torch.get_num_threads())
            change(record)
            save_json(self.record, record)

    def note_host(self, name: str, seconds: float) -> None:
        """Record how long a frozen network took to train."""
        self.note(lambda record: record["hosts"].update({name: round(seconds, 1)}))

    def note_run(self, run: dict) -> None:
        """Record a run in place of an earlier one of the same `case` and `seed`."""

        def replace_run(record: dict) -> None:
            others = [r for r in record["runs"] if (r["case"], r["seed"]) != (run["case"], run["seed"])]
            record["runs"] = sorted([*others, run], key=lambda r: (r["case"], r["seed"]))

        self.note(replace_run)
