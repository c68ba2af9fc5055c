"""What a learner is advised where the grader's conditions, not the answer, are the reason."""

import pytest

from wwlib.course.grading.pages import ONE_PROCESS, PACKAGES, SANDBOX, advice
from wwlib.course.grading.shell import INSTALLERS, NOTHING_INSTALLED


@pytest.mark.parametrize(
    ("text", "shown", "source", "expected"),
    [
        ("", NOTHING_INSTALLED, "%pip install einops", [PACKAGES]),
        ("the cell raised ModuleNotFoundError: No module named 'einops'", "", "import einops", [PACKAGES]),
        ("too slow: stopped after 20 s", "", "from joblib import Parallel", [ONE_PROCESS]),
        ("raised     EOFError:", "", "multiprocessing.Manager()", [ONE_PROCESS]),
        ("raised     PermissionError: [Errno 1]", "", "socket.create_connection(('a', 1))", [SANDBOX]),
        ("too slow: stopped after 20 s", "", "while True: pass", []),
        ("", "", "import multiprocessing", []),
        ("returned   tensor[7]", "", "def my_mp(x): return x", []),
    ],
)
def test_advice_is_given_where_a_condition_of_the_grader_is_the_reason(text, shown, source, expected):
    assert advice(text, shown, source) == expected


INSTALLING = ("pip install x", "/venv/bin/python -m pip install -q x", "pip3 install x", "uv pip install x", "uv add x",
              "conda install -y x", "apt-get install x")  # fmt: skip


@pytest.mark.parametrize("line", INSTALLING)
def test_a_line_that_installs_is_recognised(line):
    assert INSTALLERS.search(line)


@pytest.mark.parametrize("line", ["pip list", "ls pipeline", "echo install", "uname -a"])
def test_other_programs_run(line):
    assert not INSTALLERS.search(line)
