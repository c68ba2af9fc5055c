"""Submissions as files: found, read with suspicion, matched to exercises, transplanted into a clean master."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from wwlib.course.grading.wire import clean
from wwlib.course.lessons.notebooks import KERNEL, exercise_cell
from wwlib.course.lessons.tasks import Master, Task, source_of

LARGEST = 20 * 2**20  # bytes of one notebook
JUNK = (".ipynb_checkpoints", ".DS_Store", "__MACOSX")  # what systems leave beside notebooks
MEMBERS, UNPACKED = 500, 200 * 2**20  # notebooks and bytes in one zip
CELLS, ANSWER = 2_000, 200_000  # cells of one notebook, characters of one answer


@dataclass
class Submission:
    """One notebook of one learner, or the reason why it could not be read."""

    learner: str
    name: str
    text: bytes = b""
    modified: float = 0.0
    problem: str = ""
    lesson: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of the file's bytes."""
        return hashlib.sha256(self.text).hexdigest()


def find(place: Path) -> list[Submission]:
    """Return every notebook below a folder or in a zip, and every other file as a submission with a problem.

    The learner is the folder directly below `place`, or the file's name; a zip below it belongs, with all it holds, to
    its own name. Symbolic links are not followed; what systems leave behind, `.csv` and `.txt` files are passed over.

    Args:
        place: a folder, or one zip with what such a folder would hold, as an LMS gives it out.

    Raises:
        FileNotFoundError: if there is neither.
    """
    if place.is_file() and place.suffix == ".zip":
        return [_named(s) for s in _unzip(place, "", place.name)]
    if not place.is_dir():
        raise FileNotFoundError(f"no folder of submissions at {place}, and no zip")
    found = []
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        linked = any((place / Path(*parts[:n])).is_symlink() for n in range(1, len(parts)))
        if linked or _is_junk(parts) or (path.is_dir() and not path.is_symlink()):
            continue
        learner, name = parts[0] if len(parts) > 1 else path.stem, str(Path(*parts))
        if path.is_symlink():
            found.append(Submission(learner, name, problem="a symbolic link; send the file itself"))
        elif path.suffix == ".zip":
            found += _unzip(path, learner, name)
        elif path.suffix not in (".csv", ".txt"):
            found.append(_file(path, learner, name))
    return [_named(submission) for submission in found]


def _is_junk(parts: tuple[str, ...]) -> bool:
    return any(part in JUNK or part.startswith("._") for part in parts)


def _named(submission: Submission) -> Submission:
    """Names that no file of ours could hold make a submission unreadable, not the batch."""
    learner, name = clean(submission.learner), clean(submission.name)
    if (learner, name) != (submission.learner, submission.name):
        submission.problem = submission.problem or "its name is not printable text"
    submission.learner, submission.name = learner, name
    return submission


def _file(path: Path, learner: str, name: str) -> Submission:
    try:
        if path.suffix != ".ipynb":
            return Submission(learner, name, problem=f"not a notebook: {path.suffix or 'no suffix'}")
        if not path.is_file():
            return Submission(learner, name, problem="not a regular file")
        if path.stat().st_size > LARGEST:
            return Submission(learner, name, problem=f"larger than {LARGEST // 2**20} MB; clear its outputs")
        return Submission(learner, name, path.read_bytes(), _time_of(path))
    except OSError as error:
        return Submission(learner, name, problem=f"cannot be read: {error.strerror}")


def _time_of(path: Path) -> float:
    return min(max(path.stat().st_mtime, 0.0), 4e9)  # what a calendar can hold


def _unzip(path: Path, learner: str, name: str) -> list[Submission]:
    """The notebooks of a zip: all of one learner, or, without a learner, as if the zip were the folder."""
    try:
        if not path.is_file():
            return [Submission(learner or path.stem, name, problem="not a regular file")]
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".ipynb")]
            members = [m for m in members if not _is_junk(PurePosixPath(m.filename).parts)]
            size = sum(member.file_size for member in members)
            if not members or len(members) > MEMBERS or size > UNPACKED:
                problem = f"a zip with {len(members)} notebooks, {size / 2**20:.0f} MB unpacked"
                return [Submission(learner or path.stem, name, problem=problem)]
            return [_member(archive, member, learner, name, _time_of(path)) for member in members]
    except Exception as error:  # zipfile raises whatever its decompressors do
        return [Submission(learner or path.stem, name, problem=f"a zip that cannot be read: {type(error).__name__}")]


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, learner: str, name: str, modified: float) -> Submission:
    parts = [part for part in PurePosixPath(member.filename).parts if part not in ("/", "..")]
    whose = learner or (parts[0] if len(parts) > 1 else PurePosixPath(member.filename).stem)
    name = f"{name}:{member.filename}"
    if member.file_size > LARGEST:
        return Submission(whose, name, problem=f"larger than {LARGEST // 2**20} MB unpacked")
    try:
        with archive.open(member) as file:
            return Submission(whose, name, file.read(LARGEST), modified)
    except Exception as error:
        return Submission(whose, name, problem=f"cannot be unpacked: {type(error).__name__}")


def read(submission: Submission, known: dict[str, Master]) -> None:
    """Fill in lesson and answers of a submission, or its problem; nothing it holds can raise.

    Exercises are matched by metadata, then by cell id, then by the name of the function; where several cells claim
    one exercise the last that is not the stub counts.
    """
    if submission.problem:
        return
    try:
        notebook = _notebook(submission)
        cells = [(source_of(c), c) for c in notebook.get("cells", []) if c.get("cell_type") == "code"]
        if len(cells) > CELLS:
            raise ValueError(f"more than {CELLS} cells")
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError) as error:
        submission.problem = str(error) or type(error).__name__
        return
    submission.lesson = _lesson(submission, cells, known)
    if not submission.lesson:
        submission.problem = "no lesson has these exercises"
        return
    for task in known[submission.lesson].tasks:
        _match(submission, task, cells)


def _notebook(submission: Submission) -> dict:
    import nbformat

    if not submission.text.strip():
        raise ValueError("an empty file")
    try:
        raw = json.loads(submission.text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from None
    if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
        raise ValueError("JSON, but not a notebook")
    if len(raw.get("cells", [])) > 2 * CELLS:
        raise ValueError(f"more than {CELLS} cells")
    for cell in raw.get("cells", []):  # what other tools leave out does no harm
        cell.setdefault("metadata", {})
        if cell.get("cell_type") == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
    version = raw.get("nbformat")
    if version != 4:
        submission.notes.append(f"written in notebook format {version}, converted")
    try:
        notebook = nbformat.reads(json.dumps(raw), as_version=4)
        return json.loads(nbformat.writes(notebook))
    except Exception as error:
        raise ValueError(f"not a valid notebook: {type(error).__name__}") from None


def _metadata(cell: dict) -> str:
    ww = cell.get("metadata", {})
    ww = ww.get("ww", {}) if isinstance(ww, dict) else {}
    return str(ww.get("exercise", "")) if isinstance(ww, dict) else ""


def _lesson(submission: Submission, cells: list[tuple[str, dict]], known: dict[str, Master]) -> str:
    """The lesson whose exercises the notebook holds, by metadata, then by functions, then by the file's name."""
    exercises = {task.exercise: number for number, master in known.items() for task in master.tasks}
    functions = {task.function: number for number, master in known.items() for task in master.tasks}
    votes = dict.fromkeys(known, 0)
    for source, cell in cells:
        if number := exercises.get(_metadata(cell)):
            votes[number] += 2
        for name in re.findall(r"^def +(\w+)", source, re.MULTILINE):
            if number := functions.get(name):
                votes[number] += 1
    best = max(votes, key=lambda number: votes[number], default="")
    if best and votes[best]:
        return best
    found = re.search(r"(?:^|[^\d])(\d\d)_[a-z]", PurePosixPath(submission.name.replace(":", "/")).name)
    return found[1] if found and found[1] in known else ""


def _match(submission: Submission, task: Task, cells: list[tuple[str, dict]]) -> None:
    cell_id = exercise_cell(task.exercise)
    defines = re.compile(rf"^def +{task.function}\b", re.MULTILINE)
    by_mark = [s for s, c in cells if _metadata(c) == task.exercise or c.get("id") == cell_id]
    claims = [s for s in by_mark if defines.search(s)] or [s for s, _ in cells if defines.search(s)] or by_mark
    if not claims:
        submission.notes.append(f"{task.exercise}: no cell defines {task.function}")
        return
    if not any(defines.search(s) for s in by_mark):
        submission.notes.append(f"{task.exercise}: found by the name of its function")
    solved = [s for s in claims if not untouched(s, task)]
    if len(solved) > 1:
        submission.notes.append(f"{task.exercise}: {len(solved)} cells answer it, the last counts")
    answer = (solved or claims)[-1]
    if len(answer) > ANSWER:
        submission.notes.append(f"{task.exercise}: an answer of more than {ANSWER:,} characters is not run")
        return
    submission.answers[task.exercise] = answer


def untouched(source: str, task: Task) -> bool:
    """Say whether a cell is still the stub, apart from white space and comments."""
    try:
        return ast.dump(ast.parse(source)) == ast.dump(ast.parse(task.stub))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source.split() == task.stub.split()


def newest(submissions: list[Submission]) -> tuple[list[Submission], list[Submission]]:
    """Return the submissions that count and those that a newer one of the same learner and lesson replaces.

    The newest file counts; of equally old ones, the last by name.
    """
    kept: dict[tuple[str, str], Submission] = {}
    replaced = []
    for submission in sorted(submissions, key=lambda s: (s.modified, s.name)):
        key = (submission.learner, submission.lesson)
        if key in kept:
            replaced.append(kept[key])
            submission.notes.append(f"replaces {kept[key].name}")
        kept[key] = submission
    return sorted(kept.values(), key=lambda s: (s.lesson, s.learner)), replaced


def transplant(master: Master, answers: dict[str, str]) -> dict:
    """Return the clean master with the learner's answers in place of the stubs: the instructor's cells win."""
    cells = []
    for number, cell in enumerate(master.cells):
        ww = {"exercise": cell.exercise, "function": cell.function} if isinstance(cell, Task) else {}
        if isinstance(cell, Task) and cell.exercise not in answers:
            continue
        source = answers[cell.exercise] if isinstance(cell, Task) else cell
        tags = ["parameters"] if not ww and source.startswith("profile: str") else []
        metadata = {"tags": tags, **({"ww": ww} if ww else {})}
        cells.append(
            dict(cell_type="code", id=f"cell-{number}", metadata=metadata, source=source, outputs=[],
                 execution_count=None)
        )  # fmt: skip
    return {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}


def safe_name(learner: str) -> str:
    """Return a learner's id as a file name that cannot leave its folder; different ids have different names."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_@+") else "~" for c in learner)[:60]
    if name == learner and name:
        return name
    return f"{name}~{hashlib.sha256(learner.encode('utf-8', 'replace')).hexdigest()[:12]}"
