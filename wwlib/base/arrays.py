"""Tables of numbers from the files that numpy saves, with an error in plain words for every other file."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

NUMPY, ZIP = b"\x93NUMPY", b"PK"  # what a .npy and a .npz file begin with, whatever their names
# What numpy raises for damaged files: a header is Python source, and a flipped bit may call a zip member encrypted
DAMAGED = (ValueError, TypeError, EOFError, OSError, KeyError, SyntaxError, tokenize.TokenError, RuntimeError,
           zipfile.BadZipFile, zlib.error)  # fmt: skip


def load_tables(files: Sequence[str | Path], names: tuple[str, ...]) -> list[np.ndarray]:
    """Return tables `[N, ...]` of numbers that share N, one for each name. Nothing pickled is ever opened.

    Args:
        files: one `.npz` file that holds all of the names, or a `.npy` file for each, in their order.
        names: of the tables.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if a file is of another kind, damaged or pickled, lacks a name, or holds anything but finite numbers
            in tables of equal length.
    """
    paths = [Path(file) for file in files]
    if len(paths) == 1 and _kind(paths[0]) == ZIP:
        tables = _from_archive(paths[0], names)
    elif len(paths) == len(names) and all(_kind(path) == NUMPY for path in paths):
        tables = {f"{name} in {path}": _read(path) for name, path in zip(names, paths, strict=True)}
    else:
        both = " and ".join(names)
        given = ", ".join(str(path) for path in paths)
        raise ValueError(f"{both} must come in one .npz file, or in one .npy file each, got {given}")
    for where, table in tables.items():
        _check(where, table)
    if len({len(table) for table in tables.values()}) > 1:
        lengths = ", ".join(f"{len(table):,} rows of {where}" for where, table in tables.items())
        raise ValueError(f"{' and '.join(names)} must have as many rows, got {lengths}")
    return list(tables.values())


def _kind(path: Path) -> bytes:
    """Return what the file begins with, `NUMPY` or `ZIP`."""
    if path.is_dir():
        raise ValueError(f"{path} must be a .npz or .npy file, got a folder")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        begins = file.read(len(NUMPY))
    if not begins:
        raise ValueError(f"{path} must be a .npz or .npy file, got an empty one")
    for kind in (NUMPY, ZIP):
        if begins.startswith(kind):
            return kind
    raise ValueError(f"{path} must be a .npz or .npy file as numpy saves them, got a file of another kind")


def _from_archive(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    archive = _read(path)
    with archive:
        if missing := [name for name in names if name not in archive]:
            raise ValueError(f"{path} must hold {' and '.join(names)}, got {list(archive)} without {missing}")
        return {f"{name} in {path}": _read(path, archive, name) for name in names}


def _read(path: Path, archive=None, name: str = ""):
    """Open a file, or read one array of an archive."""
    try:
        return np.load(path, allow_pickle=False) if archive is None else archive[name]
    except DAMAGED as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{name or 'the array'} in {path} must hold numbers, got pickled Python objects, which are not opened"
            ) from None
        raise ValueError(f"{path} cannot be read, it seems to be damaged: {error}") from None


def _check(where: str, table: object) -> None:
    """Raise ValueError unless this is a table `[N, ...]` of finite numbers with at least one entry."""
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "biuf":
        raise ValueError(f"{where} must hold numbers, got {getattr(table, 'dtype', type(table).__name__)}")
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{where} must be a table of rows and columns, got the shape {table.shape}")
    if not np.isfinite(table).all():
        rows = np.flatnonzero(~np.isfinite(table).all(axis=1))
        raise ValueError(f"{where} must be finite, got NaN or infinity in {len(rows):,} rows, first in row {rows[0]}")
