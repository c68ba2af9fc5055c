"""Where the course's folders are: beside the package in a clone, or below `WW_ROOT`."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
ROOT = Path(os.environ.get("WW_ROOT", _PACKAGE.parent))
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"


def library_files() -> list[Path]:
    """Return every Python file of the library, in a fixed order."""
    return sorted(_PACKAGE.rglob("*.py"))
