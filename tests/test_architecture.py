"""The house: which package may import which, no circles, rooms that stay small, a test for every module."""

import ast
import importlib
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from wwlib.base.paths import ROOT

# a package may import itself and what stands above it in this table, and nothing else
ALLOWED = {
    "base": "",
    "datasets": "base",
    "models": "base datasets",
    "metrics": "base datasets models",
    "training": "base datasets models metrics",
    "flows": "base datasets models metrics",
    "appearance": "base datasets models metrics",
    "experiments": "base datasets models metrics training flows appearance",
    "course": "base datasets models metrics training flows appearance experiments",
}
SYSTEMS = tuple(sorted({path.parent.name for path in (ROOT / "wwlib" / "experiments").glob("*/__init__.py")} - {"map"}))
# inside a package: a part may import the parts before it, within the limits of `BETWEEN`; a `commands` module lies in
# the room of what its commands run, and nothing imports it (below)
ORDER = {"experiments": (("criteria", "hosts", "parts", "records"), SYSTEMS, ("map",), ("commands",)),
         "course": (("describe",), ("exercise",), ("judgement",), ("answers",), ("lessons",),
                    ("grading",))}  # fmt: skip
BETWEEN = {("invariances", "interpretation"), ("fusion", "translation")}  # systems that load another one's networks
FRONT = ("wwlib.lesson", "wwlib.colab", "wwlib.__main__")
LARGEST_ROOM = 16
FILES = sorted((ROOT / "wwlib").rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Every module of the library that a file imports: at the top, inside functions, for type checkers alike."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            while name.startswith("wwlib") and name not in MODULES:
                name = name.rpartition(".")[0]
            found |= {name} if name.startswith("wwlib.") else set()
    return found


def wrong_arrow(source: str, target: str) -> bool:
    """Say whether a module may not import another."""
    if source in FRONT:
        return False
    (package, *mine), (other, *theirs) = source.split(".")[1:], target.split(".")[1:]
    if package != other:
        return other not in ALLOWED[package].split()
    if package not in ORDER or not mine or not theirs or mine[0] == theirs[0]:
        return False
    level = {part: number for number, parts in enumerate(ORDER[package]) for part in parts}
    same = level[mine[0]] == level[theirs[0]]
    return level[mine[0]] < level[theirs[0]] or (same and mine[0] in SYSTEMS and (mine[0], theirs[0]) not in BETWEEN)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name):
    assert [target for target in sorted(imports_of(MODULES[name])) if wrong_arrow(name, target)] == []


def test_commands_are_collected_and_never_imported():
    """And a start of the command line loads none of what takes long: `commands` modules import it inside functions."""
    assert [name for name, path in MODULES.items() for one in imports_of(path) if one.endswith(".commands")] == []
    light = {"wwlib", "wwlib.base.command", "wwlib.base.paths"}
    for name, path in MODULES.items():
        if name.endswith(".commands"):
            top = [
                node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)
            ]
            assert {node.module for node in top if node.module.startswith("wwlib")} <= light, name


def test_nothing_imports_in_a_circle():
    TopologicalSorter({name: imports_of(path) - {name} for name, path in MODULES.items()}).prepare()


def test_rooms_stay_small():
    """Besides `__init__.py`, and besides the answers, which have a file for every lesson."""
    rooms = {
        folder: [f for f in folder.glob("*.py") if f.name != "__init__.py"] for folder in {f.parent for f in FILES}
    }
    crowded = {str(folder): len(files) for folder, files in rooms.items() if len(files) > LARGEST_ROOM}
    assert list(crowded) == [str(ROOT / "wwlib" / "course" / "answers")]
    assert {f.name for f in rooms[ROOT / "wwlib"]} == {"__main__.py", "lesson.py", "colab.py"}


def test_the_map_of_the_house_names_every_room():
    text = ast.get_docstring(ast.parse((ROOT / "wwlib" / "__init__.py").read_text(encoding="utf-8")))
    rooms = {path.parent.name for path in (ROOT / "wwlib").glob("*/__init__.py")}
    assert set(re.findall(r"^    (\w+) ", text, re.MULTILINE)) == rooms
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES)


def test_tests_mirror_the_packages():
    """A test file lies in the folder of the package it tests, under the name of a module there or of a topic."""
    topics = {"datasets/test_damage.py", "datasets/test_number_format.py", "metrics/test_sizes.py",
              "experiments/population/test_database.py", "training/test_precision.py",
              "course/test_exercises.py", "course/test_honest_answers.py", "course/lessons/test_names.py",
              "course/lessons/test_lessons.py", "course/lessons/test_glossary.py", "course/lessons/test_notation.py",
              "course/grading/test_grading.py"}  # fmt: skip
    files = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    files = [path for path in files if path.parts[0] in ALLOWED and path.as_posix() not in topics]
    assert [p for p in files if not (ROOT / "wwlib" / p.with_name(p.name.removeprefix("test_"))).is_file()] == []


# modules that no test imports, since they are tried through what calls them
THROUGH = {
    "base.stopping": "training/test_step.py",
    "course.grading.servers": "course/grading/test_grading.py",
    "course.grading.session": "course/grading/test_grading.py",
    "course.grading.warm": "course/grading/test_grading.py",
    "course.lessons.profiles": "course/lessons/test_lessons.py",
    "experiments.perturbation.tables": "test_project.py",
    "lesson": "course/lessons/test_lessons.py",
}


def test_every_module_has_a_test():
    """Answers and commands are collected from the folders; `course/test_exercises.py`, `test_commands.py` try them."""
    assert all((ROOT / "tests" / file).is_file() for file in THROUGH.values())
    seen = set().union(*(imports_of(path) for path in (ROOT / "tests").rglob("*.py")))
    untested = {name.removeprefix("wwlib.") for name, path in MODULES.items() if path.stem != "__init__"} - {
        name.removeprefix("wwlib.") for name in seen
    }
    collected = {name for name in untested if name.startswith("course.answers.") or name.endswith("commands")}
    assert untested - collected == set(THROUGH)


def test_imports_in_strings_lead_somewhere():
    """Code that is written into a cell, a kernel or another process: no tool follows its addresses."""
    files = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    files = [path for path in files if path.name != "test_begin.py"]  # which tries the addresses of old lessons
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    lines = {match for text in texts for match in re.findall(r"from (wwlib[\w.]*) import (\w+(?:, \w+)*)", text)}
    assert len(lines) > 5
    for module, names in lines:
        for name in names.split(", "):
            assert f"{module}.{name}" in MODULES or hasattr(importlib.import_module(module), name), (module, name)
