"""`remake invariances`: networks and record, whole or in parts."""

from __future__ import annotations

from functools import partial

from wwlib.base.command import Command, add_parts


def _remake(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.invariances.runs import invariances

    choose_threads()
    invariances(options.parts, options.seeds)


_add = partial(
    add_parts, parts="layers, time, ablations, first, attack", seeds="of classifiers and flows (default: 0 to 4)"
)
REMAKES = (
    Command(
        "invariances",
        "train lesson 18's classifiers, and what explains each of their layers",
        _remake,
        _add,
    ),
)
