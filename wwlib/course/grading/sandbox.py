"""What a learner's code may do while it is graded: resource limits everywhere, Linux namespaces where they are granted.

`enter` turns the calling process into a warden and goes on in a child that owns nothing: no network, a file system that
it cannot write but for a small private home, its own process numbers, and no view of what the grader wants to hide.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000 | 0x08000000  # user, mount, network, pid, ipc
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 0x40000, 0x1000
MS_NOSUID, MS_NODEV = 2, 4
MOUNT_SETATTR, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, 0x8000, 1
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
# audit number of the machine, and: socket, connect, memfd_create, ptrace, mount, unshare, setns, bpf, userfaultfd,
# perf_event_open, add_key, request_key, keyctl, io_uring_setup, process_vm_readv, process_vm_writev, open_by_handle_at
FORBIDDEN = {
    "x86_64": (0xC000003E, (41, 42, 319, 101, 165, 272, 308, 321, 323, 298, 248, 249, 250, 425, 310, 311, 304)),
    "aarch64": (0xC00000B7, (198, 203, 279, 117, 40, 97, 268, 280, 282, 241, 217, 218, 219, 425, 270, 271, 265)),
}
GIGABYTE = 2**30
NAMESPACES = ("no network", "own processes", "read-only files", "hidden files out of sight")


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds of CPU, gigabytes of memory and of files, processes and threads."""

    cpu_seconds: int = 300
    memory: float = 2.0
    disk: float = 0.25
    processes: int = 64


def enter(home: Path, hide: list[str], limits: Limits) -> list[str]:
    """Put the process into the sandbox and return the protections in force; the caller must be single-threaded.

    Where namespaces are granted, the calling process never returns: it waits for the child in which this function
    does return, and ends with it. Killing it ends every process that the child has left behind.

    Args:
        home: an empty folder, the only place that can be written afterwards.
        hide: files and folders that look empty afterwards.
        limits: of resources.
    """
    protections = ["process group of its own", "limits on time, memory and file size"]
    os.chdir(home)
    isolated = _unshare()
    if isolated:
        if child := os.fork():
            _wait_and_end_like(child)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the first process of the namespace: all others end with it
        _close_files(home, hide, limits)
        protections += NAMESPACES
        if child := os.fork():
            _wait_and_end_like(child)
    _limit(limits)
    if isolated:
        _drop_capabilities()
    if _forbid_calls():
        protections.append("no sockets, memory files or kernel interfaces")
    os.environ.clear()
    os.environ.update(
        HOME=str(home), TMPDIR=str(home), PATH="/usr/bin:/bin", LANG="C.UTF-8", MPLCONFIGDIR=str(home),
        WW_HEADLESS="1", OMP_NUM_THREADS="1",
    )  # fmt: skip
    return protections


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _libc().prctl(option, value, 0, 0, 0)


def _unshare() -> bool:
    """Ask for namespaces of our own, as root inside; say whether they were granted."""
    if sys.platform != "linux":
        return False
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(NEW_NAMESPACES):
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    return True


def _close_files(home: Path, hide: list[str], limits: Limits) -> None:
    """Make the file system read-only, cover what is hidden, and lay a small writable home over `home`."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    for path in hide:
        if os.path.isdir(path):
            _mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755")
            if home.as_posix().startswith(f"{path}/"):
                home.mkdir(parents=True, exist_ok=True)
        elif os.path.exists(path):
            _mount("/dev/null", path, None, MS_BIND)
    # the old /proc shows the grader's processes; where a new one is refused an empty folder does
    try:
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    except OSError:
        _mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=555")
    for setting, value in (("kernel/pid_max", "400"), ("user/max_user_namespaces", "0")):
        with contextlib.suppress(OSError):  # the first is counted for each namespace from Linux 6.14 on
            Path("/proc/sys", setting).write_text(value)
    read_only = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    if _libc().syscall(MOUNT_SETATTR, -100, b"/", AT_RECURSIVE, read_only, ctypes.sizeof(read_only)):
        raise OSError(ctypes.get_errno(), "cannot make the file system read-only")
    _mount("tmpfs", str(home), "tmpfs", MS_NOSUID | MS_NODEV, f"size={int(limits.disk * GIGABYTE)},mode=700")
    os.chdir(home)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    encode = lambda text: text.encode() if text else None  # noqa: E731
    if _libc().mount(encode(source), target.encode(), encode(kind), flags, encode(options)):
        raise OSError(ctypes.get_errno(), f"cannot mount {kind or 'bind'} on {target}")


def _drop_capabilities() -> None:
    """Give up every right over the namespaces, for good: what was made read-only stays so."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if _libc().capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "cannot drop capabilities")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _forbid_calls() -> bool:
    """Let the kernel refuse the calls in `FORBIDDEN` with "not permitted" (seccomp); say whether it agreed."""
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in FORBIDDEN:
        return False
    architecture, numbers = FORBIDDEN[machine]
    load, equal, at_least, answer, allow, refuse = 0x20, 0x15, 0x35, 0x06, 0x7FFF0000, 0x00050000 | errno.EPERM
    steps = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, refuse), (load, 0, 0, 0)]
    steps += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, refuse)]  # x32 has its own numbers
    for number in numbers:
        steps += [(equal, 0, 1, number), (answer, 0, 0, refuse)]
    steps.append((answer, 0, 0, allow))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filters = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(program))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    return _libc().prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(filters), 0, 0) == 0


def _wait_and_end_like(child: int) -> None:
    """Wait for a child, taking in orphans on the way, and end as it did."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _limit(limits: Limits) -> None:
    sizes = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: int(limits.disk * GIGABYTE),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: 128,
    }
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
        used = pages * resource.getpagesize() or 8 * GIGABYTE
        sizes[resource.RLIMIT_AS] = used + int(limits.memory * GIGABYTE)
    for kind, size in sizes.items():
        resource.setrlimit(kind, (size, size))
