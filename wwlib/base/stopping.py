"""Stopping a loop between two steps, at Ctrl-C or at the SIGTERM of a job scheduler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_signal(insist: bool = True) -> Iterator[threading.Event]:
    """Turn Ctrl-C or SIGTERM into an event that a loop checks between steps, so that every step is completed.

    Args:
        insist: whether a second signal interrupts at once. It must not under `torchrun`, which passes on the Ctrl-C
            that its processes have already received from the terminal.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handler(number, frame):
        if insist and event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
