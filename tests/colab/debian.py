"""A small Debian 13 in a folder, with Colab's Python and packages; `chroot` makes it a machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from wwlib.base.files import save_json

HERE = Path(__file__).parent
IMAGE = HERE / "image.txt"
SUITE = "trixie"  # Debian 13
DEBIAN = "python3,python3-venv,python3-pip,ca-certificates,git"
PASSED_ON = re.compile(r"(?i).*proxy|.*_cert|.*ca_bundle|ssl_cert_.*|pip_(extra_)?index_url|pip_default_timeout")


class Skipped(RuntimeError):
    """This machine cannot build the environment; the message says why."""


class Debian:
    """The small Debian in a folder, and how to run something in it.

    Args:
        folder: its root.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, *command: str, cwd: str = "/", **environment: str) -> subprocess.CompletedProcess:
        """Run a command inside; its output is one text."""
        passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
        inside = dict(
            HOME="/root", LANG="C.UTF-8", PATH="/v/bin:/usr/sbin:/usr/bin:/sbin:/bin", WW_DRIVE="/content/drive",
            PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_PROGRESS_BAR="off", PIP_ROOT_USER_ACTION="ignore",
            WW_REPOSITORY="file:///repository", WW_THREADS="1", **passed, **environment,
        )  # fmt: skip
        words = [f"{name}={value}" for name, value in inside.items()]
        enter = ["chroot", str(self.folder), "env", "-i", "-C", cwd, *words, *command]
        return subprocess.run(enter, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def must(self, *command: str, **more: str) -> str:
        """Run a command inside and return what it printed.

        Raises:
            RuntimeError: if it fails, with the end of its output.
        """
        result = self.run(*command, **more)
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)[:200]} failed:\n{result.stdout[-3000:]}")
        return result.stdout

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Give the machine /proc and /dev; take them back at the end, whatever happened."""
        places = {"proc": ["mount", "-t", "proc", "proc"], "dev": ["mount", "--bind", "/dev"]}
        self.unmount()  # what a killed run left
        try:
            for name, command in places.items():
                subprocess.run([*command, str(self.folder / name)], check=True, capture_output=True, text=True)
            yield
        except subprocess.CalledProcessError as error:
            if error.cmd[0] != "mount":
                raise
            raise Skipped(f"this machine does not let root mount: {error.stderr.strip()}") from None
        finally:
            self.unmount()

    def unmount(self) -> None:
        """Take back whatever is mounted in the folder.

        Raises:
            RuntimeError: if something stays: to delete the folder would then delete this machine's own /dev.
        """
        for place in reversed(self.mounts()):
            subprocess.run(["umount", "--lazy", place], check=False)
        if left := self.mounts():
            raise RuntimeError(f"{left} cannot be unmounted; do so by hand before the next run")

    def mounts(self) -> list[str]:
        """Return the places in the folder where something is mounted, in the order of mounting."""
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        return [place for place in mounted if Path(place).is_relative_to(self.folder.resolve())]


def check_machine() -> None:
    """Raise Skipped where the environment cannot be built."""
    if sys.platform != "linux" or not shutil.which("chroot"):
        raise Skipped("it needs Linux with chroot")
    if os.geteuid():
        raise Skipped("it needs root, for debootstrap, chroot and mount")
    if not shutil.which("debootstrap"):
        raise Skipped("it needs debootstrap: apt-get install debootstrap")


def mirror() -> str:
    """Return the Debian mirror that apt uses here, or Debian's own."""
    for file in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        if found := re.search(r"^URIs:\s*(\S*debian\S*)", file.read_text(encoding="utf-8"), re.MULTILINE):
            return found[1]
    return "http://deb.debian.org/debian"


def image() -> list[str]:
    """Return the requirements that stand for Colab's image."""
    return [line for line in IMAGE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def build(folder: Path) -> Debian:
    """Return the machine in a folder, built if it is not there as `image.txt` asks for it.

    Raises:
        Skipped: if Debian's packages cannot be fetched.
    """
    debian, mark = Debian(folder), folder / "image.json"
    if mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == image():
        return debian
    debian.unmount()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"building Debian {SUITE} and Colab's packages in {folder}", flush=True)
    command = ["debootstrap", "--variant=minbase", f"--include={DEBIAN}", SUITE, str(folder), mirror()]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise Skipped(f"Debian could not be fetched: {result.stdout.strip().splitlines()[-1]}")
    for name in ("resolv.conf", "hosts", "ssl/certs/ca-certificates.crt"):  # a company may have its own certificates
        if (Path("/etc") / name).is_file():
            shutil.copy(Path("/etc") / name, folder / "etc" / name)
    with debian.mounted():
        debian.must("python3", "-m", "venv", "/v")
        debian.must("pip", "install", "--quiet", *image())
    save_json(mark, image())
    return debian
