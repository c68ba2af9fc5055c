"""What one learner gets: advice, a page of feedback, and Gradescope's results."""

from __future__ import annotations

import base64
import binascii
import html
import re

from wwlib.course.grading.shell import NOTHING_INSTALLED

REFUSED = ("PermissionError", "Operation not permitted", "Read-only file system", "failure in name resolution")
SANDBOX = ("the grader runs cells without network, sockets, installation of packages, keyboard or files of your own; "
           "see docs/grading.md")  # fmt: skip
PACKAGES = ("the grader installs nothing and runs no %%writefile: use the packages of environment.yml, and write "
            "functions of your own into the cell of the answer")  # fmt: skip
PROCESSES = re.compile(r"\b(multiprocessing|mp|joblib|ProcessPoolExecutor|num_workers|subprocess|os\.fork)\b")
LOST = re.compile(r"too slow|EOFError|BrokenProcessPool|TerminatedWorkerError|PermissionError")
ONE_PROCESS = ("new processes start slowly in the grader, and a Manager of theirs does not work, since it needs "
               "sockets: compute in one process, with n_jobs=1 or num_workers=0")  # fmt: skip


def advice(text: str, shown: str, source: str) -> list[str]:
    """Return, in a sentence each, what a learner should write instead of what the grader's conditions do not allow.

    Args:
        text: what is said of the answer so far, errors and all.
        shown: what its cell showed.
        source: of the answer.
    """
    found = []
    if NOTHING_INSTALLED in shown or "ModuleNotFoundError" in text:
        found.append(PACKAGES)
    if LOST.search(text) and PROCESSES.search(source):
        found.append(ONE_PROCESS)
    elif any(word in text for word in REFUSED):
        found.append(SANDBOX)
    return found


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
            shown = result["outputs"].get(test["exercise"], [])  # an error stands in the text already
            parts += [_shown(output) for output in shown if output.get("error", "?") not in test["text"]]
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
