"""The grader: every kind of submission ends as it must, and no other learner's grade is touched by it."""

import csv
import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from tests.course.grading.kinds import KINDS, PERFECT, first_answer, put
from tests.course.grading.outcomes import BYSTANDERS, grade_kinds
from wwlib.__main__ import main
from wwlib.base.paths import DATA, ROOT, library_files
from wwlib.base.scratch import scratch, sweep
from wwlib.course.answers.lesson_05 import all_codes_at_8
from wwlib.course.grading import grade as grading
from wwlib.course.grading.gradebook import COLUMNS, Lateness, harmless
from wwlib.course.grading.incoming.people import safe_name
from wwlib.course.grading.incoming.reading import read
from wwlib.course.grading.incoming.roster import read_roster
from wwlib.course.grading.incoming.submissions import find
from wwlib.course.grading.judge import seed_of
from wwlib.course.grading.marking import Beyond, Judge, transplant
from wwlib.course.grading.sandbox import NAMESPACES
from wwlib.course.grading.view import places, secrets_in
from wwlib.course.grading.wire import pack
from wwlib.course.lessons.check import check
from wwlib.course.lessons.tasks import masters

pytestmark = pytest.mark.slow

RECORD = json.loads((DATA / "grading.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def kept_servers():
    """Fork servers for all tests of this file: starting one takes longer than most tests."""
    real, free = grading.ForkServer, {}

    class Borrowed:
        def __init__(self, module, *arguments):
            self.key = (module, *arguments)
            kept = free.setdefault(self.key, [])
            self.server, self.said = kept.pop() if kept else (real(*self.key), None)

        def __getattr__(self, name):
            return getattr(self.server, name)

        def wait(self):
            self.said = self.said or self.server.wait()
            return self.said

        def close(self):
            if self.server not in [server for server, _ in free[self.key]]:
                free[self.key].append((self.server, self.said))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "ForkServer", Borrowed)
        yield
    for kept in free.values():
        for server, _ in kept:
            server.close()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("kinds")
    os.environ["WW_SECRET"] = "for nobody's eyes"
    return grade_kinds(place / "in", place / "out")


def test_at_least_130_kinds_are_known():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 130


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_ends_as_it_must_and_touches_nobody_else(found, kind):
    result = found[kind.name]
    if kind.points is None:
        assert kind.says in result["problem"]
    else:
        low, high = kind.points if isinstance(kind.points, tuple) else (kind.points, kind.points)
        assert low <= result["points"] <= high, result["tests"]
        assert kind.status in ("", result["tests"][0]["status"]), result["tests"][0]
        assert kind.says in result["tests"][0]["text"]
    for name in BYSTANDERS:
        assert (found[name]["points"], found[name]["of"]) == (6, 6)


def test_the_published_list_names_every_kind():
    assert [row["kind"] for row in RECORD["kinds"]] == [kind.name for kind in KINDS]


def test_a_hundred_submissions_take_a_minute_at_most():
    assert RECORD["speed"]["submissions"] == 100
    assert RECORD["speed"]["minutes"] <= 1


def run(*arguments):
    return main(["grade", *map(str, arguments)])


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Three learners graded by the command: one perfect and late, one wrong with a figure, one whose file is broken."""
    place = tmp_path_factory.mktemp("batch")
    folder, out = place / "in", place / "out"
    folder.mkdir()
    put(folder, "anna", PERFECT)
    os.utime(folder / "anna.ipynb", (1_800_000_000, 1_800_000_000))
    picture = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('<script>alert(1)</script>')\n"
    put(folder, "=bert", first_answer(picture + "def my_cumax(logits):\n    return logits"))
    (folder / "carl.ipynb").write_text("nothing")
    roster = place / "roster.csv"
    roster.write_text("student_id,last_name,first_name,email\nanna,Abel,Anna,anna@example.org\n")
    due = datetime.fromtimestamp(1_800_000_000 - 90_000).isoformat()
    code = run(folder, "--out", out, "--seed", 3, "--due", due, "--late-penalty", 0.1, "--roster", roster)
    return folder, out, code


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_exit_code_says_that_something_could_not_be_read(batch):
    assert batch[2] == 2


def test_grades_have_nbgraders_columns_and_lateness_costs_what_was_said(batch):
    table = rows(batch[1] / "grades.csv")
    assert tuple(table[0]) == COLUMNS
    anna = next(row for row in table if row["student_id"] == "anna")
    assert (float(anna["raw_score"]), float(anna["late_submission_penalty"]), float(anna["score"])) == (6, 1.2, 4.8)
    assert (anna["last_name"], anna["email"]) == ("Abel", "anna@example.org")


def test_no_name_becomes_a_formula_in_a_spreadsheet(batch):
    assert any(row["student_id"] == "'=bert" for row in rows(batch[1] / "grades.csv"))


def test_moodle_and_canvas_find_their_columns(batch):
    assert set(rows(batch[1] / "moodle.csv")[0]) == {"ID number", "Grade", "Feedback comments"}
    canvas = rows(batch[1] / "canvas.csv")
    assert canvas[0]["Student"] == "Points Possible"
    assert [float(row["02_where_spatial_masks"]) for row in canvas if row["SIS User ID"] == "anna"] == [4.8]


def test_results_have_gradescopes_form(batch):
    for learner in ("anna", "carl"):
        results = json.loads((batch[1] / "results" / learner / "results.json").read_text())
        assert {"execution_time", "output", "visibility", "tests"} <= set(results)
        assert ("score" in results) == (learner == "anna")  # what is not graded must not look like a zero
        for test in results["tests"]:
            assert test["status"] in ("passed", "failed")
            assert {"name", "number", "score", "max_score", "output", "visibility"} <= set(test)
    assert "not graded, because not JSON" in results["output"]
    assert results["extra_data"]["graded"] is False


def test_junit_counts_failures_and_errors(batch):
    suites = {s.get("name"): s for s in ElementTree.parse(batch[1] / "junit.xml").getroot()}
    assert suites["02 anna"].get("failures") == "0"
    assert suites["02 =bert"].get("failures") == "1"
    assert suites["carl.ipynb"].get("errors") == "1"


def test_feedback_shows_the_learners_own_figure_and_runs_nothing(batch):
    page = (batch[1] / "feedback" / f"{safe_name('=bert')}.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "not graded, because not JSON" in (batch[1] / "feedback" / "carl.html").read_text(encoding="utf-8")


def test_the_run_record_names_seed_versions_protections(batch):
    record = json.loads((batch[1] / "run.json").read_text())
    assert record["seed"] == 3
    assert {"python", "torch", "papermill"} <= set(record["versions"])
    assert record["protections"]
    assert record["seconds a submission"]


def test_a_batch_that_was_stopped_goes_on_and_keeps_what_is_done(batch, tmp_path):
    folder, out, _ = batch
    before = {path.name: path.stat().st_mtime_ns for path in (out / "graded").iterdir()}
    assert run(folder, "--out", out, "--seed", 3) == 2
    assert before == {path.name: path.stat().st_mtime_ns for path in (out / "graded").iterdir()}


def test_a_batch_killed_half_way_continues(tmp_path, eventually):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(4):
        put(folder, f"quick{number}", PERFECT)
    put(folder, "zzz", first_answer("import time\ntime.sleep(6)"))
    command = [sys.executable, "-m", "wwlib", "grade", str(folder), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    eventually(lambda: len(list((out / "graded").glob("*.json"))) >= 2)
    process.kill()
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in (out / "graded").glob("02-quick*.json")}
    assert done
    assert run(folder, "--out", out, "--cell-timeout", 20, "--jobs", 1) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert len(rows(out / "grades.csv")) == 5


STRAY = "import os, time\nos.write(3, b'\\0')\n"  # on the socket that answers go through
CHILDREN = """for _ in range(20):
    if os.fork() == 0:
        hoard = bytearray(b'1') * (90 << 20)
        time.sleep(15)
        os._exit(0)
time.sleep(15)
"""
PROGRAMS = """import subprocess, sys, time
line = "b = bytearray(b'1') * (150 << 20); import time; time.sleep(15)"
for _ in range(12):
    subprocess.Popen([sys.executable, '-S', '-c', line])
time.sleep(15)
"""
RIGHT = "def my_cumax(logits):\n    return logits.softmax(-1).flip(-1).cumsum(-1).flip(-1)\n"


def test_memory_is_watched_whatever_arrives_and_whatever_a_process_runs(tmp_path):
    """A stray byte on the socket once stopped the watch; a program of one's own once counted as the server's image."""
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder, "anna", PERFECT)
    put(folder, "stray", first_answer(STRAY + CHILDREN + RIGHT))
    put(folder, "programs", first_answer(PROGRAMS + RIGHT))
    assert run(folder, "--out", tmp_path / "out", "--memory", 0.2, "--cell-timeout", 40, "--jobs", 1) == 0
    assert {row["student_id"]: row["score"] for row in rows(tmp_path / "out" / "grades.csv")}["anna"] == "6.0"
    for learner in ("stray", "programs"):
        page = (tmp_path / "out" / "feedback" / f"{learner}.html").read_text(encoding="utf-8")
        assert "too much memory" in page, learner


def test_shards_together_are_the_whole(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(5):
        put(folder, f"learner{number}", PERFECT)
    for part in ("1/2", "2/2"):
        assert run(folder, "--out", out, "--shard", part, "--seed", 5) == 0
    assert len(list((out / "graded").glob("*.json"))) == 5
    assert not (out / "grades.csv").exists()
    assert run(folder, "--out", out, "--seed", 5) == 0
    assert [float(row["score"]) for row in rows(out / "grades.csv")] == [6.0] * 5
    assert json.loads((out / "run.json").read_text())["kept"] == 5


def test_hidden_cases_of_the_instructor_count(tmp_path):
    folder, hidden = tmp_path / "in", tmp_path / "hidden"
    folder.mkdir()
    hidden.mkdir()
    put(folder, "anna", first_answer("def my_cumax(logits):\n    if logits.shape[-1] == 77:\n        return logits\n"
                                     "    return logits.softmax(-1).flip(-1).cumsum(-1).flip(-1)"))  # fmt: skip
    (hidden / "more.py").write_text("import torch\nCASES = {'02.1': [lambda g: (torch.randn(77, generator=g),)]}\n")
    run(folder, "--out", tmp_path / "plain", "--seed", 2)
    run(folder, "--out", tmp_path / "hard", "--seed", 2, "--hidden", hidden)
    assert [rows(tmp_path / name / "grades.csv")[0]["score"] for name in ("plain", "hard")] == ["6.0", "5.0"]


def test_learners_get_other_inputs_than_check_uses_and_other_seeds_other_ones():
    seeds = {seed_of(secret, "02.1", learner, file) for secret in (1, 2) for learner in "ab" for file in "cd"}
    assert len(seeds) == 8
    assert min(seeds) >= 1_000
    assert seed_of(1, "02.1", "a", "c") == seed_of(1, "02.1", "a", "c")


def test_feedback_shows_no_input_and_no_right_answer(tmp_path):
    """Else three wrong attempts and a dictionary would do."""
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder, "anna", first_answer("def my_cumax(logits):\n    return logits * 0"))
    run(folder, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "feedback" / "anna.html").read_text(encoding="utf-8")
    assert "my_cumax(tensor[7] of float32)" in page
    assert re.search(r"expected +tensor\[7\] of float32(\n|<)", page)


def test_strict_refuses_without_isolation(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder, "anna", PERFECT)
    monkeypatch.setattr(grading, "probe", lambda server, hide, settings: ["process group of its own"])
    assert run(folder, "--out", tmp_path / "out", "--strict", "--jobs", 1) == 3
    said = capsys.readouterr()
    assert NAMESPACES[0] in said.out
    assert "--strict" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shard", "3/2"), ("--jobs", "0"), ("--hidden", "/nowhere"), ("--lesson", "99"), ("--late-penalty", "5"),
        ("--late-penalty", "0.1"), (),
    ],
)  # fmt: skip
def test_a_wrong_option_and_an_empty_folder_are_usage_errors(arguments, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", "--out", tmp_path / "out", *arguments) == 64
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("due", ["2026-11-30", "30.11.2026", "tomorrow"])
def test_a_due_date_without_its_time_is_refused(due, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, "--out", tmp_path / "out", "--due", due)
    assert ended.value.code == 64
    assert "must be a date and a time such as 2026-11-30T23:59" in capsys.readouterr().err


def test_a_missing_folder_is_said(tmp_path, capsys):
    assert run(tmp_path / "none", "--out", tmp_path / "out") == 64
    assert "no folder of submissions" in capsys.readouterr().err


def test_what_fails_on_our_side_is_no_zero(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    put(folder, "anna", PERFECT)

    def broken(*arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(grading, "grade_one", broken)
    assert run(folder, "--out", out, "--jobs", 1) == 3
    assert rows(out / "grades.csv")[0]["score"] == ""
    assert "not graded, because OSError: the disk is full" in (out / "feedback" / "anna.html").read_text()


def test_names_cannot_leave_their_folder_and_differ_where_ids_differ():
    names = (
        "../../etc",
        "..",
        ".",
        "",
        " carl",
        "carl",
        "carl ",
        "dora.5",
        "dora\u02e5",
        "a/b",
        "a%2Fb",
        "é",
        "e\u0301",
    )
    names += ("名" * 500, "x" * 300, "x" * 301)
    files = [safe_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(0 < len(file) < 100 and "/" not in file and not file.startswith(".") for file in files)


def test_ids_that_look_alike_have_grades_of_their_own(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = ["dora.5", "dora\u02e5", " carl", "carl", "Carl", safe_name("dora.5")]
    for name in names:
        put(folder, name, PERFECT)
    assert run(folder, "--out", out) == 0
    assert sorted(row["student_id"] for row in rows(out / "grades.csv")) == sorted(names)
    assert len(list((out / "feedback").iterdir())) == len(names)


def test_a_result_that_is_anothers_ends_the_run(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("anna", "bert"):
        put(folder, name, PERFECT)
    monkeypatch.setattr(grading, "safe_name", lambda learner: "one")
    assert run(folder, "--out", out) == 3
    assert not (out / "grades.csv").exists()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-cmd", "@sum", "\n=1", "x;=1", " =1", "\uff1d1", "\uff0bcmd", "a\t@x", "x,=1"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell):
    assert re.search("'[=+@\uff1d\uff0b-]", harmless(cell))


@pytest.mark.parametrize("cell", ["+49123", "-3.5", "-1,5", "anna", "02.1 right, 02.2 wrong", "Li-Anna", 3.0])
def test_plain_numbers_and_names_stay_as_they_are(cell):
    assert harmless(cell) == cell


def test_a_file_name_that_is_no_text_is_unreadable_not_the_end(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    put(folder, "anna", PERFECT)
    (folder / os.fsdecode(b"b\xffb.ipynb")).write_text("{}")
    assert run(folder, "--out", out) == 2
    assert [row["score"] for row in rows(out / "grades.csv")] == ["6.0"]


def test_one_zip_as_an_lms_gives_it_is_a_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("Anna_123_assignsubmission_file/02.ipynb", json.dumps(PERFECT))
        archive.writestr("bert.ipynb", json.dumps(PERFECT))
    assert run(tmp_path / "all.zip", "--out", tmp_path / "out") == 0
    found = [row["student_id"] for row in rows(tmp_path / "out" / "grades.csv")]
    assert found == ["Anna_123", "bert"]


def test_results_cannot_lie_among_the_submissions(tmp_path, capsys):
    assert run(tmp_path, "--out", tmp_path / "out") == 64
    assert "outside the submissions" in capsys.readouterr().err


def test_a_dead_server_is_replaced_and_nobody_loses_a_grade(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    put(folder, "anna", PERFECT)
    real, calls = grading.grade_one, []

    def dies_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise grading.Infrastructure("the fork server is gone")
        return real(*arguments)

    monkeypatch.setattr(grading, "grade_one", dies_once)
    assert run(folder, "--out", out, "--jobs", 1) == 0
    assert len(calls) == 2


def test_a_sandbox_that_cannot_be_made_is_our_failure(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    put(folder, "anna", PERFECT)

    def nowhere(self):
        raise grading.Died("cannot mount tmpfs")

    monkeypatch.setattr(grading.Session, "_execute", nowhere)
    assert run(folder, "--out", out, "--jobs", 1) == 3
    assert not (out / "grades.csv").exists()


def test_a_generator_that_would_take_for_ever_to_build_is_refused():
    lists = (("Const-128", "ResConv-id-1000000000"), ("Const-999999",), ("Const-8", *["ResConv-id-1"] * 100),
             ("Const-8", "ResConv-up-1@5000"), ("Const-64", "ResConv-id-900@64"),
             ("Const-512", "ResConv-up-1", *["ResConv-id-1"] * 50))  # fmt: skip
    for modules in lists:
        assert "small numbers" in check("05.3", lambda modules=modules: modules).body


def test_a_list_that_takes_a_judge_too_much_is_its_learners_own_loss(monkeypatch):
    """A judge has its own limits, here 0.05 GB, and the next learner has another judge."""

    class Answers:
        def __init__(self, modules):
            self.reply = {"returned": True, "unchanged": True}, pack(tuple(modules))

        def forward(self, header, payload):
            return self.reply

        def watch(self):
            pass

    def earned(modules):
        judge = Judge(server, "comparing it")
        ask = dict(ask="score", exercise="05.3", function="my_modules", seed=1)
        try:
            return judge.ask(ask, session=Answers(modules))[0]["earned"]
        except Beyond:
            return 0.0
        finally:
            judge.close()

    server, wide = grading.ForkServer(grading.JUDGES, ""), ("Const-128", "ResConv-up-1@512", "ResConv-id-12@512")
    server.wait()
    with monkeypatch.context() as patch:
        patch.setattr("wwlib.course.grading.marking.JUDGES_MEMORY", 0.05)
        assert earned(wide) == 0.0
    assert earned(all_codes_at_8()) == 1.0
    server.close()


def test_lateness_is_counted_in_begun_days_and_never_below_zero():
    late = Lateness(datetime.fromtimestamp(1_000_000), 0.3)
    assert late.lost(10, 999_999) == 0
    assert late.lost(10, 1_000_001) == 3
    assert late.lost(10, 1_000_000 + 86_401) == 6
    assert late.lost(10, 1_000_000 + 20 * 86_400) == 10


def test_a_roster_needs_its_column(tmp_path):
    (tmp_path / "roster.csv").write_text("name\nanna\n")
    with pytest.raises(ValueError, match="student_id"):
        read_roster(tmp_path / "roster.csv")


def test_find_does_not_follow_links_out_of_the_folder(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    folder.mkdir()
    put(outside, "secret", PERFECT)
    (folder / "link").symlink_to(outside)
    assert [s.name for s in find(folder)[0] if not s.problem] == []


def test_a_notebook_of_any_lesson_is_recognised_by_its_functions():
    for number, master in masters().items():
        cells = [dict(cell_type="code", source=task.stub, metadata={}) for task in master.tasks]
        notebook = dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=4)
        found = read(json.dumps(notebook).encode(), "copy.ipynb", masters())
        assert found.lesson == number
        assert set(found.answers) == {task.exercise for task in master.tasks}


def test_settings_that_change_grades_change_the_fingerprint():
    plain = grading.Settings(seed=1)
    assert plain.fingerprint() == grading.Settings(seed=1, jobs=9).fingerprint()
    assert plain.fingerprint() != dataclasses.replace(plain, seed=2).fingerprint()


def test_the_fingerprint_is_the_same_in_every_process():
    """Else no grade would ever be kept."""
    code = "from wwlib.course.grading.grade import Settings; print(Settings(seed=1).fingerprint())"
    for number in "12":
        environment = {**os.environ, "PYTHONHASHSEED": number}
        found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert found.stdout.strip() == grading.Settings(seed=1).fingerprint()


def test_the_fingerprint_sees_every_file_of_the_library(tmp_path, monkeypatch):
    """Else a grade given by an older library would be kept."""
    files = [path for path in (ROOT / "wwlib").glob("**/*.py") if path.is_file()]
    assert library_files() == sorted(files)
    before = grading.Settings(seed=1).fingerprint()
    (tmp_path / "deep.py").write_text("x = 1\n")
    monkeypatch.setattr(grading, "library_files", lambda: [*files, tmp_path / "deep.py"])
    assert grading.Settings(seed=1).fingerprint() != before


def test_answers_that_are_not_where_they_are_hidden_stop_the_grader(monkeypatch):
    monkeypatch.setattr("wwlib.course.grading.view.SECRETS", ("course/answers", "course/elsewhere"))
    with pytest.raises(grading.Infrastructure, match="elsewhere"):
        grading._hidden_places(grading.Settings(), [])


def test_every_copy_of_the_library_in_sight_is_hidden(tmp_path):
    (tmp_path / "site-packages" / "wwlib" / "course" / "answers").mkdir(parents=True)
    (tmp_path / "clone" / "wwlib").mkdir(parents=True)
    (tmp_path / "clone" / ".git").mkdir()
    (tmp_path / "wwlib-0.1.whl").write_bytes(b"")
    hidden = secrets_in([str(tmp_path)])
    for name in ("site-packages/wwlib", "clone", "wwlib-0.1.whl"):
        assert str(tmp_path / name) in hidden
    assert str(ROOT / "wwlib" / "course" / "answers") in hidden


def test_no_place_that_submissions_see_holds_a_clone():
    assert str(ROOT) not in places()
    assert not any(ROOT.is_relative_to(place) for place in places())


def test_a_lessons_values_run_only_where_an_answer_uses_them():
    source = json.dumps(first_answer("def my_cumax(logits):\n    return logits\nprint(some_masks)")).encode()
    for data, expected in ((source, True), (json.dumps(PERFECT).encode(), False)):
        answers = read(data, "02_x.ipynb", masters()).answers
        text = json.dumps(transplant(masters()["02"], answers))
        assert ("some_masks = torch.rand" in text) == expected


def test_a_killed_grader_leaves_no_process_and_its_folders_go_at_the_next_start(tmp_path, monkeypatch):
    folder, place = tmp_path / "in", tmp_path / "place"
    folder.mkdir()
    place.mkdir()
    put(folder, "anna", first_answer("import time\ntime.sleep(300)"))
    command = [sys.executable, "-m", "wwlib", "grade", str(folder), "--out", str(tmp_path / "out"), "--jobs", "1"]
    process = subprocess.Popen([*command, "--cell-timeout", "200"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "TMPDIR": str(place)})  # fmt: skip
    while "memory:" not in process.stdout.readline():
        pass
    time.sleep(2)
    below = _children(process.pid)
    assert len(below) >= 4
    process.kill()
    process.wait()
    for _ in range(600):  # on a busy machine the kernel takes its time
        if not any(Path(f"/proc/{pid}").exists() for pid in below):
            break
        time.sleep(0.1)
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    (left,) = place.glob("ww-grading-*")
    assert list(left.glob("home-*"))
    assert sweep("ww-grading-") == [str(left)]  # which the next grader does first


def _children(root):
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(re.search(r"PPid:\s+(\d+)", status)[1])
    below = {root}
    for _ in range(10):
        below |= {pid for pid, parent in parents.items() if parent in below}
    return below - {root}


def test_an_interrupt_ends_in_one_line(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder, "anna", first_answer("import time\ntime.sleep(300)"))
    command = [sys.executable, "-m", "wwlib", "grade", str(folder), "--out", str(tmp_path / "out"), "--jobs", "1"]
    process = subprocess.Popen([*command, "--cell-timeout", "200"], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    while "memory:" not in process.stdout.readline():
        pass
    time.sleep(1)
    process.send_signal(2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_what_submissions_look_for_in_vain_is_there_outside_the_sandbox():
    """An address that does not exist would prove nothing."""
    text = (ROOT / "tests" / "course" / "grading" / "kinds.py").read_text(encoding="utf-8")
    assert "wwlib.course.answers" in text
    for name in set(re.findall(r"(?:from|import) (wwlib(?:\.\w+)+)", text)):
        assert importlib.util.find_spec(name), name
    for name in set(re.findall(r"HEAD:(wwlib/[\w/]+\.py)", text)):
        assert (ROOT / name).is_file(), name


def test_kinds_leave_no_file_behind():
    assert not [path for path in Path(scratch()).glob("home-*/*")]
