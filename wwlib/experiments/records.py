"""Tables that are made from a record: without one, they read the record in `data/`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps

from wwlib.base.table import Table


def made_from(load: Callable[[], dict]) -> Callable[[Callable[..., Table]], Callable[..., Table]]:
    """Return a decorator for functions from a record to a table: called without a record, they get the one of `load`.

    Args:
        load: reads the record; called each time that it is needed, and not before.
    """

    def decorate(table: Callable[..., Table]) -> Callable[..., Table]:
        @wraps(table)
        def with_record(record: dict | None = None, **options) -> Table:
            return table(load() if record is None else record, **options)

        return with_record

    return decorate


def recorded_cases(record: dict, cases: Iterable[str]) -> list[str]:
    """Return those of `cases` that have a run in the record, in the order of `cases`."""
    made = {run["case"] for run in record["runs"]}
    return [case for case in cases if case in made]
