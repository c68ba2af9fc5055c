"""`python -m tests.course.grading.outcomes`: grade every kind and a hundred submissions, write data/grading.json.

With names of kinds, or the word "speed", only these are measured, and the kinds that the record does not know; the
rest of it stays.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import papermill

from tests.course.grading.kinds import KINDS, LESSON, PERFECT, Kind, put
from wwlib.base.files import save_json
from wwlib.base.paths import DATA, ROOT
from wwlib.course.grading.grade import Settings, grade
from wwlib.course.grading.incoming.reading import read
from wwlib.course.grading.marking import transplant
from wwlib.course.lessons.tasks import masters

BYSTANDERS = ("anna", "zoë")
SETTINGS = Settings(jobs=2, cell_timeout=5.0, timeout=60.0, seed=7)
QUICK_TO_READ = 160
SPEED = "speed"  # no kind has this name


def grade_kinds(folder: Path, out: Path, kinds: tuple[Kind, ...] = KINDS) -> dict[str, dict]:
    """Grade one submission of each kind in one batch, two perfect bystanders among them; return results by learner.

    What could not be read comes as `{"problem": …}`.
    """
    for path in (folder, out):
        path.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        kind.write(folder, kind.name)
    for name in BYSTANDERS:
        put(folder, name, PERFECT)
    summary = grade(folder, out, SETTINGS, report=lambda line: None)
    found = {one["learner"]: {"problem": one["problem"]} for one in summary["unreadable"]}
    for _, name in summary["counted"]:
        result = json.loads((out / "graded" / name).read_text(encoding="utf-8"))
        found[result["learner"]] = result
    return found


def table(found: dict[str, dict], kinds: tuple[Kind, ...] = KINDS) -> list[dict]:
    """Return what came of each kind, for the published list."""
    rows = []
    for kind in kinds:
        result = found[kind.name]
        if "problem" in result:
            rows.append(dict(kind=kind.name, outcome="not graded", points=None, says=result["problem"]))
            continue
        first = result["tests"][0]
        says = next((line for line in first["text"].splitlines() if not line.startswith("called")), "")
        says = " ".join(says.replace(str(ROOT), "…").split())[:QUICK_TO_READ]
        points = result["points"] if not isinstance(kind.points, tuple) else list(kind.points)
        rows.append(dict(kind=kind.name, outcome=first["status"], points=points, says=says))
    return rows


def speed(number: int = 100) -> dict:
    """Grade a hundred perfect submissions; return seconds each, and what plain papermill takes for the same cells."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "in"), Path(place, "out")
        folder.mkdir()
        for count in range(number):
            put(folder, f"learner{count:03d}", PERFECT)
        start = time.perf_counter()
        grade(folder, out, SETTINGS, report=lambda line: None)
        ours = time.perf_counter() - start
        answers = read(json.dumps(PERFECT).encode(), LESSON.name, masters()).answers
        path = Path(place, "plain.ipynb")
        path.write_text(json.dumps(transplant(masters()["02"], answers)), encoding="utf-8")
        start = time.perf_counter()
        for _ in range(3):
            papermill.execute_notebook(str(path), str(path), kernel_name="python3", progress_bar=False)
        plain = (time.perf_counter() - start) / 3
    return dict(
        submissions=number,
        minutes=round(ours / 60, 2),
        seconds_each=round(ours / number, 2),
        jobs=SETTINGS.jobs,
        plain_papermill_seconds=round(plain, 2),
        ratio=round(plain / (ours / number), 1),
        machine=f"{platform.machine()}, Python {platform.python_version()}",
    )


def main(names: list[str]) -> None:
    """Write the record that docs/instructors.md is made from.

    Args:
        names: of kinds to grade anew, beside all that the record does not know, and "speed" for the speed; none for
            everything.
    """
    old = json.loads((DATA / "grading.json").read_text(encoding="utf-8"))
    rows = {row["kind"]: row for row in old["kinds"] if names and row["kind"] not in names}
    new = tuple(kind for kind in KINDS if kind.name not in rows)
    if new:
        with tempfile.TemporaryDirectory() as place:
            found = grade_kinds(Path(place, "in"), Path(place, "out"), new)
        rows |= {row["kind"]: row for row in table(found, new)}
    kinds = [rows[kind.name] for kind in KINDS]
    record = dict(command=old["command"], kinds=kinds, speed=speed() if not names or SPEED in names else old["speed"])
    save_json(DATA / "grading.json", record)
    print(json.dumps(record["speed"], indent=1), f"{len(record['kinds'])} kinds")


if __name__ == "__main__":
    main(sys.argv[1:])
