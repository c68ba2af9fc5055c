"""Lessons as files: their form, their cells that are the library, their truth, and one papermill pass."""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wwlib.base import viz
from wwlib.base.paths import DATA, ROOT
from wwlib.course.answers import LESSONS as ANSWERED
from wwlib.course.answers import exercises
from wwlib.course.lessons.begin import refuse_unknown_parameters
from wwlib.course.lessons.notebooks import (
    COST_LINE,
    COSTS,
    GPU_LESSONS,
    badge,
    clean_notebook,
    cost_line,
    execute,
    lesson_files,
    repository_url,
    setup_cell,
    with_addresses,
    write_notebook,
)
from wwlib.course.lessons.release import instructor_copy

LESSONS = lesson_files()
BY_NAME = pytest.mark.parametrize("lesson", LESSONS, ids=lambda f: f.stem)
WIDEST = 110  # letters in a line of code that a lesson's page shows without a scroll bar
LONGEST_CAPTION = 100


def cells(lesson, kind=None):
    return [c for c in json.loads(lesson.read_text())["cells"] if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def without_docstrings(node):
    for part in ast.walk(node):
        body = getattr(part, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            del body[0]
    return ast.dump(node)


def test_each_lesson_has_a_number_answers_and_costs():
    """The folders are the list: a notebook without answers, or answers without a notebook, is a lesson half moved."""
    numbers = [f.name[:2] for f in LESSONS]
    assert numbers == sorted(set(numbers))
    assert tuple(numbers) == ANSWERED
    assert sorted(json.loads(COSTS.read_text())) == [f.stem for f in LESSONS]
    assert numbers[:12] == [f"{n:02d}" for n in range(12)]  # Part I is whole
    assert set(GPU_LESSONS) <= set(numbers)


@BY_NAME
def test_form(lesson):
    first = source(cells(lesson)[0])
    assert first.startswith(f"# {lesson.name[:2]} · ")
    assert badge(lesson) in first
    assert all(part in first for part in ("**You will**", "**Before you start**", "**In the paper**"))
    assert 40 <= len(cells(lesson)) <= 90
    words = sum(len(source(c).split()) for c in cells(lesson, "markdown"))
    assert 1950 <= words <= 4000
    assert lesson.stat().st_size < 500_000
    assert max(source(c).count("\n") + 1 for c in cells(lesson, "code")) <= 40
    tags = [c["metadata"].get("tags", []) for c in cells(lesson, "code")]
    assert sum("parameters" in t for t in tags) == 1
    setup = next(c for c in cells(lesson, "code"))
    assert source(setup) == setup_cell()
    assert setup_cell().count("\n") < 3
    assert len({c["id"] for c in cells(lesson)}) == len(cells(lesson))


@BY_NAME
def test_outputs_are_committed_clean(lesson):
    notebook = json.loads(lesson.read_text())
    outputs = [o for c in cells(lesson, "code") for o in c["outputs"]]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert clean_notebook(notebook) == notebook
    assert str(ROOT) not in lesson.read_text()


@BY_NAME
def test_addresses_follow_from_the_one_in_pyproject(lesson):
    notebook = json.loads(lesson.read_text())
    assert with_addresses(json.loads(lesson.read_text()), lesson) == notebook
    assert (notebook["metadata"].get("accelerator") == "GPU") == (lesson.name[:2] in GPU_LESSONS)


def test_a_copy_of_the_course_elsewhere_gets_its_own_addresses(monkeypatch):
    ours = repository_url()
    monkeypatch.setattr("wwlib.course.lessons.notebooks.repository_url", lambda: "https://github.com/someone/else")
    text = json.dumps(with_addresses(json.loads(LESSONS[0].read_text()), LESSONS[0]))
    assert ours.removeprefix("https://github.com/") not in text
    assert "https://colab.research.google.com/github/someone/else/blob/main/notebooks/00_start_here.ipynb" in text
    assert "https://kaggle.com/kernels/welcome?src=https://github.com/someone/else/blob/main/notebooks/" in text
    assert ":-https://github.com/someone/else} ww" in text


@BY_NAME
def test_pictures_in_the_prose_have_absolute_addresses(lesson):
    """Colab shows neither relative nor attached ones."""
    for cell in cells(lesson, "markdown"):
        addresses = re.findall(r"!\[[^]]*\]\(([^)]*)\)|<img[^>]*src=[\"']?([^\"' >]*)", source(cell))
        assert all("".join(address).startswith("https://") for address in addresses)
        assert "attachments" not in cell


@BY_NAME
def test_every_picture_has_a_text_alternative(lesson):
    for cell in cells(lesson, "code"):
        for output in cell["outputs"]:
            for kind in ("image/png", "image/gif"):
                if kind in output.get("data", {}):
                    assert output["metadata"][kind]["alt"]


@BY_NAME
def test_no_line_of_a_lessons_own_code_runs_off_the_page(lesson):
    """The setup cell is for machines; cells of the library are as wide as the library."""
    own = [source(cell) for cell in cells(lesson, "code")]
    own = [text for text in own if text != setup_cell() and not text.startswith("# wwlib.")]
    assert not [line for text in own for line in text.splitlines() if len(line) > WIDEST]


def words_of_pictures(lesson):
    """Return what every call of a function of the library that takes the words of a picture is given: [(alt, caption)].

    A text that is put together in the call counts as long as what is typed; None is a text that is not given.
    """
    named, given = {}, []
    for node in (n for cell in cells(lesson, "code") for n in ast.walk(ast.parse(source(cell)))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("wwlib"):
            named |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if re.fullmatch(r"viz\.\w+", called):
            called = getattr(viz, called.removeprefix("viz."))
        elif called in named:
            called = getattr(importlib.import_module(named[called][0]), named[called][1])
        takes = set(inspect.signature(called).parameters) if inspect.isfunction(called) else set()
        if takes & {"alt", "caption"}:
            keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            texts = inspect.signature(called).bind_partial(*node.args, **keywords).arguments
            assert "caption" in texts or "caption" not in takes, f"{called.__name__} has no caption in {lesson.name}"
            given.append(tuple(typed(texts[part]) if part in texts else None for part in ("alt", "caption")))
    return given


def typed(text):
    """Return the letters of a string in code, whatever is computed between them."""
    return "".join(node.value for node in ast.walk(text) if isinstance(getattr(node, "value", None), str))


@BY_NAME
def test_every_picture_has_a_short_caption_below_it(lesson):
    """An animation has none: it is no figure. What it shows is said as briefly."""
    given = words_of_pictures(lesson)
    assert given
    for alt, caption in given:
        assert caption is None or 0 < len(caption) <= LONGEST_CAPTION, caption
        assert alt is None or len(alt) <= LONGEST_CAPTION, alt


@BY_NAME
def test_captions_are_those_that_the_pictures_were_drawn_with(lesson):
    for cell in cells(lesson, "code"):
        drawn = [o["metadata"][kind]["alt"] for o in cell["outputs"] for kind in o.get("data", {}) if "image/" in kind]
        fixed = re.findall(r'caption="([^"{}]*)"', source(cell))
        assert not drawn or all(any(caption in alt for alt in drawn) for caption in fixed)


@BY_NAME
def test_the_cost_line_is_what_was_measured(lesson):
    first = source(cells(lesson)[0])
    cost = json.loads(COSTS.read_text())[lesson.stem]
    assert COST_LINE.search(first).group(0) == cost_line(cost, first)
    assert cost["quick_seconds"] <= 60


def library_cells(lesson):
    """Every cell that says it holds what a module holds: (name of the module, source)."""
    sources = [source(cell) for cell in cells(lesson, "code")]
    return [(named[1], text) for text in sources if (named := re.match(r"# (wwlib(?:\.\w+)+)\n", text))]


def test_as_many_cells_as_ever_are_compared_with_the_library():
    """A pattern that no longer matches would compare nothing, and pass."""
    sources = [source(cell) for lesson in LESSONS for cell in cells(lesson, "code")]
    named = [text for text in sources if text.lstrip("# ").startswith("wwlib.")]
    assert sum(len(library_cells(lesson)) for lesson in LESSONS) == len(named) >= 63
    assert not [text for text in sources if re.match(r"#\s*wwlib\b(?!(\.\w+)+\n)", text)]


@BY_NAME
def test_a_cell_named_after_a_module_is_what_the_module_holds(lesson):
    for name, text in library_cells(lesson):
        module = importlib.import_module(name)
        library = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        theirs = {n.name: without_docstrings(n) for n in library.body if hasattr(n, "name")}
        mine = [n for n in ast.parse(text).body if hasattr(n, "name")]
        assert mine
        for node in mine:
            assert without_docstrings(node) == theirs[node.name], f"{node.name} differs from {name}"


@BY_NAME
def test_lessons_import_only_the_library_torch_and_matplotlib(lesson):
    allowed = {"wwlib", "torch", "numpy", "matplotlib"} | set(sys.stdlib_module_names)
    for cell in cells(lesson, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {n.split(".")[0] for n in names} <= allowed


def told(cell):
    """What a cell shows as text: results, printed lines, warnings."""
    outputs = cell["outputs"]
    return ["".join(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in outputs]


@BY_NAME
@pytest.mark.slow
def test_papermill_runs_it_offline_at_quick(lesson, tmp_path, request, monkeypatch, colab_packages):
    """The instructor's copy, every exercise solved; nbval runs the lesson as learners get it, none solved.

    On a machine like Colab's, setup cell and widgets included; where its packages cannot be had, in this one.
    """
    solved, output = tmp_path / lesson.name, tmp_path / "out.ipynb"
    write_notebook(solved, instructor_copy(json.loads(lesson.read_text(encoding="utf-8"))))
    if colab_packages[0]:
        request.getfixturevalue("colab").execute(solved, output, profile="quick")
    else:
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "offline"), prepend=os.pathsep)
        execute(solved, output, cwd=lesson.parent, profile="quick")
    texts = [text for cell in cells(output, "code") for text in told(cell)]
    assert "Traceback" not in "".join(texts)
    judged = {text.splitlines()[0] for text in texts if re.match(r"[✓✗…] \d\d\.\d", text)}
    assert judged == {f"✓ {one.id} {one.title}: right" for one in exercises(lesson.name[:2]).values()}
    for cell in cells(output, "code"):
        assert not [o for o in cell["outputs"] if o["output_type"] == "error"]
        shown = [o.get("data", {}) for o in cell["outputs"]]
        views = ["".join(data["text/plain"]) for data in shown if "application/vnd.jupyter.widget-view+json" in data]
        if any(
            "sliders need" in view or view.startswith("VBox") for view in views
        ):  # the explorer; other views are progress bars
            assert any("image/png" in data for data in shown)  # what remains where widgets are not shown


@pytest.mark.parametrize(
    ("parameters", "message"), [({"profile": "qiuck"}, "profile must be one of"), ({"sed": 1}, "no parameter sed")]
)
@pytest.mark.slow
def test_a_misspelt_profile_or_parameter_is_a_clear_error(parameters, message, tmp_path):
    papermill = pytest.importorskip("papermill")
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        execute(LESSONS[0], tmp_path / "out.ipynb", **parameters)


def test_unknown_parameters_are_refused_and_known_ones_pass():
    own = 'profile: str = "quick"\nseed: int = 0'
    refuse_unknown_parameters([own, "# Parameters\nseed = 3\n"])
    refuse_unknown_parameters(["x = 1", own])
    with pytest.raises(ValueError, match="no parameter sed; it has profile, seed"):
        refuse_unknown_parameters([own, "# Parameters\nsed = 3\n"])


def test_shipped_files_are_small():
    assert all(f.stat().st_size <= 5_000_000 for f in DATA.glob("*") if f.is_file())


def test_the_command_names_its_errors():
    result = subprocess.run(
        [sys.executable, "-m", "wwlib", "train", "--images", "many"], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 1
    assert "--images expects real images to show in all; got 'many'" in result.stderr
