"""Files that were handed in, in a folder or a zip: nothing is unpacked onto the disk, and little in them is trusted."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath

from wwlib.course.grading.incoming.people import tidy

LARGEST = 20 * 2**20  # bytes of one notebook
ZIPPED, DIRECTORY = 100 * 2**20, 2**20  # bytes of a learner's zip, and of its list of members
MEMBERS, UNPACKED = 2_000, 200 * 2**20  # files and bytes in a learner's zip, notebooks or not
JUNK = (".ipynb_checkpoints", ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave behind
NO_TIME = 315_619_200.0  # before that, which is 1980-01-02, a zip knows no time


@dataclass(frozen=True)
class File:
    """One file that was handed in, wherever it lies.

    Attributes:
        parts: of its path, the person's folder or file first.
        size: bytes, as far as known.
        modified: when it was handed in, seconds since 1970; 0 if not known.
        saved: the file's own time, which orders attempts inside a learner's zip.
        load: returns its first bytes, at most so many.
        problem: why it cannot be read.
        note: what the platform says of it besides.
    """

    parts: tuple[str, ...]
    size: int = 0
    modified: float = 0.0
    saved: float = 0.0
    load: Callable[[int], bytes] | None = None
    problem: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Its path, for people."""
        return "/".join(self.parts)

    @property
    def suffix(self) -> str:
        """Of its name, in lower case."""
        return PurePosixPath(self.parts[-1].lower()).suffix


def in_folder(place: Path) -> list[File]:
    """The files below a folder; symbolic links are not followed."""
    found = []
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        linked = any((place / Path(*parts[:n])).is_symlink() for n in range(1, len(parts)))
        if not (linked or _is_junk(parts) or (path.is_dir() and not path.is_symlink())):
            found.append(_on_disk(path, parts))
    return found


def _on_disk(path: Path, parts: tuple[str, ...]) -> File:
    try:
        if path.is_symlink():
            return File(parts, problem="a symbolic link; send the file itself")
        if not path.is_file():
            return File(parts, problem="not a regular file")
        about = path.stat()
    except OSError as error:
        return File(parts, problem=f"cannot be read: {error.strerror}")

    def load(most: int) -> bytes:
        with open(path, "rb") as file:
            return file.read(most)

    when = min(max(about.st_mtime, 0.0), 4e9)  # what a calendar can hold
    return File(parts, about.st_size, when, when, load)


def _is_junk(parts: tuple[str, ...]) -> bool:
    return any(part in JUNK or part.startswith("._") for part in parts)


@lru_cache(maxsize=4)
def _archive(load: Callable[[int], bytes]) -> zipfile.ZipFile:
    """A learner's zip, opened in memory; the last few stay open, since their members are read one after another."""
    return zipfile.ZipFile(io.BytesIO(load(ZIPPED)))


def unzip(zipped: File) -> list[File]:
    """The files in a learner's zip, or the zip with the reason why it is not opened.

    A learner made it: little in it is trusted, and its own time, not its members', says when it was handed in.
    """
    refuse = lambda why: [replace(zipped, load=None, problem=why)]  # noqa: E731
    if zipped.size > ZIPPED:
        return refuse(f"a zip larger than {ZIPPED // 2**20} MB")
    try:
        if _long_directory(zipped.load(ZIPPED)[-70_000:]):
            return refuse("a zip with a list of members that is too long")
        listed = _archive(zipped.load).infolist()
        size = sum(member.file_size for member in listed)  # more than that is never unpacked
        if len(listed) > MEMBERS or size > UNPACKED:
            return refuse(f"a zip with {len(listed)} files, {size / 2**20:.0f} MB unpacked; send the notebook alone")
        return members(lambda: listed, lambda: _archive(zipped.load), zipped.parts, zipped.modified)
    except Exception as error:  # zipfile raises whatever its decompressors do
        return refuse(f"a zip that cannot be read: {type(error).__name__}")


def members(infolist: Callable, archive: Callable, above: tuple[str, ...], when: float | None = None) -> list[File]:
    """The members of a zip as files; `when` it was handed in, if not its members' own times say that."""
    found = []
    for member in infolist():
        parts = PurePosixPath(_name_of(member).replace("\\", "/")).parts
        parts = tuple(part for part in parts if part not in ("/", ".."))
        if member.is_dir() or not parts or _is_junk(parts):
            continue
        saved, problem = _time_of(member), ""
        if member.flag_bits & 1:
            problem = "encrypted: send it without a password"
        elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = "packed in a way that is not read; use a plain zip"

        def load(most: int, member: zipfile.ZipInfo = member) -> bytes:
            with archive().open(member) as file:
                return file.read(most)

        found.append(File(above + parts, member.file_size, saved if when is None else when, saved, load, problem))
    return found


def _name_of(member: zipfile.ZipInfo) -> str:
    """A member's name: some programs write UTF-8, those of a Mac among them, without saying so."""
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            return member.filename.encode("cp437").decode("utf-8")
    return member.filename


def _long_directory(tail: bytes) -> bool:
    """Say whether any end of a zip's list of members promises more than a learner's zip may have."""
    marks: list[int] = []
    place = tail.find(b"PK\x05\x06")
    while place >= 0:
        marks += struct.unpack("<I", tail[place + 12 : place + 16].ljust(4, b"\0"))
        place = tail.find(b"PK\x05\x06", place + 1)
    return b"PK\x06\x07" in tail or any(size > DIRECTORY for size in marks)


def _time_of(member: zipfile.ZipInfo) -> float:
    """When a member was saved: its exact time where the zip holds one, else its local one; 0 if neither is there."""
    extra, place = member.extra, 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack("<HH", extra[place : place + 4])
        if kind == 0x5455 and size >= 5 and extra[place + 4] & 1 and place + 9 <= len(extra):
            return min(max(float(struct.unpack("<i", extra[place + 5 : place + 9])[0]), 0.0), 4e9)
        place += 4 + size
    try:
        when = time.mktime(datetime(*member.date_time).timetuple())
    except (ValueError, OverflowError):
        return 0.0
    return when if when > NO_TIME else 0.0


def is_notebook(file: File) -> bool:
    """Say whether a file is a notebook, by its name or, whatever its name, by how it begins and what it holds."""
    if file.suffix == ".ipynb":
        return True
    if file.problem or file.load is None or file.size > LARGEST:
        return False
    try:
        return file.load(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"cells"' in file.load(LARGEST)
    except Exception:
        return False


def is_zip(file: File) -> bool:
    """Say whether a file is a zip, by its name or by how it begins."""
    try:
        return file.suffix == ".zip" or (file.load is not None and file.load(4) == b"PK\x03\x04")
    except Exception:
        return False


def shown_name(file: File) -> str:
    """A file's path in printable letters."""
    return tidy(file.name)


def what(file: File) -> str:
    """Say what a file is that is no notebook."""
    kind = "a zip in a zip" if is_zip(file) else f"not a notebook: {file.suffix or 'no suffix'}"
    if file.parts[-1].startswith("onlinetext") or file.parts[-1].endswith("_text.html"):
        kind = "not a notebook: text written into the platform"
    return kind
