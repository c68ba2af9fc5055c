"""The first line of every lesson: compare versions, settle the profile, refuse unknown parameters, say where it is."""

from __future__ import annotations

import ast
import platform

import torch

from wwlib import __version__
from wwlib.base.device import choose_compute, choose_threads
from wwlib.course.lessons.parameters import check_parameters, declared, or_no_further_cell, session
from wwlib.course.lessons.profiles import choose_profile

FIRST_WITH_VERSION = "0.2.0"  # lessons older than this do not name their version, and import modules that have moved


class OldLesson(Exception):
    """The lesson is older than the library's present names; a notebook shows the sentence without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # IPython asks an exception for this method


def begin(profile: str, seed: int = 0, version: str | None = None) -> str:
    """Settle a lesson's parameters and print where it will run; return the profile in force.

    Args:
        profile: "quick", "full" or "paper".
        seed: of every random choice.
        version: of the course that the lesson was written for, such as "0.2.0". `make lessons` writes it. If it is not
            the library's, one printed sentence says so, and the lesson goes on.

    Raises:
        OldLesson: without a version: the lesson is older than 0.2.0, and its imports would fail one by one.
        ValueError: for an unknown profile, a parameter the lesson does not have, or a value that its parameter cannot
            have; then no further cell of the lesson runs before this one has passed.
    """
    if version is None:
        raise OldLesson(
            f"This lesson was written for the course before version {FIRST_WITH_VERSION}, and the library here is "
            f"version {__version__}, whose modules have other names: get the lesson anew and copy your answers into "
            "it, or check out the tag v0.1.0 of the course."
        )
    cells, values = session()
    with or_no_further_cell():
        refuse_unknown_parameters(cells)
        check_parameters(declared(cells), {**values, "profile": profile, "seed": seed})
        chosen = choose_profile(profile)
    torch.manual_seed(seed)
    choose_threads()
    print(f"Where & What {__version__}; profile {chosen}, seed {seed}; {choose_compute()}; "
          f"PyTorch {torch.__version__.split('+')[0]}, Python {platform.python_version()}")  # fmt: skip
    if version != __version__:
        print(
            f"This lesson was written for version {version} of the course, and the library here is version "
            f"{__version__}: where a cell fails, get the lesson anew, or check out the tag v{version} of the course."
        )
    return chosen


def refuse_unknown_parameters(cells: list[str]) -> None:
    """Raise ValueError if papermill injected a parameter that the lesson's own parameters cell does not name.

    Args:
        cells: the source of the cells executed so far. Papermill puts its cell, which starts with `# Parameters`,
            after the lesson's; by itself it only warns, and the misspelt value would silently do nothing.
    """
    for position, cell in enumerate(cells):
        if position and cell.lstrip().startswith("# Parameters"):
            known, given = _assigned(cells[position - 1]), _assigned(cell)
            if unknown := sorted(given - known):
                raise ValueError(
                    f"this lesson has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}"
                )


def _assigned(source: str) -> set[str]:
    names = set()
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names
