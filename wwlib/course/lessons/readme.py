"""The generated parts of README.md and data/README.md, between markers that a test keeps true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from wwlib.base.files import write_whole
from wwlib.base.paths import DATA, ROOT
from wwlib.base.table import Table
from wwlib.course.lessons.notebooks import COSTS, lesson_files
from wwlib.course.lessons.tasks import masters
from wwlib.experiments.fusion import tables as fused
from wwlib.experiments.interpretation import tables as interpreted
from wwlib.experiments.invariances import tables as invariance_tables
from wwlib.experiments.population.longer import age_table, load_longer, longer_choice_table, measure_table
from wwlib.experiments.population.tables import (
    LEAST,
    choice_table,
    claims_table,
    correlation_table,
    load_population,
    paper_table,
    search_table,
)
from wwlib.experiments.shipped.cost_tables import cost_table, gpu_table, memory_table
from wwlib.experiments.shipped.tables import ablation_record, ablation_table, minutes_to, model_table, published_scores
from wwlib.experiments.translation import tables as translated
from wwlib.models.shipped import load_model, seed_names, shipped_names, shipped_record
from wwlib.models.traversals import traversal_sheet

BENCH = DATA / "bench.json"
ATTEMPTS = DATA / "attempts.json"
PEERS = DATA / "peers.json"
GRADING = DATA / "grading.json"
BROWSER = DATA / "browser.json"
COLAB = DATA / "colab.json"

# disentanglement_lib at commit 86a644d and Ubisoft's metrics, run once on the fixed points for the design notes
REFERENCE = {
    "disentanglement_lib": dict(mig=0.21203323099106353, sap=0.076, dci=0.399067, completeness=0.386317,
                                modularity=0.7987373995933041),
    "Ubisoft": dict(mig=0.18725089),
}  # fmt: skip


def lesson_table() -> str:
    """Lessons with what the learner builds and the measured minutes."""
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    rows = []
    for lesson in lesson_files():
        first = "".join(json.loads(lesson.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()
        title = first[0].removeprefix("# ")
        promise = next(line for line in first if line.startswith("*")).strip("*")
        rows.append((f"[{title}](notebooks/{lesson.name})", promise, f"{costs[lesson.stem]['quick_seconds']:.0f} s"))
    return Table(["lesson", "what you do", "quick, 2 cores"], rows).markdown()


def results_table() -> str:
    """Every shipped model with its scores."""
    return model_table().markdown()


def speed_table() -> str:
    """The ratios that `make bench` measured."""
    rows = [
        (row["what"], row["goal"], row["measured"]) for row in json.loads(BENCH.read_text(encoding="utf-8"))["rows"]
    ]
    return Table(["in one run on this machine", "goal", "measured"], rows).markdown()


def colab_table() -> str:
    """What came of the newest run on Colab's Python and versions."""
    record = json.loads(COLAB.read_text(encoding="utf-8"))
    seconds = [lesson["seconds"] for lesson in record["lessons"]]
    passed = sum(lesson["outcome"] == "passed" for lesson in record["lessons"])
    tests = record.get("tests") or {}
    counts = ", ".join(
        f"{tests[word]:,} {word}" for word in ("passed", "skipped", "failed", "error") if tests.get(word)
    )
    rows = [
        ("date, image", f"{record['date']}, {record['image']}"),
        ("Python", record["python"]),
        ("packages", ", ".join(f"{name} {version}" for name, version in record["versions"].items())),
        ("the setup cell printed", record["setup_cell"].replace("\n", " ")),
        ("lessons at quick", f"{passed} of {len(seconds)} passed, {min(seconds):.0f} to {max(seconds):.0f} s each"),
        ("unit tests", f"{counts} in {tests['minutes']:.0f} minutes" if counts else "not run"),
    ]
    return Table(["run on Colab's versions", record["command"]], rows).markdown()


def slider_table() -> str:
    """How soon the explorer's picture follows a slider in JupyterLab."""
    record = json.loads(BROWSER.read_text(encoding="utf-8"))
    names = dict(keyboard="arrow key", mouse="drag with the mouse")
    rows = [
        (names[kind], f"{row['median_ms']:.0f} ms", f"{row['slowest_ms']:.0f} ms", row["moves"], f"{record['load']:g}")
        for kind, row in record["moves"].items()
    ]
    header = ["the slider moved by", "picture after, median", "slowest", "moves", f"load on {record['cores']} cores"]
    return Table(header, rows).markdown()


def time_table() -> str:
    """Minutes from nothing to a score of 0.90 (by the estimate along the run), seed by seed."""
    rows = []
    for name in seed_names("shapes3d-32"):
        record, minutes = shipped_record(name), minutes_to(name, 0.9)
        best = max(entry.get("factor_vae_estimate", 0) for entry in record["log"])
        reached = "not reached" if minutes is None else f"{minutes:.0f}"
        rows.append((name, reached, f"{best:.4f}", f"{record['seconds'] / 60:.0f}"))
    return Table(["run", "minutes to 0.90", "best estimate", "minutes in all"], rows).markdown()


def provenance_table() -> str:
    """What made every shipped file."""
    rows = []
    for name in shipped_names():
        record = shipped_record(name)
        size = (DATA / f"{name}.safetensors").stat().st_size / 1e6
        rows.append(_provenance(f"`{name}.safetensors`, {size:.1f} MB", record))
    rows.append(_provenance("`no-masks.json` (record only)", ablation_record()))
    return Table(["file", "command", "seed", "minutes", "machine"], rows).markdown()


def _provenance(what: str, record: dict) -> tuple:
    versions = record["versions"]
    machine = f"{record['device']}, {versions['machine']}, torch {versions['torch']}"
    return what, f"`{record['command']}`", record["config"]["seed"], f"{record['seconds'] / 60:.0f}", machine


def attempts_table() -> str:
    """Every training we tried, with what was changed and the estimated score it reached."""
    rows = [
        (a["name"], a["what"], f"{a['images']:,}", f"{a['estimate']:.2f}")
        for a in json.loads(ATTEMPTS.read_text(encoding="utf-8"))["attempts"]
    ]
    return Table(["attempt", "what", "images", "FactorVAE score (estimate)"], rows).markdown()


def digits_table() -> str:
    """Scores of the same 10,000 + 5,000 points by library."""
    ours = json.loads(PEERS.read_text(encoding="utf-8"))["libraries"]
    names = dict(mig="MIG", sap="SAP", modularity="modularity", dci="DCI", completeness="completeness")
    rows = [
        (library, *(f"{row[name]:.6f}" if name in row else "–" for name in names))
        for library, row in {**ours, **REFERENCE}.items()
    ]
    return Table(["library", *names.values()], rows).markdown()


def mistakes_table() -> str:
    """The exercises with their points, and the mistakes that `check` names."""
    from wwlib.course.answers import exercises

    rows, known = [], exercises()
    for task in (task for master in masters().values() for task in master.tasks):
        exercise = known[task.exercise]
        named = "; ".join(dict.fromkeys(mistake.why for mistake in exercise.mistakes)).replace("|", "\\|")
        kind = "open" if exercise.properties else "exact"
        rows.append((task.exercise, exercise.title, f"{task.points:g}", kind, named))
    return Table(["exercise", "title", "points", "kind", "what goes wrong"], rows).markdown()


def kinds_table() -> str:
    """Every kind of submission that the grader is tried on, and what came of it."""
    rows = []
    for row in json.loads(GRADING.read_text(encoding="utf-8"))["kinds"]:
        points = row["points"]
        shown = "–" if points is None else "{:g} to {:g}".format(*points) if isinstance(points, list) else f"{points:g}"
        says = row["says"].replace("|", "\\|")
        rows.append((row["kind"].replace("|", "\\|"), row["outcome"], shown, f"`{says}`" if says else ""))
    return Table(["first answer, or file", "outcome", "points of 6", "the learner reads"], rows).markdown()


def grading_table() -> str:
    """How fast a hundred submissions are graded."""
    speed = json.loads(GRADING.read_text(encoding="utf-8"))["speed"]
    rows = [
        (f"{speed['submissions']} submissions of lesson 02, --jobs {speed['jobs']}", f"{speed['minutes']:.1f} minutes"),
        ("a submission", f"{speed['seconds_each']:.2f} s"),
        ("the same cells with plain papermill", f"{speed['plain_papermill_seconds']:.2f} s, {speed['ratio']:.0f}×"),
    ]
    return Table(["what", "measured"], rows).markdown()


GENERATED: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {
        "lessons": lesson_table,
        "results": results_table,
        "published": lambda: published_scores().markdown(),
        "ablation": lambda: ablation_table().markdown(),
        "time": time_table,
        "speed": speed_table,
        "sliders": slider_table,
        "colab": colab_table,
        "paper": lambda: paper_table(load_population(), load_longer()).markdown(),
        "correlation": lambda: correlation_table(load_population()).markdown(),
        "choice": lambda: choice_table(load_population()).markdown(),
        "ages": lambda: age_table(load_population(), load_longer(), LEAST).markdown(),
        "measures-dci": lambda: measure_table(load_longer(), "dci", LEAST).markdown(),
        "measures-factor-vae": lambda: measure_table(load_longer(), "factor_vae", LEAST).markdown(),
        "longer-choice": lambda: longer_choice_table(load_longer(), LEAST).markdown(),
        "search": lambda: search_table().markdown(),
        "claims": lambda: claims_table(load_population()).markdown(),
        "claims-longer": lambda: claims_table(load_longer()).markdown(),
        "digits": digits_table,
        "interpretation": lambda: interpreted.criteria_table().markdown(),
        "pairs": lambda: interpreted.ablation_table().markdown(),
        "samples": lambda: interpreted.distance_table().markdown(),
        "invariances": lambda: invariance_tables.criteria_table().markdown(),
        "translation": lambda: translated.criteria_table().markdown(),
        "depths": lambda: translated.depth_table().markdown(),
        "fusion": lambda: fused.criteria_table().markdown(),
    },
    ROOT / "docs" / "full_size.md": {
        "memory": memory_table,
        "costs": lambda: cost_table().markdown(),
        "gpus": lambda: gpu_table().markdown(),
    },
    ROOT / "docs" / "instructors.md": {
        "timings": lambda: lesson_table().replace("](notebooks/", "](../notebooks/"),
        "mistakes": mistakes_table,
        "grading": grading_table,
        "kinds": kinds_table,
    },
    DATA / "README.md": {"provenance": provenance_table, "attempts": attempts_table},
}


def with_tables(text: str, tables: dict[str, Callable[[], str]]) -> str:
    """Return `text` with what stands between `<!-- name -->` and `<!-- end name -->` made anew.

    Raises:
        ValueError: if a marker is missing.
    """
    for name, make in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"text must hold the markers <!-- {name} --> and <!-- end {name} -->")
        text = pattern.sub(lambda match, make=make: f"{match[1]}{make()}\n{match[2]}", text)
    return text


def write_picture() -> None:
    """Draw README's picture: traversals and masks of the first shipped seed."""
    model = load_model("shapes3d-32-seed0")
    alt = "Traversals of every code of the shipped model, and its masks."
    traversal_sheet(model.generator, model.sample_codes(8)[6], alt, steps=9).save(DATA / "traversal.png")


def write_tables() -> None:
    """Bring every generated table and README's picture up to date."""
    write_picture()
    for path, tables in GENERATED.items():
        text = with_tables(path.read_text(encoding="utf-8"), tables)
        write_whole(path, lambda file, text=text: file.write_text(text, encoding="utf-8"))
        print(f"{path.name}: {', '.join(tables)}")
