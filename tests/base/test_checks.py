"""A number that a setting cannot be is refused, with its name."""

from types import SimpleNamespace

import pytest

from wwlib.base.checks import check_numbers


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
