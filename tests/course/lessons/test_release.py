"""What a class gets: deterministic copies, proved with nbgrader itself and with Gradescope's own layout."""

import csv
import json
import os
import subprocess
import sys
import zipfile

import pytest

from wwlib.base.paths import NOTEBOOKS, ROOT
from wwlib.course.lessons.release import release
from wwlib.course.lessons.tasks import masters, source_of

LESSON = "02_where_spatial_masks"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    out = tmp_path_factory.mktemp("release")
    release(out)
    return out


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_the_same_lessons_make_the_same_bytes(released, tmp_path):
    again = release(tmp_path)
    assert [p.relative_to(tmp_path) for p in again] == sorted(
        p.relative_to(released) for p in released.rglob("*") if p.is_file()
    )
    assert all(p.read_bytes() == (released / p.relative_to(tmp_path)).read_bytes() for p in again)


def test_student_copies_are_the_lessons(released):
    for path in (released / "student").iterdir():
        assert path.read_bytes() == (NOTEBOOKS / path.name).read_bytes()


def test_instructor_copies_differ_from_the_lessons_in_the_answers_only(released):
    for path in (released / "instructor").iterdir():
        for mine, theirs in zip(cells(path), cells(NOTEBOOKS / path.name), strict=True):
            if "ww" in mine["metadata"]:
                assert "NotImplementedError" not in source_of(mine)
            else:
                assert source_of(mine) == source_of(theirs)


def test_nbgraders_cells_have_its_schema_and_every_point(released):
    for number, master in masters().items():
        (path,) = (released / "nbgrader" / "source").glob(f"{number}_*/*.ipynb")
        roles = [c["metadata"]["nbgrader"] for c in cells(path) if "nbgrader" in c["metadata"]]
        assert len({role["grade_id"] for role in roles}) == len(roles)
        assert {role["schema_version"] for role in roles} == {3}
        assert sum(role.get("points", 0) for role in roles) == sum(task.points for task in master.tasks)


def run(command, folder, **environment):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # nbgrader looks for alembic there
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=400,
        env={**os.environ, "WW_HEADLESS": "1", "WW_THREADS": "1", "WW_ROOT": str(ROOT), "PATH": path, **environment},
    )  # fmt: skip


@pytest.mark.slow
def test_nbgrader_itself_generates_grades_and_exports(released, tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader's own commands need nbgrader")
    course = tmp_path / "course"
    source = course / "source" / LESSON
    source.mkdir(parents=True)
    given = released / "nbgrader" / "source" / LESSON / f"{LESSON}.ipynb"
    (source / given.name).write_bytes(given.read_bytes())
    (course / "nbgrader_config.py").write_bytes((released / "nbgrader" / "nbgrader_config.py").read_bytes())
    nbgrader = [sys.executable, "-m", "nbgrader"]
    made = run([*nbgrader, "generate_assignment", LESSON, "--create"], course)
    assert made.returncode == 0, made.stderr
    handed_out = cells(course / "release" / LESSON / given.name)
    stubs = [source_of(c) for c in handed_out if c["metadata"].get("nbgrader", {}).get("solution")]
    assert stubs
    assert all("raise NotImplementedError" in stub and "SOLUTION" not in stub for stub in stubs)

    handed_in = course / "submitted" / "anna" / LESSON
    handed_in.mkdir(parents=True)
    solved = json.loads(given.read_text(encoding="utf-8"))
    for cell in solved["cells"]:
        if cell["metadata"].get("ww", {}).get("exercise") == "02.1":
            cell["source"] = "def my_cumax(logits):\n    return logits"
    (handed_in / given.name).write_text(json.dumps(solved), encoding="utf-8")
    graded = run([*nbgrader, "autograde", LESSON, "--create"], course)
    assert graded.returncode == 0, graded.stderr
    assert run([*nbgrader, "export"], course).returncode == 0
    with open(course / "grades.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["student_id"], float(row["score"]), float(row["max_score"])) == ("anna", 5, 6)


@pytest.mark.slow
def test_gradescopes_archive_grades_a_submission(released, tmp_path):
    """The layout is Gradescope's: source/ from the archive, submission/, results/; only its root lies elsewhere."""
    with zipfile.ZipFile(released / "gradescope" / f"{LESSON}.zip") as archive:
        library = {path.relative_to(ROOT).as_posix() for path in (ROOT / "wwlib").glob("**/*.py")}
        assert {"setup.sh", "run_autograder", *library} <= set(archive.namelist())
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111
        assert "'.[" not in archive.read("setup.sh").decode()  # an installed copy would be one more to hide
        assert "torch" in archive.read("requirements.txt").decode()
        assert b"--strict" in archive.read("run_autograder")
        archive.extractall(tmp_path / "source")
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "00_photo.png").write_bytes(b"a picture beside it")
    answer = released / "instructor" / f"{LESSON}.ipynb"
    (tmp_path / "submission" / "notebook.ipynb").write_bytes(answer.read_bytes())
    ran = run(["bash", str(tmp_path / "source" / "run_autograder")], tmp_path, AUTOGRADER_ROOT=str(tmp_path),
              PYTHON=sys.executable, WW_ROOT=str(tmp_path / "source"), PYTHONPATH=str(tmp_path / "source"))  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["score"] == 6
    assert [test["status"] for test in results["tests"]] == ["passed"] * 4


@pytest.mark.slow
def test_an_unreadable_submission_still_gives_gradescope_a_result(released, tmp_path):
    with zipfile.ZipFile(released / "gradescope" / f"{LESSON}.zip") as archive:
        archive.extractall(tmp_path / "source")
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "notebook.ipynb").write_text("oops")
    run(["bash", str(tmp_path / "source" / "run_autograder")], tmp_path, AUTOGRADER_ROOT=str(tmp_path),
        PYTHON=sys.executable, WW_ROOT=str(tmp_path / "source"), PYTHONPATH=str(tmp_path / "source"))  # fmt: skip
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert "score" not in results
    assert "not graded, because not JSON" in results["output"]
    assert results["extra_data"]["graded"] is False
