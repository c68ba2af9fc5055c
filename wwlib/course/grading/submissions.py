"""Submissions as files: every file of a folder or a zip is either somebody's notebook, or is named with a reason.

Nothing is unpacked onto the disk, and nothing is held in memory but the file that is being read.
"""

from __future__ import annotations

import hashlib
import io
import struct
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath

from wwlib.course.grading.platforms import REPLACED, Directory, Person, gradescope_people, person_of, tidy
from wwlib.course.grading.reading import Reading

LARGEST = 20 * 2**20  # bytes of one notebook
ZIPPED, DIRECTORY = 100 * 2**20, 2**20  # bytes of a learner's zip, and of its list of members
MEMBERS, UNPACKED = 500, 200 * 2**20  # notebooks and bytes of one learner
JUNK = (".ipynb_checkpoints", ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave behind
BESIDE = (".csv", ".txt", ".yml", ".yaml", ".md")  # an instructor's own, where they lie at the top
METADATA = "submission_metadata.yml"  # of a Gradescope export
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


@dataclass
class Submission:
    """One notebook of one learner, or the reason why it could not be read."""

    learner: str
    name: str
    load: Callable[[int], bytes] | None = None
    modified: float = 0.0
    saved: float = 0.0
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    reading: Reading = field(default_factory=Reading)

    @property
    def lesson(self) -> str:
        """The lesson it was read as."""
        return self.reading.lesson

    def content(self) -> bytes:
        """Return the file's bytes, and remember their digest; ValueError with a reason if that cannot be done."""
        try:
            data = self.load(LARGEST)
        except Exception as error:  # zipfile raises whatever its decompressors do
            raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}") from None
        self.digest = hashlib.sha256(data).hexdigest()
        return data


def find(place: Path, directory: Directory | None = None) -> tuple[list[Submission], list[str]]:
    """Return every notebook below a folder or in a zip with its learner, and the files that are nobody's.

    The learner is whom the first part of a file's path names: a platform's name for a person, a folder, or the file's
    own name. A zip belongs, with all it holds, to the person it is named after. Symbolic links are not followed.

    Args:
        place: a folder, or one zip with what such a folder would hold, as a platform gives it out.
        directory: maps people to learners' ids.

    Raises:
        FileNotFoundError: if there is neither.
    """
    directory = directory or Directory()
    if place.is_file() and place.suffix.lower() == ".zip":
        try:
            files = _list(zipfile.ZipFile(place).infolist, lambda: zipfile.ZipFile(place), ())
        except Exception as error:  # zipfile raises whatever its decompressors do
            problem = f"a zip that cannot be read: {type(error).__name__}"
            return [Submission(place.stem, place.name, problem=problem)], []
        files = _without_wrapper(files, directory)
    elif place.is_dir():
        files = _in_folder(place)
    else:
        raise FileNotFoundError(f"no folder of submissions at {place}, and no zip")
    files, people = _gradescope(files)
    owners: dict[Person, list[File]] = {}
    nobodys, everyone = [], []
    for file in files:
        alone = len(file.parts) == 1 and file.suffix in BESIDE and not person_of(file.parts[0]).name
        if alone and not _notebook(file):
            nobodys.append(file.name)
            continue
        for person in people.get(file.parts[0]) or [_owner(file)]:
            everyone.append(person)
            owners.setdefault(person, []).append(replace(file, note=person.note))
    ids = directory.learners(everyone)
    found = []
    for person, mine in owners.items():
        found += _of_one(ids[person], mine)
    return found, nobodys


def _in_folder(place: Path) -> list[File]:
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


def _unzip(zipped: File) -> list[File]:
    """The files in a learner's zip, or the zip with the reason why it is not opened.

    A learner made it: little in it is trusted, and its own time, not its members', says when it was handed in.
    """
    refuse = lambda why: [replace(zipped, load=None, problem=why)]  # noqa: E731
    if zipped.size > ZIPPED:
        return refuse(f"a zip larger than {ZIPPED // 2**20} MB")
    try:
        if _long_directory(zipped.load(ZIPPED)[-70_000:]):
            return refuse("a zip with a list of members that is too long")
        return _list(_archive(zipped.load).infolist, lambda: _archive(zipped.load), zipped.parts, zipped.modified)
    except Exception as error:  # zipfile raises whatever its decompressors do
        return refuse(f"a zip that cannot be read: {type(error).__name__}")


def _list(members: Callable, archive: Callable, above: tuple[str, ...], when: float | None = None) -> list[File]:
    """The members of a zip as files; `when` it was handed in, if not its members' own times say that."""
    found = []
    for member in members():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
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


def _without_wrapper(files: list[File], directory: Directory) -> list[File]:
    """A zip of one folder that holds all others, as some systems make them, without that folder."""
    tops = {file.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.parts) == 1 for file in files) or any(f.parts[-1] == METADATA for f in files):
        return files
    (top,) = tops
    known = person_of(top).name or top in directory.roster or top in directory.mapping
    if known or len({file.parts[1] for file in files}) < 2:
        return files
    directory.remarks.append(f"everything lies in the folder {tidy(top)}: what lies there is taken for the learners'")
    return [replace(file, parts=file.parts[1:]) for file in files]


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


def _gradescope(files: list[File]) -> tuple[list[File], dict[str, list[Person]]]:
    """A Gradescope export's files without its outer folder and with its own times, and whose each folder is."""
    said = [file for file in files if file.parts[-1] == METADATA and len(file.parts) <= 2 and file.load]
    if len(said) != 1:
        return files, {}
    try:
        people = gradescope_people(said[0].load(LARGEST).decode("utf-8", "replace"))
    except Exception:
        return files, {}
    found, above = [], len(said[0].parts) - 1
    for file in files:
        if file is said[0] or len(file.parts) <= above:
            continue
        _, when = people.get(file.parts[above], ([], ""))
        try:
            stamp = datetime.fromisoformat(when.replace(" Z", "+00:00").replace(" UTC", "+00:00")).timestamp()
        except ValueError:
            stamp = file.modified
        found.append(replace(file, parts=file.parts[above:], modified=stamp))
    return found, {folder: who for folder, (who, _) in people.items() if who}


def _owner(file: File) -> Person:
    person = person_of(file.parts[0])
    if len(file.parts) > 1 or person.name:
        return person
    stem = person.id
    for suffix in (".ipynb.txt", ".ipynb.json", ".ipynb", ".zip"):
        if stem.lower().endswith(suffix):
            return person_of(stem[: -len(suffix)] or stem)
    return person_of(PurePosixPath(stem).stem)


def _notebook(file: File) -> bool:
    """Say whether a file is a notebook, by its name or, whatever its name, by how it begins and what it holds."""
    if file.suffix == ".ipynb":
        return True
    if file.problem or file.load is None or file.size > LARGEST:
        return False
    try:
        return file.load(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"cells"' in file.load(LARGEST)
    except Exception:
        return False


def _is_zip(file: File) -> bool:
    try:
        return file.suffix == ".zip" or (file.load is not None and file.load(4) == b"PK\x03\x04")
    except Exception:
        return False


def _of_one(learner: str, files: list[File]) -> list[Submission]:
    """A person's files as submissions: every notebook, and what is none as a note, or as a problem if that is all."""
    flat: list[File] = []
    for file in files:
        within = _unzip(file) if not file.problem and _is_zip(file) else [file]
        flat += [replace(one, note=file.note) for one in within]
    notebooks, others = [], []
    for file in flat:
        if file.problem or not _notebook(file):
            others.append((file, file.problem or _what(file)))
        else:
            notebooks.append(file)
    clear = REPLACED not in learner
    if len(notebooks) > MEMBERS or sum(file.size for file in notebooks) > UNPACKED:
        size = sum(file.size for file in notebooks) / 2**20
        problem = f"a zip with {len(notebooks)} notebooks, {size:.0f} MB unpacked"
        return [Submission(learner, _name(files[0]), problem=problem)]
    found = []
    for file in notebooks:
        problem = "" if clear and _name(file).count(REPLACED) == 0 else "its name is not printable text"
        if file.size > LARGEST:
            problem = f"larger than {LARGEST // 2**20} MB; clear its outputs"
        found.append(Submission(learner, _name(file), file.load, file.modified, file.saved, problem,
                                [file.note] if file.note else []))  # fmt: skip
    for file, why in others:
        if found and not file.problem:
            found[-1].notes.append(f"{_name(file)} is {why} and was not read")
        else:
            found.append(Submission(learner, _name(file), modified=file.modified, problem=why))
    return found or [Submission(learner, _name(files[0]), problem="a zip without a notebook")]


def _name(file: File) -> str:
    return tidy(file.name)


def _what(file: File) -> str:
    kind = "a zip in a zip" if _is_zip(file) else f"not a notebook: {file.suffix or 'no suffix'}"
    if file.parts[-1].startswith("onlinetext"):
        kind = "not a notebook: text written into the platform"
    return kind


def newest(submissions: list[Submission]) -> tuple[list[Submission], list[Submission]]:
    """Return the submissions that count and those that a newer one of the same learner and lesson replaces.

    The newest file counts; of files handed in at once the one saved last, of equally old ones the last by name.
    """
    kept: dict[tuple[str, str], Submission] = {}
    replaced = []
    for submission in sorted(submissions, key=lambda s: (s.modified, s.saved, s.name)):
        key = (submission.learner, submission.lesson)
        if key in kept:
            replaced.append(kept[key])
            submission.notes.append(f"replaces {kept[key].name}")
        kept[key] = submission
    return sorted(kept.values(), key=lambda s: (s.lesson, s.learner)), replaced
