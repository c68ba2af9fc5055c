"""The file system that a submission sees: a new root with the few places that Python needs, and nothing else.

What is not named here does not exist for a submission: no other clone, no home, no terminal, no device but four.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from wwlib.base.paths import DATA, NOTEBOOKS, ROOT

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/sys/devices/system/cpu")
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "passwd", "group",
            "nsswitch.conf", "hosts", "mime.types", "os-release")  # fmt: skip
PREFIX = ("bin", "lib", "lib64", "share", "etc", "include", "libexec", "pyvenv.cfg")  # of Python and its environment
# no /dev/zero: memory of it that is shared and let go of is counted nowhere
DEVICES = ("null", "full", "random", "urandom")
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
PACKAGE = Path(__file__).resolve().parents[2]
SECRETS = ("course/answers", "course/grading")  # of every copy of the library
SHARED = 64  # megabytes of /dev/shm
FILES = 20_000  # that a submission can make: each takes memory of the kernel, which counts for no process

MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 0x40000, 0x1000
MS_NOSUID, MS_NODEV = 2, 4
AT_RECURSIVE = 0x8000
READ_ONLY, NO_SUID, NO_DEVICES = 1, 2, 4  # of mount_setattr
PIVOT_ROOT, UMOUNT_DETACH, MOUNT_SETATTR = {"x86_64": 155, "aarch64": 41}, 2, 442


def places() -> list[str]:
    """Return what a submission may read: the system's programs, Python, its packages, the library, data and lessons."""
    found = [*SYSTEM, *(f"/etc/{name}" for name in SETTINGS)]
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix)):
        found += [os.path.join(prefix, part) for part in PREFIX]
    found += [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
    found += [str(path) for path in (PACKAGE, ROOT / "wwlib", DATA, NOTEBOOKS)]
    found = [os.path.abspath(path) for path in found if os.path.exists(path)]
    return list(dict.fromkeys([*found, *map(os.path.realpath, found)]))


def secrets_in(roots: Iterable[str]) -> list[str]:
    """Return what must look empty below some places: the answers of every copy of the library, and packed copies.

    Raises:
        FileNotFoundError: if the library's own answers are not where they are hidden.
    """
    own = {str(PACKAGE / name) for name in SECRETS} | {str(ROOT / "wwlib" / name) for name in SECRETS}
    if missing := [name for name in SECRETS if not (PACKAGE / name).is_dir()]:
        raise FileNotFoundError(f"answers must be hidden from submissions, but {PACKAGE} has no {missing}")
    hidden = {path for path in own if os.path.exists(path)}
    packages = {str(PACKAGE), str(ROOT / "wwlib"), os.path.realpath(ROOT / "wwlib")}
    tops = {os.path.realpath(root) for root in roots}
    for root in sorted(top for top in tops if not any(top.startswith(f"{other}/") for other in tops)):
        for folder, folders, files in os.walk(root):
            if folder in packages:
                folders.clear()
                continue
            hidden |= {os.path.join(folder, name) for name in files if _is_packed_copy(name)}
            if folder.endswith("/wwlib") or ("wwlib" in folders and ".git" in folders):
                hidden.add(folder)
                folders.clear()
    return sorted(hidden)


def _is_packed_copy(name: str) -> bool:
    return name.startswith("wwlib") and name.endswith((".whl", ".zip", ".gz", ".egg", ".tar", ".pyz", ".git"))


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something, or raise OSError."""
    encode = lambda text: os.fsencode(text) if text else None  # noqa: E731
    if _libc().mount(encode(source), encode(target), encode(kind), flags, encode(options)):
        raise OSError(ctypes.get_errno(), f"cannot mount {kind or 'bind'} on {target}")


def _set(path: str, flags: int, clear: int = 0, recursive: bool = False) -> None:
    attributes = (ctypes.c_uint64 * 4)(flags, clear, 0, 0)
    where = AT_RECURSIVE if recursive else 0
    if _libc().syscall(MOUNT_SETATTR, -100, os.fsencode(path), where, attributes, ctypes.sizeof(attributes)):
        raise OSError(ctypes.get_errno(), f"cannot change the mount at {path}")


def _point(root: str, path: str, folder: bool) -> str:
    """Make the place in a new root where `path` is to be mounted."""
    target = root + path
    os.makedirs(target if folder else os.path.dirname(target), mode=0o755, exist_ok=True)
    if not folder and not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    return target


def close(home: Path, see: list[str], hide: list[str], disk: int) -> None:
    """Change to a new root in which only `see` can be read and only `home`, /tmp and /dev/shm can be written.

    The caller owns its mount and process namespaces.

    Args:
        home: an empty folder; it is empty and writable afterwards.
        see: files and folders, from `places`.
        hide: what looks empty in them, from `secrets_in`; what else must not be seen lies outside `see`.
        disk: bytes that may be written.
    """
    root = str(home)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID, "size=2m,nr_inodes=4k,mode=755")
    os.mkdir(f"{root}/tmp")
    mount("tmpfs", f"{root}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk},nr_inodes={FILES},mode=1777")
    _bind_all(root, see)
    for path in hide:
        if os.path.isdir(root + path):
            mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=755")
        elif os.path.exists(root + path):
            mount("/dev/null", root + path, None, MS_BIND)
    _numbers(f"{root}/proc")
    own = _point(root, str(home), folder=True)
    if not own.startswith(f"{root}/tmp/"):
        os.makedirs(f"{root}/tmp/.home")
        mount(f"{root}/tmp/.home", own, None, MS_BIND)
    shared = _devices(root)
    _set(root, READ_ONLY | NO_SUID | NO_DEVICES, recursive=True)
    for path in (f"{root}/tmp", own, shared):
        if os.path.ismount(path):
            _set(path, 0, READ_ONLY)
    for name in DEVICES:
        _set(f"{root}/dev/{name}", 0, NO_DEVICES)
    os.chdir(root)
    if _libc().syscall(PIVOT_ROOT[os.uname().machine], b".", b"."):
        raise OSError(ctypes.get_errno(), "cannot change the root")
    if _libc().umount2(b".", UMOUNT_DETACH):  # the old root, which lies over the new one
        raise OSError(ctypes.get_errno(), "cannot leave the old root")
    os.chdir(home)


def _bind_all(root: str, see: list[str]) -> None:
    """Bind each place, the outer before the inner ones; where a link stands, a link stands again."""
    seen: list[str] = []
    for path in sorted(see, key=lambda p: (p.count("/"), p)):
        if any(path.startswith(f"{other}/") for other in seen) and os.path.exists(root + path):
            continue
        if os.path.islink(path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            if not os.path.lexists(root + path):
                os.symlink(os.readlink(path), root + path)
            continue
        try:
            mount(path, _point(root, path, os.path.isdir(path)), None, MS_BIND | MS_REC)
        except PermissionError:  # a place that this account cannot enter is no loss
            continue
        seen.append(path)


def _numbers(proc: str) -> None:
    """A /proc with the own processes only; where the kernel refuses one, an empty folder."""
    os.mkdir(proc)
    try:
        mount("proc", proc, "proc", MS_NOSUID | MS_NODEV)
    except OSError:
        mount("tmpfs", proc, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=555")
    for setting, value in (("kernel/pid_max", "400"), ("user/max_user_namespaces", "0")):
        try:  # the first is counted for each namespace from Linux 6.14 on
            Path(proc, "sys", setting).write_text(value)
        except OSError:
            continue


def _devices(root: str) -> str:
    """A /dev with nothing but `DEVICES`, and shared memory of its own; return where that is."""
    os.mkdir(f"{root}/dev")
    for name in DEVICES:
        mount(f"/dev/{name}", _point(root, f"/dev/{name}", folder=False), None, MS_BIND)
    for name, target in LINKS.items():
        os.symlink(target, f"{root}/dev/{name}")
    shared = _point(root, "/dev/shm", folder=True)
    mount("tmpfs", shared, "tmpfs", MS_NOSUID | MS_NODEV, f"size={SHARED}m,nr_inodes=2k,mode=1777")
    return shared
