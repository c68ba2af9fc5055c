"""What a learner's code may do while it is graded: resource limits everywhere, Linux namespaces where they are granted.

`enter` turns the calling process into a warden and goes on in a child that owns nothing: no network, no devices, its
own process numbers, and a file system (`wwlib.course.grading.view`) of what Python needs and a small private home.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from wwlib.course.grading.view import close

NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000 | 0x08000000  # user, mount, network, pid, ipc
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
# what the kernel refuses, by name, with its number on x86_64 and on aarch64
CALLS = {
    "socket": (41, 198), "connect": (42, 203), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "userfaultfd": (323, 282), "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "io_uring_setup": (425, 425), "open_by_handle_at": (304, 265), "syslog": (103, 116),
    # memory that outlives its process or is counted for none
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E, 9), "aarch64": (1, 0xC00000B7, 222)}  # column, audit number, number of mmap
SHARED_ANONYMOUS = 0x21  # of mmap's flags
GIGABYTE = 2**30
NAMESPACES = ("no network", "own processes", "read-only files", "hidden files out of sight", "no devices")
CALLS_REFUSED = "no sockets, kernel interfaces or memory that nobody counts"


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds of CPU, gigabytes of memory and of files, processes and threads."""

    cpu_seconds: int = 300
    memory: float = 2.0
    disk: float = 0.25
    processes: int = 64


def enter(home: Path, see: list[str], hide: list[str], limits: Limits) -> list[str]:
    """Put the process into the sandbox and return the protections in force; the caller must be single-threaded.

    Where namespaces are granted, the calling process never returns: it waits for the child in which this function
    does return, and ends with it. Killing it ends every process that the child has left behind, and it ends with the
    process that started it.

    Args:
        home: an empty folder, the only place that can be written afterwards, with /tmp and /dev/shm.
        see: files and folders that can be read afterwards.
        hide: files and folders in them that look empty.
        limits: of resources.
    """
    protections = ["process group of its own", "limits on time, memory and file size"]
    os.chdir(home)
    if isolated := _unshare():
        if child := os.fork():
            _wait_and_end_like(child)
        end_with_parent()  # the first process of the namespace: all others end with it
        close(home, see, hide, int(limits.disk * GIGABYTE))
        protections += NAMESPACES
        if child := os.fork():
            _wait_and_end_like(child)
    _limit(limits)
    if isolated:
        _drop_capabilities()
    if _forbid_calls():
        protections.append(CALLS_REFUSED)
    os.environ.clear()
    os.environ.update(
        HOME=str(home), TMPDIR=str(home), PATH="/usr/bin:/bin", LANG="C.UTF-8", MPLCONFIGDIR=str(home),
        WW_HEADLESS="1", OMP_NUM_THREADS="1", PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    return protections


def end_with_parent() -> None:
    """Let the kernel end this process when the one that started it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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


def _drop_capabilities() -> None:
    """Give up every right over the namespaces, for good: what was made read-only stays so."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if _libc().capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "cannot drop capabilities")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _forbid_calls() -> bool:
    """Let the kernel refuse `CALLS`, and shared memory without a file, with "not permitted"; say whether it agreed."""
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in MACHINES:
        return False
    column, architecture, mmap = MACHINES[machine]
    load, equal, at_least, both, answer = 0x20, 0x15, 0x35, 0x54, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    steps = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, refuse), (load, 0, 0, 0)]
    steps += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, refuse)]  # x32 has its own numbers
    for numbers in CALLS.values():
        steps += [(equal, 0, 1, numbers[column]), (answer, 0, 0, refuse)]
    flags = 16 + 3 * 8  # of mmap: its fourth argument
    steps += [(equal, 0, 4, mmap), (load, 0, 0, flags), (both, 0, 0, SHARED_ANONYMOUS)]
    steps += [(equal, 0, 1, SHARED_ANONYMOUS), (answer, 0, 0, refuse), (answer, 0, 0, allow)]
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
