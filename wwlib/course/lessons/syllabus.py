"""Tables of the lessons, collected from the notebooks: title, promise, study time, what to do in class."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wwlib.base.table import Table
from wwlib.course.lessons.notebooks import COSTS, lesson_files
from wwlib.course.lessons.tasks import read_master, source_of

WORDS_A_MINUTE = 50  # of a lesson's prose: its equations are worked through, its cells run and looked at
EXERCISE_TITLE = re.compile(r"^### \d\d\.\d .* · (\d+) minutes", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """A lesson as its notebook describes it.

    Args:
        path: of the notebook.
        title: such as "02 · Where: spatial masks".
        promise: the one sentence below the title.
        words: of all its prose.
        exercise_minutes: the sum of the minutes in the titles of its exercises.
        exercises: their numbers, such as ("02.1", "02.2").
        in_class: what a class may do together; empty where the lesson shares the week of the one before it.
        at_home: what to say of its exercises; may be empty.
    """

    path: Path
    title: str
    promise: str
    words: int
    exercise_minutes: int
    exercises: tuple[str, ...]
    in_class: str
    at_home: str

    @property
    def reading_minutes(self) -> int:
        """Minutes to read the lesson and run its cells."""
        return round(self.words / WORDS_A_MINUTE)

    @property
    def study_minutes(self) -> int:
        """Minutes to read the lesson and solve its exercises, in steps of five; hours of computing are not counted."""
        return -(-(self.reading_minutes + self.exercise_minutes) // 5) * 5


def read_lesson(path: Path) -> Lesson:
    """Return a lesson as its notebook describes it.

    Raises:
        ValueError: if the notebook's metadata do not say what to do in class.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    about = notebook["metadata"].get("ww", {})
    if "in_class" not in about:
        raise ValueError(f'metadata of {path.name} must hold "ww": {{"in_class": "..."}}, got {about}')
    prose = [source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    first = prose[0].splitlines()
    return Lesson(
        path=path,
        title=first[0].removeprefix("# "),
        promise=next(line for line in first if line.startswith("*")).strip("*"),
        words=sum(len(text.split()) for text in prose),
        exercise_minutes=sum(int(minutes) for text in prose for minutes in EXERCISE_TITLE.findall(text)),
        exercises=tuple(task.exercise for task in read_master(path).tasks),
        in_class=about["in_class"],
        at_home=about.get("at_home", ""),
    )


def lessons() -> list[Lesson]:
    """Return every lesson in order."""
    return [read_lesson(path) for path in lesson_files()]


def lesson_table() -> str:
    """Every lesson with what the learner does in it and the minutes that it takes to study, for README."""
    known = lessons()
    rows = [
        (f"[{lesson.title}](notebooks/{lesson.path.name})", lesson.promise, lesson.study_minutes) for lesson in known
    ]
    rows.append((f"all {len(known)}", "", f"{sum(lesson.study_minutes for lesson in known) / 60:.0f} hours"))
    return Table(["lesson", "what you do", "minutes"], rows).markdown()


def time_table() -> str:
    """Minutes of reading and of exercises, and the measured seconds of Run All, for instructors."""
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    rows = [
        (
            f"[{lesson.title}](../notebooks/{lesson.path.name})",
            f"{lesson.reading_minutes} min",
            f"{lesson.exercise_minutes} min",
            f"{costs[lesson.path.stem]['quick_seconds']:.0f} s",
        )
        for lesson in lessons()
    ]
    return Table(["lesson", "reading and running", "exercises", "*Run All* at `quick`, 2 cores"], rows).markdown()


def syllabus_table() -> str:
    """A week for each lesson, or for two where the second says so, and one for the learners' own work."""
    weeks: list[list[Lesson]] = []
    for lesson in lessons():
        if lesson.in_class:
            weeks.append([lesson])
        else:
            weeks[-1].append(lesson)
    rows = []
    for number, week in enumerate(weeks, start=1):
        home = ", ".join(f"{lesson.exercises[0]}–{lesson.exercises[-1]}" for lesson in week)
        notes = [lesson.at_home for lesson in week if lesson.at_home]
        rows.append(
            (number, ", ".join(lesson.path.name[:2] for lesson in week), week[0].in_class, "; ".join([home, *notes]))
        )
    rows.append((len(weeks) + 1, "–", "learners present their open exercises", ""))
    return Table(["week", "lesson", "in class", "at home"], rows).markdown()
