"""What instructors read of exercises and grading: mistakes that `check` names, kinds of submission, and speed."""

from __future__ import annotations

import json
import textwrap

from wwlib.base.paths import DATA
from wwlib.base.table import Table
from wwlib.course.answers import exercises
from wwlib.course.lessons.syllabus import lessons
from wwlib.course.lessons.tasks import read_master

GRADING = DATA / "grading.json"
SHOWN = 90  # letters of a message to the learner


def mistakes_page() -> str:
    """Every exercise with its points and the mistakes that `check` names, lesson by lesson."""
    known, lines = exercises(), []
    for lesson in lessons():
        lines += [f"## {lesson.title}", ""]
        for task in read_master(lesson.path).tasks:
            exercise = known[task.exercise]
            kind = "open: what must hold" if exercise.properties else "exact"
            points = f"{task.points:g} point{'' if task.points == 1 else 's'}"
            lines += [f"**{task.exercise} {exercise.title}** · {points} · {kind}", ""]
            lines += [f"- {why}" for why in dict.fromkeys(mistake.why for mistake in exercise.mistakes)]
            lines.append("")
    return "\n".join(lines).rstrip()


def kinds_table() -> str:
    """Every kind of submission that the grader is tried on, and what came of it."""
    rows = []
    for row in json.loads(GRADING.read_text(encoding="utf-8"))["kinds"]:
        points = row["points"]
        shown = "–" if points is None else "{:g} to {:g}".format(*points) if isinstance(points, list) else f"{points:g}"
        says = textwrap.shorten(row["says"], SHOWN, placeholder=" …")
        rows.append((row["kind"], row["outcome"], shown, f"`{says}`" if says else ""))
    return Table(["first answer, or file", "outcome", "points of 6", "the learner reads"], rows).markdown()


def grading_table() -> str:
    """How fast a hundred submissions are graded."""
    speed = json.loads(GRADING.read_text(encoding="utf-8"))["speed"]
    rows = [
        (f"{speed['submissions']} submissions of lesson 02, --jobs {speed['jobs']}", f"{speed['minutes']:.1f} minutes"),
        ("a submission", f"{speed['seconds_each']:.2f} s"),
        ("the same cells with plain papermill", f"{speed['plain_papermill_seconds']:.2f} s, {speed['ratio']:.0f}×"),
    ]
    return Table(["what", "measured"], rows).markdown()
