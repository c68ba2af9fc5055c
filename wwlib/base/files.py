"""Writing files so that they are never half written, and storing tensors with safetensors instead of pickle."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wwlib.base.paths import how_to_restore, missing

POINTER = b"version https://git-lfs"  # how a Git LFS pointer begins, which stands where the file should be


class Damaged(ValueError):
    """A file that this library wrote and that can no longer be read."""


def write_whole(path: str | Path, write: Callable[[Path], object], sync: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it, so that a reader sees the old or the new file.

    A link stays: the file that it leads to is replaced. Who may read the new file is decided by the process's umask.
    Without `sync` it is faster, but a power cut can leave a damaged file: for many small files that can be made again.
    """
    path = _behind_links(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new_file_beside(path)
    rights = stat.S_IMODE(temporary.stat().st_mode)
    try:
        write(temporary)
        if sync:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        if stat.S_IMODE(temporary.stat().st_mode) != rights:  # `write` may have put a file of its own there
            temporary.chmod(rights)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _behind_links(path: str | Path) -> Path:
    """Return the file that a link leads to; any other path as it is."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _new_file_beside(path: Path) -> Path:
    """Make an empty file beside `path`, with the rights that every new file has (`tempfile` would ignore the umask)."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return temporary
        except FileExistsError:  # another process has drawn the same name
            continue


def remove_unfinished(path: str | Path) -> None:
    """Remove the temporary files that a killed process left beside `path`; `path` itself is not touched."""
    path = _behind_links(path)
    # the second is safetensors' own, which earlier versions let it write beside the file
    for pattern in (f".{glob.escape(path.name)}.*", ".tmp??????"):
        for temporary in path.parent.glob(pattern):
            if temporary.is_dir() and not temporary.is_symlink():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)


def save_json(path: str | Path, content: object) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))


def load_json(path: str | Path):
    """Read what `save_json` wrote.

    Raises:
        FileNotFoundError: if there is no such file; says where one of `data/` is to be had.
        ValueError: if it is damaged; names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(missing(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = "a Git LFS pointer stands in its place" if _is_pointer(path) else error
        raise Damaged(f"{path} is not a readable JSON file, {reason}{how_to_restore(path)}") from None


def save_tensors(path: str | Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write tensors and a JSON-able description to one safetensors file, whole or not at all.

    Tensors that share memory, such as the weights of tied layers, are each written.

    Raises:
        OSError: if the file cannot be written, because the disk is full or for another reason.
    """
    path = Path(path)
    apart: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if storage in storages else tensor  # safetensors refuses shared memory
        storages.add(storage)

    def write(file: Path) -> None:
        try:
            # safetensors writes another file beside the one it is given; in here `remove_unfinished` meets it too
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=f"{file.name}.") as room:
                save_file(apart, Path(room) / path.name, metadata={"about": json.dumps(about)})
                os.replace(Path(room) / path.name, file)
        except SafetensorError as error:  # safetensors raises it for a full disk as well
            raise OSError(f"{path} cannot be written: {error}") from None

    write_whole(path, write)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `save_tensors` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a safetensors file that `save_tensors` wrote, or is damaged.
    """
    with _opened(path) as (file, about):
        # copied, since Windows cannot replace a file that a tensor still maps
        return {name: file.get_tensor(name).clone() for name in file.keys()}, about  # noqa: SIM118 (not a dict)


def load_about(path: str | Path) -> dict:
    """Read the description that `save_tensors` wrote, and no tensor; raises as `load_tensors`."""
    with _opened(path) as (_, about):
        return about


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(missing(path))
    try:
        with safe_open(path, framework="pt") as file:
            yield file, json.loads((file.metadata() or {})["about"])
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        reason = "a Git LFS pointer stands in its place" if _is_pointer(path) else error
        raise Damaged(f"{path} is not a readable wwlib weights file, {reason}{how_to_restore(path)}") from None


def _is_pointer(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(POINTER)) == POINTER


def keep_previous(path: Path, previous: Path) -> None:
    """Make `previous` a second name of the file at `path`, if there is one; both are whole files at every moment."""
    if not path.exists():
        return

    def link(temporary: Path) -> None:
        temporary.unlink()
        try:
            os.link(_behind_links(path), temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, temporary)

    write_whole(previous, link)


def tensor_digest(tensors: dict[str, Tensor]) -> str:
    """Return a SHA-256 of tensors' names, shapes and bytes; safetensors itself does not notice a flipped bit."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        hasher.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        hasher.update(tensor.reshape(-1).view(torch.uint8).numpy() if tensor.numel() else b"")
    return hasher.hexdigest()


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
