"""Grades as files: what learners, instructors, Gradescope, Moodle, Canvas, nbgrader's readers and CI expect."""

from __future__ import annotations

import base64
import binascii
import csv
import html
import io
import json
import math
import platform
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from wwlib.base.files import save_json, write_whole
from wwlib.course.grading.submissions import safe_name
from wwlib.course.grading.wire import clean
from wwlib.course.lessons.notebooks import lesson_files

COLUMNS = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
           "late_submission_penalty", "score", "max_score")  # fmt: skip


@dataclass(frozen=True)
class Lateness:
    """When work is due, and the share of its points that each begun day after that costs."""

    due: datetime | None = None
    penalty: float = 0.0

    def lost(self, points: float, modified: float) -> float:
        """Return the points that a submission of that time loses."""
        if self.due is None or modified <= self.due.timestamp():
            return 0.0
        days = math.ceil((modified - self.due.timestamp()) / 86_400)
        return round(min(points, points * self.penalty * days), 3)


def read_roster(path: Path | None) -> dict[str, dict]:
    """Return names and addresses by `student_id` from a CSV with nbgrader's column names.

    Raises:
        ValueError: if the file has no column `student_id`.
    """
    if path is None:
        return {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and "student_id" not in rows[0]:
        raise ValueError(f"{path} must have a column student_id, has {list(rows[0])}")
    return {row["student_id"]: row for row in rows}


def write_books(out: Path, summary: dict, lateness: Lateness, roster: dict[str, dict], settings: dict) -> list[dict]:
    """Write every table, page and report from the results in `out/graded`; return the results.

    Args:
        out: folder of the batch.
        summary: what `grade` returned.
        lateness: due date and penalty.
        roster: from `read_roster`.
        settings: for `run.json`.
    """
    results = []
    for name in summary["counted"]:
        path = out / "graded" / name
        if path.exists():
            results.append(json.loads(path.read_text(encoding="utf-8")))
    titles = {lesson.name[:2]: lesson.stem for lesson in lesson_files()}
    for result in results:
        result["lost"] = lateness.lost(result["points"] or 0.0, result["modified"])
    _tables(out, results, titles, lateness, roster)
    _junit(out / "junit.xml", results, summary["unreadable"])
    for learner in sorted({r["learner"] for r in results} | {u["learner"] for u in summary["unreadable"]}):
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
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": summary["seconds"], "submissions": summary["submissions"], "graded now": summary["graded"],
        "kept": summary["kept"], "replaced": summary["replaced"], "unreadable": summary["unreadable"],
        "protections": next((r["protections"] for r in results if r["protections"]), []), "device": "cpu",
        "seconds a submission": {f"{r['lesson']}-{r['learner']}": r["seconds"] for r in results},
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ("torch", "papermill", "nbformat")}},
    })  # fmt: skip
    return results


def _csv(path: Path, rows: list[list[object]]) -> None:
    """Write a table; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{c}" if isinstance(c, str) and c.startswith(tuple("=+-@\t\r")) else c for c in row])
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


def gradescope(results: list[dict], problems: list[dict]) -> dict:
    """Return Gradescope's `results.json` for one learner."""
    tests = [
        {
            "name": f"{test['exercise']} {test['title']}", "number": test["exercise"], "score": test["points"],
            "max_score": test["of"], "status": "passed" if test["points"] == test["of"] else "failed",
            "output": test["text"], "output_format": "text", "visibility": "visible",
        }
        for result in results for test in result["tests"]
    ]  # fmt: skip
    notes = [f"{r['file']}: {note}" for r in results for note in r["notes"]]
    notes += [f"{r['file']}: not graded, because {r['why']}" for r in results if not r["graded"]]
    notes += [f"{p['file']}: not graded, because {p['problem']}" for p in problems]
    lost = sum(r.get("lost", 0.0) for r in results)
    graded = bool(results) and all(r["graded"] for r in results)
    # without a score Gradescope shows an error to the instructor: what is not graded must not look like a zero
    return {
        **({"score": round(sum(t["score"] for t in tests) - lost, 3)} if graded else {}),
        "execution_time": sum(r["seconds"] for r in results),
        "output": "\n".join(notes), "visibility": "visible", "stdout_visibility": "hidden", "tests": tests,
        "extra_data": {"graded": graded, "late penalty": lost},
    }  # fmt: skip


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


MARKS = {"right": "#2e8b57", "partly right": "#b8860b"}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color-scheme:light dark}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere}}section{{border-left:6px solid;padding-left:1em;margin:1em 0}}
img{{max-width:100%}}</style>{body}</html>
"""


def feedback(learner: str, results: list[dict], problems: list[dict], titles: dict) -> str:
    """Return a learner's page: points, what was right and wrong, and what the learner's own cells showed."""
    parts = [f"<h1>{html.escape(learner)}</h1>"]
    for one in problems:
        parts.append(f"<p><b>{html.escape(one['file'])}</b>: not graded, because {html.escape(one['problem'])}.</p>")
    for result in results:
        late = f", {result['lost']:g} lost for being late" if result.get("lost") else ""
        got = f"{result['points']:g} of {result['of']:g} points{late}" if result["graded"] else (
            f"not graded, because {result['why']}"
        )  # fmt: skip
        parts.append(f"<h2>{titles[result['lesson']]}</h2><p>{html.escape(got)}</p>")
        parts += [f"<p>{html.escape(note)}</p>" for note in result["notes"]]
        for test in result["tests"]:
            colour = MARKS.get(test["status"], "#c0392b")
            parts.append(f"<section style='border-color:{colour}'><h3>{test['exercise']} {html.escape(test['title'])}: "
                         f"{html.escape(test['status'])}, {test['points']:g} of {test['of']:g}</h3>")  # fmt: skip
            if test["text"]:
                parts.append(f"<pre>{html.escape(test['text'])}</pre>")
            parts += [_shown(output) for output in result["outputs"].get(test["exercise"], [])]
            parts.append("</section>")
    return PAGE.format(title=html.escape(learner), body="\n".join(parts))


def _shown(output: dict) -> str:
    if "png" in output:
        try:
            data = base64.b64decode(output["png"], validate=False)
        except (binascii.Error, ValueError):
            return ""
        if not data.startswith(b"\x89PNG"):
            return ""
        return f"<p><img alt='your figure' src='data:image/png;base64,{base64.b64encode(data).decode()}'></p>"
    return f"<pre>{html.escape(output.get('text') or output.get('error') or '')}</pre>"
