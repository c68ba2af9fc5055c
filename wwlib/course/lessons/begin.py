"""The first line of every lesson: settle the profile, refuse unknown parameters, seed, say where it runs."""

from __future__ import annotations

import ast
import platform

import torch

from wwlib.base.device import choose_compute, choose_threads
from wwlib.course.lessons.profiles import choose_profile


def begin(profile: str, seed: int = 0) -> str:
    """Settle a lesson's parameters and print where it will run; return the profile in force.

    Raises:
        ValueError: for an unknown profile, or a parameter name the lesson does not have; both list the known ones.
    """
    refuse_unknown_parameters(_executed_cells())
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


def _executed_cells() -> list[str]:
    try:
        from IPython import get_ipython
    except ImportError:
        return []
    shell = get_ipython()
    return [] if shell is None else [cell for cell in shell.user_ns.get("In", []) if cell]
