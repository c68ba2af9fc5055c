"""The first line of every lesson: settle the profile, refuse unknown parameters, seed, say where it runs."""

from __future__ import annotations

import ast
import platform

import torch

from wwlib.base.device import choose_compute, choose_threads
from wwlib.course.lessons.parameters import check_parameters, declared, or_no_further_cell, session
from wwlib.course.lessons.profiles import choose_profile


def begin(profile: str, seed: int = 0) -> str:
    """Settle a lesson's parameters and print where it will run; return the profile in force.

    Raises:
        ValueError: for an unknown profile, a parameter the lesson does not have, or a value that its parameter cannot
            have; then no further cell of the lesson runs before this one has passed.
    """
    cells, values = session()
    with or_no_further_cell():
        refuse_unknown_parameters(cells)
        check_parameters(declared(cells), {**values, "profile": profile, "seed": seed})
        chosen = choose_profile(profile)
    torch.manual_seed(seed)
    choose_threads()
    print(f"profile {chosen}, seed {seed}; {choose_compute()}; PyTorch {torch.__version__.split('+')[0]}, "
          f"Python {platform.python_version()}")  # fmt: skip
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
