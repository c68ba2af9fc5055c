"""The first line of a lesson: which version it was written for, and what becomes of an old one."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import wwlib
from wwlib.course.lessons.begin import OldLesson, begin

OLD_IMPORTS = (
    "from wwlib.exercises import check, quiz",
    "from wwlib.check import check, quiz",
    "from wwlib.models import load_model",
    "from wwlib import viz",
)
OLD_BEGIN = "from wwlib.lesson import begin\n\nprofile = begin(profile, seed)"


def old_lesson():
    """The code of a lesson as it was before 0.2.0, from its parameters on."""
    sources = ['profile: str = "quick"\nseed: int = 0', OLD_BEGIN, *OLD_IMPORTS]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_a_lesson_says_its_version_in_one_line_where_the_library_has_the_same(capsys):
    assert begin("quick", 3, version=wwlib.__version__) == "quick"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"Where & What {wwlib.__version__}; profile quick, seed 3; ")


@pytest.mark.parametrize("version", ["0.1.9", "99.0.0"])
def test_a_lesson_of_another_version_says_so_in_one_sentence_and_goes_on(version, capsys):
    assert begin("full", version=version) == "full"
    line = capsys.readouterr().out.splitlines()[1]
    assert line == (
        f"This lesson was written for version {version} of the course, and the library here is version "
        f"{wwlib.__version__}: where a cell fails, get the lesson anew, or check out the tag v{version} of the course."
    )


@pytest.mark.parametrize("line", OLD_IMPORTS)
def test_an_old_lessons_imports_fail_one_by_one(line):
    with pytest.raises(ImportError):
        exec(line, {})


def test_an_old_lesson_ends_at_its_first_line_in_one_sentence_without_a_traceback():
    notebook = old_lesson()
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = notebook.cells[1].outputs
    assert output.ename == OldLesson.__name__
    (sentence,) = output.traceback
    assert sentence == output.evalue
    assert f"the library here is version {wwlib.__version__}" in sentence
    assert "get the lesson anew" in sentence
    assert "\n" not in sentence
    assert all(cell.execution_count is None for cell in notebook.cells[2:])
