"""`remake landmarks`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.landmarks.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "landmarks",
        "train lesson 14's landmarks and their looks",
        _make,
        parts="full, 'no equivariance', 'raw maps, jitter'",
        seeds="of the trainings (default: 0 to 4)",
    ),
)
