"""Submissions as files: every file of a folder or a zip is either somebody's notebook, or is named with a reason.

Nothing is unpacked onto the disk, and nothing is held in memory but the file that is being read.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from wwlib.course.grading.incoming import files as handed_in
from wwlib.course.grading.incoming.files import LARGEST, UNPACKED, File, is_notebook, is_zip, shown_name
from wwlib.course.grading.incoming.forms import gradescope, nbgrader, owner, without_wrapper
from wwlib.course.grading.incoming.people import REPLACED, Directory, Person, person_of
from wwlib.course.grading.incoming.reading import Reading

NOTEBOOKS = 500  # of one learner
BESIDE = (".csv", ".txt", ".yml", ".yaml", ".md")  # an instructor's own, where they lie at the top


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
            files = handed_in.members(zipfile.ZipFile(place).infolist, lambda: zipfile.ZipFile(place), ())
        except Exception as error:  # zipfile raises whatever its decompressors do
            problem = f"a zip that cannot be read: {type(error).__name__}"
            return [Submission(place.stem, place.name, problem=problem)], []
        files = without_wrapper(files, directory)
    elif place.is_dir():
        files = handed_in.in_folder(place)
    else:
        raise FileNotFoundError(f"no folder of submissions at {place}, and no zip")
    files, people = gradescope(nbgrader(files, directory), directory)
    owners: dict[Person, list[File]] = {}
    nobodys, everyone = [], []
    for file in files:
        alone = len(file.parts) == 1 and file.suffix in BESIDE and not person_of(file.parts[0]).name
        if alone and not is_notebook(file):
            nobodys.append(file.name)
            continue
        for person in people.get(file.parts[0]) or [owner(file)]:
            everyone.append(person)
            owners.setdefault(person, []).append(replace(file, note=person.note))
    ids = directory.learners(everyone)
    found = []
    for person, mine in owners.items():
        found += _of_one(ids[person], mine, directory.remarks)
    return found, nobodys


def _of_one(learner: str, files: list[File], remarks: list[str]) -> list[Submission]:
    """A person's files as submissions: every notebook, and what is none as a note, or as a problem if that is all."""
    flat: list[File] = []
    for file in files:
        within = handed_in.unzip(file) if not file.problem and is_zip(file) else [file]
        flat += [replace(one, note=file.note) for one in within]
    notebooks, others = [], []
    for file in flat:
        if file.problem or not is_notebook(file):
            others.append((file, file.problem or handed_in.what(file)))
        else:
            notebooks.append(file)
    clear = REPLACED not in learner
    size = sum(file.size for file in notebooks if file.size <= LARGEST)
    if len(notebooks) > NOTEBOOKS or size > UNPACKED:
        problem = f"{len(notebooks)} notebooks, {size / 2**20:.0f} MB in all; send one for each lesson"
        return [Submission(learner, shown_name(files[0]), problem=problem)]
    found = []
    for file in notebooks:
        problem = "" if clear and shown_name(file).count(REPLACED) == 0 else "its name is not printable text"
        if file.size > LARGEST:
            problem = f"larger than {LARGEST // 2**20} MB; clear its outputs"
        found.append(Submission(learner, shown_name(file), file.load, file.modified, file.saved, problem,
                                [file.note] if file.note else []))  # fmt: skip
    remarks += [
        f"{shown_name(file)} is a zip in a zip and was not opened"
        for file, _ in others
        if not file.problem and is_zip(file)
    ]
    for file, why in others:
        if found and not file.problem:
            found[-1].notes.append(f"{shown_name(file)} is {why} and was not read")
        else:
            found.append(Submission(learner, shown_name(file), modified=file.modified, problem=why))
    return found or [Submission(learner, shown_name(files[0]), problem="a zip without a notebook")]


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


def name_other_lessons(everything: list[Submission], lesson: str, counted: set[str], remarks: list[str]) -> None:
    """Name whoever handed in another lesson than is graded, or than most of the class did."""
    lessons: dict[str, set[str]] = {}
    for one in everything:
        if one.lesson and not one.problem:
            lessons.setdefault(one.learner, set()).add(one.lesson)
            if lesson and one.learner not in counted:
                one.problem = f"it is a notebook of lesson {one.lesson}, and only lesson {lesson} is graded"
    handed_in = Counter(one for mine in lessons.values() for one in mine)
    usual = [one for one, count in handed_in.items() if 2 * count > len(lessons)]
    others = sorted(learner for learner, mine in lessons.items() if usual and not mine.intersection(usual))
    if others and not lesson:
        remarks.append(f"handed in another lesson than {', '.join(usual)}, as most did: {', '.join(others)}")
