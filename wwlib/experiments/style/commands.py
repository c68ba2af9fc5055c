"""`remake style`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.style.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "style",
        "train lesson 16's content and style",
        _make,
        parts="judge, paper, contrast, 'no triplet'",
        seeds="of the trainings (default: 0 to 4, of variants 0 alone)",
    ),
)
