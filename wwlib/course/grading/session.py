"""One submission's process, seen from the grader: started, watched, called with inputs, ended.

Whatever comes back is data that a judge alone unpacks; whatever goes wrong is the learner's (`Died`) or ours
(`Infrastructure`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from wwlib.base.scratch import scratch
from wwlib.course.grading import wire
from wwlib.course.grading.sandbox import Limits
from wwlib.course.grading.servers import ForkServer, Infrastructure, why_ended


class Died(BaseException):
    """The learner's process ended, or was ended, before it answered; no `except Exception` on the way may keep it."""


class Clock:
    """Seconds that a submission has left; they pass only while its own process is waited for."""

    def __init__(self, seconds: float):
        self.total = self.left = seconds


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
        self, server: ForkServer, notebook: dict, hide: list[str], clock: Clock, patience: float, memory: float
    ):
        self.server, self.clock, self.patience, self.memory = server, clock, patience, memory
        self.home = tempfile.mkdtemp(prefix="home-", dir=scratch())
        limits = Limits(cpu_seconds=int(clock.total) + 5, memory=memory)
        order = dict(home=self.home, hide=hide, limits=dataclasses.asdict(limits),
                     parameters={"profile": "quick", "seed": secrets.randbelow(1_000)})  # fmt: skip
        self.pid, self.channel = server.fork(order)
        self.text = json.dumps(notebook).encode()
        self.ended = False
        self.protections: list[str] = []
        self.executed: bytes | None = None  # the notebook with outputs, as it came
        self.standing: list[str] = []  # exercises whose function is there once every cell has run
        self.running = ""
        self.looked = time.monotonic()

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
        while self.executed is None:
            header, payload = self._next(self.patience if self.protections else 60.0)
            state = header.get("state")
            if state == "entered" and not self.protections:
                self.protections = [str(p) for p in header.get("protections", [])]
            elif state == "cell":
                self.running = str(header.get("exercise", ""))[:20]
            elif state == "executed":
                self.executed = payload
                standing = header.get("standing", [])
                self.standing = [str(one)[:20] for one in standing[:100]] if isinstance(standing, list) else []
                self.running = ""
            elif state == "broken":
                raise Died(f"the process broke: {str(header.get('why'))[:300]}")

    def forward(self, header: dict, payload: bytes) -> tuple[dict, bytes]:
        """Pass a judge's request on to the learner's process, and return its reply as it came."""
        try:
            wire.send(self.channel, header, payload)
        except OSError:
            raise Died(self._why()) from None
        return self._next(self.patience)

    def again(self, exercise: str) -> None:
        """Run the cell of an exercise once more, after all others."""
        self.running = exercise
        self.forward({"again": exercise}, b"")
        self.running = ""

    def _next(self, seconds: float) -> tuple[dict, bytes]:
        """Wait for a message, watching time, memory and the number of processes."""
        begun = time.monotonic()
        allowed = min(seconds, self.clock.left)
        try:
            return wire.receive(self.channel, allowed, self.watch)
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

    def watch(self) -> None:
        """Look at the memory and the number of processes, unless that was done just now; `Died` if it is too much."""
        if time.monotonic() - self.looked < wire.STEP:
            return
        memory, processes = usage(self.pid)
        self.looked = time.monotonic()
        if memory > 1.5 * self.memory + 1:
            raise Died(f"too much memory: {memory:.1f} GB in all")
        if processes > Limits.processes:
            raise Died(f"too many processes: {processes}")

    def _why(self) -> str:
        status = self.server.status(self.pid)
        self.ended = status is not None
        return why_ended(status)

    def close(self) -> None:
        """End every process of the submission and delete its home."""
        self.channel.close()
        if not self.ended:  # a number whose process is gone may be another's
            self.server.end(self.pid)
        shutil.rmtree(self.home, ignore_errors=True)


def usage(root: int) -> tuple[float, int]:
    """Return gigabytes of memory of the processes below `root` beyond what the server shares, and their number."""
    if sys.platform != "linux":
        return 0.0, 1
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = _sizes(int(entry.name), "status").get("PPid", 0)
    below = {root}
    for _ in range(len(parents)):
        more = {pid for pid, parent in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    shared = 0
    with contextlib.suppress(OSError):
        shared = _sizes(parents.get(root, 0), "status").get("RssAnon", 0)
    return max(0, sum(map(_own, below)) - shared) / 2**20, len(below)


def _own(pid: int) -> int:
    """Kilobytes of one process, of pages that several share its part.

    A process that does not let itself be looked at has all of its pages for its own.
    """
    try:
        found = _sizes(pid, "smaps_rollup")
        return sum(found.get(key, 0) for key in ("Pss_Anon", "Pss_Shmem", "SwapPss"))
    except OSError:
        pass
    try:
        found = _sizes(pid, "status")
        return sum(found.get(key, 0) for key in ("RssAnon", "RssShmem", "VmSwap"))
    except OSError:
        return 0


def _sizes(pid: int, file: str) -> dict[str, int]:
    """The whole numbers in a file of /proc by name, without their unit."""
    lines = Path(f"/proc/{pid}/{file}").read_text(errors="replace").splitlines()
    words = [line.split() for line in lines]
    return {one[0][:-1]: int(one[1]) for one in words if len(one) > 1 and one[0].endswith(":") and one[1].isdigit()}
