"""Folders of pictures: reading every file the same way, and an endless stream of them for training."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

CACHE_BYTES = 2**31
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class Unreadable(ValueError):
    """A file that should be a picture and cannot be read as one."""


def list_pictures(folder: str | Path) -> list[Path]:
    """Return every picture file below a folder, sorted; files and folders that begin with a dot are skipped.

    Raises:
        FileNotFoundError: if the folder is missing or holds no picture.
    """
    files = sorted(
        f
        for f in Path(folder).rglob("*")
        if f.suffix.lower() in PICTURES and not any(part[0] == "." for part in f.relative_to(folder).parts)
    )
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURES))}) below {folder}")
    return files


def read_picture(file: Path) -> Image.Image:
    """Read a picture as RGB, turned as the camera held it (EXIF).

    Raises:
        Unreadable: for a damaged file; the message names it.
    """
    try:
        with Image.open(file) as picture:
            picture = ImageOps.exif_transpose(picture)
            if picture.mode.startswith("I"):  # 16 bits a pixel: PIL would cut them off at 255
                picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable(f"{file} is not a readable picture: {error}") from None


class ImageFolder:
    """Every picture below a folder, cropped to its central square and resized: images without factors.

    Pictures stay in memory once read, up to `cache_bytes` bytes.

    Args:
        folder: searched recursively for png, jpg, webp and bmp; names that begin with a dot are skipped.
        resolution: side of the images, pixels. Pictures of that size are taken as they are.
        cache_bytes: bytes of pictures that stay in memory.

    Raises:
        FileNotFoundError: if the folder is missing or holds no picture.
        ValueError: for a folder whose preparation has not finished; and, when that picture is asked for, for one that
            cannot be read (the message names it).
    """

    channels = 3

    def __init__(self, folder: str | Path, resolution: int = 64, cache_bytes: int = CACHE_BYTES):
        self.folder, self.resolution, self.cache_bytes = Path(folder), resolution, cache_bytes
        about = self.folder / "about.json"
        if about.is_file() and json.loads(about.read_text(encoding="utf-8")).get("finished") is False:
            raise ValueError(
                f"{folder} is not completely prepared; run the same `python -m wwlib prepare` command again"
            )
        self.files = list_pictures(folder)
        self._cache: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} pictures, {self.resolution} px)"

    def pixels(self, index: int) -> Tensor:
        """Return picture number `index` as `[3, H, W]` uint8."""
        pixels = self._cache.get(index)
        if pixels is None:
            pixels = self._read(self.files[index])
            if (len(self._cache) + 1) * pixels.numel() <= self.cache_bytes:
                self._cache[index] = pixels
        return pixels

    def image(self, index: int) -> Tensor:
        """Return picture number `index` as `[3, H, W]` in [-1, 1]."""
        return to_range(self.pixels(index))

    def fingerprint(self) -> str:
        """Return a SHA-256 of the pictures' names and of how they were prepared; where the folder lies is no part."""
        names = [file.relative_to(self.folder).as_posix() for file in self.files]
        about = self.folder / "about.json"
        return hashlib.sha256("\n".join(names).encode() + (about.read_bytes() if about.is_file() else b"")).hexdigest()

    def _read(self, file: Path) -> Tensor:
        picture = read_picture(file)
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side)).resize((self.resolution,) * 2, Image.LANCZOS)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)

    def sample_images(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` pictures `[n, 3, H, W]` in [-1, 1] with replacement."""
        return torch.stack([self.image(i) for i in torch.randint(len(self), (n,), generator=generator).tolist()])


class PictureStream:
    """An endless stream of a folder's pictures, in a new random order in each epoch, some of them mirrored.

    Which picture stands at a position depends on `seed` and the position alone, not on batch size, workers or where
    the run was stopped. Worker processes read ahead; they end with the process that started them.

    Args:
        pictures: the folder.
        seed: of the orders and of the choice which pictures are mirrored.
        mirror: show half of the pictures mirrored left to right.
        workers: processes that read; 0 reads in this one.
    """

    channels = 3

    def __init__(self, pictures: ImageFolder, seed: int = 0, mirror: bool = False, workers: int = 0):
        if workers < 0:
            raise ValueError(f"workers must be 0 or more, got {workers}")
        self.pictures, self.seed, self.mirror, self.workers = pictures, seed, mirror, workers
        self.resolution = pictures.resolution
        self.fingerprint = pictures.fingerprint()
        self.position = 0
        self._batches: Iterator | None = None
        self._request: tuple[int, slice] | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        mirrored = ", half of them mirrored" if self.mirror else ""
        return f"{len(self):,} pictures of {self.resolution} px{mirrored}, read by {self.workers or 'no'} workers"

    def seek(self, position: int) -> None:
        """Continue at a position, which is the number of images that the run has shown."""
        if position < 0:
            raise ValueError(f"position must be 0 or more, got {position}")
        if position != self.position:
            self.close()
        self.position = position

    def sample_images(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return the next `n` pictures `[n, 3, H, W]` in [-1, 1]; `generator` is left alone, the stream has its seed.

        Raises:
            ValueError: for a picture that cannot be read; the message names it.
        """
        return self.sample_rows(n, generator, slice(None))

    def sample_rows(self, n: int, generator: torch.Generator | None, rows: slice) -> Tensor:
        """Advance by `n` pictures as `sample_images` does, but read only some rows, such as one process's share."""
        if self._batches is None or self._request != (n, rows):
            self.close()
            self._batches, self._request = self._start(n, rows), (n, rows)
        batch = next(self._batches)
        if isinstance(batch, str):
            self.close()
            raise ValueError(batch)
        self.position += n
        return to_range(batch)

    def close(self) -> None:
        """End the workers; the next call of `sample_images` starts new ones."""
        self._batches = None

    def _start(self, n: int, rows: slice) -> Iterator:
        places = order(len(self), self.seed, self.mirror, self.position)
        loader = DataLoader(
            _Decoder(self.pictures),
            batch_sampler=iter(lambda: list(islice(places, n))[rows], None),
            num_workers=self.workers,
            collate_fn=_stack,
            worker_init_fn=_ignore_interrupts,
        )
        return iter(loader)


def order(count: int, seed: int, mirror: bool, position: int = 0) -> Iterator[tuple[int, bool]]:
    """Yield pairs (picture, mirrored?) without end, from a position on: one permutation of the pictures after another.

    Args:
        count: number of pictures.
        seed: of permutations and mirroring.
        mirror: mirror each picture with probability 1/2.
        position: how many pairs to skip.
    """
    epoch, start = divmod(position, count)
    while True:
        random = np.random.default_rng((seed, epoch))
        permutation = random.permutation(count)
        coins = random.random(count) < (0.5 if mirror else 0)
        yield from zip(permutation[start:].tolist(), coins[start:].tolist(), strict=True)
        epoch, start = epoch + 1, 0


def to_range(pixels: Tensor) -> Tensor:
    """Return uint8 pixels as floats in [-1, 1]."""
    return pixels.float() / 127.5 - 1


class _Decoder(Dataset):
    """Returns the pixels at a place of the stream, or an error's message as text, so that a worker does not die."""

    def __init__(self, pictures: ImageFolder):
        self.pictures = pictures

    def __getitem__(self, place: tuple[int, bool]) -> Tensor | str:
        index, mirrored = place
        try:
            pixels = self.pictures.pixels(index)
        except ValueError as error:
            return str(error)
        return pixels.flip(2) if mirrored else pixels


def _stack(parts: list[Tensor | str]) -> Tensor | str:
    return next((part for part in parts if isinstance(part, str)), None) or torch.stack(parts)


def _ignore_interrupts(worker: int) -> None:
    """Make a worker ignore Ctrl-C and a scheduler's SIGTERM, on which only the training process may act.

    A SIGTERM from this worker's parent still ends it, since that is how multiprocessing ends its daemons.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not hasattr(signal, "sigwaitinfo"):  # macOS and Windows cannot tell who sent it
        return
    parent = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def obey_parent() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=obey_parent, daemon=True).start()
