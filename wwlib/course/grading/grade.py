"""Grading: a folder of notebooks in, grades and feedback out; nothing a submission does can touch another's grade.

Learners' functions run in sandboxed forks (`wwlib.course.grading.warm`); notebooks are read and values compared in
forks with limits (`wwlib.course.grading.judge`). This process only says who is next and writes results down.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from wwlib.base.files import save_json
from wwlib.base.paths import library_files
from wwlib.course.grading import wire
from wwlib.course.grading.incoming.people import Directory, safe_name
from wwlib.course.grading.incoming.submissions import Submission, find, name_other_lessons, newest
from wwlib.course.grading.marking import grade_one, read_one, transplant
from wwlib.course.grading.sandbox import CALLS_REFUSED, NAMESPACES
from wwlib.course.grading.servers import ForkServer, Infrastructure
from wwlib.course.grading.session import Clock, Died, Session
from wwlib.course.grading.view import places, secrets_in
from wwlib.course.lessons.tasks import Master, Values, masters

SESSIONS, JUDGES = "wwlib.course.grading.warm", "wwlib.course.grading.judge"


@dataclass(frozen=True)
class Settings:
    """How a batch is graded; whatever changes a grade is part of a result's fingerprint."""

    jobs: int = 2
    cell_timeout: float = 20.0
    timeout: float = 120.0
    memory: float = 2.0
    seed: int = 0
    hidden: str = ""
    strict: bool = False

    def fingerprint(self) -> str:
        """Return a digest of what decides a grade: limits, seed, lessons, library and hidden inputs."""
        cells = [cell for _, master in sorted(masters().items()) for cell in master.cells]
        lessons = [cell.source if isinstance(cell, Values) else cell for cell in cells]  # sets have no fixed order
        text = f"{self.cell_timeout:g} {self.timeout:g} {self.memory:g} {self.seed} {lessons}"
        for path in library_files():
            text += path.read_text(encoding="utf-8")
        for path in sorted(Path(self.hidden).glob("*.py")) if self.hidden else ():
            text += path.read_text(encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Bench:
    """The servers of a batch: one of judges, and one of sessions for each job.

    Args:
        jobs: submissions at a time.
        hidden: folder of an instructor's inputs.
    """

    def __init__(self, jobs: int, hidden: str = ""):
        self.judges = ForkServer(JUDGES, hidden)
        self.free = [ForkServer(SESSIONS) for _ in range(jobs)]
        self.all = [self.judges, *self.free]
        self.titles: dict[str, str] = {}
        self.stopping = threading.Event()

    def ready(self) -> None:
        """Wait for the judges; ValueError if an instructor's inputs are wrong."""
        said = self.judges.wait()
        if said["state"] == "refused":
            raise ValueError(said["why"])
        self.titles = said["titles"]

    def replace(self, server: ForkServer) -> ForkServer:
        """Return a new server of sessions in place of a dead one."""
        server.close()
        fresh = ForkServer(SESSIONS)
        self.all.append(fresh)
        fresh.wait()
        return fresh

    def close(self) -> None:
        """End every server and all that they started."""
        self.stopping.set()
        for server in self.all:
            server.close()


def probe(server: ForkServer, hide: list[str], settings: Settings) -> list[str]:
    """Run an empty notebook as submissions are run, and return the protections in force."""
    empty = transplant(Master("00", ()), {})
    session = Session(server, empty, hide, Clock(60.0), settings.cell_timeout, settings.memory)
    try:
        session.execute()
        return session.protections
    except Died as reason:
        raise Infrastructure(f"an empty notebook cannot be run: {reason}") from None
    finally:
        session.close()


def grade(folder: Path, out: Path, settings: Settings, lesson: str = "", shard: tuple[int, int] = (1, 1),
          fresh: bool = False, report=print, private: tuple[str | Path, ...] = (),
          directory: Directory | None = None) -> dict:  # fmt: skip
    """Grade every submission in a folder and keep one result file each in `out/graded`; return a summary.

    Finished results with the same file and settings are kept, so a batch that was stopped goes on where it was.

    Args:
        folder: of submissions (`wwlib.course.grading.incoming.submissions.find` says how they are found).
        out: receives the results.
        settings: limits and seed; a seed of 0 draws a secret one, kept in `out/run.json`.
        lesson: grade this lesson only.
        shard: (k, n) grades the k-th of n parts of the learners; run all parts anywhere, then once more with `(1, 1)`.
        fresh: grade everything anew.
        report: called with one line a learner.
        private: more files and folders that submissions must not see, such as a roster.
        directory: maps people to learners' ids.

    Raises:
        Infrastructure: if grading itself does not work.
        ValueError: for an unknown lesson or hidden exercise.
    """
    known, directory = masters(), directory or Directory()
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"--out must lie outside the submissions, got {out}")
    if lesson and lesson not in known:
        raise ValueError(f"lesson must be one of {sorted(known)}, got {lesson!r}")
    everything, nobodys = find(folder, directory)
    out.mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(settings, seed=settings.seed or _secret(out))
    start, todo, kept, protections = time.monotonic(), [], 0, None
    bench = Bench(max(1, min(settings.jobs, len(everything))), settings.hidden)
    try:
        bench.ready()
        _read_all(everything, out, bench, settings)
        counted, replaced = newest([s for s in everything if not s.problem and lesson in ("", s.lesson)])
        name_other_lessons(everything, lesson, {s.learner for s in counted}, directory.remarks)
        fingerprint = settings.fingerprint()
        for submission in counted:
            if _part(submission.learner, shard[1]) == shard[0]:
                finished = not fresh and _finished(out, submission, fingerprint)
                kept += finished
                todo += [] if finished else [submission]
        if todo:
            hide = _hidden_places(settings, [folder, out, *private])
            protections = _protections(bench, hide, settings, report)
            _grade_all(todo, known, out, bench, settings, fingerprint, hide, report)
    finally:
        bench.close()
    return dict(submissions=len(everything), graded=len(todo), kept=kept, replaced=[s.name for s in replaced],
                unreadable=[{"learner": s.learner, "file": s.name, "problem": s.problem}
                            for s in everything if s.problem],
                counted=[[s.learner, result_file(out, s).name] for s in counted], nobodys=nobodys,
                remarks=directory.remarks, seconds=round(time.monotonic() - start, 1), protections=protections,
                seed=settings.seed)  # fmt: skip


def _hidden_places(settings: Settings, private: list[str | Path]) -> list[str]:
    """What must look empty to a submission in the places that it sees.

    Raises:
        Infrastructure: if the library's own answers are not where they are hidden.
    """
    try:
        hide = secrets_in(places())
    except FileNotFoundError as error:
        raise Infrastructure(str(error)) from None
    more = [*private, *([settings.hidden] if settings.hidden else [])]
    needed = [os.path.abspath(path) for path in places()]
    hide += [path for path in map(os.path.abspath, more) if not any(one.startswith(f"{path}/") for one in needed)]
    return list(dict.fromkeys(path for one in hide for path in (one, os.path.realpath(one))))


def _protections(bench: Bench, hide: list[str], settings: Settings, report: Callable) -> list[str]:
    """Say which protections are in force, or refuse to go on without them if that was asked for."""
    for server in bench.free:
        server.wait()
    found = probe(bench.free[0], hide, settings)
    report("protections in force: " + ", ".join(found))
    report("memory: each process is limited, their sum is watched four times a second"
           + ("" if CALLS_REFUSED in found else "; memory shared outside files is NOT counted here"))  # fmt: skip
    if missing := [name for name in (*NAMESPACES, CALLS_REFUSED) if name not in found]:
        report("NOT in force: " + ", ".join(missing))
        if settings.strict:
            raise Infrastructure(f"--strict, but not in force here: {', '.join(missing)}")
    return found


def _read_all(submissions: list[Submission], out: Path, bench: Bench, settings: Settings) -> None:
    """Read every notebook; one that took more than a judge may take is not tried again in a later run."""
    path = out / "not_read.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}

    def one(submission: Submission) -> None:
        if not bench.stopping.is_set():
            read_one(submission, bench.judges, before)

    _each(one, submissions, settings.jobs, bench)
    over = {s.digest: s.problem for s in submissions if s.problem.startswith("reading it takes")}
    if over.keys() - before.keys():
        save_json(path, {**before, **over})


def _each(work: Callable, items: list, jobs: int, bench: Bench, done: Callable = lambda item: None) -> None:
    """Do something for every item, some at a time; stop at once when one raises or the user interrupts."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                done(future.result())
        except BaseException:
            bench.close()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _grade_all(todo: list[Submission], known: dict[str, Master], out: Path, bench: Bench, settings: Settings,
               fingerprint: str, hide: list[str], report: Callable) -> None:  # fmt: skip
    begun, count = time.monotonic(), 0

    def one(submission: Submission) -> dict | None:
        server, master = bench.free.pop(), known[submission.lesson]
        try:
            try:
                result = grade_one(submission, master, (server, bench.judges), hide, settings, bench.titles)
            except Infrastructure:  # once more, with a new server
                if bench.stopping.is_set():
                    return None
                server = bench.replace(server)
                result = grade_one(submission, master, (server, bench.judges), hide, settings, bench.titles)
        except Exception as error:
            result = _ungraded(submission, known, f"{type(error).__name__}: {error}")
        finally:
            bench.free.append(server)
        if bench.stopping.is_set():
            return None
        save_json(result_file(out, submission), {**result, "fingerprint": fingerprint})
        return result

    def done(result: dict | None) -> None:
        nonlocal count
        count += 1
        if result is not None:
            left = (time.monotonic() - begun) / count * (len(todo) - count)
            points = f"{result['points']:g} of {result['of']:g}" if result["graded"] else "not graded"
            report(f"[{count}/{len(todo)}, {left:.0f} s left] {result['learner']} lesson {result['lesson']}: "
                   f"{points} ({result['seconds']:.1f} s)")  # fmt: skip

    _each(one, todo, settings.jobs, bench, done)


def _ungraded(submission: Submission, known: dict[str, Master], why: str) -> dict:
    return dict(
        learner=submission.learner, lesson=submission.lesson, file=submission.name, digest=submission.digest,
        modified=submission.modified, notes=[*submission.notes, *submission.reading.notes], graded=False,
        why=wire.clean(why)[:500], tests=[],
        points=None, of=sum(t.points for t in known[submission.lesson].tasks), seconds=0.0, protections=[], outputs={},
    )  # fmt: skip


def _secret(out: Path) -> int:
    path = out / "run.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        seed = secrets.randbits(60) + 1
        save_json(path, {"seed": seed})
        return seed


def _part(learner: str, parts: int) -> int:
    return int(hashlib.sha256(learner.encode("utf-8", "replace")).hexdigest()[:8], 16) % parts + 1


def result_file(out: Path, submission: Submission) -> Path:
    """Return where a submission's result is kept."""
    return out / "graded" / f"{submission.lesson}-{safe_name(submission.learner)}.json"


def _finished(out: Path, submission: Submission, fingerprint: str) -> bool:
    try:
        result = json.loads(result_file(out, submission).read_text(encoding="utf-8"))
        same = result["digest"] == submission.digest and result["learner"] == submission.learner
        same = same and result["fingerprint"] == fingerprint
        return bool(same and result["graded"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
