"""`python -m tests.browser`: time the explorer's sliders in JupyterLab and write data/browser.json."""

from __future__ import annotations

import os
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.browser.lab import chromium, lab_server, open_notebook, write_notebook
from tests.browser.sliders import Explorer, round_trip
from wwlib.base.files import save_json
from wwlib.course.lessons.readme import BROWSER

CELL = """from wwlib.models.explorer import explore
from wwlib.models.shipped import FLAGSHIP, load_model

model = load_model(FLAGSHIP)
explore(model.generator, model.sample_codes(1)[0])"""


def measure(folder: Path, moves: int = 12) -> dict:
    """Return the milliseconds from a key or a move of the mouse to the new picture, each `moves` times."""
    (folder / "notebooks").mkdir()
    write_notebook(folder / "notebooks" / "explorer.ipynb", [CELL])
    with lab_server(folder) as address, chromium() as browser:
        lesson = open_notebook(browser, address, "explorer.ipynb")
        lesson.run_all()
        explorer = Explorer(lesson.page, lesson.cell(0))
        explorer.watch()
        slider = explorer.slider(0)
        explorer.follow(slider.press, "Home")
        keys = [explorer.follow(slider.press, "ArrowRight") for _ in range(moves)]
        slider.grab()
        mouse = [explorer.follow(slider.drag, step) for step in range(moves - 1, -1, -1)]
        return dict(keyboard=keys, mouse=mouse, kernel=round_trip(lesson.page), chromium=browser.version)


def main() -> None:
    """Measure and write the record."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    kinds = {
        kind: dict(
            moves=len(found[kind]),
            median_ms=round(statistics.median(found[kind]), 1),
            slowest_ms=round(max(found[kind]), 1),
        )
        for kind in ("keyboard", "mouse")
    }
    versions = dict(chromium=found["chromium"], **{name: version(name) for name in ("jupyterlab", "ipywidgets")})
    load = round(os.getloadavg()[0], 1)  # processes that wanted a core in the last minute: tells a busy machine
    about = dict(command="python -m tests.browser", cores=os.cpu_count(), load=load, versions=versions)
    save_json(BROWSER, {**about, "kernel_round_trip_ms": round(found["kernel"], 1), "moves": kinds})


if __name__ == "__main__":
    main()
