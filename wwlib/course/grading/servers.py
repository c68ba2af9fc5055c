"""Fork servers: processes with everything heavy imported, each order of work done in a fork of its own.

Two kinds run beside the grader: one whose forks are submissions (`wwlib.course.grading.warm`), one whose forks read
notebooks and compare values (`wwlib.course.grading.judge`). A server and its forks end when the grader ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from wwlib.base.paths import ROOT
from wwlib.base.scratch import scratch
from wwlib.course.grading import wire
from wwlib.course.grading.sandbox import end_with_parent


class Infrastructure(RuntimeError):
    """Something of ours failed: no submission is to blame, and none gets a grade from it."""


class ForkServer:
    """A fork server in a process of its own, started with a clean environment and without a terminal.

    Args:
        module: that runs in it.
        arguments: of the module.
    """

    def __init__(self, module: str, *arguments: str):
        ours, theirs = socket.socketpair()
        self.control, self.lock = ours, threading.Lock()
        self.home = tempfile.mkdtemp(prefix="server-", dir=scratch())
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.home, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
                       "MPLBACKEND": "module://matplotlib_inline.backend_inline", "MPLCONFIGDIR": self.home,
                       "WW_HEADLESS": "1", "WW_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "WW_ROOT": str(ROOT),
                       "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # fmt: skip
        with open(Path(self.home, "errors"), "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), *arguments],
                env=environment, cwd=self.home, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        theirs.close()

    def wait(self) -> dict:
        """Wait until everything is imported; return what the server says of itself, or raise `Infrastructure`."""
        try:
            return wire.receive(self.control, 300)[0]
        except (TimeoutError, EOFError, ValueError) as error:
            said = Path(self.home, "errors").read_text(errors="replace").strip().splitlines()
            why = said[-1] if said else type(error).__name__
            raise Infrastructure(f"the fork server did not start: {why}") from None

    def fork(self, order: dict) -> tuple[int, socket.socket]:
        """Start a fork; return its process and the channel to it."""
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
        """Return the exit status of a fork, None while it runs."""
        try:
            with self.lock:
                wire.send(self.control, {"ask": "ended", "pid": pid})
                return wire.receive(self.control, 60)[0]["status"]
        except (TimeoutError, EOFError, ValueError, OSError) as error:
            raise Infrastructure(f"the fork server is gone: {type(error).__name__}") from None

    def status(self, pid: int) -> int | None:
        """Return how a fork ended, waiting a second for its end; None if it still runs."""
        for _ in range(50):
            if (found := self.ended(pid)) is not None:
                return found
            time.sleep(0.02)
        return None

    def end(self, pid: int) -> None:
        """End a fork that has not ended, with its process group."""
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        self.status(pid)

    def close(self) -> None:
        """End the server and all it started."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def why_ended(status: int | None) -> str:
    """Return in words what an exit status says."""
    if not status:
        return "the process ended itself"
    number = -status if status < 0 else 256 - status
    if number in set(signal.Signals):
        return f"the process was ended by {signal.Signals(number).name}"
    return f"the process ended itself with status {status}"


def serve(control: socket.socket, work: Callable[[dict, socket.socket], None], **ready: object) -> None:
    """Answer a `ForkServer`: fork for every order, with the channel that comes along, or say how a fork ended.

    Args:
        control: the socket to the grader; when it closes, the server ends.
        work: called in each fork with its order and channel; the fork ends with it.
        ready: what the server says of itself.
    """
    wire.send(control, {"state": "ready", **ready})
    while True:
        try:
            header, _ = wire.receive(control)
        except (EOFError, ValueError):
            return
        if header["ask"] == "ended":
            wire.send(control, {"status": _ended(header["pid"])})
            continue
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if (pid := os.fork()) == 0:
            control.close()
            _alone(work, header, socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
        wire.send(control, {"pid": pid})


def _alone(work: Callable, order: dict, channel: socket.socket) -> None:
    """Work in a fork with nothing open that leads to the grader but its channel."""
    try:
        end_with_parent()
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.close(nothing)
        work(order, channel)
    except BaseException as error:
        wire.send(channel, {"state": "broken", "why": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def _ended(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None
