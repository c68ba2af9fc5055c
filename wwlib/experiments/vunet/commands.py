"""`remake vunet`: weights and record, whole or in parts."""

from __future__ import annotations

from wwlib.base.command import parts_command


def _make(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.parts import record_run
    from wwlib.experiments.vunet.photographs import CASE, run_photographs
    from wwlib.experiments.vunet.runs import VUNET, make

    if puppets := [part for part in parts if part != CASE] or not parts:
        make(puppets if parts else [], seeds)
    if not parts or CASE in parts:
        run = run_photographs()
        record_run(VUNET, run, f"{run['seconds']:.0f} s, {run['scores']}")


REMAKES = (
    parts_command(
        "vunet",
        "train lesson 12's judge of joints and Variational U-Nets",
        _make,
        parts="judge, coarse, fine, photographs (needs Fashion-MNIST)",
        seeds="of the trainings (default: 0 to 4; 0 where one seed is enough for a curve)",
    ),
)
