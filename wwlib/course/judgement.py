"""How an answer is judged, by `check` and by the grader alike: what is wrong with it, and how that is said."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wwlib.course.describe import as_tensor, brief, describe, kind_of, line_of, name_of, plain
from wwlib.course.exercise import Exercise, Property, slopes_of, value_and_slopes

GREEN, RED, GREY = "#2e8b57", "#c0392b", "#7a8494"
FORGOTTEN = "\nhint       nothing came back: is a `return` missing?"


@dataclass(frozen=True)
class Result:
    """What `check` or `quiz` found; a notebook shows it as a coloured block, a terminal as text."""

    passed: bool
    title: str
    body: str
    colour: str

    def __repr__(self) -> str:
        return f"{self.title}\n{self.body}".rstrip()

    def _repr_html_(self) -> str:
        style = f"border-left:6px solid {self.colour};padding:.4em .8em;margin:.3em 0;color:inherit"
        # lines of a narrow window break between words: JupyterLab's own style would break a number in two
        wrap = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
        plain = f"margin:.3em 0;background:transparent;color:inherit;{wrap}"
        body = f"<pre style='{plain}'>{html.escape(self.body)}</pre>"
        return f"<div style='{style}' role='status'><b>{html.escape(self.title)}</b>{body if self.body else ''}</div>"


def first_fault(exercise: Exercise, answer: Callable, seed: int = 0, double: bool | None = None,
                numbers: bool = True) -> Result | None:  # fmt: skip
    """Return what is wrong with an answer, or None if nothing was found.

    Args:
        exercise: whose cases or properties are tried.
        answer: a function, the learner's or a stand-in that calls it elsewhere; what it returns is judged as `plain`.
        seed: of the inputs; `check` uses 0.
        double: try the cases in float64 (True), float32 (False) or both.
        numbers: show the inputs and the right answers, not their shapes only.
    """
    for number, one in enumerate(exercise.properties):
        if double is not True and (fault := _try_property(exercise, one, answer, seed + number, numbers)):
            return fault
    for in_double in (False, True) if double is None else (double,):
        for number, make in enumerate(exercise.cases):
            if fault := _try_case(exercise, make, answer, seed + number, in_double, numbers):
                return fault
    return None


class Watched:
    """An answer to an open exercise that remembers what it was called with, what it returned and what it raised."""

    def __init__(self, answer: Callable):
        self.answer, self.calls, self.raised = answer, [], None

    def _remember(self, call: Callable, arguments: tuple, options: dict | None = None) -> object:
        try:
            returned = plain(call(*arguments, **(options or {})))
        except BaseException as error:
            self.raised = error
            raise
        self.calls.append((arguments, returned))
        return returned

    def __call__(self, *arguments, **options) -> object:
        return self._remember(self.answer, arguments, options)

    def with_slopes(self, *arguments) -> tuple[object, list[Tensor]]:
        differentiate = getattr(self.answer, "with_slopes", lambda *a: value_and_slopes(self.answer, a))
        value, slopes = self._remember(differentiate, arguments)
        self.calls[-1] = (arguments, value)
        return value, slopes

    def last(self, numbers: bool) -> str:
        """Describe the last call, and up to three results of calls with arguments of the same shapes."""
        if not self.calls:
            return ""
        called = [brief(a, numbers) for a in self.calls[-1][0]]
        alike = [value for inputs, value in self.calls if [brief(a, numbers) for a in inputs] == called][-3:]
        return f"\ncalled     {name_of(self.answer)}({', '.join(called)})" + "".join(
            f"\nreturned   {describe(value)}" for value in alike
        )


def _try_property(exercise: Exercise, one: Property, answer: Callable, seed: int,
                  numbers: bool) -> Result | None:  # fmt: skip
    watched, hint = Watched(answer), ""
    try:
        if one.holds(watched, seed):
            return None
        body = f"must hold  {one.what}{watched.last(numbers)}"
    except NotImplementedError:
        return _waiting(exercise)
    except (Exception, SystemExit) as error:
        body = f"must hold  {one.what}"
        if error is watched.raised:
            body += f"\nraised     {type(error).__name__}: {error}{line_of(error, answer)}"
        else:  # what came back is of no use; the message would speak of our code, not of the learner's
            body += watched.last(numbers)
            kind = kind_of(watched.calls[-1][1]) if watched.calls else "nothing"
            hint = f"\nhint       a {kind} came back; the stub says which kind and shape are asked for"
            if isinstance(error, ValueError):  # a sentence of the library's about what it was given
                hint = f"\nhint       {error}"
    if any(returned is None for _, returned in watched.calls):
        hint = FORGOTTEN
    return Result(False, f"✗ {exercise.id} {exercise.title}: not yet", body + hint, RED)


def _waiting(exercise: Exercise) -> Result:
    return Result(False, f"… {exercise.id} {exercise.title}: waiting for your answer", "", GREY)


def _wide(argument: object) -> bool:
    return isinstance(argument, torch.nn.Module) or (isinstance(argument, Tensor) and argument.is_floating_point())


def as_double(arguments: tuple) -> tuple:
    """Return arguments with every floating tensor and module in float64."""
    return tuple(a.double() if _wide(a) else a for a in arguments)


def _try_case(exercise: Exercise, make: Callable, answer: Callable, seed: int, in_double: bool,
              numbers: bool) -> Result | None:  # fmt: skip
    def arguments() -> tuple:
        made = make(torch.Generator().manual_seed(seed))
        return as_double(made) if in_double else made

    def report(what: str, colour: str = RED) -> Result:
        name = name_of(answer)
        called = f",\n{' ' * (12 + len(name))}".join(brief(a, numbers) for a in arguments())
        return Result(
            False, f"✗ {exercise.id} {exercise.title}: not yet", f"called     {name}({called})\n{what}", colour
        )

    if in_double and not any(map(_wide, arguments())):
        return None  # whole numbers carry no precision that an answer could lose
    tolerance = exercise.tolerance
    expected, slopes = _call(exercise, exercise.reference, arguments())
    inputs = arguments()
    try:
        got, my_slopes = _call(exercise, answer, inputs)
        got = plain(got)
    except NotImplementedError:
        return _waiting(exercise)
    except (Exception, SystemExit) as error:
        if in_double and not isinstance(error, SystemExit):
            return None  # right in float32, and no task asks for another format: `remarks` says it
        where = line_of(error, answer)
        return report(f"raised     {type(error).__name__}: {error}{where}\nexpected   {describe(expected, numbers)}")
    if not unchanged(inputs, arguments()):
        return report("returned   a result, but changed its input in place\nhint       work on a copy: tensor.clone()")
    if same(got, expected, tolerance):
        if slopes is not None and not same(*(trained(exercise, inputs, s) for s in (my_slopes, slopes)), 1e-4):
            hint = "gradients must flow: no .detach(), no .item(), and create_graph=True inside a penalty"
            if not isinstance(got, Tensor):
                hint = f"return a tensor: a {kind_of(got)} has no gradients"
            return report(f"returned   the right value, but nothing can be trained with it\nhint       {hint}")
        return None
    text = f"returned   {describe(got)}\nexpected   {describe(expected, numbers)}"
    if got is None:
        return report(text + FORGOTTEN)
    for mistake in exercise.mistakes:
        try:
            wrong = mistake.wrong(*arguments())
            if same(got, wrong, tolerance) or (_is_nan(got) and _is_nan(wrong)):
                return report(f"{text}\nhint       {mistake.why}")
        except Exception:
            continue
    if isinstance(expected, Tensor) and not isinstance(as_tensor(got), Tensor):
        return report(f"{text}\nhint       return a dense tensor of real numbers; what came back is a {kind_of(got)}")
    return report(text)


def _is_nan(value: object) -> bool:
    value = as_tensor(value)
    return isinstance(value, Tensor) and bool(value.isnan().any())


def _call(exercise: Exercise, function: Callable, arguments: tuple) -> tuple[object, list[Tensor] | None]:
    """Call a function; for a loss, also return the gradients of everything that it could train."""
    return slopes_of(function, *arguments) if exercise.trains else (function(*arguments), None)


def trained(exercise: Exercise, arguments: tuple, slopes: list[Tensor]) -> list[Tensor]:
    """Return the gradients for the arguments that the exercise trains, in order; none if there are none."""
    owners = [n for n, a in enumerate(arguments) if isinstance(a, Tensor) and a.is_floating_point()]
    owners += [n for n, a in enumerate(arguments) if isinstance(a, torch.nn.Module) for _ in a.parameters()]
    return [slope for owner, slope in zip(owners, slopes, strict=False) if owner in exercise.trains]


def unchanged(inputs: tuple, before: tuple) -> bool:
    """Say whether the tensors and lists among a function's arguments are as they were."""
    pairs = zip(inputs, before, strict=True)
    return all(same(now, old, 0.0) for now, old in pairs if isinstance(old, (Tensor, list)))


def remarks(exercise: Exercise, answer: Callable, seed: int = 0) -> str:
    """Say in a sentence what could be better in an answer that is right, "" if nothing: it passes all the same."""
    for number, make in enumerate(exercise.cases):
        inputs = as_double(make(torch.Generator().manual_seed(seed + number)))
        if not any(map(_wide, inputs)):
            continue
        expected = exercise.reference(*inputs)
        try:
            got = answer(*as_double(make(torch.Generator().manual_seed(seed + number))))
        except (Exception, SystemExit) as error:
            return f"A remark: in float64 it raises {type(error).__name__}. Take the dtype from the input."
        if isinstance(expected, Tensor) and not isinstance(got, (Tensor, np.ndarray)):
            return f"A remark: a {type(got).__name__} came back; a tensor is the usual form."
        if not same(plain(got), expected, min(exercise.tolerance, 1e-8)):
            return (
                "A remark: right to six digits. The dtype of the input, and no constant inside a logarithm, keep more."
            )
    return ""


def same(got: object, expected: object, tolerance: float) -> bool:
    """Say whether two answers agree: same structure and shapes, numbers within `tolerance`."""
    if isinstance(expected, (tuple, list)):
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            return False
        return all(same(g, e, tolerance) for g, e in zip(got, expected, strict=True))
    if isinstance(expected, Tensor):
        got = as_tensor(got)
        if not isinstance(got, Tensor) or got.shape != expected.shape or got.layout != expected.layout or got.is_meta:
            return False
        if (expected.dtype == torch.bool) != (got.dtype == torch.bool):
            return False
        return torch.allclose(got.detach().double(), expected.detach().double(), atol=tolerance, rtol=tolerance)
    if isinstance(expected, (int, float)):
        if isinstance(got, (str, bytes)):
            return False
        try:
            return abs(float(got) - float(expected)) <= tolerance * max(1.0, abs(float(expected)))
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return False
    return bool(got == expected)
