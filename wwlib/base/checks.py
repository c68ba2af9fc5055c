"""Checks of settings that are made when a config or a schedule is."""

from __future__ import annotations

import math
from numbers import Integral, Real


def check_numbers(settings: object, positive: tuple[str, ...], from_zero: tuple[str, ...] = ()) -> None:
    """Raise ValueError, naming the entry, unless all of `positive` are above 0 and all of `from_zero` 0 or more.

    Args:
        settings: an object with these entries, such as a dataclass; NaN, infinity and what is no number are refused.
        positive, from_zero: names of entries.
    """
    for name in positive:
        if not _is_number(getattr(settings, name)) or not 0 < getattr(settings, name) < math.inf:
            raise ValueError(f"{name} must be positive, got {getattr(settings, name)!r}")
    for name in from_zero:
        if not _is_number(getattr(settings, name)) or not 0 <= getattr(settings, name) < math.inf:
            raise ValueError(f"{name} must be 0 or more, got {getattr(settings, name)!r}")


def check_whole(least: int = 1, **values: object) -> None:
    """Raise ValueError, naming the argument, unless each value is a whole number of at least `least`."""
    for name, value in values.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
