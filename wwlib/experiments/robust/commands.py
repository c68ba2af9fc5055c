"""`remake robust`: the judge of joints, the variants of lesson 13 and their record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.robust.runs import disentangle

    disentangle(parts, seeds)


REMAKES = (
    parts_command(
        "robust",
        "train the variants of lesson 13 and judge them",
        _make,
        parts="judge, 'weak adversary', 'weak full'",
        seeds="of the trainings (default: 0 to 4)",
    ),
)
