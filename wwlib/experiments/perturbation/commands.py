"""`remake perturbation`: the record that lesson 04 compares losses with."""

from __future__ import annotations

from wwlib.base.command import Command


def _remake(_) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.perturbation.runs import compare

    choose_threads()
    compare()


REMAKES = (Command("perturbation", "train lesson 04's small pairs over three seeds and record the scores", _remake),)
