"""One line of a table of criteria: the goal, the values over seeds, and how many seeds meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from wwlib.base.shelf import runs_of

INVERSE = 1e-4  # the largest error of a flow's inverse that any lesson allows
CRITERIA = ("criterion", "goal", "measured, mean (range) over seeds", "3 sd bound", "seeds that meet it")
# edits of faces by attribute: (the papers' method, its rival), as the tables of both translation and fusion print them
PAPER_EDITS = {
    "hair": ("15.18", "20.94"),
    "glasses": ("37.32", "41.27"),
    "gender": ("16.38", "20.04"),
    "beard": ("12.02", "19.88"),
    "age": ("10.77", "21.77"),
    "smiling": ("9.57", "14.47"),
}


def measured(record: dict, case: str, measure: str, measures: Mapping[str, Callable[[dict], float]]) -> np.ndarray:
    """Return one measure `[seeds]` of a case of a record.

    Args:
        record: of every run.
        case: of the record's.
        measure: name of one of `measures`.
        measures: functions of a run.

    Raises:
        ValueError: for an unknown case or measure.
    """
    if measure not in measures:
        raise ValueError(f"measure must be one of {tuple(measures)}, got {measure!r}")
    return np.array([measures[measure](run) for run in runs_of(record, case)])


def threshold(values: np.ndarray, worst: str = "low") -> float:
    """Return what a repetition should reach: three standard deviations of the recorded seeds on the worse side."""
    return float(values.mean() + (-3 if worst == "low" else 3) * values.std(ddof=1))


def criterion(what: str, values: np.ndarray, limit: float, low: bool, digits: str = ".3f") -> tuple[str, ...]:
    """Return one line of a table of criteria, under the header `CRITERIA`.

    Args:
        what: is measured.
        values: over seeds.
        limit: that each seed should meet.
        low: whether the limit is the least value, not the largest.
        digits: format of the values.
    """
    met = int(((values >= limit) if low else (values <= limit)).sum())
    bound = f"{threshold(values, 'low' if low else 'high'):{digits}}" if len(values) > 1 else "–"  # one has no spread
    return (
        what,
        f"{'≥' if low else '≤'} {limit:g}",
        mean_and_range(values, digits),
        bound,
        f"{met} of {len(values)}",
    )


def mean_and_range(values: np.ndarray, digits: str = ".2f") -> str:
    """Return "mean (lowest to highest)" of values over seeds, without a minus before a zero."""
    return f"{values.mean():z{digits}} ({values.min():z{digits}} to {values.max():z{digits}})"


def median_and_range(values: list[float]) -> str:
    """Return "median (lowest to highest, n seeds)"."""
    if not values:
        return "none yet"
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    if len(ordered) == 1:
        return f"{middle:.3f} (1 seed)"
    return f"{middle:.3f} (median of {len(ordered)} seeds; {ordered[0]:.3f} to {ordered[-1]:.3f})"
