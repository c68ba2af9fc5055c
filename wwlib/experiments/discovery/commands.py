"""`remake discovery`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.discovery.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "discovery",
        "train lesson 15's segmenters, which name no part",
        _make,
        parts="baselines, full, warped, 'no background, no area'",
        seeds="of the trainings (default: 0 to 4; of settings that look for the critic's use: 0)",
    ),
)
