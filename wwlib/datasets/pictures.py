"""Folders of pictures: reading every file the same way, and an endless stream of them for training."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from traceback import clear_frames

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

CACHE_BYTES = 2**31
# whether a process can tell who sent it a signal, which macOS and Windows cannot; only one that is forked has a single
# thread then, and Python 3.14 no longer forks unless it is asked to
SENDERS_KNOWN = hasattr(signal, "sigwaitinfo")
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
FLIP = Image.Transpose
TURNS = {  # by EXIF's orientation; 1 is upright
    2: FLIP.FLIP_LEFT_RIGHT, 3: FLIP.ROTATE_180, 4: FLIP.FLIP_TOP_BOTTOM, 5: FLIP.TRANSPOSE, 6: FLIP.ROTATE_270,
    7: FLIP.TRANSVERSE, 8: FLIP.ROTATE_90,
}  # fmt: skip


class Unreadable(ValueError):
    """A file that should be a picture and cannot be read as one."""


def list_pictures(folder: str | Path) -> list[Path]:
    """Return every picture file below a folder, sorted; files and folders that begin with a dot are skipped.

    Links to other folders are followed, each folder is read once, and a link back up the tree leads nowhere. A name
    that is no UTF-8 (it could stand in no record) and a folder called like a picture are passed over with a line on
    standard error.

    Raises:
        FileNotFoundError: if the folder is missing or holds no picture.
    """
    folder = Path(folder)
    files, passed_over = _walk(folder)
    if passed_over:
        some = ", ".join(passed_over[:5]) + (", ..." if len(passed_over) > 5 else "")
        print(f"{folder}: {len(passed_over)} passed over: {some}", file=sys.stderr, flush=True)
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURES))}) below {folder}")
    return in_order(files)


def in_order(files: Sequence[PurePath]) -> list:
    """Return paths sorted by the names of their folders and files.

    Sorted as they are, paths of Windows would ignore case, and a run would see other pictures there than elsewhere.
    """
    return sorted(files, key=lambda file: file.parts)


def _walk(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the picture files below a folder, and what was passed over, with the reason."""
    files: list[Path] = []
    passed_over: list[str] = []
    seen: set[str] = set()
    places = [folder]  # first the folder itself, then what links lead to: where names begin must not depend on links
    while places:
        for path, folders, names in os.walk(places.pop(0)):
            here = os.path.realpath(path)
            if here in seen:
                folders.clear()
                continue
            seen.add(here)
            plain = [name for name in sorted(folders) if name[0] != "." and _can_be_written(path, name, passed_over)]
            called = [name for name in plain if Path(name).suffix.lower() in PICTURES]
            passed_over += [f"{Path(path, name)} (a folder called like a picture)" for name in called]
            linked = [Path(path, name) for name in plain if os.path.islink(os.path.join(path, name))]
            places += [link for link in linked if not _leads_up(link, here, os.path.realpath(folder))]
            folders[:] = [name for name in plain if Path(path, name) not in linked]
            pictures = [name for name in names if name[0] != "." and Path(name).suffix.lower() in PICTURES]
            files += [Path(path, name) for name in pictures if _can_be_written(path, name, passed_over)]
    return files, passed_over


def _leads_up(link: Path, *places: str) -> bool:
    """Say whether a link leads to one of these folders or above it: to where everything comes again, and much more."""
    target = os.path.realpath(link)
    return any(Path(place).is_relative_to(target) for place in places)


def _can_be_written(path: str, name: str, passed_over: list[str]) -> bool:
    """Say whether a name can be written down; note it otherwise."""
    try:
        name.encode()
        return True
    except UnicodeEncodeError:
        passed_over.append(f"{os.fsencode(name)!r} in {path} (a name that is no UTF-8)")
        return False


def read_picture(file: Path) -> Image.Image:
    """Read a picture as RGB, turned as the camera held it (EXIF); what is transparent shows white paper.

    Raises:
        Unreadable: for a damaged file; the message names it.
    """
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise OSError("no regular file")  # to open a named pipe would wait for ever
        with Image.open(file) as picture:
            picture.load()
            turn = _turn(picture)
            if picture.mode.startswith("I"):
                picture = _eight_bits(picture)
            picture = _on_white(picture)
            return picture.transpose(turn) if turn is not None else picture
    except MemoryError:
        raise
    except Exception as error:  # damaged files make PIL raise errors of a dozen kinds
        raise Unreadable(f"{file} is not a readable picture: {error or type(error).__name__}") from None


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Return how to turn a picture by EXIF's orientation; whatever else EXIF holds, right or wrong, does not matter."""
    try:
        return TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # EXIF damaged as a whole, beside whole pixels: browsers show such a picture as it lies
        return None


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits a pixel with 8, the grey that stands for nothing as white (PIL cuts at 255)."""
    numbers = np.asarray(picture)
    grey = (numbers / 257).round().astype(np.uint8)
    if (nothing := picture.info.get("transparency")) is not None:
        grey[numbers == nothing] = 255
    return Image.fromarray(grey)


def _on_white(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB: transparent pixels hold any colour, often black, and mean the paper below."""
    if not ({"A", "a"} & set(picture.getbands()) or "transparency" in picture.info):
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")


def description(folder: Path) -> dict:
    """Return what `prepare` wrote about a folder into `about.json`; empty for any other folder.

    Raises:
        ValueError: if that file is damaged.
    """
    file = folder / "about.json"
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it, or prepare the pictures anew") from None
    return found if isinstance(found, dict) else {}


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
        if resolution < 1:
            raise ValueError(f"resolution must be at least 1, got {resolution}")
        if description(self.folder).get("finished") is False:
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
            OSError: if a worker was killed.
        """
        return self.sample_rows(n, generator, slice(None))

    def sample_rows(self, n: int, generator: torch.Generator | None, rows: slice) -> Tensor:
        """Advance by `n` pictures as `sample_images` does, but read only some rows, such as one process's share."""
        if self._request != (n, rows):
            self.close()
        try:
            if self._batches is None:
                self._batches, self._request = self._start(n, rows), (n, rows)
            batch = next(self._batches)
        except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:  # it was killed
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self._abandon(error)
            raise OSError(f"a process that reads pictures ended ({reason}); use fewer workers, or 0") from None
        if isinstance(batch, str):
            self.close()
            raise ValueError(batch)
        self.position += n
        return to_range(batch)

    def close(self) -> None:
        """End the workers; the next call of `sample_images` starts new ones."""
        self._batches = None

    def _abandon(self, error: BaseException) -> None:
        # While the error's frames hold the loader, PyTorch counts the dead worker as its own, and the next signal that
        # any child sends raises the same error anywhere.
        clear_frames(error.__traceback__)
        with suppress(RuntimeError):
            self.close()

    def _start(self, n: int, rows: slice) -> Iterator:
        places = order(len(self), self.seed, self.mirror, self.position)
        loader = DataLoader(
            _Decoder(self.pictures),
            batch_sampler=iter(lambda: list(islice(places, n))[rows], None),
            num_workers=self.workers,
            collate_fn=_stack,
            worker_init_fn=partial(_prepare_worker, parent=os.getpid()),
            multiprocessing_context="fork" if self.workers and SENDERS_KNOWN else None,
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
    return pixels.to(torch.get_default_dtype()) / 127.5 - 1


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


def _prepare_worker(worker: int, parent: int) -> None:
    """Make a worker end with its parent, and ignore Ctrl-C and a scheduler's SIGTERM, on which only its parent may act.

    A SIGTERM from this worker's parent still ends it, since that is how multiprocessing ends its daemons. PyTorch's own
    watch takes for the parent whoever it is once the worker has started: for a worker whose parent was killed before,
    that is process 1, and such a worker would live for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not SENDERS_KNOWN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def obey_parent() -> None:
        while os.getppid() == parent:
            sent = signal.sigtimedwait({signal.SIGTERM}, 5)
            if sent and sent.si_pid == parent:
                break
        os._exit(0)

    threading.Thread(target=obey_parent, daemon=True).start()
