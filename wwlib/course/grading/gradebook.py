"""Grades as files: tables for nbgrader's readers, Moodle and Canvas, JUnit for CI, and the record of the run."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from wwlib.base.files import save_json, write_whole
from wwlib.course.grading.incoming.people import safe_name
from wwlib.course.grading.pages import feedback, gradescope
from wwlib.course.grading.servers import Infrastructure
from wwlib.course.grading.wire import clean
from wwlib.course.lessons.notebooks import lesson_files

# where a spreadsheet that splits cells at any of these would begin a formula; full-width signs count as plain ones
FORMULA = re.compile(r"(^|[;,|\t\r\n])([\s\"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20\u2212])")
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")
COLUMNS = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
           "late_submission_penalty", "score", "max_score")  # fmt: skip


@dataclass(frozen=True)
class Lateness:
    """When work is due, and the share of its points that each begun day after that costs."""

    due: datetime | None = None
    penalty: float = 0.0

    def lost(self, points: float, modified: float) -> float:
        """Return the points that a submission of that time loses; none where its time is not known (0)."""
        if self.due is None or not modified or modified <= self.due.timestamp():
            return 0.0
        days = math.ceil((modified - self.due.timestamp()) / 86_400)
        return round(min(points, points * self.penalty * days), 3)


def write_books(out: Path, summary: dict, lateness: Lateness, roster: dict[str, dict], settings: dict) -> list[dict]:
    """Write every table, page and report from the results in `out/graded`; return the results.

    Args:
        out: folder of the batch.
        summary: what `grade` returned.
        lateness: due date and penalty.
        roster: from `wwlib.course.grading.incoming.people.read_roster`.
        settings: for `run.json`.

    Raises:
        Infrastructure: if learners and results are not one to one.
    """
    results = []
    for learner, name in summary["counted"]:
        path = out / "graded" / name
        if path.exists():
            results.append(json.loads(path.read_text(encoding="utf-8")))
            if results[-1]["learner"] != learner:
                raise Infrastructure(f"{path} should be {learner!r}'s, but is {results[-1]['learner']!r}'s")
    titles = {lesson.name[:2]: lesson.stem for lesson in lesson_files()}
    for result in results:
        result["lost"] = lateness.lost(result["points"] or 0.0, result["modified"])
    learners = sorted({r["learner"] for r in results} | {u["learner"] for u in summary["unreadable"]})
    names = {safe_name(learner).casefold() for learner in learners}
    rows = {(r["lesson"], r["learner"]) for r in results}
    if len(rows) != len(results) or len(names) != len(learners):
        said = f"{len(results)} results for {len(rows)} rows, {len(learners)} learners for {len(names)} files"
        raise Infrastructure(f"results are not one to one: {said}")
    _tables(out, results, titles, lateness, roster)
    _junit(out / "junit.xml", results, summary["unreadable"])
    for learner in learners:
        own = [r for r in results if r["learner"] == learner]
        problems = [u for u in summary["unreadable"] if u["learner"] == learner]
        name = safe_name(learner)
        save_json(out / "results" / name / "results.json", gradescope(own, problems))
        page = feedback(learner, own, problems, titles)
        write_whole(
            out / "feedback" / f"{name}.html",
            lambda file, page=page: file.write_text(page, encoding="utf-8", errors="replace"),
        )
    save_json(out / "run.json", {
        "seed": summary["seed"], "settings": {k: v for k, v in settings.items() if k != "seed"},
        "due": lateness.due.isoformat() if lateness.due else None, "late penalty": lateness.penalty,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": summary["seconds"], "submissions": summary["submissions"], "graded now": summary["graded"],
        "kept": summary["kept"], "replaced": summary["replaced"], "unreadable": summary["unreadable"],
        "nobody's files": summary["nobodys"], "remarks": summary["remarks"], **strangers(learners, roster),
        "protections": summary["protections"] or next((r["protections"] for r in results if r["protections"]), []),
        "device": "cpu", "feedback": {learner: f"feedback/{safe_name(learner)}.html" for learner in learners},
        "seconds a submission": {f"{r['lesson']}-{r['learner']}": r["seconds"] for r in results},
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ("torch", "papermill", "nbformat")}},
    })  # fmt: skip
    return results


def strangers(learners: list[str], roster: dict[str, dict]) -> dict[str, list[str]]:
    """Return who handed in without being in the roster, and who is in it and handed in nothing."""
    if not roster:
        return {"not in the roster": [], "handed in nothing": []}
    return {"not in the roster": [learner for learner in learners if learner not in roster],
            "handed in nothing": [id for id in roster if id not in set(learners)]}  # fmt: skip


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet runs as a formula: an apostrophe goes before what would begin one.

    Signed numbers stay as they are: `+49123` may be an id.
    """
    if not isinstance(cell, str) or NUMBER.fullmatch(cell):
        return cell
    return FORMULA.sub(r"\1\2'", cell)


def _csv(path: Path, rows: list[list[object]]) -> None:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
    write_whole(path, lambda file: file.write_text(target.getvalue(), encoding="utf-8", errors="replace"))


def _tables(out: Path, results: list[dict], titles: dict, lateness: Lateness, roster: dict[str, dict]) -> None:
    due = lateness.due.isoformat() if lateness.due else ""
    grades, moodle, canvas = [list(COLUMNS)], [["ID number", "Grade", "Feedback comments"]], {}
    for result in results:
        who = roster.get(result["learner"], {})
        stamp = datetime.fromtimestamp(result["modified"], UTC).isoformat(timespec="seconds")
        raw = result["points"] if result["graded"] else ""
        score = round(raw - result["lost"], 3) if result["graded"] else ""
        title = titles[result["lesson"]]
        grades.append([title, due, stamp, result["learner"], who.get("last_name", ""), who.get("first_name", ""),
                       who.get("email", ""), raw, result["lost"], score, result["of"]])  # fmt: skip
        moodle.append([result["learner"], score, f"{title}: {_one_line(result)}"])
        canvas.setdefault(result["learner"], {})[title] = score
    _csv(out / "grades.csv", grades)
    _csv(out / "moodle.csv", moodle)
    most = {titles[r["lesson"]]: r["of"] for r in results}
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *most],
             ["Points Possible", "", "", "", "", *most.values()]]  # fmt: skip
    for learner, scores in canvas.items():
        who = roster.get(learner, {})
        name = ", ".join(part for part in (who.get("last_name"), who.get("first_name")) if part) or learner
        lines.append([name, "", learner, who.get("email", ""), "", *(scores.get(title, "") for title in most)])
    _csv(out / "canvas.csv", lines)


def _one_line(result: dict) -> str:
    if not result["graded"]:
        return f"not graded, because {result['why']}"
    return ", ".join(f"{test['exercise']} {test['status']}" for test in result["tests"])


def _junit(path: Path, results: list[dict], unreadable: list[dict]) -> None:
    root = ElementTree.Element("testsuites")
    for result in results:
        failed = sum(test["points"] < test["of"] for test in result["tests"])
        learner = clean(result["learner"])
        suite = ElementTree.SubElement(
            root, "testsuite", name=f"{result['lesson']} {learner}", tests=str(len(result["tests"]) or 1),
            failures=str(failed), errors=str(int(not result["graded"])), time=str(result["seconds"]),
        )  # fmt: skip
        for test in result["tests"]:
            case = ElementTree.SubElement(suite, "testcase", classname=learner, name=test["exercise"])
            if test["points"] < test["of"]:
                ElementTree.SubElement(case, "failure", message=test["status"]).text = clean(test["text"])
        if not result["graded"]:
            case = ElementTree.SubElement(suite, "testcase", classname=learner, name="grading")
            ElementTree.SubElement(case, "error", message=clean(result["why"]))
    for one in unreadable:
        suite = ElementTree.SubElement(root, "testsuite", name=clean(one["file"]), tests="1", errors="1")
        case = ElementTree.SubElement(suite, "testcase", classname=clean(one["learner"]), name="reading")
        ElementTree.SubElement(case, "error", message=clean(one["problem"]))
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    write_whole(path, lambda file: file.write_bytes(data))
