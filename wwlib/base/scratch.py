"""A folder for what a process needs while it lives; what killed processes have left behind goes at the next start."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def scratch(prefix: str = "ww-grading-") -> str:
    """Return this process's own folder, the same at every call; it goes when the process ends.

    A process that is killed cannot clean up, so folders of the same prefix whose process is gone go first. Each
    process holds a lock on its folder, which the kernel takes back with the process, however that ends.

    Args:
        prefix: of the folder's name.
    """
    sweep(prefix)
    while True:
        folder = tempfile.mkdtemp(prefix=prefix)
        lock = _lock(folder)
        if lock is not None and os.path.isdir(folder):  # else another process swept it before it was locked
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return folder


def sweep(prefix: str) -> list[str]:
    """Delete this account's folders of that prefix that no living process holds; return which."""
    gone = []
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{prefix}*")):
        try:
            about = path.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
                continue
            lock = _lock(str(path))
        except OSError:  # another process was faster
            continue
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
            gone.append(str(path))
    return gone


def _lock(folder: str) -> int | None:
    """Lock a folder as long as this process lives; return the descriptor, None if another process holds it."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        return None
    return place
