"""The generated parts of README.md, docs/ and data/README.md, between markers that a test keeps true."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

from wwlib import experiments
from wwlib.base.files import write_whole
from wwlib.base.paths import DATA, ROOT
from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.course.lessons.syllabus import lesson_table, lessons, syllabus_table, time_table
from wwlib.course.lessons.teaching import GRADING, grading_table, kinds_table, mistakes_page
from wwlib.experiments.interpretation import tables as interpretation
from wwlib.experiments.population.longer import load_longer
from wwlib.experiments.population.tables import (
    LEAST,
    PAPER,
    autoencoders,
    load_population,
    mean_and_spread,
    seeds_of,
    with_minus,
)
from wwlib.experiments.shipped.cost_tables import cost_table, gpu_table, memory_table
from wwlib.experiments.shipped.seen_tables import scores_by_resolution
from wwlib.experiments.shipped.tables import HUES, PUBLISHED, ablation_record
from wwlib.metrics.ranking import column, rank_correlation, spread_gap
from wwlib.models.explorer import calmest
from wwlib.models.shipped import FLAGSHIP, load_model, seed_names, shipped_names, shipped_record
from wwlib.models.traversals import traversal_sheet

BENCH = DATA / "bench.json"
ATTEMPTS = DATA / "attempts.json"
PEERS = DATA / "peers.json"
BROWSER = DATA / "browser.json"
COLAB = DATA / "colab.json"
REPORTED = "shapes3d-32"  # recipe whose shipped seeds README reports
STEP = "One PS-SC step at the shipped 32 px configuration, against a straight port of the official step"

# disentanglement_lib at commit 86a644d and Ubisoft's metrics, run once on the fixed points for the design notes
REFERENCE = {
    "disentanglement_lib": dict(
        mig=0.21203323099106353, sap=0.076, dci=0.399067, completeness=0.386317, modularity=0.7987373995933041
    ),
    "Ubisoft": dict(mig=0.18725089),
}


def speed_table() -> str:
    """The ratios that `make bench` measured."""
    rows = [
        (row["what"], row["goal"], row["measured"]) for row in json.loads(BENCH.read_text(encoding="utf-8"))["rows"]
    ]
    return Table(["in one run on this machine", "goal", "measured"], rows).markdown()


def colab_table() -> str:
    """What came of the newest run on Colab's Python and versions."""
    record = json.loads(COLAB.read_text(encoding="utf-8"))
    rows = [
        ("image", record["image"]),
        ("Python", record["python"]),
        ("packages", ", ".join(f"{name} {version}" for name, version in record["versions"].items())),
        ("the setup cell printed", record["setup_cell"].replace("\n", " ")),
        ("lessons at quick", _lessons_there(record)),
        *(_tests_there(record["tests"]) if "tests" in record else [("unit tests", "not run")]),
    ]
    return Table(["run on Colab's versions", record["command"]], rows).markdown()


def _lessons_there(record: dict) -> str:
    seconds = [lesson["seconds"] for lesson in record["lessons"]]
    passed = sum(lesson["outcome"] == "passed" for lesson in record["lessons"])
    return f"{passed} of {len(seconds)} passed, {min(seconds):.0f} to {max(seconds):.0f} s each ({record['date']})"


def _tests_there(tests: dict) -> list[tuple[str, str]]:
    counts = [f"{tests.get(word, 0):,} {word}" for word in ("passed", "skipped", "failed")]
    counts += [f"{tests['error']:,} with an error"] if "error" in tests else []
    counts += [f"{tests['left']:,} not run yet"] if tests["left"] else []
    rows = [("unit tests", f"{', '.join(counts)}; {tests['minutes']:.0f} minutes in all ({tests['date']})")]
    if tests["failures"]:
        rows.append(("failed", ", ".join(f"`{test}`" for test in tests["failures"])))
    if tests["at_the_second_try"]:
        rows.append(("passed when run once more", ", ".join(f"`{test}`" for test in tests["at_the_second_try"])))
    skips = (f"{reason} ({count})" for reason, count in tests["skips"].items())
    rows.append(("skipped because", "; ".join(skips) or "nothing was skipped"))
    return [*rows, ("left out", ", ".join(f"`{path}`" for path in tests["left_out"]))]


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


def collect_results() -> list[Result]:
    """Return the `RESULTS` of every module of `wwlib.experiments`, in the order of lessons.

    Within a lesson those of a module called `tables` come first, since they are the ones that the lesson is about.
    """
    walk = pkgutil.walk_packages(experiments.__path__, f"{experiments.__name__}.")
    names = sorted((info.name for info in walk), key=lambda name: (not name.endswith(".tables"), name))
    collected = [result for name in names for result in getattr(importlib.import_module(name), "RESULTS", ())]
    return sorted(collected, key=lambda result: result.lesson)


def results_page() -> str:
    """Return every result under the heading of its lesson, after a list of the lessons.

    Raises:
        ValueError: if a result belongs to a lesson that is not there.
    """
    titles = {lesson.path.name[:2]: lesson.title for lesson in lessons()}
    by_lesson: dict[str, list[Result]] = {}
    for result in collect_results():
        if result.lesson not in titles:
            raise ValueError(f"lesson of result {result.name!r} must be one of {list(titles)}, got {result.lesson!r}")
        by_lesson.setdefault(result.lesson, []).append(result)
    contents = [f"- [{titles[number]}](#lesson-{number})" for number in by_lesson]
    parts = ["\n".join(contents)]
    for number, results in by_lesson.items():
        parts.append(f'<a id="lesson-{number}"></a>\n\n## {titles[number]}')
        parts += [f"### {result.name}\n\n{result.says}\n\n{result.table().markdown()}" for result in results]
    return "\n\n".join(parts)


def promise_table() -> str:
    """What the course promises, in a few lines: the paper's number, a rival's or a goal, and ours; for README."""
    ious = [[shipped_record(name)["scores"]["iou"][hue] for hue in HUES] for name in seed_names(REPORTED)]
    older = load_longer()
    masks, plain = (column(seeds_of(older, kind), "where") for kind in ("ps-sc", "ps"))
    apart = "spreads apart" if spread_gap(masks, plain) > 0 else "the spreads overlap"
    follows = {
        host: interpretation.interpretation_values(runs_of(interpretation.load_record(), case), "follows")
        for host, case in (("autoencoder", "autoencoder"), ("classifier", "classifier"), ("our GAN", "recogniser"))
    }
    step = next(row for row in json.loads(BENCH.read_text(encoding="utf-8"))["rows"] if row["what"] == STEP)
    speed = json.loads(GRADING.read_text(encoding="utf-8"))["speed"]
    rows = [
        (
            "scores of each model: FactorVAE (codes can be read) / traversal (codes are seen) / where, 1 at best",
            f"FactorVAE {PUBLISHED[0][1]} to {PUBLISHED[-1][1]}",
            scores_by_resolution(),
            "06",
        ),
        (
            "overlap (IoU) of masks with the true floor / wall / object",
            "pictures",
            " / ".join(f"{sum(values) / len(values):.2f}" for values in zip(*ious, strict=True))
            + f" (mean of {len(ious)} seeds)",
            "06",
        ),
        (
            "where score: codes act in the right place",
            f"without masks {mean_and_spread(plain)}",
            f"with masks {mean_and_spread(masks)}; {apart}",
            "10",
        ),
        *(
            (label, f"paper {with_minus(PAPER[score])}", _beside_the_paper(score), "09")
            for score, label in (("dci", "rank correlation of TPL with DCI, a score with labels, −1 at best"),
                                 ("factor_vae", "of TPL with the FactorVAE score"))
        ),
        (
            "a named block swapped in a frozen code changes its factor (the worst one)",
            f"goal ≥ {interpretation.SWAPPED:g}",
            ", ".join(
                f"{host} {values.mean():.2f}" + " **misses**" * bool(values.mean() < interpretation.SWAPPED)
                for host, values in follows.items()
            ),
            "17",
        ),
        ("a training step beside a plain port of the authors'", f"goal {step['goal']}", step["measured"],
         "–"),
        (
            f"{speed['submissions']} notebooks graded in sandboxes",
            f"plain papermill {speed['plain_papermill_seconds']:.1f} s each",
            f"{speed['seconds_each']:.2f} s each",
            "",
        ),
    ]  # fmt: skip
    return Table(["what", "paper, rival or goal", "ours", "lesson"], rows).markdown()


def _beside_the_paper(score: str) -> str:
    """Our rank correlation of TPL with a score: as published, trained longer, and by larger pictures on other seeds."""
    young, older = (autoencoders(records, LEAST) for records in (load_population(), load_longer()))
    later = [record for record in older if record["config"]["seed"] > 0]
    cells = []
    for label, by, group in (
        ("", "tpl", young),
        ("trained longer ", "tpl", older),
        ("larger pictures ", "tpl_64", later),
    ):
        value = rank_correlation(column(group, by), column(group, score)).value
        cells.append(f"{label}{with_minus(value, 2)}{' **worse**' if value > PAPER[score] else ''}")
    return "; ".join(cells)


GENERATED: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"lessons": lesson_table, "results": promise_table},
    ROOT / "docs" / "results.md": {"results": results_page},
    ROOT / "docs" / "speed.md": {"speed": speed_table, "sliders": slider_table, "digits": digits_table},
    ROOT / "docs" / "full_size.md": {
        "memory": memory_table,
        "costs": lambda: cost_table().markdown(),
        "gpus": lambda: gpu_table().markdown(),
    },
    ROOT / "docs" / "using.md": {"colab": colab_table},
    ROOT / "docs" / "instructors.md": {"syllabus": syllabus_table, "times": time_table, "grading": grading_table},
    ROOT / "docs" / "mistakes.md": {"mistakes": mistakes_page},
    ROOT / "docs" / "submissions.md": {"kinds": kinds_table},
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
    """Draw README's picture: traversals and masks of the flagship, from the room with which lesson 00 begins."""
    model = load_model(FLAGSHIP)
    alt = "Traversals of every code of the shipped model, and its masks."
    base = calmest(model.generator, model.sample_codes(64))
    traversal_sheet(model.generator, base, alt, steps=9).save(DATA / "traversal.png")


def write_tables() -> None:
    """Bring every generated table and README's picture up to date."""
    write_picture()
    for path, tables in GENERATED.items():
        text = with_tables(path.read_text(encoding="utf-8"), tables)
        write_whole(path, lambda file, text=text: file.write_text(text, encoding="utf-8"))
        print(f"{path.name}: {', '.join(tables)}")
