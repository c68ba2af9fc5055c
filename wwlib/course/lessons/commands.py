"""`release` the lessons to a class; `remake` their stored outputs and the generated tables of the documents."""

from __future__ import annotations

from pathlib import Path

from wwlib.base.command import INSTRUCTORS, Command
from wwlib.base.paths import require_clone


def _add_lessons(parser) -> None:
    parser.add_argument("lessons", nargs="*", help="numbers such as 00 03 (default: all)")


def _add_release(parser) -> None:
    _add_lessons(parser)
    parser.add_argument("--out", type=Path, default=Path("release"), help="folder (default: %(default)s)")


def _release(options) -> None:
    require_clone("notebooks/")
    from wwlib.course.lessons.release import release

    print(f"{len(release(options.out, options.lessons))} files in {options.out}")


def _lessons(options) -> None:
    from wwlib.course.lessons.notebooks import run_all

    run_all(options.lessons)


def _tables(_) -> None:
    from wwlib.course.lessons.readme import write_tables

    write_tables()


COMMANDS = (
    Command(
        "release", "write student, instructor, nbgrader and Gradescope copies", _release, _add_release, INSTRUCTORS
    ),
)
REMAKES = (
    Command("lessons", "execute lessons at quick and store their outputs, cleaned", _lessons, _add_lessons),
    Command("tables", "write the generated tables of README.md, docs/ and data/README.md", _tables),
)
