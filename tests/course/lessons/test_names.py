"""No cell binds a name that an earlier cell of its lesson defined: cells may be run twice and out of order."""

from __future__ import annotations

import ast
import json
import re

import pytest

from wwlib.course.lessons.notebooks import lesson_files

LESSONS = lesson_files()
BEGIN = re.compile(
    r"profile = begin\(profile", re.MULTILINE
)  # settles the parameter, and gives the same when run twice


def _targets(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Starred):
        return _targets(target.value)
    if isinstance(target, (ast.Tuple, ast.List)):
        return [name for part in target.elts for name in _targets(part)]
    return [target.id] if isinstance(target, ast.Name) else []


def bindings(source: str) -> list[tuple[str, str, object]]:
    """Every name that a cell binds for the cells after it: (name, "define" or "loop" or "import", what was imported).

    A definition in a cell named after a module of the library is the same thing as importing it from there. Names of
    comprehensions and of functions' insides are not seen from outside and do not count.
    """
    found, library = [], re.match(r"# (wwlib(?:\.\w+)+)\n", source)

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append((node.name, "import", (library[1], node.name)) if library else (node.name, "define", None))
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None)
            found.extend((a.asname or a.name.split(".")[0], "import", (module, a.name)) for a in node.names)
        elif isinstance(node, ast.Assign):
            found.extend((name, "define", None) for target in node.targets for name in _targets(target))
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)):
            found.extend((name, "define", None) for name in _targets(node.target))
        elif isinstance(node, ast.For):
            found.extend((name, "loop", None) for name in _targets(node.target))
        elif isinstance(node, ast.withitem) and node.optional_vars:
            found.extend((name, "define", None) for name in _targets(node.optional_vars))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return [binding for binding in found if binding[0] != "_"]


def bound_again(sources: list[str]) -> list[str]:
    """Every name that a cell binds although an earlier one defined it, as "name in cell n, defined in cell m".

    Loops may use one variable each after another: it is nothing to go on with. They may not take a defined name.
    """
    defined: dict[str, tuple[int, str, object]] = {}
    faults = []
    for number, source in enumerate(sources):
        here = [] if BEGIN.search(source) else bindings(source)
        for name, kind, what in here:
            before = defined.get(name)
            if before and before[0] < number and not (kind == before[1] == "import" and what == before[2]):
                faults.append(f"{name} in cell {number}, defined in cell {before[0]}")
        for name, kind, what in here:
            if kind != "loop":
                defined.setdefault(name, (number, kind, what))
    return faults


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda f: f.stem)
def test_no_cell_binds_a_name_that_an_earlier_cell_defined(lesson):
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(c["source"]) if c["cell_type"] == "code" else "" for c in cells]
    assert bound_again(sources) == []


@pytest.mark.parametrize(
    "second",
    ["x = 2", "x += 1", "for x in range(3): pass", "with open('f') as x: pass", "def x(): pass", "import x",
     "if True:\n    x = 3", "a, (b, *x) = 1, (2, 3)", "print(x := 3)"],
)  # fmt: skip
def test_binding_a_defined_name_again_is_seen(second):
    assert bound_again(["x = 1", second]) == ["x in cell 1, defined in cell 0"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x = 1", "[x for x in range(3)]"),
        ("x = 1", "def f(x):\n    x = 2\n    return x"),
        ("for x in range(3): pass", "for x in range(4): pass"),
        ("import torch", "import torch"),
        ("from wwlib.models.masks import cumax", "# wwlib.models.masks\ndef cumax(v):\n    return v"),
        ("x = 1\nx = 2", "y = x"),
    ],
)
def test_what_no_later_cell_can_notice_is_allowed(first, second):
    assert bound_again([first, second]) == []
