"""`remake interpretation`: networks and record, whole or in parts."""

from __future__ import annotations

from functools import partial

from wwlib.base.command import Command, add_parts


def _remake(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.interpretation.runs import interpret

    choose_threads()
    interpret(options.parts, options.seeds)


_add = partial(
    add_parts, parts="host-autoencoder, autoencoder, ablations", seeds="of the interpretations (default: 0 to 4)"
)
REMAKES = (
    Command(
        "interpretation",
        "train what lesson 17 interprets, and the interpretations",
        _remake,
        _add,
    ),
)
