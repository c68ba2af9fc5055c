"""A lesson's exercises as the notebook holds them: each marked cell, its stub, its points."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from wwlib.course.lessons.notebooks import lesson_files


@dataclass(frozen=True)
class Task:
    """One exercise of the master: its id, its points, its function's name, its stub."""

    exercise: str
    points: float
    function: str
    stub: str


@dataclass(frozen=True)
class Master:
    """A lesson as graded: what it defines before and between its exercises, and the exercises themselves."""

    lesson: str
    cells: tuple[str | Task, ...]

    @property
    def tasks(self) -> list[Task]:
        """The exercises in order."""
        return [cell for cell in self.cells if isinstance(cell, Task)]


def source_of(cell: dict) -> str:
    """Return a cell's source as one text."""
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def masters() -> dict[str, Master]:
    """Return every lesson that has exercises, by number."""
    return {lesson.name[:2]: read_master(lesson) for lesson in lesson_files()}


def read_master(lesson: Path) -> Master:
    """Return a lesson as graded: of its other cells only imports, functions, classes and plain constants stay."""
    cells: list[str | Task] = []
    for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code" or "setup" in cell["metadata"].get("tags", []):
            continue
        source, ww = source_of(cell), cell["metadata"].get("ww")
        if ww:
            cells.append(Task(ww["exercise"], ww["points"], function_name(source), source))
        elif "parameters" in cell["metadata"].get("tags", []):
            cells.append(source)
        elif defined := _definitions(source):
            cells.append(defined)
    return Master(lesson.name[:2], tuple(cells))


def _definitions(source: str) -> str:
    definitions = []
    for node in ast.parse(source).body:
        constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if constant or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            definitions.append(ast.unparse(node))
    return "\n".join(definitions)


def function_name(source: str) -> str:
    """Return the name of the function that a cell defines, "" if none."""
    definition = re.search(r"^(?:async +)?def +(\w+) *\(", source, re.MULTILINE)
    return definition[1] if definition else ""
