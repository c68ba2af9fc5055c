"""Where the course's folders are: in the clone around the package, below `WW_ROOT`, or else in the current folder.

A wheel installed elsewhere has neither `data/` nor `notebooks/`: what needs them asks for a clone. Nothing is ever
written beside an installed package: runs go to the current folder, renders to the user's folder for caches.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def is_clone(folder: Path) -> bool:
    """Say whether a folder is a clone of the repository, by its `pyproject.toml`."""
    try:
        return _project(folder)["name"] == "wwlib"
    except (OSError, ValueError, KeyError):  # not there, not TOML, or of something that is no package
        return False


def _project(folder: Path) -> dict:
    """Return the table `project` of a folder's `pyproject.toml`."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def find_root(package: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder that holds `data/` and `notebooks/`: `WW_ROOT`, a clone around the package, the current one."""
    if given := environment.get("WW_ROOT"):
        return Path(given)
    return package.parent if is_clone(package.parent) else Path.cwd()


def user_cache(environment: Mapping[str, str], system: str = sys.platform) -> Path:
    """Return the folder for files that can be made again, as each system has it.

    Args:
        environment: its variables.
        system: as `sys.platform` names it.
    """
    try:
        home = Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())
    except RuntimeError:  # a user whom the system does not know, as in many containers
        return Path(tempfile.gettempdir()) / "wwlib"
    if system == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "wwlib"
    if system == "darwin":
        return home / "Library" / "Caches" / "wwlib"
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "wwlib"


ROOT = find_root(_PACKAGE, os.environ)
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
CACHE = DATA / "cache" if is_clone(ROOT) else user_cache(os.environ)


def repository_url() -> str:
    """Return the address of the public repository, from the clone's `pyproject.toml` or the installed package.

    A clone whose library is in use without being installed, as on Colab, counts also when `WW_ROOT` points elsewhere.
    """
    for folder in (ROOT, _PACKAGE.parent):
        if is_clone(folder):
            return _project(folder)["urls"]["Repository"]
    links = dict(link.split(", ", 1) for link in metadata.metadata("wwlib").get_all("Project-URL"))
    return links["Repository"]


def needs_clone(what: str) -> str:
    """Return the sentence that says where the repository is to be had.

    Args:
        what: is part of it, such as "a.json is part of the repository's data/ folder".
    """
    return f"{what}: git clone {repository_url()}, or set WW_ROOT to a clone"


def missing(path: Path) -> str:
    """Return what to say of a file that is not there: of one in `data/`, where it is to be had."""
    if path.is_relative_to(DATA) and not is_clone(ROOT):
        return needs_clone(f"{path.name} is part of the repository's data/ folder")
    return f"{path} is missing{how_to_restore(path)}"


def is_shipped(path: Path) -> bool:
    """Say whether a file belongs to what the repository ships in `data/`."""
    path = path.resolve()
    return path.is_relative_to(DATA.resolve()) and not path.is_relative_to(DATA.resolve() / "cache")


def how_to_restore(path: Path) -> str:
    """Return the end of a sentence about a file that is missing or damaged: what to do, if the repository has it."""
    return ": restore it with `git checkout -- data`" if is_shipped(path) else ""


def require_clone(what: str) -> None:
    """Raise FileNotFoundError outside of a clone, where `what`, such as "notebooks/", is missing or has no place."""
    if not is_clone(ROOT):
        raise FileNotFoundError(needs_clone(f"{what} is part of the repository"))


def require_own_clone(what: str) -> None:
    """Raise FileNotFoundError unless the library in use is the clone's own: `what` needs the two to be one."""
    require_clone(what)
    if _PACKAGE.parent != ROOT.resolve():
        raise FileNotFoundError(f"{what} must run from the clone: cd {ROOT}; this is the library in {_PACKAGE.parent}")


def library_files() -> list[Path]:
    """Return every Python file of the library, in a fixed order."""
    return sorted(_PACKAGE.rglob("*.py"))
