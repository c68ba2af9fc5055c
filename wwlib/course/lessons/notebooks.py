"""Lessons as files: execute them headless, store their outputs clean, keep their cost lines true."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from wwlib import __version__
from wwlib.base.files import save_json, write_whole
from wwlib.base.paths import CACHE, DATA, NOTEBOOKS, ROOT, repository_url

COSTS = DATA / "lessons.json"
COST_LINE = re.compile(r"^\*\*Cost\*\* · .*$", re.MULTILINE)
BADGES = re.compile(r"^\[!\[Open in Colab\].*$", re.MULTILINE)
BEGIN = re.compile(r"\bbegin\(profile, seed[^)]*\)")
SETUP = """\
import os, sys; hosted = "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ  # elsewhere this cell does nothing
if hosted and os.system('clone() {{ rm -rf ww ww.part; git clone -q --depth 1 "$@" ${{WW_REPOSITORY:-{url}}} ww.part && mv ww.part ww; }}; test -f ww/wwlib/colab.py || clone -b v{version} 2> /dev/null || clone'): raise ConnectionError("The course could not be fetched. Check the connection (on Kaggle: Settings → Internet → On) and run this cell again.")
if hosted: sys.path.insert(0, os.path.abspath("ww")); import wwlib.colab; wwlib.colab.prepare("{version}")"""  # noqa: E501
GPU_LESSONS = ("05", "11")  # those whose `full` profile a GPU shortens; Colab then offers one
HOSTED = {"accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []}}  # as Colab itself stores it
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def lesson_files() -> list[Path]:
    """Return the lessons in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def choose_lessons(numbers: list[str] | None = None) -> list[Path]:
    """Return the lessons with these numbers, such as ["00", "03"], in order; all when there is none.

    Raises:
        ValueError: if no lesson has such a number.
    """
    known = [lesson.name[:2] for lesson in lesson_files()]
    if unknown := sorted(set(numbers or ()) - set(known)):
        raise ValueError(f"lessons must be among {known}, got {unknown}")
    return [lesson for lesson in lesson_files() if not numbers or lesson.name[:2] in numbers]


def exercise_cell(exercise: str, role: str = "exercise") -> str:
    """Return the id of the cell that belongs to an exercise: "exercise-02-1" for "02.1"."""
    return f"{role}-{exercise.replace('.', '-')}"


def badge(lesson: Path) -> str:
    """Return the Markdown of a lesson's badges: "Open in Colab", "Open in Kaggle"."""
    notebook = f"{repository_url()}/blob/main/notebooks/{lesson.name}"
    colab = notebook.replace("https://github.com/", "https://colab.research.google.com/github/")
    kaggle = f"https://kaggle.com/kernels/welcome?src={notebook}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle})"
    )


def setup_cell() -> str:
    """Return the source of the setup cell that every lesson has: on Colab and Kaggle it fetches course and packages.

    It clones the tag of the lesson's own version, so that a copy keeps working when the course moves on, or the default
    branch where there is no such tag. The clone gets its name when it is whole: an interrupted one is fetched again.
    """
    return SETUP.format(url=repository_url(), version=__version__)


def with_addresses(notebook: dict, lesson: Path) -> dict:
    """Return the notebook with what follows from its name, the course's address and version.

    These are the badges, the setup cell, the version in the call of `begin`, and a GPU where the lesson asks for one.
    """
    source = BADGES.sub(lambda _: badge(lesson), "".join(notebook["cells"][0]["source"]))
    notebook["cells"][0]["source"] = source.splitlines(keepends=True)
    setup = next(cell for cell in notebook["cells"] if "setup" in cell["metadata"].get("tags", []))
    setup["source"] = setup_cell().splitlines(keepends=True)
    first = next(cell for cell in notebook["cells"] if BEGIN.search("".join(cell["source"])))
    begun = BEGIN.sub(f'begin(profile, seed, version="{__version__}")', "".join(first["source"]))
    first["source"] = begun.splitlines(keepends=True)
    hosted = HOSTED if lesson.name[:2] in GPU_LESSONS else {}
    others = {key: value for key, value in notebook["metadata"].items() if key not in HOSTED}
    notebook["metadata"] = {**others, **hosted}
    return notebook


def execute(
    lesson: Path,
    output: Path,
    timeout: int = 300,
    kernel: str = "python3",
    cwd: Path | None = None,
    **parameters: object,
) -> float:
    """Execute a lesson with papermill in a kernel of its own; return the seconds it took.

    Args:
        lesson: the notebook.
        output: where the executed notebook goes.
        timeout: longest time for one cell, seconds.
        kernel: name of the kernel.
        cwd: folder the kernel starts in; the lesson's when None.
        parameters: override the lesson's own.

    Raises:
        papermill.PapermillExecutionError: if a cell fails.
    """
    import papermill

    environment = dict(os.environ)
    os.environ.update(WW_HEADLESS="1", PYDEVD_DISABLE_FILE_VALIDATION="1")
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(lesson),
            str(output),
            parameters=parameters,
            kernel_name=kernel,
            progress_bar=False,
            execution_timeout=timeout,
            cwd=str(cwd or lesson.parent),
            log_output=False,
        )
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return time.perf_counter() - start


def clean_notebook(notebook: dict) -> dict:
    """Return an executed notebook without what differs from run to run: times, versions, paths, papermill's notes."""
    cells = []
    for cell in notebook["cells"]:
        if "injected-parameters" in cell.get("metadata", {}).get("tags", []):
            continue
        kept = {key: cell["metadata"][key] for key in ("tags", "ww") if cell.get("metadata", {}).get(key)}
        name = exercise_cell(kept["ww"]["exercise"]) if "ww" in kept else f"cell-{len(cells):02d}"
        cell = {**cell, "metadata": kept, "id": name}
        if cell["cell_type"] == "code":
            cell["outputs"] = [_clean_output(output) for output in cell["outputs"]]
        cells.append(cell)
    for count, cell in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = count
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
            **{key: notebook["metadata"][key] for key in ("ww", *HOSTED) if key in notebook["metadata"]},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _clean_output(output: dict) -> dict:
    return json.loads(json.dumps(output).replace(str(ROOT), "…"))


def run_all(numbers: list[str] | None = None) -> None:
    """Execute lessons at `quick`, store their outputs in place, and bring costs and badges up to date.

    Args:
        numbers: such as ["00", "03"]; all lessons when empty.

    Raises:
        ValueError: if no lesson has such a number.
    """
    lessons = choose_lessons(numbers)
    costs = json.loads(COSTS.read_text(encoding="utf-8")) if COSTS.exists() else {}
    for lesson in lessons:
        output = CACHE / lesson.name
        output.parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            seconds, memory = pool.submit(_execute_measured, lesson, output).result()
        costs[lesson.stem] = {"quick_seconds": round(seconds, 1), "peak_gigabytes": round(memory, 2)}
        save_json(COSTS, dict(sorted(costs.items())))
        notebook = clean_notebook(json.loads(output.read_text(encoding="utf-8")))
        write_notebook(lesson, with_addresses(with_cost(notebook, costs[lesson.stem]), lesson))
        print(f"{lesson.name}: {seconds:.0f} s, {memory:.1f} GB", flush=True)


def _execute_measured(lesson: Path, output: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of one lesson; in a process of its own, so that the peak is this lesson's."""
    import resource  # not on Windows, where everything else here works

    seconds = execute(lesson, output, profile="quick")
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def notebook_text(notebook: dict) -> str:
    """Return a notebook as the JSON text that its file holds."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def write_notebook(path: Path, notebook: dict) -> None:
    """Write a notebook as JSON, whole or not at all."""
    write_whole(path, lambda file: file.write_text(notebook_text(notebook), encoding="utf-8"))


def with_cost(notebook: dict, cost: dict) -> dict:
    """Return the notebook with its cost line rewritten from measurements."""
    first = notebook["cells"][0]
    source = "".join(first["source"])
    first["source"] = COST_LINE.sub(cost_line(cost, source), source).splitlines(keepends=True)
    return notebook


def cost_line(cost: dict, source: str) -> str:
    """Return the cost line for measured seconds and memory; what the lesson says of `full` stays."""
    full = re.search(r"full: .*$", COST_LINE.search(source).group(0))
    seconds = max(10, -(-int(cost["quick_seconds"]) // 10) * 10)
    quick = f"quick: about {seconds} s on 2 CPU cores, {cost['peak_gigabytes']:.1f} GB"
    return f"**Cost** · {quick}" + (f" · {full.group(0)}" if full else "")
