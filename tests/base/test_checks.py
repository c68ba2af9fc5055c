"""A number that a setting cannot be is refused, with its name."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from wwlib.base.checks import check_numbers, check_whole


def test_positive_numbers_and_a_zero_where_it_is_allowed_pass():
    check_numbers(SimpleNamespace(batch=1, rate=1e-9, weight=0), positive=("batch", "rate"), from_zero=("weight",))


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_what_is_not_positive_is_named(value):
    with pytest.raises(ValueError, match=f"rate must be positive, got {value}"):
        check_numbers(SimpleNamespace(batch=1, rate=value), positive=("batch", "rate"))


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf")])
def test_what_is_below_zero_is_named(value):
    with pytest.raises(ValueError, match=f"weight must be 0 or more, got {value}"):
        check_numbers(SimpleNamespace(weight=value), positive=(), from_zero=("weight",))


@pytest.mark.parametrize("value", ["1", None, True, 1j, [1.0]])
def test_what_is_no_number_is_named(value):
    with pytest.raises(ValueError, match=rf"^rate must be positive, got {re.escape(repr(value))}$"):
        check_numbers(SimpleNamespace(rate=value), positive=("rate",))
    with pytest.raises(ValueError, match=rf"^rate must be 0 or more, got {re.escape(repr(value))}$"):
        check_numbers(SimpleNamespace(rate=value), positive=(), from_zero=("rate",))


@pytest.mark.parametrize("value", [1, 0, -1, 2.0, True, None, "2"])
def test_what_is_no_whole_number_or_too_small_is_named(value):
    check_whole(2, batch=2, bins=np.int64(7))
    with pytest.raises(ValueError, match=f"batch must be a whole number of at least 2, got {value!r}"):
        check_whole(2, batch=value)
