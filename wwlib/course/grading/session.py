"""One submission's process, seen from the grader: started, watched, called with inputs, ended.

Whatever comes back is data (`wwlib.course.grading.wire`); whatever goes wrong is either the learner's (`Died`,
`Library`) or ours (`Infrastructure`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from wwlib.base.paths import ROOT
from wwlib.course.exercise import Exercise
from wwlib.course.grading import wire
from wwlib.course.grading.sandbox import Limits
from wwlib.course.grading.warm import TRIPWIRE


class Died(BaseException):
    """The learner's process ended, or was ended, before it answered; no `except Exception` on the way may keep it."""


class Library(BaseException):
    """The learner's function called the library's own answer."""


class Infrastructure(RuntimeError):
    """Something of ours failed: no submission is to blame, and none gets a grade from it."""


class Clock:
    """Seconds that a submission has left; they pass only while its own process is waited for."""

    def __init__(self, seconds: float):
        self.total = self.left = seconds


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
            [sys.executable, "-m", "wwlib.course.grading.warm", str(theirs.fileno())],
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
    """One fork with one submission's answers: executed once, then called with hidden inputs.

    Args:
        server: that forks it.
        notebook: to execute.
        hide: what must look empty to it.
        clock: seconds for all of it.
        patience: seconds for a cell or a call.
        memory: gigabytes beyond the libraries' own.
    """

    def __init__(
        self, server: WarmServer, notebook: dict, hide: list[str], clock: Clock, patience: float, memory: float
    ):
        self.server, self.clock, self.patience, self.memory = server, clock, patience, memory
        self.home = tempfile.mkdtemp(prefix="ww-home-")
        limits = Limits(cpu_seconds=int(clock.total) + 5, memory=memory)
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
            header, payload = self._next(self.patience if self.protections else 60.0)
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
        header, payload = self._next(self.patience)
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
            raise Died(f"no time left: {self.clock.total:g} s for the whole submission")
        raise Died(f"too slow: stopped after {seconds:g} s")

    def _watch(self) -> None:
        memory, processes = usage(self.pid)
        if memory > 1.5 * self.memory + 1:
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
