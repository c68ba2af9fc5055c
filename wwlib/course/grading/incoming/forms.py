"""The forms in which platforms give out a class's files: who owns each file, and when it was handed in."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wwlib.course.grading.incoming.files import LARGEST, File
from wwlib.course.grading.incoming.people import Directory, Person, gradescope_people, person_of, tidy

METADATA = "submission_metadata.yml"  # of a Gradescope export
EXPORT, FOLDER = re.compile(r"assignment_\d+_export"), re.compile(r"submission_\d+")
STAMP = "timestamp.txt"  # of nbgrader


def without_wrapper(files: list[File], directory: Directory) -> list[File]:
    """A zip of one folder that holds all others, as some systems make them, without that folder."""
    tops = {file.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.parts) == 1 for file in files) or any(f.parts[1:] == (METADATA,) for f in files):
        return files
    (top,) = tops
    known = person_of(top).name or top in directory.roster or top in directory.mapping
    if known or len({file.parts[1] for file in files}) < 2:
        return files
    directory.remarks.append(f"everything lies in the folder {tidy(top)}: what lies there is taken for the learners'")
    return [replace(file, parts=file.parts[1:]) for file in files]


def gradescope(files: list[File], directory: Directory) -> tuple[list[File], dict[str, list[Person]]]:
    """A Gradescope export's files without its outer folder and with its own times, and whose each folder is.

    Learners name their files as they like: only the file at the top counts, and only where all else is of that form.
    """
    above = 1 if files and all(EXPORT.fullmatch(file.parts[0]) for file in files) else 0
    said = [file for file in files if file.parts[above:] == (METADATA,) and file.load]
    others = [file for file in files if file not in said]
    if len(said) != 1 or not all(len(f.parts) > above and FOLDER.fullmatch(f.parts[above]) for f in others):
        return files, {}
    try:
        people = gradescope_people(said[0].load(LARGEST).decode("utf-8", "replace"))
    except Exception:
        return files, {}
    found = []
    times = {folder: stamp(when) for folder, (_, when) in people.items()}
    unknown = sorted(folder for folder, time in times.items() if time is None)
    if unknown:
        directory.remarks.append(f"{', '.join(unknown)}: no readable time in {METADATA}, so never late")
    for file in others:
        when = times.get(file.parts[above], file.modified)
        found.append(replace(file, parts=file.parts[above:], modified=when or 0.0))
    return found, {folder: who for folder, (who, _) in people.items() if who}


def stamp(text: str) -> float | None:
    """The first time in a text as platforms write it, in seconds since 1970; None if there is none.

    It is UTC where no zone is named.
    """
    found = re.search(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(?:\.\d+)? *([A-Za-z+-][\w/:+-]*)?", text)
    if not found:
        return None
    date, clock, zone = found[1], found[2], found[3] or "UTC"
    try:
        if re.fullmatch(r"[+-]\d\d:?\d\d", zone):
            return datetime.fromisoformat(f"{date}T{clock}{zone}").timestamp()
        named = UTC if zone in ("Z", "UTC") else ZoneInfo(zone)
        return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=named).timestamp()
    except (ValueError, ZoneInfoNotFoundError):
        return None


def nbgrader(files: list[File], directory: Directory) -> list[File]:
    """Files of nbgrader's `submitted` folder with the times that it wrote beside them, or the files as they are.

    It is taken for one only where every learner has a `timestamp.txt` for every assignment: a single one may be a
    learner's own.
    """
    places = {file.parts[:2] for file in files}
    times = {file.parts[:2]: file for file in files if len(file.parts) == 3 and file.parts[2] == STAMP and file.load}
    if set(times) != places:
        if times:
            directory.remarks.append(f"{len(times)} files called {STAMP} are not used, since not everybody has one")
        return files
    when = {place: stamp(file.load(100).decode("utf-8", "replace")) for place, file in times.items()}
    return [replace(file, modified=when[file.parts[:2]] or 0.0) for file in files if file not in times.values()]


def owner(file: File) -> Person:
    """Whom a file belongs to: the person in the first part of its path."""
    person = person_of(file.parts[0])
    if len(file.parts) > 1 or person.name:
        return person
    stem = person.id
    for suffix in (".ipynb.txt", ".ipynb.json", ".ipynb", ".zip"):
        if stem.lower().endswith(suffix):
            return person_of(stem[: -len(suffix)] or stem)
    return person_of(PurePosixPath(stem).stem)
