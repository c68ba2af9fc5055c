"""`remake translation`: networks and record, whole or in parts."""

from __future__ import annotations

from functools import partial

from wwlib.base.command import Command, add_parts


def _remake(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.translation.runs import translate

    choose_threads()
    translate(options.parts, options.seeds)


_add = partial(
    add_parts, parts="host-encoder, captions, logits", seeds="of the trainings (default: 0 to 4, of remedies 0)"
)
REMAKES = (
    Command(
        "translation",
        "train what lesson 19 translates between, and the translations",
        _remake,
        _add,
    ),
)
