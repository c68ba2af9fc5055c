"""Files that are whole or absent, and weights without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


class Damaged(ValueError):
    """A file of ours that cannot be read as what it says it is."""


def write_whole(path: str | Path, write: Callable[[Path], None], sync: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it: a reader sees the old file or the new one.

    Without `sync` that holds unless the power goes: for many small files that can be made again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        if sync:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(path: str | Path) -> None:
    """Remove what a killed process left of its attempts to write `path`: the file itself never suffers from them."""
    path = Path(path)
    for temporary in path.parent.glob(f".{path.name}.*"):
        temporary.unlink(missing_ok=True)


def save_json(path: str | Path, content: object) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))


def save_tensors(path: str | Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write tensors and a JSON-able description to one safetensors file, whole or not at all.

    Raises:
        OSError: if the file cannot be written, for want of room or another reason.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def write(file: Path) -> None:
        try:
            save_file(tensors, file, metadata={"about": json.dumps(about)})
        except SafetensorError as error:  # which safetensors raises for a full disk as well
            raise OSError(f"{path} cannot be written: {error}") from None

    write_whole(path, write)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `save_tensors` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a readable safetensors file of ours.
    """
    with _opened(path) as (file, about):
        # copies: a tensor that still maps the file would keep Windows from replacing it at the next save
        return {name: file.get_tensor(name).clone() for name in file.keys()}, about  # noqa: SIM118 (not a dict)


def load_about(path: str | Path) -> dict:
    """Read the description that `save_tensors` wrote, and no tensor; raises as `load_tensors`."""
    with _opened(path) as (_, about):
        return about


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file, json.loads((file.metadata() or {})["about"])
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise Damaged(f"{path} is not a readable wwlib weights file: {error}") from None


def keep_previous(path: Path, previous: Path) -> None:
    """Let `previous` hold what `path` holds now, if it is there; at every moment both names lead to whole files."""
    if not path.exists():
        return

    def link(temporary: Path) -> None:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, temporary)

    write_whole(previous, link)


def digest(tensors: dict[str, Tensor]) -> str:
    """Return a digest of tensors' names, shapes and bytes: safetensors itself does not notice a flipped bit."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy() if tensor.numel() else b"")
    return found.hexdigest()


def prefixed(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with `name.` before each key."""
    return {f"{name}.{key}": tensor for key, tensor in tensors.items()}


def unprefixed(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose keys begin with `name.`, without it."""
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def half_floats(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with float32 stored as float16, half the size; `load_state_dict` turns them back.

    A tensor with a number beyond float16's range (65,504) stays as it is.
    """
    largest = torch.finfo(torch.float16).max
    fits = lambda t: t.dtype == torch.float32 and (not t.numel() or float(t.abs().max()) <= largest)  # noqa: E731
    return {key: t.to(torch.float16) if fits(t) else t for key, t in tensors.items()}
