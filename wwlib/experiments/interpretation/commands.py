"""`remake interpretation`: networks and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.interpretation.runs import interpret

    interpret(parts, seeds)


REMAKES = (
    parts_command(
        "interpretation",
        "train what lesson 17 interprets, and the interpretations",
        _make,
        parts="host-autoencoder, autoencoder, ablations",
        seeds="of the interpretations (default: 0 to 4)",
    ),
)
