"""`remake artist_styles`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.artist_styles.runs import make

    make(parts, seeds)


REMAKES = (
    parts_command(
        "artist_styles",
        "train lesson 16's content and style on drawings by artists",
        _make,
        parts="judge, contrast, 'contrast, strong image loss', paper",
        seeds="of the trainings (default: 0 to 2 of the shipped case, 0 of the others)",
    ),
)
