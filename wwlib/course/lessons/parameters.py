"""A lesson's parameters: each is of the kind that its annotation says and in its range, or no further cell runs."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real

KINDS = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "text in quotes"}


class Refused(ValueError):
    """A parameter cannot be what it is; a notebook shows the sentence without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]  # IPython asks an exception for this method


@dataclass(frozen=True)
class Whole:
    """The whole numbers that a parameter may be: from `least` to `most`, and 0 where that means a default."""

    least: int
    most: int = 10**9
    or_zero: bool = False

    def holds(self, value: int) -> bool:
        """Say whether a number is one of these."""
        return self.least <= value <= self.most or (self.or_zero and value == 0)

    def __str__(self) -> str:
        return f"{'0 or ' * self.or_zero}a whole number from {self.least:,} to {self.most:,}"


# by name: a parameter means the same in every lesson; a test sees to it that no whole number is left out
RANGES: dict[str, Whole] = {
    "seed": Whole(0, 2**31 - 1),
    "more_steps": Whole(1),
    "fit_steps": Whole(10),  # six of them are shown
    "gan_steps": Whole(40, or_zero=True),  # losses are shown from step 20 on
    "pair_images": Whole(512, or_zero=True),  # some steps of the pair that shows the most at once
    "full_images": Whole(64, or_zero=True),
    "least": Whole(1, 10),  # models of the population have ten codes
}
CHOICES: dict[str, tuple[str, ...]] = {"net": ("vgg", "alex")}  # `begin` looks at the profile itself


def declared(cells: list[str]) -> dict[str, str]:
    """Return the annotation of every parameter, from the lesson's own parameters cell; empty where none was executed.

    Args:
        cells: the source of the cells executed so far. The latest counts that annotates a profile at its top level.
    """
    for cell in reversed(cells):
        with contextlib.suppress(SyntaxError):  # magics, or what failed
            annotated = [node for node in ast.parse(cell).body if isinstance(node, ast.AnnAssign)]
            found = {node.target.id: ast.unparse(node.annotation) for node in annotated
                     if isinstance(node.target, ast.Name)}  # fmt: skip
            if "profile" in found:
                return found
    return {}


def check_parameters(annotations: Mapping[str, str], values: Mapping[str, object]) -> None:
    """Raise ValueError, in one sentence, for the first parameter that is not what its annotation and range say.

    Args:
        annotations: by name, as `declared` gives them.
        values: by name; others are passed over.
    """
    for name, annotation in annotations.items():
        if name not in values:
            continue
        value, wanted = values[name], KINDS.get(annotation, "")
        if name in CHOICES:
            right, wanted = value in CHOICES[name], f"one of {', '.join(map(repr, CHOICES[name]))}"
        elif annotation == "int":
            right = isinstance(value, Integral) and not isinstance(value, bool)
            if name in RANGES:
                right, wanted = right and RANGES[name].holds(value), str(RANGES[name])
        else:
            right = {"float": isinstance(value, Real) and not isinstance(value, bool), "bool": isinstance(value, bool),
                     "str": isinstance(value, str)}.get(annotation, True)  # fmt: skip
        if not right:
            raise ValueError(f"{name} must be {wanted}, got {value!r}; change it in the cell of parameters above")


def session() -> tuple[list[str], dict[str, object]]:
    """Return the cells executed so far and what they defined; both empty outside of IPython."""
    shell = _shell()
    return ([], {}) if shell is None else ([cell for cell in shell.user_ns.get("In", []) if cell], shell.user_ns)


@contextlib.contextmanager
def or_no_further_cell() -> Iterator[None]:
    """After a refusal inside, let IPython run no cell but those that lead to `begin`, until it passes.

    Otherwise whoever goes on cell by cell would work with the values that an earlier run left behind.

    Raises:
        Refused: in place of a ValueError, with its sentence.
    """
    shell = _shell()
    if shell is not None:
        shell.ast_transformers[:] = [one for one in shell.ast_transformers if not isinstance(one, _Refusal)]
    try:
        yield
    except ValueError as error:
        if shell is not None:
            shell.ast_transformers.append(_Refusal(str(error)))
        raise Refused(str(error)) from None


class _Refusal:
    """What IPython asks before it runs a cell: it says no, with the reason, but to the first cells of a lesson."""

    def __init__(self, reason: str):
        self.reason = reason

    def visit(self, cell: ast.Module) -> ast.Module:
        names = {(node.id, type(node.ctx)) for node in ast.walk(cell) if isinstance(node, ast.Name)}
        first_cells = {("hosted", ast.Store), ("profile", ast.Store), ("begin", ast.Load)}
        if names & first_cells:
            return cell
        from IPython.core.error import InputRejected

        class NotRun(InputRejected):
            _render_traceback_ = Refused._render_traceback_

        raise NotRun(f"not run, since the lesson has not begun: {self.reason}")


def _shell():
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
