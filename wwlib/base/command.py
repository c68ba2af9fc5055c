"""What a command of `python -m wwlib` is, how its options are read, and the exit codes that all of them share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

USERS = LEARNERS, INSTRUCTORS, MAINTAINERS = "learners and researchers", "instructors", "maintainers"
FAILED, WRONG_USE = 1, 64  # 64 is EX_USAGE of sysexits.h; `grade` ends with 2 when submissions are unreadable


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing to a parser: for a command without options."""


@dataclass(frozen=True)
class Command:
    """A command, or one of the records that `remake` makes anew.

    A module called `commands` offers its commands as a tuple `COMMANDS` and its records as a tuple `REMAKES`. It is
    imported whenever the command line starts, so what takes long to import is imported inside these functions.

    Args:
        name: as it is typed.
        help: one line that says what it does.
        run: parsed options to an exit code; None means 0.
        add_arguments: adds the options to a parser; may set its `description` and `epilog`. Called only when the
            command is used.
        users: who uses it, one of `USERS`.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int | None]
    add_arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    users: str = LEARNERS


class Parser(argparse.ArgumentParser):
    """A parser for which a wrong option ends the program with `WRONG_USE`."""

    def error(self, message: str):
        """Print usage and message on stderr and leave."""
        self.print_usage(sys.stderr)
        self.exit(WRONG_USE, f"{self.prog}: error: {message}\n")


def run_command(command: Command, program: str, arguments: Sequence[str]) -> int:
    """Read a command's options, run it and return its exit code; an error that it names goes to stderr.

    Args:
        command: which.
        program: what was typed before the options, for the usage line.
        arguments: the options.
    """
    parser = Parser(prog=program, description=f"{command.help[0].upper()}{command.help[1:]}.")
    command.add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return command.run(options) or 0
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED


def choose(
    program: str, what: str, commands: Sequence[Command], arguments: Sequence[str], about: str = "", version: str = ""
) -> Command:
    """Return the command that the first argument names; print the help, or end the program, where it names none.

    Args:
        program: what was typed before, for the usage line.
        what: a word for what is chosen, such as "COMMAND".
        commands: to choose from; the help lists them by who uses them.
        arguments: as typed; only the first is read.
        about: a description for the help.
        version: shown by `--version`; empty for no such option.
    """
    users = {command.users: None for command in sorted(commands, key=lambda c: USERS.index(c.users))}
    groups = [f"for {one}:\n{listing([c for c in commands if c.users == one])}" for one in users]
    options = "[-h] [--version]" if version else "[-h]"
    parser = Parser(
        prog=program,
        usage=f"{program} {options} {what} ...",
        description=about,
        epilog="\n\n".join(groups) if len(groups) > 1 else listing(commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if version:
        parser.add_argument("--version", action="version", version=version)
    names = [command.name for command in commands]
    parser.add_argument("name", metavar=what, choices=names, help="one of those below; each has a --help of its own")
    name = parser.parse_args(arguments[:1]).name
    return next(command for command in commands if command.name == name)


def listing(commands: Sequence[Command]) -> str:
    """Return one line for each command: its name and what it does."""
    width = max(len(command.name) for command in commands)
    return "\n".join(f"  {command.name:{width}}  {command.help}" for command in commands)


def parts_command(
    name: str, help: str, make: Callable[[list[str], list[int] | None], None], parts: str, seeds: str
) -> Command:
    """Return the command of a record that can be narrowed to some of its parts and some of its seeds.

    Args:
        name, help: as `Command`'s.
        make: makes these parts (all when empty) with these seeds (the record's own when None).
        parts: names of a few parts, for the help.
        seeds: what the seeds are of, for the help.
    """

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("parts", nargs="*", help=f"such as {parts} (default: all)")
        parser.add_argument("--seeds", type=int, nargs="+", help=seeds)

    def run(options: argparse.Namespace) -> None:
        from wwlib.base.device import choose_threads

        choose_threads()
        make(options.parts, options.seeds)

    return Command(name, help, run, add)
