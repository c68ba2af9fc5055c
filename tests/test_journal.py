"""The journal of `make colab`: a suite that runs in several calls, and what is told of it."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.colab import real
from tests.colab.journal import read_journal
from wwlib.base.paths import ROOT

SUITE = """
import time, pytest, pathlib

def test_passes(): pass

@pytest.mark.slow
def test_takes_its_time(): time.sleep(0.4)

@pytest.mark.parametrize("n", [1, 2])
def test_comes_before_the_slow_one(n): time.sleep(0.2)

def test_fails_until_a_file_is_there(): assert pathlib.Path("mended").exists()

def test_is_skipped(): pytest.skip("no such thing here")

@pytest.fixture
def broken(): raise OSError("no")

def test_has_no_fixture(broken): pass
"""
OTHER = """
import pytest
pytest.importorskip("no_such_package", reason="needs a package")
def test_nothing(): pass
"""


@pytest.fixture
def suite(tmp_path):
    """A folder with two test files, and a function that calls pytest there and returns what it printed."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(SUITE)
    (tmp_path / "tests" / "test_other.py").write_text(OTHER)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")

    def call(*options):
        given = [
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.colab.journal",
            "-v",
            "tests",
            "--continue-on-collection-errors",
        ]
        given += ["--journal", str(tmp_path / "journal.jsonl"), *options]
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main({given!r}))"
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins take seconds to load
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        ).stdout  # fmt: skip

    return tmp_path, call


def outcomes(folder):
    ended = read_journal(folder / "journal.jsonl", folder)
    return {test.split("::")[-1]: line.outcome for test, line in ended.items()}


@pytest.mark.slow
def test_a_suite_that_is_stopped_goes_on_where_it_was_and_repeats_nothing_but_failures(suite):
    folder, call = suite
    calls = [call("--journal-seconds", "0")]
    while "left to run: 0" not in calls[-1]:
        assert "the same command continues" in calls[-1]
        calls.append(call("--journal-seconds", "0"))
    assert len(calls) == 7  # one test in each
    assert "test_takes_its_time PASSED" in calls[-1]  # the slow one comes last
    assert outcomes(folder) == {
        "tests/test_other.py": "skipped", "test_passes": "passed", "test_takes_its_time": "passed",
        "test_comes_before_the_slow_one[1]": "passed", "test_comes_before_the_slow_one[2]": "passed",
        "test_fails_until_a_file_is_there": "failed", "test_is_skipped": "skipped", "test_has_no_fixture": "error",
    }  # fmt: skip
    (folder / "mended").touch()
    again = call()
    assert again.count(" PASSED") == 1
    assert again.count(" ERROR") >= 1
    told = real.summary(folder / "journal.jsonl", folder)
    assert (told["passed"], told["skipped"], told["error"]) == (5, 2, 1)
    assert told["failures"] == ["tests/test_some.py::test_has_no_fixture"]
    assert told["at_the_second_try"] == ["tests/test_some.py::test_fails_until_a_file_is_there"]
    assert told["skips"] == {"needs a package": 1, "no such thing here": 1}
    assert told["minutes"] == pytest.approx(0.8 / 60, abs=0.1)


@pytest.mark.slow
def test_what_a_changed_file_gave_does_not_count_any_more(suite):
    folder, call = suite
    call()
    before = outcomes(folder)
    with (folder / "tests" / "test_some.py").open("a") as file:
        file.write("\n# changed\n")
    assert outcomes(folder) == {"tests/test_other.py": "skipped"}
    assert "left to run: 0" in call()
    assert outcomes(folder) == before
    (folder / "tests" / "test_some.py").unlink()
    assert outcomes(folder) == {"tests/test_other.py": "skipped"}


def test_a_change_of_the_library_begins_anew_and_one_of_a_test_or_of_the_record_does_not(tmp_path, monkeypatch):
    names = ["data/colab.json", "docs/using.md", "tests/metrics/test_dci.py", "tests/tiny.py", "wwlib/colab.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    monkeypatch.setattr(real, "ROOT", tmp_path)
    first = real.state(names)
    for name, same in zip(names, [True, True, True, False, False], strict=True):
        (tmp_path / name).write_text("changed")
        assert (real.state(names) == first) == same
        (tmp_path / name).write_text("as it was")
    assert real.state(names[:-1]) != first


def test_each_part_of_the_record_has_its_date_and_another_version_makes_the_rest_void(tmp_path, monkeypatch):
    monkeypatch.setattr(real, "RECORD", tmp_path / "colab.json")
    machine = dict(python="3.13.5", versions=dict(torch="2.11.0"))
    real.write_record(machine, dict(setup_cell="installing", lessons=[dict(lesson="00", outcome="passed")]))
    written = json.loads((tmp_path / "colab.json").read_text())
    (tmp_path / "colab.json").write_text(json.dumps({**written, "date": "2026-01-01"}))
    real.write_record(machine, dict(tests=dict(passed=3, failures=[])))
    both = json.loads((tmp_path / "colab.json").read_text())
    assert (both["date"], both["lessons"], both["tests"]["passed"]) == ("2026-01-01", written["lessons"], 3)
    assert both["tests"]["date"] == time.strftime("%Y-%m-%d")
    real.write_record(machine | dict(python="3.14.0"), dict(setup_cell="installing", lessons=[]))
    assert "tests" not in json.loads((tmp_path / "colab.json").read_text())
