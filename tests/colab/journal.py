"""A pytest plugin: every test that ends becomes a line of a file, and a later run leaves out what stands there.

So thousands of tests may run in several calls: `pytest -p tests.colab.journal --journal FILE --journal-seconds 200`,
again and again. A line counts as long as the test's file is what it was. When every test has run, one more call runs
those that failed, once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

WORST = ("error", "failed", "skipped", "passed")  # of the outcomes of a test's three phases the first one counts


@dataclass(frozen=True)
class Outcome:
    """How a test ended: `outcome` is one of `WORST`; `before` is how it ended the time before, if it ran twice."""

    outcome: str
    seconds: float
    reason: str
    before: str | None = None

    @property
    def good(self) -> bool:
        """Whether the test need not run again."""
        return self.outcome in ("passed", "skipped")


def read_journal(file: Path, root: Path) -> dict[str, Outcome]:
    """Return how each test ended, by its id.

    Args:
        file: the journal; none is an empty one.
        root: the folder the tests were started in. Lines count only of files that are there as they were.
    """
    found: dict[str, Outcome] = {}
    digest = functools.cache(digest_of)
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        row = json.loads(line)
        if row["digest"] == digest(root / file_of(row["test"])):
            before = found.get(row["test"])
            found[row["test"]] = Outcome(row["outcome"], row["seconds"], row["reason"], before and before.outcome)
    return found


def file_of(test: str) -> str:
    """Return the file of a test's id, from the folder the tests were started in."""
    return test.split("::")[0]


def digest_of(file: Path) -> str | None:
    """Return the digest of a file's content, or None if it is gone."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


class Journal:
    """The plugin.

    Args:
        file: the journal.
        root: the folder the tests are started in.
        seconds: when to stop, after the test that is under way; None for never.
    """

    def __init__(self, file: Path, root: Path, seconds: float | None):
        self.file, self.root = file, root
        self.ended = read_journal(file, root)
        self.stop = None if seconds is None else time.monotonic() + seconds
        self.phases: dict[str, list] = {}
        self.left = 0

    def pytest_sessionstart(self, session):
        """Keep the session, to end it."""
        self.session = session

    def pytest_collectreport(self, report):
        """A file that skips as a whole, or cannot be imported, is a test that ended."""
        if report.outcome != "passed" and report.nodeid not in self.ended:
            self._write(report.nodeid, "error" if report.failed else "skipped", 0.0, report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        """Choose what has not run, fast tests first; the failed ones when nothing else is left."""
        new = [item for item in items if item.nodeid not in self.ended]
        again = [item for item in items if item.nodeid in self.ended and not self.ended[item.nodeid].good]
        chosen = sorted(new or again, key=lambda item: item.get_closest_marker("slow") is not None)
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        self.left = len(chosen)
        items[:] = chosen

    def pytest_runtest_logreport(self, report):
        """Write the test's line when its last phase has ended, and ask for an end when the time is over."""
        self.phases.setdefault(report.nodeid, []).append(report)
        if report.when == "teardown":
            reports = self.phases.pop(report.nodeid)
            named = [("error" if part.failed and part.when != "call" else part.outcome, part) for part in reports]
            outcome, part = min(named, key=lambda pair: WORST.index(pair[0]))
            self._write(report.nodeid, outcome, sum(part.duration for part in reports), part)
            self.left -= 1
            if self.left and self.stop is not None and time.monotonic() > self.stop:
                self.session.shouldstop = "the time given is over; the same command continues"

    def pytest_terminal_summary(self, terminalreporter):
        """Say in the last lines how many tests are left."""
        terminalreporter.line(f"left to run: {self.left}")

    def _write(self, test, outcome, seconds, report):
        reason = ""
        if outcome != "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext[-2000:]
        row = dict(
            test=test, outcome=outcome, seconds=round(seconds, 2), reason=reason,
            digest=digest_of(self.root / file_of(test)),
        )  # fmt: skip
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def pytest_addoption(parser):
    """Add the two options of the journal."""
    parser.addoption("--journal", type=Path, help="file with a line for every test that ended")
    parser.addoption("--journal-seconds", type=float, help="stop after the test under way when so much time is over")


def pytest_configure(config):
    """Switch the journal on where a file is given."""
    if file := config.getoption("--journal"):
        config.pluginmanager.register(Journal(file, config.rootpath, config.getoption("--journal-seconds")))
