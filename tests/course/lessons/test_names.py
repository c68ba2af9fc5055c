"""No cell binds a name that an earlier cell of its lesson defined: cells may be run twice and out of order."""

from __future__ import annotations

import ast
import json
import re
import symtable

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


def _split(source: str) -> tuple[str, str]:
    """A cell without what it does only once an exercise is solved, and that part alone."""
    body = ast.parse(source).body
    solved = [node for node in body if isinstance(node, ast.If) and ".passed" in ast.unparse(node.test)]
    return ("\n".join(ast.unparse(node) for node in body if node not in solved), "\n".join(map(ast.unparse, solved)))


def free_names(source: str) -> set[str]:
    """Every name that a cell takes from outside its functions and comprehensions."""
    tables, names = [symtable.symtable(source, "cell", "exec")], set()
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
        tables += table.get_children()
    return names


def leaning_on_solved(sources: list[str]) -> list[str]:
    """Every name that a cell takes and that only a solved exercise of another cell binds, as "name in cell n"."""
    parts = [[{name for name, _, _ in bindings(part)} for part in _split(source)] for source in sources]
    always = set().union(*(plain for plain, _ in parts))
    faults = []
    for number, source in enumerate(sources):
        elsewhere = set().union(*(solved for k, (_, solved) in enumerate(parts) if k != number)) - always
        faults += [f"{name} in cell {number}" for name in sorted(free_names(source) & elsewhere - parts[number][1])]
    return faults


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda f: f.stem)
def test_no_cell_needs_what_only_a_solved_exercise_binds(lesson):
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code" and "setup" not in str(c["metadata"])]
    assert leaning_on_solved(sources) == []


def test_a_name_that_another_exercise_brings_is_seen():
    solved = "if one.passed:\n    from wwlib.base.table import Table"
    assert leaning_on_solved([solved, "Table"]) == ["Table in cell 1"]
    assert leaning_on_solved([solved, f"{solved}\n    Table"]) == []
    assert leaning_on_solved([solved, "from wwlib.base.table import Table", "Table"]) == []
