"""Grading: a folder of notebooks in, grades and feedback out; nothing a submission does can touch another's grade.

Learners' functions run in sandboxed forks (`wwlib.course.grading.warm`), the hidden inputs and right answers never
leave this process.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from wwlib.base.files import save_json
from wwlib.base.paths import ROOT, library_files
from wwlib.course.answers import exercises
from wwlib.course.exercise import Exercise, first_fault
from wwlib.course.grading import wire
from wwlib.course.grading.sandbox import NAMESPACES
from wwlib.course.grading.session import Clock, Died, Infrastructure, Library, Remote, Session, WarmServer
from wwlib.course.grading.submissions import Submission, find, newest, read, safe_name, transplant, untouched
from wwlib.course.grading.warm import TRIPWIRE
from wwlib.course.lessons.tasks import Master, Task, masters
from wwlib.training.recipes import make_data

SECRETS = ("wwlib/course/answers", "wwlib/course/grading/grade.py")
HOUSEHOLD = ("wwlib/course/grading/__pycache__", "tests", "runs", "release", ".git")  # there in some checkouts only
# where other programs listen, and what an account keeps to itself
PRIVATE = ("/run", "/var/run", "/var/tmp", "/dev/shm", "~/.ssh", "~/.config", "~/.cache", "~/.aws", "~/.docker",
           "~/.gnupg", "~/.netrc", "~/.gitconfig", "~/.git-credentials")  # fmt: skip
FLOAT64_SHARE = 0.25


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
        text = f"{self.cell_timeout:g} {self.timeout:g} {self.memory:g} {self.seed} {sorted(masters().items())}"
        for path in library_files():
            text += path.read_text(encoding="utf-8")
        for path in sorted(Path(self.hidden).glob("*.py")) if self.hidden else ():
            text += path.read_text(encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def hidden_exercises(folder: str) -> dict[str, Exercise]:
    """Return the exercises, with the inputs that an instructor adds in `folder/*.py` as `CASES = {"02.1": [make]}`."""
    found = exercises()
    for path in sorted(Path(folder).glob("*.py")) if folder else ():
        spec = importlib.util.spec_from_file_location(f"hidden_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for id, cases in module.CASES.items():
            if id not in found:
                raise ValueError(f"{path}: CASES names exercise {id!r}, known are {sorted(exercises())}")
            found[id] = dataclasses.replace(found[id], cases=(*found[id].cases, *cases))
    return found


def seed_of(secret: int, exercise: str) -> int:
    """Return the seed of an exercise's hidden inputs: never the one that `check` uses."""
    return 1_000 + int(hashlib.sha256(f"{secret}/{exercise}".encode()).hexdigest()[:7], 16)


def score(task: Task, exercise: Exercise, session: Session, secret: int) -> dict:
    """Judge one answer: hidden inputs in float32 give three quarters of the points, in float64 the last."""
    answer, seed = Remote(session, exercise, task.function), seed_of(secret, task.exercise)
    parts = [(1.0, None)] if exercise.properties else [(1 - FLOAT64_SHARE, False), (FLOAT64_SHARE, True)]
    earned, fault = 0.0, None
    for share, double in parts:
        try:
            fault = first_fault(exercise, answer, seed, double)
        except Library:
            return _result(task, "library", 0, f"{TRIPWIRE}: write it yourself, the lesson shows every piece")
        except Exception as error:  # an answer that cannot even be compared or described
            return _result(task, "wrong", 0, f"the answer could not be compared: {type(error).__name__}")
        if fault is not None:
            break
        earned += share * task.points
    text = "" if fault is None else fault.body or fault.title
    status = "right" if earned == task.points else "partly right" if earned else "wrong"
    return _result(task, status, round(earned, 3), text)


def _result(task: Task, status: str, points: float, text: str) -> dict:
    title = exercises(task.exercise[:2])[task.exercise].title
    return dict(exercise=task.exercise, title=title, status=status, points=points, of=task.points,
                text=wire.clean(text)[:4000])  # fmt: skip


def grade_one(submission: Submission, master: Master, server: WarmServer, hide: list[str], settings: Settings,
              exercises: dict[str, Exercise]) -> dict:  # fmt: skip
    """Grade one submission: run its answers, and after each that ends the process go on without it."""
    start = time.monotonic()
    clock = Clock(settings.timeout)
    results: dict[str, dict] = {}
    answers = dict(submission.answers)
    for task in master.tasks:
        if task.exercise not in answers:
            results[task.exercise] = _result(task, "missing", 0, f"no cell defines {task.function}")
        elif untouched(answers[task.exercise], task):
            results[task.exercise] = _result(task, "untouched", 0, "the stub as it was handed out")
            del answers[task.exercise]
    outputs, protections = {}, []
    while pending := [t for t in master.tasks if t.exercise not in results]:
        session = Session(server, transplant(master, answers), hide, clock, settings.cell_timeout, settings.memory)
        asked = ""
        try:
            session.execute()
            outputs, protections = _outputs(session.notebook), session.protections
            errors = {
                id: shown["error"] for id, all_shown in outputs.items() for shown in all_shown if "error" in shown
            }
            for task in pending:
                asked = task.exercise
                if asked in errors:
                    results[asked] = _result(task, "error", 0, f"the cell raised {errors[asked]}")
                else:
                    results[asked] = score(task, exercises[asked], session, settings.seed)
        except Died as reason:
            guilty = session.running or asked or pending[0].exercise
            if guilty not in {t.exercise for t in pending}:
                guilty = pending[0].exercise
            task = next(t for t in pending if t.exercise == guilty)
            results[guilty] = _result(task, "stopped", 0, str(reason))
            answers.pop(guilty, None)
        finally:
            session.close()
    tests = [results[task.exercise] for task in master.tasks]
    return dict(
        learner=submission.learner, lesson=submission.lesson, file=submission.name, digest=submission.digest,
        modified=submission.modified, notes=submission.notes, graded=True, tests=tests,
        points=sum(t["points"] for t in tests), of=sum(t["of"] for t in tests),
        seconds=round(time.monotonic() - start, 2), protections=protections, outputs=outputs,
    )  # fmt: skip


def _outputs(notebook: dict) -> dict[str, list[dict]]:
    """What the learner's cells showed, as text and PNG only; whatever is not of that form is left out."""
    found: dict[str, list[dict]] = {}
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        try:
            exercise = str(cell["metadata"]["ww"]["exercise"])
            for output in cell["outputs"][:20]:
                if output["output_type"] == "error":
                    shown = {"error": wire.clean(f"{output['ename']}: {output['evalue']}")[:500]}
                elif output["output_type"] == "stream":
                    shown = {"text": _joined(output["text"])[:5_000]}
                elif "image/png" in output["data"]:
                    shown = {"png": _joined(output["data"]["image/png"])}
                else:
                    shown = {"text": _joined(output["data"].get("text/plain", ""))[:5_000]}
                found.setdefault(exercise, []).append(shown)
        except (KeyError, TypeError, AttributeError):
            continue
    return found


def _joined(text: object) -> str:
    """A notebook's text, which files hold as one string or as lines."""
    return wire.clean("".join(map(str, text)) if isinstance(text, list) else text)


def probe(server: WarmServer, hide: list[str], settings: Settings) -> list[str]:
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
          fresh: bool = False, report=print, private: tuple[str | Path, ...] = ()) -> dict:  # fmt: skip
    """Grade every submission in a folder and keep one result file each in `out/graded`; return a summary.

    Finished results with the same file and settings are kept, so a batch that was stopped goes on where it was.

    Args:
        folder: of submissions (`wwlib.course.grading.submissions.find` says how they are found).
        out: receives the results.
        settings: limits and seed; a seed of 0 draws a secret one, kept in `out/run.json`.
        lesson: grade this lesson only.
        shard: (k, n) grades the k-th of n parts of the learners; run all parts anywhere, then once more with `(1, 1)`.
        fresh: grade everything anew.
        report: called with one line a learner.
        private: more files and folders that submissions must not see, such as a roster.

    Raises:
        Infrastructure: if grading itself does not work.
        ValueError: for an unknown lesson or hidden exercise.
    """
    known = masters()
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"--out must lie outside the submissions, got {out}")
    if lesson and lesson not in known:
        raise ValueError(f"lesson must be one of {sorted(known)}, got {lesson!r}")
    out.mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(settings, seed=settings.seed or _secret(out))
    exercises = hidden_exercises(settings.hidden)
    everything = find(folder)
    for submission in everything:
        read(submission, known)
    readable = [s for s in everything if not s.problem and lesson in ("", s.lesson)]
    unreadable = [s for s in everything if s.problem]
    counted, replaced = newest(readable)
    mine = [s for s in counted if _part(s.learner, shard[1]) == shard[0]]
    todo, kept = [], 0
    fingerprint = settings.fingerprint()
    for submission in mine:
        if fresh or not _finished(out, submission, fingerprint):
            todo.append(submission)
        else:
            kept += 1
    start = time.monotonic()
    hide = _hidden_places(settings, [folder, out, *private])
    protections = _run(todo, known, out, settings, fingerprint, exercises, hide, report) if todo else None
    return dict(submissions=len(everything), graded=len(todo), kept=kept, replaced=[s.name for s in replaced],
                unreadable=[{"learner": s.learner, "file": s.name, "problem": s.problem} for s in unreadable],
                counted=[result_file(out, s).name for s in counted], seconds=round(time.monotonic() - start, 1),
                protections=protections, seed=settings.seed)  # fmt: skip


def _hidden_places(settings: Settings, private: list[str | Path]) -> list[str]:
    """What must look empty to a submission; never a place that it needs to run.

    Raises:
        Infrastructure: if a pattern of `SECRETS` matches nothing: answers that moved would lie in the open.
    """
    found = {name: sorted(ROOT.glob(name)) for name in (*SECRETS, *HOUSEHOLD)}
    if missing := [name for name in SECRETS if not found[name]]:
        raise Infrastructure(f"answers must be hidden from submissions, but nothing in {ROOT} is called {missing}")
    hide = [str(path) for paths in found.values() for path in paths]
    hide += [os.path.realpath(os.path.expanduser(path)) for path in PRIVATE]
    hide += [os.path.abspath(path) for path in (*private, *([settings.hidden] if settings.hidden else []))]
    needed = [str(ROOT), sys.prefix, sys.base_prefix]
    hide.insert(0, tempfile.gettempdir())
    return [path for path in dict.fromkeys(hide) if not any(Path(one).is_relative_to(path) for one in needed)]


def _run(todo, known, out, settings, fingerprint, exercises, hide, report) -> list[str]:
    make_data("shapes3d", 32)  # rendered once, before any submission's exercises ask for it
    servers = [WarmServer() for _ in range(min(settings.jobs, len(todo)))]
    try:
        for server in servers:
            server.wait()
        protections = probe(servers[0], hide, settings)
        report("protections in force: " + ", ".join(protections))
        if missing := [name for name in NAMESPACES if name not in protections]:
            report("NOT in force: " + ", ".join(missing))
            if settings.strict:
                raise Infrastructure(f"--strict, but not in force here: {', '.join(missing)}")
        free, begun = list(servers), time.monotonic()

        def one(submission: Submission) -> dict:
            server = free.pop()
            try:
                master = known[submission.lesson]
                try:
                    result = grade_one(submission, master, server, hide, settings, exercises)
                except Infrastructure:  # once more, with a new server
                    server.close()
                    server = WarmServer()
                    servers.append(server)
                    server.wait()
                    result = grade_one(submission, master, server, hide, settings, exercises)
            except Exception as error:
                result = _ungraded(submission, known, f"{type(error).__name__}: {error}")
            finally:
                free.append(server)
            save_json(result_file(out, submission), {**result, "fingerprint": fingerprint})
            return result

        with ThreadPoolExecutor(settings.jobs) as pool:
            futures = {pool.submit(one, s): s for s in todo}
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    result, left = future.result(), (time.monotonic() - begun) / done * (len(todo) - done)
                    points = f"{result['points']:g} of {result['of']:g}" if result["graded"] else "not graded"
                    report(f"[{done}/{len(todo)}, {left:.0f} s left] {result['learner']} lesson {result['lesson']}: "
                           f"{points} ({result['seconds']:.1f} s)")  # fmt: skip
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return protections
    finally:
        for server in servers:
            server.close()


def _ungraded(submission: Submission, known: dict[str, Master], why: str) -> dict:
    return dict(
        learner=submission.learner, lesson=submission.lesson, file=submission.name, digest=submission.digest,
        modified=submission.modified, notes=submission.notes, graded=False, why=wire.clean(why)[:500], tests=[],
        points=None, of=sum(t.points for t in known[submission.lesson].tasks), seconds=0.0, protections=[], outputs={},
    )  # fmt: skip


def _secret(out: Path) -> int:
    path = out / "run.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        seed = secrets.randbits(30) + 1
        save_json(path, {"seed": seed})
        return seed


def _part(learner: str, parts: int) -> int:
    return int(hashlib.sha256(learner.encode()).hexdigest()[:8], 16) % parts + 1


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
