"""Tables of numbers from numpy's files: what is read, and what is refused with which words."""

import os
import pickle

import numpy as np
import pytest

from wwlib.base.arrays import load_tables

NAMES = ("codes", "factors")


@pytest.fixture
def points():
    random = np.random.default_rng(0)
    return dict(codes=random.normal(size=(50, 3)), factors=random.integers(0, 4, (50, 2)))


def test_one_archive_and_two_files_hold_the_same(points, tmp_path):
    np.savez(tmp_path / "points.npz", **points, note=np.array("beside"))
    np.savez_compressed(tmp_path / "small.npz", **points)
    for name, table in points.items():
        np.save(tmp_path / f"{name}.npy", table)
    for files in (["points.npz"], ["small.npz"], ["codes.npy", "factors.npy"]):
        codes, factors = load_tables([tmp_path / file for file in files], NAMES)
        assert np.array_equal(codes, points["codes"])
        assert np.array_equal(factors, points["factors"])


def test_the_content_decides_not_the_name(points, tmp_path):
    with open(tmp_path / "points.dat", "wb") as file:
        np.savez(file, **points)
    assert np.array_equal(load_tables([tmp_path / "points.dat"], NAMES)[0], points["codes"])


def changed(points, **changes):
    return {**points, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(codes=np.array([{}, 1], dtype=object)), "codes in .* must hold numbers, got pickled Python objects"),
        (
            dict(codes=np.zeros((1, 50, 3))),
            r"codes in .* must be a table of rows and columns, got the shape \(1, 50, 3\)",
        ),
        (dict(factors=np.zeros(50, int)), r"factors in .* must be a table of rows and columns, got the shape \(50,\)"),
        (dict(codes=np.zeros((0, 3))), r"must be a table of rows and columns, got the shape \(0, 3\)"),
        (dict(factors=np.zeros((49, 2), int)), "as many rows, got 50 rows of codes in .*, 49 rows of factors in"),
        (dict(factors=np.full((50, 2), "red")), "factors in .* must hold numbers, got <U3"),
        (dict(codes=np.ones((50, 3)) * 1j), "codes in .* must hold numbers, got complex128"),
    ],
)
def test_arrays_that_are_no_tables_of_numbers_are_named(points, changes, message, tmp_path):
    np.savez(tmp_path / "points.npz", **changed(points, **changes))
    with pytest.raises(ValueError, match=message):
        load_tables([tmp_path / "points.npz"], NAMES)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_counted_and_the_first_is_named(points, value, tmp_path):
    points["codes"][[7, 9], 1] = value
    np.savez(tmp_path / "points.npz", **points)
    with pytest.raises(ValueError, match=r"codes in .* must be finite, got NaN or infinity in 2 rows, first in row 7"):
        load_tables([tmp_path / "points.npz"], NAMES)


def test_an_archive_that_lacks_a_name_says_what_it_holds(points, tmp_path):
    np.savez(tmp_path / "points.npz", codes=points["codes"], labels=points["factors"])
    with pytest.raises(
        ValueError, match=r"must hold codes and factors, got \['codes', 'labels'\] without \['factors'\]"
    ):
        load_tables([tmp_path / "points.npz"], NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "got an empty one"), (b"codes,factors\n1,2\n", "got a file of another kind"),
     (pickle.dumps({"codes": 1}), "got a file of another kind")],
    ids=["empty", "text", "pickle"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["points.npz", "points.npy"])
def test_a_file_of_another_kind_is_named(content, message, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} must be a .npz or .npy file.*{message}"):
        load_tables([tmp_path / name], NAMES)


class Trap:
    """Sets a variable of the environment when it is unpickled."""

    def __reduce__(self):
        return os.putenv, ("WW_TRAPPED", "1")


def test_nothing_pickled_is_opened(points, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(pickle, "load", lambda *_, **__: opened.append(1))
    np.save(tmp_path / "codes.npy", np.array([Trap()], dtype=object))
    np.save(tmp_path / "factors.npy", points["factors"])
    with pytest.raises(ValueError, match="must hold numbers, got pickled Python objects, which are not opened"):
        load_tables([tmp_path / "codes.npy", tmp_path / "factors.npy"], NAMES)
    assert not opened


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*points\.npz"):
        load_tables([tmp_path / "points.npz"], NAMES)
    with pytest.raises(ValueError, match=r"must be a \.npz or \.npy file, got a folder"):
        load_tables([tmp_path], NAMES)


@pytest.mark.parametrize("files", [["codes.npy"], ["points.npz", "points.npz"], ["codes.npy", "points.npz"]], ids=str)
def test_another_number_of_files_is_refused(files, points, tmp_path):
    np.savez(tmp_path / "points.npz", **points)
    np.save(tmp_path / "codes.npy", points["codes"])
    with pytest.raises(ValueError, match=r"codes and factors must come in one .npz file, or in one .npy file each"):
        load_tables([tmp_path / file for file in files], NAMES)


def test_whatever_byte_of_a_header_is_damaged_the_file_is_named_or_read(points, tmp_path):
    """A header is Python source: what its parser raises depends on the byte and on Python's version."""
    np.save(tmp_path / "factors.npy", points["factors"])
    np.save(tmp_path / "codes.npy", points["codes"])
    whole, random, named = (tmp_path / "codes.npy").read_bytes(), np.random.default_rng(0), []
    for place in range(6, 128):
        for flip in random.integers(1, 256, 8):
            content = bytearray(whole)
            content[place] ^= int(flip)
            (tmp_path / "codes.npy").write_bytes(content)
            try:
                load_tables([tmp_path / "codes.npy", tmp_path / "factors.npy"], NAMES)
            except ValueError as error:
                named.append("codes.npy" in str(error))
    assert len(named) > 700  # the rest changed nothing but blanks
    assert all(named)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.parametrize("files", [["points.npz"], ["codes.npy", "factors.npy"]], ids=str)
def test_damage_is_named(files, damage, points, tmp_path):
    np.savez(tmp_path / "points.npz", **points)
    for name, table in points.items():
        np.save(tmp_path / f"{name}.npy", table)
    content = bytearray((tmp_path / files[0]).read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[20 if files[0].endswith("npy") else 400] ^= 0x55  # in the header, or in numbers that zip has a sum of
    (tmp_path / files[0]).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{files[0]} cannot be read, it seems to be damaged"):
        load_tables([tmp_path / file for file in files], NAMES)
