"""A lesson's shelf in `data/`: one file of weights, one record of every run that was made for it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from wwlib.files import half_floats, load_tensors, prefixed, save_json, save_tensors, unprefixed

Network = TypeVar("Network", bound=nn.Module)


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

    def load(self, name: str, network: Network) -> Network:
        """Fill an untrained network with the kept weights of `name`; return it frozen.

        Raises:
            FileNotFoundError: if nothing of that name is kept.
        """
        tensors = unprefixed(name, load_tensors(self.weights)[0]) if self.weights.exists() else {}
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
        """Change the record on disk, read anew each time; two processes at once may lose what one of them notes."""
        record = self.read() if self.record.exists() else dict(command=self.command, hosts={}, runs=[])
        record["versions"] = dict(torch=torch.__version__, python=platform.python_version(), machine=platform.machine())
        record["threads"] = torch.get_num_threads()
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
