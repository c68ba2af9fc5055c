"""Values as plain data and in one line: whatever an answer returns, `check` and the grader judge the same thing."""

import fractions

import numpy as np
import pytest
import torch

from wwlib.course.describe import Other, as_tensor, brief, describe, name_of, plain
from wwlib.course.grading import wire


class Name(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


VALUES = [
    np.arange(6.0)[::-1].reshape(2, 3),
    np.array([1, 2], dtype=">i4"),
    np.array([0.5], dtype=np.longdouble),
    np.array(["a"]),
    np.float32(0.5),
    np.bool_(True),
    fractions.Fraction(1, 4),
    Name("a"),
    [np.ones(2), (1, None)],
    {"a": np.int64(3)},
    torch.ones(2).to_sparse(),
    torch.ones(2, dtype=torch.complex64),
    torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    torch.ones(2, device="meta"),
    object(),
    10**400,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{type(v).__module__}.{type(v).__name__}")
def test_what_the_grader_receives_is_what_check_judges(value):
    assert describe(wire.unpack(wire.pack(value))) == describe(plain(value)) == describe(plain(plain(value)))


def test_arrays_become_tensors_and_numbers_pythons_own():
    assert plain(np.arange(3)[::-1]).tolist() == [2, 1, 0]
    assert type(plain(np.float32(0.5))) is type(plain(fractions.Fraction(1, 2))) is float
    assert type(plain(np.bool_(True))) is bool
    assert type(plain(Name("a"))) is str


def test_what_is_no_data_is_named_and_equals_nothing():
    assert plain(np.array([1j])) == Other("numpy array of complex128")
    assert plain(torch.ones(2).to_sparse()) == Other("sparse tensor")
    assert plain(torch.ones(2, device="meta")) == Other("meta tensor")
    assert plain(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])) == Other("nested tensor")
    assert plain(object()) != 1.0


@pytest.mark.parametrize("rows", [[torch.ones(2), torch.zeros(2)], [np.ones(2), np.zeros(2)], [[1, 1], [0, 0]]])
def test_a_list_of_rows_is_a_table_whatever_the_rows_are(rows):
    assert as_tensor(rows).tolist() == [[1, 1], [0, 0]]


def test_rows_of_different_lengths_stay_a_list():
    rows = [torch.ones(2), torch.ones(3)]
    assert as_tensor(rows) is rows


def test_without_numbers_only_kinds_and_shapes_are_left():
    for value in (torch.rand(3), 0.123, 123, [0.123, torch.rand(2)], {"a": 0.123}, np.full(3, 0.123)):
        assert "0.1" not in describe(value, numbers=False)
        assert "123" not in describe(value, numbers=False)
    assert describe(torch.tensor([1.5]), numbers=False) == "tensor[1] of float32"
    assert brief(torch.tensor([1.5])) == "tensor[1] of float32: 1.5"
    assert brief(torch.rand(9)) == "tensor[9] of float32"


def test_a_function_without_a_name_is_yours():
    assert name_of(lambda: 0) == "your_function"
