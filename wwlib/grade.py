"""Grading: a folder of notebooks in, grades and feedback out; nothing a submission does can touch another's grade.

Learners' functions run in sandboxed forks (`wwlib.warm`), the hidden inputs and right answers never leave this process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import os
import pickle
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from wwlib import wire
from wwlib.answers import EXERCISES
from wwlib.exercises import Exercise, first_fault
from wwlib.files import save_json
from wwlib.paths import ROOT
from wwlib.recipes import make_data
from wwlib.sandbox import NAMESPACES, Limits
from wwlib.submissions import Master, Submission, Task, find, masters, newest, read, safe_name, transplant, untouched
from wwlib.warm import TRIPWIRE

SECRETS = ("wwlib/answers.py", "wwlib/answers_measuring.py", "wwlib/answers_open.py", "wwlib/solutions.py",
           "wwlib/questions.py", "wwlib/grade.py", "wwlib/__pycache__", "tests", "runs", "release", ".git")  # fmt: skip
# where other programs listen, and what an account keeps to itself
PRIVATE = ("/run", "/var/run", "/var/tmp", "/dev/shm", "~/.ssh", "~/.config", "~/.cache", "~/.aws", "~/.docker",
           "~/.gnupg", "~/.netrc", "~/.gitconfig", "~/.git-credentials")  # fmt: skip
FLOAT64_SHARE = 0.25


class Died(BaseException):
    """The learner's process ended, or was ended, before it answered; no `except Exception` on the way may keep it."""


class Library(BaseException):
    """The learner's function called the library's own answer."""


class Infrastructure(RuntimeError):
    """Something of ours failed: no submission is to blame, and none gets a grade from it."""


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
        for path in sorted((ROOT / "wwlib").glob("*.py")):
            text += path.read_text(encoding="utf-8")
        for path in sorted(Path(self.hidden).glob("*.py")) if self.hidden else ():
            text += path.read_text(encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class Clock:
    """Seconds that a submission has left; they pass only while its own process is waited for."""

    left: float


class WarmServer:
    """A fork server in a process of its own, started with a clean environment."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.control, self.lock = ours, threading.Lock()
        self.home = tempfile.mkdtemp(prefix="ww-warm-")
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.home, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
                       "MPLBACKEND": "module://matplotlib_inline.backend_inline", "MPLCONFIGDIR": self.home,
                       "WW_HEADLESS": "1", "WW_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "WW_ROOT": str(ROOT),
                       "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wwlib.warm", str(theirs.fileno())],
            env=environment, cwd=self.home, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        theirs.close()

    def wait(self) -> None:
        """Wait until everything is imported; raise `Infrastructure` if that fails."""
        try:
            wire.receive(self.control, 300)
        except (TimeoutError, EOFError, ValueError) as error:
            raise Infrastructure(f"the fork server did not start: {type(error).__name__}") from None

    def fork(self, order: dict) -> tuple[int, socket.socket]:
        """Start a submission; return its process and the channel to it."""
        ours, theirs = socket.socketpair()
        try:
            with self.lock, theirs:
                wire.send(self.control, {"ask": "fork", **order})
                socket.send_fds(self.control, [b"x"], [theirs.fileno()])
                return wire.receive(self.control, 60)[0]["pid"], ours
        except (TimeoutError, EOFError, ValueError, OSError) as error:
            ours.close()
            raise Infrastructure(f"the fork server is gone: {type(error).__name__}") from None

    def ended(self, pid: int) -> int | None:
        """Return the exit status of a submission's process, None while it runs."""
        with self.lock:
            wire.send(self.control, {"ask": "ended", "pid": pid})
            return wire.receive(self.control, 60)[0]["status"]

    def close(self) -> None:
        """End the server and all it started."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class Session:
    """One fork with one submission's answers: executed once, then called with hidden inputs."""

    def __init__(self, server: WarmServer, notebook: dict, hide: list[str], settings: Settings, clock: Clock):
        self.server, self.settings, self.clock = server, settings, clock
        self.home = tempfile.mkdtemp(prefix="ww-home-")
        limits = Limits(cpu_seconds=int(settings.timeout) + 5, memory=settings.memory)
        order = dict(home=self.home, hide=hide, limits=dataclasses.asdict(limits),
                     parameters={"profile": "quick", "seed": secrets.randbelow(1_000)})  # fmt: skip
        self.pid, self.channel = server.fork(order)
        self.text = json.dumps(notebook).encode()
        self.ended = False
        self.protections: list[str] = []
        self.notebook: dict | None = None
        self.running = ""

    def execute(self) -> None:
        """Wait until every cell has run; raise `Died` with the reason if that does not happen.

        What goes wrong before the process is in its sandbox is ours: `Infrastructure`.
        """
        try:
            wire.send(self.channel, {}, self.text)
            self._execute()
        except (Died, OSError) as reason:
            if not self.protections:
                raise Infrastructure(f"no sandbox: {reason}") from None
            raise

    def _execute(self) -> None:
        while self.notebook is None:
            header, payload = self._next(self.settings.cell_timeout if self.protections else 60.0)
            state = header.get("state")
            if state == "entered" and not self.protections:
                self.protections = [str(p) for p in header.get("protections", [])]
            elif state == "cell":
                self.running = str(header.get("exercise", ""))[:20]
            elif state == "executed":
                self.notebook = _json(payload)
                self.running = ""
            elif state == "broken":
                raise Died(f"the process broke: {str(header.get('why'))[:300]}")

    def call(self, exercise: Exercise, function: str, arguments: tuple, slopes: bool = False) -> object:
        """Call the learner's function on inputs and return plain data."""
        header = dict(exercise=exercise.id, function=function, forbidden=exercise.forbidden, slopes=slopes)
        try:
            wire.send(self.channel, header, pickle.dumps(arguments))
        except OSError:
            raise Died(self._why()) from None
        header, payload = self._next(self.settings.cell_timeout)
        if header.get("returned"):
            if not header.get("unchanged"):
                raise _named("Changed")("its input in place: work on a copy, tensor.clone()")
            return wire.unpack(payload)
        kind, message = str(header.get("raised"))[:80], str(header.get("message", ""))[:500]
        if message == TRIPWIRE:
            raise Library(TRIPWIRE)
        if kind == "NotImplementedError":
            raise NotImplementedError
        raise _named(kind)(f"{message}{str(header.get('line', ''))[:60]}")

    def _next(self, seconds: float) -> tuple[dict, bytes]:
        """Wait for a message, watching time, memory and the number of processes."""
        begun = looked = time.monotonic()
        allowed = min(seconds, self.clock.left)
        try:
            while (waited := time.monotonic() - begun) < allowed:
                if time.monotonic() - looked > 0.25:
                    self._watch()
                    looked = time.monotonic()
                if _readable(self.channel, min(0.25, allowed - waited)):
                    return wire.receive(self.channel, max(0.01, allowed - waited))
        except TimeoutError:
            pass
        except EOFError:
            raise Died(self._why()) from None
        except ValueError as error:
            raise Died(f"sent something else than an answer ({error})") from None
        finally:
            self.clock.left -= time.monotonic() - begun
        if self.clock.left <= 0:
            raise Died(f"no time left: {self.settings.timeout:g} s for the whole submission")
        raise Died(f"too slow: stopped after {seconds:g} s")

    def _watch(self) -> None:
        memory, processes = usage(self.pid)
        if memory > 1.5 * self.settings.memory + 1:
            raise Died(f"too much memory: {memory:.1f} GB in all")
        if processes > Limits.processes:
            raise Died(f"too many processes: {processes}")

    def _why(self) -> str:
        for _ in range(20):
            status = self.server.ended(self.pid)
            if status is not None:
                self.ended = True
                break
            time.sleep(0.05)
        if not status:
            return "the process ended itself"
        number = -status if status < 0 else 256 - status
        if number in set(signal.Signals):
            return f"the process was ended by {signal.Signals(number).name}"
        return f"the process ended itself with status {status}"

    def close(self) -> None:
        """End every process of the submission and delete its home."""
        self.channel.close()
        for kill in (os.kill, os.killpg) if not self.ended else ():  # a number whose process is gone may be another's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        for _ in range(100):
            if self.ended or self.server.ended(self.pid) is not None:
                break
            time.sleep(0.02)
        shutil.rmtree(self.home, ignore_errors=True)


class Remote:
    """Stands in for a learner's function: calling it calls the function in its own process."""

    def __init__(self, session: Session, exercise: Exercise, function: str):
        self.session, self.exercise, self.function = session, exercise, function

    def __call__(self, *arguments):
        return self.session.call(self.exercise, self.function, arguments)

    def with_slopes(self, *arguments):
        """Return the loss and its gradients, both computed where the function lives."""
        found = self.session.call(self.exercise, self.function, arguments, slopes=True)
        return found if isinstance(found, tuple) and len(found) == 2 else (found, [])


def _named(kind: str) -> type[Exception]:
    """An exception class with the name of one that was raised elsewhere, for messages that read as its own."""
    return type(kind if kind.isidentifier() else "Error", (Exception,), {})


def _readable(channel: socket.socket, seconds: float) -> bool:
    import select

    return bool(select.select([channel], [], [], max(0.0, seconds))[0])


def _json(payload: bytes) -> dict:
    try:
        found = json.loads(payload)
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def usage(root: int) -> tuple[float, int]:
    """Return gigabytes of anonymous memory beyond what the server shares, and the number of processes, below `root`."""
    if sys.platform != "linux":
        return 0.0, 1
    parents, sizes = {}, {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                lines = Path(entry.path, "status").read_bytes().splitlines()
            except OSError:
                continue
            found = dict(line.split(b":", 1) for line in lines if line.startswith((b"PPid", b"RssAnon", b"RssShmem")))
            parents[int(entry.name)] = int(found.get(b"PPid", b"0"))
            sizes[int(entry.name)] = sum(int(found.get(key, b"0 kB").split()[0]) for key in (b"RssAnon", b"RssShmem"))
    base = sizes.get(parents.get(root, 0), 0)  # what every fork has from the server
    below = {root}
    for _ in range(len(parents)):
        more = {pid for pid, parent in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    return sum(max(0, sizes.get(pid, 0) - base) for pid in below) / 2**20, len(below)


def hidden_exercises(folder: str) -> dict[str, Exercise]:
    """Return the exercises, with the inputs that an instructor adds in `folder/*.py` as `CASES = {"02.1": [make]}`."""
    found = dict(EXERCISES)
    for path in sorted(Path(folder).glob("*.py")) if folder else ():
        spec = importlib.util.spec_from_file_location(f"hidden_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for id, cases in module.CASES.items():
            if id not in found:
                raise ValueError(f"{path}: CASES names exercise {id!r}, known are {sorted(EXERCISES)}")
            found[id] = dataclasses.replace(found[id], cases=(*found[id].cases, *cases))
    return found


def seed_of(secret: int, exercise: str) -> int:
    """Return the seed of an exercise's hidden inputs: never the one that `check` uses."""
    return 1_000 + int(hashlib.sha256(f"{secret}/{exercise}".encode()).hexdigest()[:7], 16)


def score(task: Task, exercise: Exercise, session: Session, secret: int) -> dict:
    """Judge one answer: hidden inputs in float32 give three quarters of the points, in float64 the last."""
    answer, seed = Remote(session, exercise, task.function), seed_of(secret, task.exercise)
    tests = [("properties", 1.0, None)] if exercise.properties else [
        ("hidden inputs", 1 - FLOAT64_SHARE, False), ("the same in float64", FLOAT64_SHARE, True)
    ]  # fmt: skip
    found = []
    for name, share, double in tests:
        try:
            fault = first_fault(exercise, answer, seed, double)
        except Library:
            return _result(task, "library", 0, f"{TRIPWIRE}: write it yourself, the lesson shows every piece")
        except Exception as error:  # an answer that cannot even be compared or described
            return _result(task, "wrong", 0, f"the answer could not be compared: {type(error).__name__}")
        found.append((name, share, fault))
        if fault is not None and not found[0][2] is None:  # noqa: E714
            break
    earned = sum(share for _, share, fault in found if fault is None) * task.points
    text = next((fault.body or fault.title for _, _, fault in found if fault is not None), "")
    status = "right" if earned == task.points else "partly right" if earned else "wrong"
    return _result(task, status, round(earned, 3), text)


def _result(task: Task, status: str, points: float, text: str) -> dict:
    return dict(exercise=task.exercise, title=EXERCISES[task.exercise].title, status=status, points=points,
                of=task.points, text=wire.clean(text)[:4000])  # fmt: skip


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
    notebook, protections = {"cells": []}, []
    while pending := [t for t in master.tasks if t.exercise not in results]:
        session = Session(server, transplant(master, answers), hide, settings, clock)
        asked = ""
        try:
            session.execute()
            notebook, protections = session.notebook, session.protections
            errors = _errors(session.notebook)
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
        seconds=round(time.monotonic() - start, 2), protections=protections, outputs=_outputs(notebook),
    )  # fmt: skip


def _errors(notebook: dict) -> dict[str, str]:
    found = {}
    for exercise, outputs in _outputs(notebook).items():
        for output in outputs:
            if "error" in output:
                found[exercise] = output["error"]
    return found


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
    session = Session(server, empty, hide, settings, Clock(60.0))
    try:
        session.execute()
        return session.protections
    except Died as reason:
        raise Infrastructure(f"an empty notebook cannot be run: {reason}") from None
    finally:
        session.close()


def grade(folder: Path, out: Path, settings: Settings, lesson: str = "", shard: tuple[int, int] = (1, 1),
          fresh: bool = False, report=print, private: tuple[str, ...] = ()) -> dict:  # fmt: skip
    """Grade every submission in a folder and keep one result file each in `out/graded`; return a summary.

    Finished results with the same file and settings are kept, so a batch that was stopped goes on where it was.

    Args:
        folder: of submissions (`wwlib.submissions.find` says how they are found).
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
    protections = (
        _run(todo, known, out, settings, exercises, [str(folder), str(out), *private], report) if todo else None
    )
    return dict(submissions=len(everything), graded=len(todo), kept=kept, replaced=[s.name for s in replaced],
                unreadable=[{"learner": s.learner, "file": s.name, "problem": s.problem} for s in unreadable],
                counted=[result_file(out, s).name for s in counted], seconds=round(time.monotonic() - start, 1),
                protections=protections, seed=settings.seed)  # fmt: skip


def _run(todo, known, out, settings, exercises, private, report) -> list[str]:
    hide = [*(str(ROOT / name) for name in SECRETS), *(os.path.abspath(path) for path in private)]
    hide += [os.path.realpath(os.path.expanduser(path)) for path in PRIVATE]
    if settings.hidden:
        hide.append(os.path.abspath(settings.hidden))
    needed = [str(ROOT), sys.prefix, sys.base_prefix]
    if not any(Path(path).is_relative_to(tempfile.gettempdir()) for path in needed):
        hide.insert(0, tempfile.gettempdir())
    hide = [path for path in dict.fromkeys(hide) if not any(Path(one).is_relative_to(path) for one in needed)]
    make_data("shapes3d", 32)  # rendered once, before any submission's exercises ask for it
    servers = [WarmServer() for _ in range(min(settings.jobs, len(todo)))]
    fingerprint = settings.fingerprint()
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
