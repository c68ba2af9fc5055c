"""`remake translation`: networks and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.translation.runs import translate

    translate(parts, seeds)


REMAKES = (
    parts_command(
        "translation",
        "train what lesson 19 translates between, and the translations",
        _make,
        parts="host-encoder, captions, logits",
        seeds="of the trainings (default: 0 to 4, of remedies 0)",
    ),
)
