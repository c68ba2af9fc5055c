"""`remake vunet`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.vunet.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "vunet",
        "train lesson 12's judge of joints and Variational U-Nets",
        _make,
        parts="judge, coarse, fine",
        seeds="of the trainings (default: 0 to 4; 0 where one seed is enough for a curve)",
    ),
)
