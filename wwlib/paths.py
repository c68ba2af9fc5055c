"""Where the course's folders are: beside the package in a clone, or below `WW_ROOT`."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("WW_ROOT", Path(__file__).resolve().parent.parent))
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
