"""The parts that a lesson's record is made of: which ones are asked for, and the loop that records their runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wwlib.base.shelf import Shelf

SEEDS = range(5)  # of a part, unless others are asked for


def chosen_parts(parts: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the parts to make, in the order of `known`: all of them when none is named.

    Raises:
        ValueError: for an unknown part.
    """
    if unknown := sorted(set(parts) - set(known)):
        raise ValueError(f"parts must be among {tuple(known)}, got {unknown}")
    return [part for part in known if not parts or part in parts]


def record_run(shelf: Shelf, run: dict, text: str) -> None:
    """Write a run into the record and print its case, its seed and a text about it."""
    shelf.note_run(run)
    print(f"{run['case']}, seed {run['seed']}: {text}", flush=True)


def record_runs(
    shelf: Shelf,
    parts: Iterable[str],
    seeds_of: Callable[[str], Iterable[int]],
    runs_of_part: Callable[[str, int], Iterable[dict]],
    text_of: Callable[[dict], str],
) -> None:
    """Make every part with every seed, and record each run as soon as it is there.

    Args:
        shelf: holds the record.
        parts: to make, in this order.
        seeds_of: the seeds of a part.
        runs_of_part: trains a part with a seed and gives its run records.
        text_of: what is printed about a run.
    """
    for part in parts:
        for seed in seeds_of(part):
            for run in runs_of_part(part, seed):
                record_run(shelf, run, text_of(run))
