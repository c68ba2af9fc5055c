"""Where the arithmetic runs: device, number format and CPU threads, chosen in one place."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Compute:
    """A device and the number format of its matrix products.

    `dtype` None means float32 throughout; bfloat16 or float16 means autocast.
    """

    device: torch.device
    dtype: torch.dtype | None = None

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return the context in which networks run forward."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Return a gradient scaler; it does something for float16 only, whose gradients underflow otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        precision = "float32" if self.dtype is None else str(self.dtype).removeprefix("torch.") + " autocast"
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{name}, {precision}{threads}"


@contextlib.contextmanager
def own_modes() -> Iterator[None]:
    """Record gradients and leave number formats alone inside, whatever the caller has switched on around it.

    What trains is decorated with it. Otherwise a `torch.no_grad` around it would end in an error, and an autocast
    around it would train in another format than the one that the record names.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def peak_memory(device: torch.device) -> int | None:
    """Return the largest number of bytes this process has used so far, or None where that is not known (Windows).

    For a CUDA device it is the memory that torch reserved there, for any other device the process's main memory.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose device and number format.

    Args:
        device: "auto" (CUDA, else Apple's MPS, else CPU) or a torch device name.
        precision: "auto" (autocast on CUDA: bfloat16 where the card has it, else float16; float32 elsewhere),
            "float32", "bfloat16" or "float16".

    Raises:
        ValueError: for an unknown name or a device this machine lacks.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        if chosen.type == "cuda" and chosen.index is None and "LOCAL_RANK" in os.environ:
            chosen = torch.device("cuda", environment_number("LOCAL_RANK", 0, 0))  # torchrun: one process a GPU
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be 'auto' or a device of this machine, got {device!r} ({error})") from None
    formats = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision == "auto":
        if chosen.type != "cuda":
            return Compute(chosen)
        # is_bf16_supported() alone is also true on a T4, which emulates bfloat16; float16 is several times faster there
        native = torch.cuda.get_device_capability(chosen) >= (8, 0)
        return Compute(chosen, torch.bfloat16 if native else torch.float16)
    if precision not in formats:
        raise ValueError(f"precision must be 'auto', 'float32', 'bfloat16' or 'float16', got {precision!r}")
    return Compute(chosen, formats[precision])


def environment_number(name: str, default: int, least: int) -> int:
    """Return the whole number that an environment variable holds, or `default` where it is not set.

    Raises:
        ValueError: if it holds anything else, or less than `least`.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    if not text.strip().isdecimal() or int(text) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, or not be set, got {text!r}")
    return int(text)


def choose_threads(threads: int | None = None) -> int:
    """Set how many CPU threads torch uses, and return that number.

    Without `threads`, one thread and all threads are timed, and the faster of the two is taken. On a machine that is
    busy with something else, two threads can be several times slower than one, since they wait for each other.
    `WW_THREADS` replaces the measurement. Also calls `keep_freed_memory`.

    Raises:
        ValueError: if `WW_THREADS` or `LOCAL_WORLD_SIZE` is no number of at least 1 (`WW_THREADS`: or 0, to measure).
    """
    keep_freed_memory()
    threads = threads or environment_number("WW_THREADS", 0, 0)
    if not threads:
        everything = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        everything //= environment_number("LOCAL_WORLD_SIZE", 1, 1)  # torchrun: processes share this machine's cores
        candidates = sorted({1, max(1, everything)})
        threads = min(candidates, key=_convolution_seconds) if len(candidates) > 1 else 1
    torch.set_num_threads(threads)
    return threads


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory for the next step, and return whether it does.

    A training step frees and asks for the same large blocks again and again. By default each comes back from the
    kernel as fresh pages, and clearing those costs a fifth of a step here. On macOS and with musl nothing happens.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        threshold, trim = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
        return bool(libc.mallopt(threshold, 1 << 30) and libc.mallopt(trim, (1 << 31) - 1))
    except (OSError, AttributeError):
        return False


def _convolution_seconds(threads: int) -> float:
    torch.set_num_threads(threads)
    x, weight = torch.zeros(32, 32, 16, 16), torch.zeros(32, 32, 3, 3)
    F.conv2d(x, weight, padding=1)
    start = time.perf_counter()
    for _ in range(20):
        F.conv2d(x, weight, padding=1)
    return time.perf_counter() - start


def headless() -> bool:
    """Return whether no person is watching: under tests, papermill or CI (`WW_HEADLESS=1` or `CI` set)."""
    return os.environ.get("WW_HEADLESS", os.environ.get("CI", "")) not in ("", "0", "false")
