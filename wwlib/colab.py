"""Colab and Kaggle: install what the hosted kernel lacks, leave alone what it has, keep checkpoints when asked to.

Every lesson's setup cell (`wwlib.course.lessons.notebooks.setup_cell`) clones the repository there and calls `prepare`.
This module imports nothing that may be missing or that a restart would have to reload.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from wwlib import __version__
from wwlib.base.paths import ROOT

MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}  # packages imported under another name


class RestartNeeded(RuntimeError):
    """The kernel runs with a version of numpy that is no longer the installed one."""


def prepare(version: str | None = None) -> None:
    """Install the packages that the course needs and this kernel lacks, and no other; silent where nothing is amiss.

    A package that is there is left alone, and named if it is older than pyproject.toml asks for.

    Args:
        version: of the lesson; if its tag is not what was cloned, one printed sentence says so. Lessons before 0.2.0
            give none.

    Raises:
        ConnectionError: if packages are missing and cannot be fetched.
        RestartNeeded: if the numpy on disk is not the one in memory.
    """
    if version is not None and f"v{version}" not in cloned_tags():
        print(f"The course has no tag v{version} yet; its newest state was fetched, version {__version__}.")
    if missing := missing_packages():
        print(f"installing {', '.join(missing)}; this happens once a session", flush=True)
        install(missing)
    if older := older_packages():
        print(f"older here than what the course is tested with: {', '.join(older)}; what fails may come from that")
    check_numpy()


def cloned_tags() -> list[str]:
    """Return the tags of the commit that this copy of the course is a clone of."""
    command = ["git", "-C", str(ROOT), "tag", "--points-at", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def required_packages() -> dict[str, str]:
    """Return the project's dependencies by name, each as pyproject.toml requires it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.match(r"[\w-]+", line)[0]: line for line in project["dependencies"]}


def missing_packages() -> list[str]:
    """Return those of the project's dependencies that cannot be imported here, as pyproject.toml requires them."""
    required = required_packages().items()
    return [line for name, line in required if importlib.util.find_spec(MODULES.get(name, name)) is None]


def older_packages() -> list[str]:
    """Return those of the project's dependencies that are here in an older version: "torch 2.3.1 (torch>=2.5)"."""
    found = []
    for name, line in required_packages().items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # missing, or a copy without a description
            continue
        floor = re.search(r">=\s*([\d.]+)", line)
        if floor and _release(version) < _release(floor[1]):
            found.append(f"{name} {version} ({line})")
    return found


def _release(version: str) -> list[int]:
    """The numbers of a version, without trailing zeros: "2.5.0rc1+cu121" is [2, 5]; `packaging` may be missing here."""
    numbers = [int(part) for part in re.match(r"v?([\d.]*)", version)[1].split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def install(requirements: list[str]) -> None:
    """Let pip install the requirements with every installed package held at its version.

    Raises:
        ConnectionError: if pip fails; the message is one paragraph.
    """
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        held.write_text("\n".join(installed_versions()), encoding="utf-8")
        options = ["--quiet", "--disable-pip-version-check", "--constraint", str(held)]
        result = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, *requirements],
            capture_output=True,
            text=True,
            check=False,
        )
    importlib.invalidate_caches()
    if result.returncode:
        reason = (result.stderr.strip() or "no reason given").splitlines()[-1]
        raise ConnectionError(
            f"The course needs {', '.join(requirements)}, which this machine lacks, and pip could not install them "
            f"({reason}). Check the connection (on Kaggle: Settings → Internet → On) and run this cell again."
        )


def installed_versions() -> list[str]:
    """Return `name==version` of every installed package, as pip's constraints want it."""
    found: dict[str, str] = {}
    for package in importlib.metadata.distributions():
        found.setdefault(package.name, package.version)  # the first on the path is the one imported
    # a package of the system may have a version that pip refuses to read
    return [f"{name}=={version}" for name, version in found.items() if re.fullmatch(r"v?\d[\w.!+-]*", version or "")]


def check_numpy() -> None:
    """Ask for a restart, without forcing one, if numpy was replaced since it was loaded.

    Killing the kernel instead, as many notebooks do, ends a headless run without a word.

    Raises:
        RestartNeeded: with the clicks that help.
    """
    loaded = getattr(sys.modules.get("numpy"), "__version__", None)
    installed = importlib.metadata.version("numpy")
    if loaded not in (None, installed):
        raise RestartNeeded(
            f"numpy {installed} is installed, but this kernel has loaded {loaded}; compiled packages would fail in "
            "odd ways. Please restart it (Colab: Runtime → Restart session; Kaggle: Run → Restart), then run all cells."
        )


def drive_folder(name: str = "where-and-what") -> Path:
    """Mount Google Drive, for which Colab asks permission, and return the folder of that name in it.

    Args:
        name: made if it is not there.

    Raises:
        ValueError: elsewhere than on Colab.
    """
    if "google.colab" not in sys.modules:
        raise ValueError("drive must be False elsewhere than on Colab, got True; `folder` takes any other place")
    from google.colab import drive

    mounted = os.environ.get("WW_DRIVE", "/content/drive")
    drive.mount(mounted)
    folder = Path(mounted) / "MyDrive" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
