"""A lesson's exercises as the notebook holds them: each marked cell, its stub, its points."""

from __future__ import annotations

import ast
import builtins
import json
import re
import symtable
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
class Values:
    """A statement of a lesson that binds names to what it computes: graded submissions run it only if they use them."""

    source: str
    binds: frozenset[str]
    uses: frozenset[str]


@dataclass(frozen=True)
class Master:
    """A lesson as graded: what it defines before and between its exercises, and the exercises themselves."""

    lesson: str
    cells: tuple[str | Values | Task, ...]

    @property
    def tasks(self) -> list[Task]:
        """The exercises in order."""
        return [cell for cell in self.cells if isinstance(cell, Task)]

    @property
    def names(self) -> set[str]:
        """What the lesson's cells bind, its exercises apart."""
        texts = [cell for cell in self.cells if isinstance(cell, str)]
        values = [cell.binds for cell in self.cells if isinstance(cell, Values)]
        return set().union(*map(bound, texts), *values)

    def wanted(self, uses: dict[str, set[str]]) -> set[int]:
        """Return the positions of the `Values` that answers need to run.

        Args:
            uses: the names that each exercise's answer uses and does not bind, by exercise.
        """
        chosen: set[int] = set()
        inside = {name: free(cell) for cell in self.cells if isinstance(cell, str) for name in bound(cell)}
        for place, cell in enumerate(self.cells):
            names = set(uses.get(cell.exercise, ())) if isinstance(cell, Task) else set()
            seen: set[str] = set()
            while more := names - seen:
                seen |= more
                for name in more:
                    names |= inside.get(name, set())
                for number in range(place):
                    value = self.cells[number]
                    if isinstance(value, Values) and value.binds & more:
                        chosen.add(number)
                        names |= value.uses
        return chosen


def source_of(cell: dict) -> str:
    """Return a cell's source as one text."""
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def masters() -> dict[str, Master]:
    """Return every lesson that has exercises, by number."""
    return {lesson.name[:2]: read_master(lesson) for lesson in lesson_files()}


def read_master(lesson: Path) -> Master:
    """Return a lesson as graded: of its other cells only imports, functions, classes and plain constants stay."""
    cells: list[str | Values | Task] = []
    for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code" or "setup" in cell["metadata"].get("tags", []):
            continue
        source, ww = source_of(cell), cell["metadata"].get("ww")
        if ww:
            cells.append(Task(ww["exercise"], ww["points"], function_name(source), source))
        elif "parameters" in cell["metadata"].get("tags", []):
            cells.append(source)
        else:
            cells += _parts(source)
    return Master(lesson.name[:2], tuple(cells))


def _parts(source: str) -> list[str | Values]:
    """What stays of a lesson's cell: its definitions first, then one `Values` for each statement that binds names."""
    tree, values = ast.parse(source), []
    for node in tree.body:
        text = ast.unparse(node)
        if not is_definition(node) and (names := bound(text)):
            values.append(Values(text, frozenset(names), frozenset(free(text, also=names))))
    defined = definitions(source)
    return [*([defined] if defined else []), *values]


def is_definition(node: ast.stmt) -> bool:
    """Say whether a statement imports, defines, or names a plain constant: it computes nothing."""
    constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return constant or isinstance(node, kinds)


def definitions(source: str) -> str:
    """Return a cell's definitions without what it computes; SyntaxError if it is no Python."""
    return "\n".join(ast.unparse(node) for node in ast.parse(source).body if is_definition(node))


def bound(source: str) -> set[str]:
    """Return the names that a cell binds at its top level; SyntaxError if it is no Python."""
    table = symtable.symtable(source, "cell", "exec")
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}


def free(source: str, also: set[str] | frozenset[str] = frozenset()) -> set[str]:
    """Return the names that a cell uses, at its top level or in functions, and does not bind itself.

    Args:
        source: of the cell; SyntaxError if it is no Python.
        also: names to return if they are used, though the cell binds them.
    """
    found, tables = set(), [symtable.symtable(source, "cell", "exec")]
    own = bound(source) - also
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found - own - set(dir(builtins))


def function_name(source: str) -> str:
    """Return the name of the function that a cell defines, "" if none."""
    definition = re.search(r"^(?:async +)?def +(\w+) *\(", source, re.MULTILINE)
    return definition[1] if definition else ""
