"""The answers of every lesson, collected from the folder: exercises, written solutions and quiz questions.

Each `lesson_NN.py` holds `EXERCISES`, `SOLUTIONS` and `QUESTIONS`; a lesson is loaded when it is asked for, because
some bring compiled code that other lessons do without. While a submission is graded this folder looks empty.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from wwlib.course.exercise import Exercise, Question

LESSONS = tuple(sorted(m.name[-2:] for m in pkgutil.iter_modules(__path__) if m.name.startswith("lesson_")))


def _all(kind: str, lesson: str | None) -> list:
    """Return what one lesson, or every lesson, holds under a name; nothing for a lesson that is not there."""
    numbers = LESSONS if lesson is None else [lesson] if lesson in LESSONS else []
    return [entry for n in numbers for entry in getattr(importlib.import_module(f"{__name__}.lesson_{n}"), kind)]


def exercises(lesson: str | None = None) -> dict[str, Exercise]:
    """Return the exercises of a lesson, such as "02", or of all, by id."""
    return {exercise.id: exercise for exercise in _all("EXERCISES", lesson)}


def questions(lesson: str | None = None) -> dict[str, Question]:
    """Return the quiz questions of a lesson, such as "02", or of all, by id."""
    return {question.id: question for question in _all("QUESTIONS", lesson)}


def solutions(lesson: str | None = None) -> dict[str, Callable]:
    """Return the written solutions of a lesson, such as "02", or of all, by the name of the stub that they fill."""
    return {function.__name__: function for function in _all("SOLUTIONS", lesson)}
