"""A wrong parameter is one sentence, wherever it stands, and nothing runs on with old values."""

import ast
import json
import re
import subprocess
import sys

import pytest

from wwlib.course.lessons.notebooks import lesson_files
from wwlib.course.lessons.parameters import KINDS, RANGES, check_parameters, declared

LESSONS = lesson_files()
CELL = 'profile: str = "quick"  # quick, full or paper\nseed: int = 0\nmore_steps: int = 200\ndrive: bool = False\n'
KIND = dict(profile="str", seed="int", more_steps="int", least="int", drive="bool", folder="str", net="str", x="float",
            pair_images="int")  # fmt: skip


def parameters_cell(lesson):
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    return next("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name[:2])
def test_every_parameter_has_a_kind_and_every_whole_number_a_range_that_holds_its_default(lesson):
    cell = parameters_cell(lesson)
    annotations = declared(["x = 1", cell, "profile = begin(profile, seed)"])
    assert set(annotations) >= {"profile", "seed"}
    assert set(annotations.values()) <= set(KINDS)
    assert {name for name, kind in annotations.items() if kind == "int"} <= set(RANGES)
    defaults = {node.target.id: ast.literal_eval(node.value) for node in ast.parse(cell).body}
    check_parameters(annotations, defaults)


WRONG = [
    ("more_steps", 0, "more_steps must be a whole number from 1 to 1,000,000,000, got 0"),
    ("more_steps", -3, "from 1 to"),
    ("more_steps", "abc", "got 'abc'"),
    ("more_steps", 2.0, "got 2.0"),
    ("more_steps", True, "got True"),
    ("more_steps", None, "got None"),
    ("seed", 1.5, "seed must be a whole number from 0 to 2,147,483,647, got 1.5"),
    ("seed", -1, "got -1"),
    ("seed", 2**40, "from 0 to"),
    ("least", 11, "least must be a whole number from 1 to 10"),
    ("pair_images", 3, "pair_images must be 0 or a whole number from 512"),
    ("drive", "yes", "drive must be True or False, got 'yes'"),
    ("drive", 1, "got 1"),
    ("folder", 7, "folder must be text in quotes, got 7"),
    ("net", "resnet", "net must be one of 'vgg', 'alex', got 'resnet'"),
    ("profile", 3, "profile must be text in quotes, got 3"),
    ("x", "1", "x must be a number, got '1'"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_value_is_one_sentence(name, value, words):
    with pytest.raises(ValueError, match="cell of parameters above") as told:
        check_parameters(KIND, {name: value})
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_right_values_pass():
    check_parameters(KIND, dict(seed=2**31 - 1, more_steps=1, least=10, drive=True, folder="", net="alex", x=1, y="?"))
    check_parameters(KIND, dict(pair_images=0))


def test_the_latest_cell_of_parameters_counts_and_cells_that_are_no_python_do_not_matter():
    assert declared([]) == declared(["x: int = 3", "%matplotlib inline"]) == {}
    assert declared([CELL, CELL + "new: float = 1.0", "%timeit x"])["new"] == "float"


SESSION = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell, outcomes = InteractiveShell.instance(), []
for cell in json.loads(sys.argv[1]):
    result = shell.run_cell(cell, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    outcomes.append([type(error).__name__, str(error)] if error else None)
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def session():
    """A lesson run cell by cell, twice with wrong values: the outcome of every cell, and what is shown."""
    setup = "import os, sys; hosted = False"
    begin = "from wwlib.lesson import begin\nprofile = begin(profile, seed)"
    wrong = CELL.replace("200", "0")
    misspelt, use, show = CELL.replace('"quick"', '"qiuck"'), "x = more_steps", "print(profile)"
    cells = [setup, CELL, begin, use, wrong, begin, use, "print('here')", setup, CELL, begin, use]
    cells += [misspelt, begin, show, CELL, begin, show]
    command = [sys.executable, "-c", SESSION, json.dumps(cells)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), re.sub(r"\x1b\[[\d;]*m", "", done.stdout)


def test_after_a_refused_parameter_no_cell_runs_on_with_old_values(session):
    outcomes, _ = session
    refused, held, also, first, *again = outcomes[5:12]
    assert outcomes[:5] == [None] * 5
    assert refused[0] == "Refused"
    assert "more_steps must be a whole number from 1" in refused[1]
    for one in (held, also):
        assert one[0] == "NotRun"
        assert "more_steps must be a whole number from 1" in one[1]
    assert [first, *again] == [None] * 4


def test_a_refused_profile_holds_the_cells_back_too(session):
    outcomes, _ = session
    assert [outcome and outcome[0] for outcome in outcomes[12:]] == [
        None,
        "Refused",
        "NotRun",
        None,
        None,
        None,
    ]


def test_the_learner_sees_the_sentence_and_not_the_library(session):
    _, shown = session
    lines = [line for line in shown.splitlines()[:-1] if line]
    refusals = [line.split(":")[0] for line in lines if "must be" in line]
    assert refusals == ["Refused", "NotRun", "NotRun", "Refused", "NotRun"]
    assert len(lines) == 5 + 3 + 1  # it began three times, and the last cell prints
