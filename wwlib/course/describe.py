"""Values as plain data, which is what answers are judged by, and in one short line, which is how learners see them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Other:
    """What stands for a value that is no data: equal to nothing but itself."""

    kind: str

    def __repr__(self) -> str:
        return f"an object of type {self.kind}"


def plain(value: object) -> object:
    """Return a value as plain data, the one form in which answers are judged, by `check` and by the grader.

    Arrays of numpy become tensors, numbers of numpy, fractions and decimals become Python's, subclasses of tensors,
    texts and containers what they are derived from; whatever is no number, text, dense real tensor or container of
    those becomes an `Other`.
    """
    if isinstance(value, np.ndarray):
        return _tensor_of(value)
    if isinstance(value, Tensor):
        with torch._C.DisableTorchFunctionSubclass():  # a subclass has no say in what its numbers are
            odd = {"nested": value.is_nested, "quantized": value.is_quantized, "meta": value.is_meta,
                   "complex": value.is_complex(), "sparse": value.layout != torch.strided}  # fmt: skip
            if any(odd.values()):
                return Other(f"{' '.join(name for name, is_so in odd.items() if is_so)} tensor")
            return value.detach().as_subclass(Tensor).cpu().contiguous().clone()
    if isinstance(value, (tuple, list)):
        return (tuple if isinstance(value, tuple) else list)([plain(part) for part in list(value)])
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in dict.items(value)}
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, (bool, Other)):
        return value
    kind = type(value)
    if isinstance(value, np.generic):
        value = value.item()
    elif kind in (Fraction, Decimal):
        value = float(value)
    if isinstance(value, int) and -(10**300) < value < 10**300:
        return value if isinstance(value, bool) else int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else Other(kind.__name__)


def _tensor_of(array: np.ndarray) -> Tensor | Other:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        return Other(f"numpy array of {array.dtype}")
    known = array.astype(np.float64) if array.dtype.itemsize > 8 else array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(np.array(known, order="C"))  # a copy: torch takes no array that runs backwards


def as_tensor(value: object) -> object:
    """Return an array, a number, or a list of those or of tensors of one shape as a tensor, anything else as it is."""
    if isinstance(value, np.ndarray):
        return plain(value)
    try:
        if isinstance(value, (list, tuple)) and any(isinstance(p, (Tensor, np.ndarray, list, tuple)) for p in value):
            return torch.stack([torch.as_tensor(as_tensor(part)) for part in value])
        listed = isinstance(value, (list, tuple)) and bool(value)
        return torch.as_tensor(value) if listed or isinstance(value, (np.generic, int, float)) else value
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return value


def kind_of(value: object) -> str:
    """The name of the type of a value, or of what an `Other` stands for."""
    return value.kind if isinstance(value, Other) else type(value).__name__


def name_of(answer: Callable) -> str:
    """The name under which a learner knows an answer; a stand-in has it in `function`."""
    name = getattr(answer, "function", None) or getattr(answer, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() else "your_function"


def brief(value: object, numbers: bool = True) -> str:
    """Describe an argument: a large tensor by its shape alone, and so a small one without `numbers`."""
    return describe(value, numbers and not (isinstance(value, Tensor) and value.numel() > 8))


def describe(value: object, numbers: bool = True) -> str:
    """Describe a value in one short line: tensors by shape and their first numbers.

    Args:
        value: any.
        numbers: False for kinds and shapes only, without a single number.
    """
    if isinstance(value, (Tensor, np.ndarray)):
        value = plain(value)
    if isinstance(value, Tensor):
        return _tensor(value, numbers)
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}: " + "; ".join(describe(v, numbers) for v in value[:3])
    if callable(value) and not isinstance(value, torch.nn.Module):
        return f"<{getattr(value, '__name__', type(value).__name__)}>"
    if not numbers and not callable(value):
        return {bool: "True or False", int: "a whole number", float: "a number"}.get(type(value), kind_of(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    try:
        text = repr(value)
    except Exception:
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"


def _tensor(value: Tensor, numbers: bool) -> str:
    shape = f"tensor[{', '.join(map(str, value.shape))}] of {str(value.dtype).removeprefix('torch.')}"
    if not numbers:
        return shape
    first = value.flatten()[: 8 if value.numel() <= 8 else 4].tolist()
    shown = ", ".join(f"{n:.4g}" if isinstance(n, float) else str(n) for n in first)
    return f"{shape}: {shown}{', …' if value.numel() > 8 else ''}"


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
