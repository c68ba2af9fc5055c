"""What a class needs, made from the lessons alone: student, instructor and nbgrader copies, Gradescope archives.

The lesson is the master. Everything here is written deterministically: the same lessons make the same bytes.
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import re
import tomllib
import zipfile
from pathlib import Path

from wwlib.base.files import write_whole
from wwlib.base.paths import ROOT, library_files
from wwlib.course.answers import exercises, solutions
from wwlib.course.lessons.notebooks import choose_lessons, exercise_cell, lesson_files, notebook_text
from wwlib.course.lessons.tasks import function_name, source_of

NBGRADER_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "where-and-what"
c.ExecutePreprocessor.timeout = 300
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
"""

SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when the image is built. The library itself is not installed: its answers would lie open.
set -euo pipefail
cd /autograder/source
python3 -m pip install --quiet --break-system-packages torch --index-url https://download.pytorch.org/whl/cpu
python3 -m pip install --quiet --break-system-packages -r requirements.txt
"""

RUN = """#!/usr/bin/env bash
# Gradescope runs this for every submission; AUTOGRADER_ROOT is for trying it elsewhere.
# Without isolation nothing is graded. To grade all the same, take --strict out, after reading docs/grading.md.
set -uo pipefail
root="${{AUTOGRADER_ROOT:-/autograder}}"
cd "$root/source"
rm -rf "$root/graded" "$root/one"
mkdir -p "$root/one/learner" "$root/results"
find "$root/submission" -name '*.[iI][pP][yY][nN][bB]' -type f -exec cp -p {{}} "$root/one/learner/" \\;
"${{PYTHON:-python3}}" -m wwlib grade "$root/one" --out "$root/graded" --lesson {lesson} --jobs 1 --strict
if ! cp "$root/graded/results/learner/results.json" "$root/results/results.json"; then
    echo '{{"output": "Not graded: grading itself failed; the log says why.", "tests": []}}' \\
        > "$root/results/results.json"
    exit 1
fi
"""


def solution(exercise: str, stub: str) -> str:
    """Return the source of a right answer under the stub's name, docstring kept, complete with its imports."""
    name = function_name(stub)
    known = exercises(exercise[:2])[exercise]
    function = known.reference if known.properties else solutions(exercise[:2])[name]
    source = inspect.getsource(function).replace(f"def {function.__name__}(", f"def {name}(", 1)
    head, body = source.split("\n", 1)
    body = re.sub(r'^    """.*?"""\n', "", body, count=1, flags=re.DOTALL)
    imports = [line for used, line in (
        (r"\bitertools\.", "import itertools"), (r"\bmath\.", "import math"), (r"\btorch\.", "import torch"),
        (r"\bF\.", "import torch.nn.functional as F"),
    ) if re.search(used, body)]  # fmt: skip
    docstring = re.search(r'^    """.*?"""\n', stub, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(f"    {line}\n" for line in imports)
    return f"{head}\n{docstring[0] if docstring else ''}{lines}{body.rstrip()}"


def instructor_copy(notebook: dict, marked: bool = False) -> dict:
    """Return a lesson with right answers in place of the stubs; `marked` for nbgrader, which cuts them out again."""
    solved = copy.deepcopy(notebook)
    for cell in solved["cells"]:
        ww = cell["metadata"].get("ww")
        if not ww:
            continue
        stub = source_of(cell)
        answer = solution(ww["exercise"], stub)
        if marked:
            answer = _between_marks(answer, stub)
        cell["source"] = answer.splitlines(keepends=True)
    return solved


def _between_marks(answer: str, stub: str) -> str:
    """Put nbgrader's marks around what the stub leaves to the learner."""
    opening = stub[: stub.index("    raise NotImplementedError")]
    rest = answer[len(opening) :] if answer.startswith(opening) else answer.split("\n", 1)[1]
    return f"{opening}    ### BEGIN SOLUTION\n{rest.rstrip()}\n    ### END SOLUTION"


def nbgrader_copy(notebook: dict) -> dict:
    """Return a lesson as nbgrader's source: solution cells, and after each a locked test cell with its points."""
    source = instructor_copy(notebook, marked=True)
    cells = []
    for cell in source["cells"]:
        ww = cell["metadata"].get("ww")
        cells.append(cell)
        if not ww:
            continue
        answer, test_id = (exercise_cell(ww["exercise"], role) for role in ("answer", "test"))
        cell["metadata"]["nbgrader"] = _role(answer, solution=True)
        call = f'check("{ww["exercise"]}", {function_name(source_of(cell))})'
        test = f"from wwlib.lesson import check\n\nresult = {call}\nassert result.passed, result"
        metadata = {"nbgrader": _role(test_id, grade=True, locked=True, points=ww["points"])}
        cells.append(dict(cell_type="code", id=test_id, metadata=metadata, outputs=[], execution_count=None,
                          source=test.splitlines(keepends=True)))  # fmt: skip
    source["cells"] = cells
    return source


def _role(grade_id: str, solution: bool = False, grade: bool = False, locked: bool = False, points: float = 0) -> dict:
    role = dict(grade=grade, solution=solution, locked=locked, task=False, grade_id=grade_id, schema_version=3)
    return {**role, "points": points} if grade else role


def autograder(lesson: Path, course: dict[str, bytes]) -> bytes:
    """Return the Gradescope archive of one lesson: set-up, runner, and what `course_files` returns."""
    runner = RUN.format(lesson=lesson.name[:2])
    return zip_of({**course, "setup.sh": SETUP.encode(), "run_autograder": runner.encode()})


def course_files() -> dict[str, bytes]:
    """Return what grading anywhere needs, by name: the library, and the lessons without outputs."""
    files = {name: (ROOT / name).read_bytes() for name in ("pyproject.toml", "README.md", "LICENSE")}
    files["requirements.txt"] = "".join(f"{line}\n" for line in requirements()).encode()
    for path in library_files():
        files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    for path in lesson_files():
        files[f"notebooks/{path.name}"] = notebook_text(_without_outputs(path)).encode()
    return files


def requirements() -> list[str]:
    """Return the packages that grading needs, from `pyproject.toml`, the library itself apart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    more = [line for part in ("lab", "test") for line in project["optional-dependencies"][part]]
    return [line for line in (*project["dependencies"], *more) if not line.startswith("wwlib")]


def _without_outputs(lesson: Path) -> dict:
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def zip_of(files: dict[str, bytes]) -> bytes:
    """Return a zip archive with fixed dates, so that equal contents make equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name.endswith((".sh", "run_autograder")) else 0o644) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def release(out: Path, numbers: list[str] | None = None) -> list[Path]:
    """Write the class's copies of every lesson with exercises, and return the files written.

    Args:
        out: receives `student/`, `instructor/`, `nbgrader/` (a course folder) and `gradescope/`.
        numbers: such as ["02"]; all lessons when empty.

    Raises:
        ValueError: if no lesson has such a number.
    """
    files: dict[Path, bytes] = {out / "nbgrader" / "nbgrader_config.py": NBGRADER_CONFIG.encode()}
    course = course_files()
    for lesson in choose_lessons(numbers):
        bare = _without_outputs(lesson)
        files[out / "student" / lesson.name] = lesson.read_bytes()
        files[out / "instructor" / lesson.name] = notebook_text(instructor_copy(bare)).encode()
        files[out / "nbgrader" / "source" / lesson.stem / lesson.name] = notebook_text(nbgrader_copy(bare)).encode()
        files[out / "gradescope" / f"{lesson.stem}.zip"] = autograder(lesson, course)
    for path, data in files.items():
        write_whole(path, lambda file, data=data: file.write_bytes(data))
    return sorted(files)
