"""`remake portrait_parts`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.portrait_parts.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "portrait_parts",
        "train landmarks and slots on drawn portraits",
        _make,
        parts="landmarks, slots, baselines",
        seeds="of the trainings (default: 0 to 2)",
    ),
)
