"""`check` and `quiz`: what the learner calls, at once and as often as they like. Neither ever raises."""

from __future__ import annotations

import hashlib
import html
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import torch
from torch import Tensor

ANSWERS = "wwlib.course.answers"  # the package of written answers: what lies there is no function of the library
GREEN, RED, GREY = "#2e8b57", "#c0392b", "#7a8494"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give: `wrong` computes it, `why` says what went wrong. Tests require it to fail."""

    why: str
    wrong: Callable


@dataclass(frozen=True)
class Property:
    """What any good answer to an open exercise does: `holds(answer, seed)` says whether this one does."""

    what: str
    holds: Callable[[Callable, int], bool]


@dataclass(frozen=True)
class Exercise:
    """One exercise: the library function is the right answer, and each case makes the arguments of one call.

    An open exercise has properties in place of cases, and its reference is one good answer among many. `library` holds
    the functions of wwlib that are the answer, where `reference` only wraps them.
    """

    id: str
    title: str
    reference: Callable
    cases: tuple[Callable[[torch.Generator], tuple], ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    tolerance: float = 1e-5
    trains: bool = False  # the answer is a loss: its gradients count as well
    properties: tuple[Property, ...] = ()
    library: tuple[Callable, ...] = ()

    @property
    def forbidden(self) -> tuple[str, ...]:
        """The library's functions, as "module:name", that a graded answer may not call."""
        own = () if self.reference.__module__.startswith(f"{ANSWERS}.") else (self.reference,)
        return tuple(f"{function.__module__}:{function.__qualname__}" for function in self.library or own)


class TinyCritic(torch.nn.Module):
    """A discriminator of one layer for images `[B, 3, 8, 8]`, to try R1 on.

    Args:
        generator: of its weights.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(1, 3 * 8 * 8, generator=generator))

    def forward(self, images: Tensor) -> Tensor:
        return torch.nn.functional.linear(images.flatten(1), self.weight)[:, 0].tanh()


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
        if double is not True and (fault := _try_property(exercise, one, answer, seed + number)):
            return fault
    for in_double in (False, True) if double is None else (double,):
        for number, make in enumerate(exercise.cases):
            if fault := _try_case(exercise, make, answer, seed + number, in_double, numbers):
                return fault
    return None


def _try_property(exercise: Exercise, one: Property, answer: Callable, seed: int) -> Result | None:
    try:
        if one.holds(lambda *arguments: plain(answer(*arguments)), seed):
            return None
        body = f"must hold  {one.what}"
    except NotImplementedError:
        return _waiting(exercise)
    except (Exception, SystemExit) as error:
        body = f"must hold  {one.what}\nraised     {type(error).__name__}: {error}{line_of(error, answer)}"
    return Result(False, f"✗ {exercise.id} {exercise.title}: not yet", body, RED)


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
        called = ",\n                  ".join(describe(a, numbers) for a in arguments())
        if in_double:
            what += "\nhint       right in float32: take dtype and device from the input, and lose no digits"
        return Result(
            False, f"✗ {exercise.id} {exercise.title}: not yet", f"called     answer({called})\n{what}", colour
        )

    if in_double and not any(map(_wide, arguments())):
        return None  # whole numbers carry no precision that an answer could lose
    tolerance = min(exercise.tolerance, 1e-8) if in_double else exercise.tolerance
    expected, slopes = _call(exercise, exercise.reference, arguments())
    given = arguments()
    try:
        got, my_slopes = _call(exercise, answer, given)
        got = plain(got)
    except NotImplementedError:
        return _waiting(exercise)
    except (Exception, SystemExit) as error:
        where = line_of(error, answer)
        return report(f"raised     {type(error).__name__}: {error}{where}\nexpected   {describe(expected, numbers)}")
    if not unchanged(given, arguments()):
        return report("returned   a result, but changed its input in place\nhint       work on a copy: tensor.clone()")
    if same(got, expected, tolerance):
        if slopes is not None and not same(my_slopes, slopes, 1e-6 if in_double else 1e-4):
            hint = "gradients must flow: no .detach(), no .item(), and create_graph=True inside a penalty"
            return report(f"returned   the right value, but nothing can be trained with it\nhint       {hint}")
        return None
    text = f"returned   {describe(got)}\nexpected   {describe(expected, numbers)}"
    if isinstance(expected, Tensor) and not isinstance(got, Tensor):
        kind = got.kind if isinstance(got, Other) else type(got).__name__
        return report(f"{text}\nhint       return a tensor, got {kind}")
    for mistake in exercise.mistakes:
        try:
            if same(got, mistake.wrong(*arguments()), tolerance):
                return report(f"{text}\nhint       {mistake.why}")
        except Exception:
            continue
    return report(text)


def _call(exercise: Exercise, function: Callable, arguments: tuple) -> tuple[object, list[Tensor] | None]:
    """Call a function; for a loss, also return the gradients of everything that it could train."""
    if not exercise.trains:
        return function(*arguments), None
    return getattr(function, "with_slopes", lambda *a: value_and_slopes(function, a))(*arguments)


def value_and_slopes(function: Callable, arguments: tuple) -> tuple[object, list[Tensor]]:
    """Return a loss and its gradients for every floating tensor and module parameter among the arguments."""
    leaves = [a.requires_grad_(True) for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
    leaves += [p for a in arguments if isinstance(a, torch.nn.Module) for p in a.parameters()]
    value = function(*arguments)
    if not isinstance(value, Tensor) or not value.requires_grad or value.numel() != 1:
        return value, []
    slopes = torch.autograd.grad(value, leaves, allow_unused=True)
    return value.detach(), [torch.zeros_like(p) if s is None else s for p, s in zip(leaves, slopes, strict=True)]


def unchanged(given: tuple, before: tuple) -> bool:
    """Say whether the tensors and lists among a function's arguments are as they were."""
    pairs = zip(given, before, strict=True)
    return all(same(now, old, 0.0) for now, old in pairs if isinstance(old, (Tensor, list)))


def same(got: object, expected: object, tolerance: float) -> bool:
    """Say whether two answers agree: same structure and shapes, numbers within `tolerance`."""
    if isinstance(expected, (tuple, list)):
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            return False
        return all(same(g, e, tolerance) for g, e in zip(got, expected, strict=True))
    if isinstance(expected, Tensor):
        if not isinstance(got, Tensor) or got.shape != expected.shape:
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


@dataclass(frozen=True)
class Other:
    """What stands for a value that is no data: equal to nothing but itself."""

    kind: str

    def __repr__(self) -> str:
        return f"an object of type {self.kind}"


def plain(value: object) -> object:
    """Return a value as plain data, the one form in which answers are judged, by `check` and by the grader.

    Numbers of numpy, fractions and decimals become Python's, subclasses of tensors, texts and containers what they are
    derived from; whatever is no number, text, dense real tensor or container of those becomes an `Other`.
    """
    if isinstance(value, Tensor):
        with torch._C.DisableTorchFunctionSubclass():  # a subclass has no say in what its numbers are
            tensor = value.detach().as_subclass(Tensor)
            if tensor.layout != torch.strided or tensor.is_meta or tensor.is_complex():
                kind = f"{tensor.layout} {tensor.dtype} tensor on {tensor.device}"
                return Other(kind.replace("torch.", ""))
            return tensor.cpu().contiguous().clone()
    if isinstance(value, (tuple, list)):
        return (tuple if isinstance(value, tuple) else list)([plain(part) for part in list(value)])
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in dict.items(value)}
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    kind = type(value)
    if kind.__module__ == "numpy" and getattr(value, "size", 2) == 1:
        value = value.item()
    elif kind in (Fraction, Decimal):
        value = float(value)
    if isinstance(value, int) and -(10**300) < value < 10**300:
        return value if isinstance(value, bool) else int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else Other(kind.__name__)


def describe(value: object, numbers: bool = True) -> str:
    """Describe a value in one short line: tensors by shape and their first numbers.

    Args:
        value: any.
        numbers: False for kinds and shapes only, without a single number.
    """
    if not numbers and isinstance(value, Tensor):
        return f"tensor[{', '.join(map(str, value.shape))}] of {str(value.dtype).removeprefix('torch.')}"
    if not numbers and isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}: " + "; ".join(describe(v, False) for v in value[:3])
    if not numbers and not callable(value):
        return {bool: "True or False", int: "a whole number", float: "a number"}.get(type(value), type(value).__name__)
    if isinstance(value, Tensor):
        numbers = value.detach().flatten()[:4].tolist()
        shown = ", ".join(f"{n:.4g}" if isinstance(n, float) else str(n) for n in numbers)
        more = ", …" if value.numel() > 4 else ""
        shape = ", ".join(map(str, value.shape))
        return f"tensor[{shape}] of {str(value.dtype).removeprefix('torch.')}: {shown}{more}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}: " + "; ".join(describe(v) for v in value[:3])
    if callable(value) and not isinstance(value, torch.nn.Module):
        return f"<{getattr(value, '__name__', type(value).__name__)}>"
    try:
        text = repr(value)
    except Exception:
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"


def line_of(error: Exception, answer: Callable) -> str:
    """The line of the learner's own function in which an error arose."""
    try:
        code = inspect.unwrap(answer).__code__
    except AttributeError:
        return ""
    step, line = error.__traceback__, None
    while step:
        if step.tb_frame.f_code is code:
            line = step.tb_lineno - code.co_firstlineno
        step = step.tb_next
    return "" if line is None else f" (line {line + 1} of your function)"


@dataclass(frozen=True)
class Question:
    """One quiz question: the digest of the right choice, and the explanation shown once it is found."""

    id: str
    digest: str
    explanation: str


def digest(id: str, answer: str) -> str:
    """Return the salted digest of a quiz answer."""
    return hashlib.sha256(f"where-and-what/{id}/{answer.strip().lower()}".encode()).hexdigest()[:16]
