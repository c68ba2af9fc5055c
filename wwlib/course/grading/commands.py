"""`python -m wwlib grade`: options, exit codes, and the lines that an instructor sees."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from wwlib.base.command import INSTRUCTORS, Command
from wwlib.base.paths import require_own_clone


def _add(parser) -> None:
    parser.description = "Grade a folder of notebooks in sandboxes. Run it again to go on after an interruption."
    parser.epilog = (
        "Exit codes: 0 graded, 2 some submissions could not be read, 3 grading itself failed (for some or all), "
        "64 a wrong option."
    )
    parser.add_argument(
        "submissions",
        type=Path,
        help="folder, or one zip: ID.ipynb, ID/…/*.ipynb, ID.zip, or as Moodle, Canvas and Gradescope name them",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for grades, feedback and reports")
    parser.add_argument("--lesson", default="", help="grade this lesson only, such as 02 (default: each file's own)")
    parser.add_argument("--hidden", default="", help='folder of *.py with CASES = {"02.1": [generator -> arguments]}')
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (default: %(default)s)")
    parser.add_argument("--cell-timeout", type=float, default=20, help="seconds for a cell or a call (%(default)s)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a submission (default: %(default)s)")
    parser.add_argument("--memory", type=float, default=2, help="GB beyond the libraries' own (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the hidden inputs (default: a secret one, kept)")
    parser.add_argument("--strict", action="store_true", help="refuse to grade where a protection is not in force")
    parser.add_argument("--fresh", action="store_true", help="grade everything anew")
    parser.add_argument("--shard", default="1/1", help="k/n: only the k-th of n parts; grade 1/1 afterwards to merge")
    parser.add_argument("--due", type=_moment, help="such as 2026-11-30T23:59 (default: never late)")
    parser.add_argument("--late-penalty", type=float, default=0, help="share lost a begun day (default: %(default)s)")
    parser.add_argument("--roster", type=Path, help="CSV with student_id, last_name, first_name, email")
    parser.add_argument(
        "--mapping",
        type=Path,
        help="CSV with submission (a file or folder, or the person's name or "
        "number in it) and student_id, for what maps to nobody by itself",
    )


def _moment(text: str) -> datetime:
    """A date with its time: a date alone would be midnight at the start of that day, and nobody means that."""
    form = f"{text!r} must be a date and a time such as 2026-11-30T23:59"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(form) from None
    if not re.search(r"\d[T ]\d", text):
        raise argparse.ArgumentTypeError(form)
    return found


def run(options) -> int:
    """Grade a batch; return its exit code."""
    try:
        require_own_clone("grading")  # which hides the clone's answers: another copy's would lie open to submissions
        return _grade(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 64  # sysexits' EX_USAGE, as for an unknown option
    except (OSError, RuntimeError) as error:
        print(f"grading failed: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("stopped; what is graded is kept, run the same command again to go on", file=sys.stderr)
        return 130


def _grade(options) -> int:
    for path in (options.submissions, options.roster, options.mapping):
        if path and not path.exists():
            raise ValueError(f"no folder of submissions, and no file, at {path}")
    from wwlib.course.grading.grade import Settings, grade
    from wwlib.course.grading.gradebook import Lateness, strangers, write_books
    from wwlib.course.grading.incoming.people import Directory
    from wwlib.course.grading.incoming.roster import read_mapping, read_roster

    settings = Settings(options.jobs, options.cell_timeout, options.timeout, options.memory, options.seed,
                        options.hidden, options.strict)  # fmt: skip
    if min(settings.jobs, settings.cell_timeout, settings.timeout, settings.memory) <= 0:
        raise ValueError("--jobs, --cell-timeout, --timeout and --memory must be positive")
    if options.hidden and not Path(options.hidden).is_dir():
        raise ValueError(f"--hidden must be a folder, got {options.hidden!r}")
    part = re.fullmatch(r"(\d+)/(\d+)", options.shard)
    if not part or not 1 <= int(part[1]) <= int(part[2]):
        raise ValueError(f"--shard must be k/n with 1 <= k <= n, got {options.shard!r}")
    shard = (int(part[1]), int(part[2]))
    directory = Directory(read_roster(options.roster), read_mapping(options.mapping))
    if not 0 <= options.late_penalty <= 1:
        raise ValueError(f"--late-penalty is a share of the points, from 0 to 1, got {options.late_penalty}")
    if options.late_penalty and options.due is None:
        raise ValueError("--late-penalty needs --due")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("WARNING: grading as root: what is not isolated below can do what root can; use another account")
    private = [path for path in (options.roster, options.mapping) if path]
    if options.due:
        print(f"due {options.due.astimezone():%Y-%m-%d %H:%M %Z}, lost a begun day: {options.late_penalty:.0%}")
    print("starting: the first result takes a while, since every library is loaded first", flush=True)
    summary = grade(options.submissions, options.out, settings, options.lesson, shard, options.fresh, _say, private,
                    directory)  # fmt: skip
    if shard != (1, 1):
        print(f"part {options.shard}: {summary['graded']} graded, {summary['kept']} kept; merge with --shard 1/1")
        return 0
    if not summary["submissions"]:
        raise ValueError(f"no submissions in {options.submissions}")
    lateness = Lateness(options.due, options.late_penalty)
    results = write_books(options.out, summary, lateness, directory.roster, dataclasses.asdict(settings))
    for one in summary["unreadable"]:
        _say(f"not graded, because {one['problem']}: {one['file']}")
    for remark in summary["remarks"]:
        _say(remark)
    _list("replaced by a newer file", summary["replaced"], _say)
    learners = {r["learner"] for r in results} | {u["learner"] for u in summary["unreadable"]}
    for what, names in {**strangers(sorted(learners), directory.roster), "nobody's": summary["nobodys"]}.items():
        _list(what, names, _say)
    ungraded = [r for r in results if not r["graded"]]
    _say(f"{len(results) - len(ungraded)} graded ({summary['kept']} kept from before), {len(ungraded)} not, "
         f"{len(summary['unreadable'])} unreadable, {summary['seconds']:.0f} s; see {options.out}")  # fmt: skip
    return 3 if ungraded else 2 if summary["unreadable"] else 0


def _say(line: str) -> None:
    """Print one line, whatever names stand in it."""
    print("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line), flush=True)


def _list(what: str, names: list[str], say: Callable[[str], None]) -> None:
    if names:
        more = f" and {len(names) - 20} more, see run.json" if len(names) > 20 else ""
        say(f"{what}: {', '.join(names[:20])}{more}")


COMMANDS = (Command("grade", "grade a folder of submitted notebooks", run, _add, INSTRUCTORS),)
