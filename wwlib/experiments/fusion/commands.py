"""`remake fusion`: networks and record, whole or in parts."""

from __future__ import annotations

from functools import partial

from wwlib.base.command import Command, add_parts


def _remake(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.fusion.runs import fuse

    choose_threads()
    fuse(options.parts, options.seeds)


_add = partial(
    add_parts, parts="image-model, domain, argmax", seeds="of the fusions (default: 0 to 4, of most remedies 0)"
)
REMAKES = (
    Command(
        "fusion",
        "train lesson 20's image model, experts and fusions",
        _remake,
        _add,
    ),
)
