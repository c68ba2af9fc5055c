"""`python -m wwlib`: the command line. Every package offers its commands in a module called `commands`."""

from __future__ import annotations

import importlib
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import wwlib
from wwlib.base.command import MAINTAINERS, WRONG_USE, Command, choose, listing, run_command
from wwlib.base.paths import require_clone

PROGRAM = "python -m wwlib"
ABOUT = "Train generators, score what they learnt, teach with the lessons."
# commands of version 0.1 that have another name now; those that became a record of the same name are not listed
RENAMED = {
    "fid": "score",
    "compare": "remake perturbation",
    "interpret": "remake interpretation",
    "translate": "remake translation",
    "fuse": "remake fusion",
    "ship": "remake shipped",
    "examine": "remake examination",
    "rescore": "remake scores",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 an error named on stderr, 64 wrong use. `grade` has more."""
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a name that the console's encoding lacks must not end a command
        if getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="backslashreplace")
    verbs, records = offered("COMMANDS"), offered("REMAKES")
    moved = RENAMED | {record.name: f"remake {record.name}" for record in records}
    if given and given[0] in moved:
        now = f"{PROGRAM} {moved[given[0]]} {shlex.join(given[1:])}".rstrip()
        print(f"`{given[0]}` has another name now: {now}", file=sys.stderr)
        return WRONG_USE
    remake = Command("remake", "make one of the repository's records anew; alone: list them", print, users=MAINTAINERS)
    verb = choose(PROGRAM, "COMMAND", [*verbs, remake], given, ABOUT, f"wwlib {wwlib.__version__}")
    if verb is not remake:
        return run_command(verb, f"{PROGRAM} {verb.name}", given[1:])
    if len(given) == 1:
        print(listing(records))
        return 0
    record = choose(f"{PROGRAM} remake", "RECORD", records, given[1:], "Make a file in data/ anew.")

    def run(options):
        require_clone("data/")
        return record.run(options)

    return run_command(replace(record, run=run), f"{PROGRAM} remake {record.name}", given[2:])


def offered(what: str) -> list[Command]:
    """Return what every `commands` module of the package offers under that name, `COMMANDS` or `REMAKES`, sorted."""
    root = Path(wwlib.__file__).parent
    names = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in root.rglob("commands.py")]
    modules = [importlib.import_module(name) for name in names]
    return sorted((one for module in modules for one in getattr(module, what, ())), key=lambda one: one.name)


if __name__ == "__main__":
    sys.exit(main())
