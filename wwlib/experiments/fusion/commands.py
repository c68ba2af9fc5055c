"""`remake fusion`: networks and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.fusion.runs import fuse

    fuse(parts, seeds)


REMAKES = (
    parts_command(
        "fusion",
        "train lesson 20's image model, experts and fusions",
        _make,
        parts="image-model, domain, argmax",
        seeds="of the fusions (default: 0 to 4, of most remedies 0)",
    ),
)
