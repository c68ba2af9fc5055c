"""`remake invariances`: networks and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.invariances.runs import invariances

    invariances(parts, seeds)


REMAKES = (
    parts_command(
        "invariances",
        "train lesson 18's classifiers, and what explains each of their layers",
        _make,
        parts="layers, time, ablations, first, attack",
        seeds="of classifiers and flows (default: 0 to 4)",
    ),
)
