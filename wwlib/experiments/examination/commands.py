"""`remake examination`: the record of lesson 11."""

from __future__ import annotations

from wwlib.base.command import Command


def _add(parser) -> None:
    parser.add_argument("name", help="name of a shipped model")


def _remake(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.examination.runs import examine

    choose_threads()
    record = examine(options.name)
    print(f"TPL {record['tpl']['score']:.2f}; projection {record['projection']['errors']['search']}")


REMAKES = (Command("examination", "measure a shipped model on unseen pictures, for lesson 11", _remake, _add),)
