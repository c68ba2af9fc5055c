"""Values and messages between the grader and a learner's process: data only, so that no reply can run code.

A message is a JSON header and a payload of bytes. Values that come back from a learner are numbers, texts, tensors and
containers of those, rebuilt from plain bytes: no class, method or comparison of the learner's crosses the line.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable

import safetensors.torch
from torch import Tensor

from wwlib.course.describe import Other, plain

HEAD = struct.Struct(">IQ")
LARGEST = 16 * 2**20
STEP = 0.25  # seconds between two looks at a process that is waited for


def pack(value: object) -> bytes:
    """Return a value as bytes, in its plain form (`wwlib.course.describe.plain`)."""
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_tree(plain(value), tensors)).encode()
    return struct.pack(">I", len(tree)) + tree + safetensors.torch.save(tensors)


def _tree(value: object, tensors: dict[str, Tensor]) -> object:
    if isinstance(value, Tensor):
        tensors[str(len(tensors))] = value
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(value, (tuple, list)):
        return {"tuple" if isinstance(value, tuple) else "list": [_tree(part, tensors) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_tree(k, tensors), _tree(v, tensors)] for k, v in value.items()]}
    return {"other": value.kind} if isinstance(value, Other) else value


def unpack(data: bytes) -> object:
    """Return the value that `pack` wrote.

    Raises:
        ValueError: for anything else.
    """
    try:
        (size,) = struct.unpack(">I", data[:4])
        tensors = safetensors.torch.load(data[4 + size :])
        return _value(json.loads(data[4 : 4 + size]), tensors)
    except (struct.error, safetensors.SafetensorError, KeyError, TypeError, RecursionError, ValueError) as error:
        raise ValueError(f"a reply that is no packed value: {type(error).__name__}") from None


def _value(tree: object, tensors: dict[str, Tensor]) -> object:
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise ValueError("a bare list")
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "other":
        return Other(str(content)[:80])
    if kind == "dict":
        return {_value(k, tensors): _value(v, tensors) for k, v in content}
    parts = [_value(part, tensors) for part in content]
    return {"tuple": tuple, "list": list}[kind](parts)


def clean(text: object) -> str:
    """Return text that every file can hold: lone surrogates and control characters replaced."""
    plain = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain)


def send(channel: socket.socket, header: dict, payload: bytes = b"") -> None:
    """Send one message; TimeoutError if nobody takes it within a minute."""
    channel.settimeout(60)
    text = json.dumps(header).encode()
    channel.sendall(HEAD.pack(len(text), len(payload)) + text + payload)


def receive(channel: socket.socket, seconds: float | None = None,
            watch: Callable[[], None] | None = None) -> tuple[dict, bytes]:  # fmt: skip
    """Return the next message, waiting `seconds` at most for all of it.

    Args:
        channel: to read from.
        seconds: None for ever.
        watch: called a few times a second, however much or little arrives; what it raises ends the waiting.

    Raises:
        TimeoutError: if it does not come in time.
        EOFError: if the other side is gone.
        ValueError: if it is malformed or too large.
    """
    end = None if seconds is None else time.monotonic() + seconds
    head, size = HEAD.unpack(_exactly(channel, HEAD.size, end, watch))
    if head > 2**20 or size > LARGEST:
        raise ValueError(f"a message of {head + size} bytes")
    try:
        header = json.loads(_exactly(channel, head, end, watch))
    except (ValueError, RecursionError):
        raise ValueError("a message whose header is no JSON") from None
    if not isinstance(header, dict):
        raise ValueError("a message without a header")
    return header, _exactly(channel, size, end, watch)


def _exactly(channel: socket.socket, count: int, end: float | None, watch: Callable[[], None] | None) -> bytes:
    data = bytearray()
    while len(data) < count:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        channel.settimeout(left if watch is None else min(STEP, STEP if left is None else left))
        try:
            part = channel.recv(min(count - len(data), 2**20))
        except TimeoutError:
            part = None
        except OSError:
            raise EOFError from None
        if part == b"":
            raise EOFError
        data += part or b""
        if watch is not None:
            watch()
    return bytes(data)
