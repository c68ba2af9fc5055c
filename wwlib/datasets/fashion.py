"""Fashion-MNIST: 70,000 grey photographs of products from an online shop, 28 px, in ten classes.

The four published files may lie in any folder; Debian's package `dataset-fashion-mnist` puts them into
`/usr/share/datasets/fashion-mnist`. `data/fashion.safetensors`, which `python -m wwlib remake fashion` writes, holds a
few hundred pictures of the test split, for lessons and tests on machines without that package.

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
2017, https://github.com/zalandoresearch/fashion-mnist; MIT License, Copyright (c) 2017 Zalando SE.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.files import load_tensors, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.pictures import to_range
from wwlib.datasets.prepare import SEED, check_settings, shrink, write_prepared

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
SHOES = ("sandal", "sneaker", "ankle-boot")
SIDE = 28  # pixels, as published
MARGIN = 2  # on each side, which makes 32
FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package
PACKAGE = "dataset-fashion-mnist"
ARCHIVE = DATA / "fashion.safetensors"
EACH = 200  # shoes, and as many bags, in the archive
SOURCE = "Fashion-MNIST, https://github.com/zalandoresearch/fashion-mnist, MIT License, Copyright (c) 2017 Zalando SE"
GZIP = b"\x1f\x8b"  # how a gzip file begins, whatever its name


@dataclass(frozen=True)
class IdxFile:
    """A file of the `idx` format: its name without `.gz`, the shape it must have, and the SHA-256 of its plain bytes.

    The checksum is of the bytes after unpacking, since the package compresses them anew: its `.gz` files differ from
    the published ones by the name and time in their headers. An empty one is not checked.
    """

    name: str
    shape: tuple[int, ...]
    digest: str = ""


def _split(name: str, count: int, images: str, labels: str) -> tuple[IdxFile, IdxFile]:
    shape = (count, SIDE, SIDE)
    return IdxFile(f"{name}-images-idx3-ubyte", shape, images), IdxFile(f"{name}-labels-idx1-ubyte", (count,), labels)


SPLITS = {
    "train": _split(
        "train",
        60_000,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test": _split(
        "t10k",
        10_000,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}


@dataclass(frozen=True, eq=False)
class Photographs:
    """Grey photographs of products and what each of them shows.

    At 32 px two pixels are added on every side. They are black, as the published background is, so every published
    pixel stays as it is; resizing would blend neighbours.

    Args:
        pixels: `[N, 28, 28]` uint8; the background is 0.
        labels: `[N]` int64, positions in `CLASSES`.
        positions: `[N]` int64, where each picture stands in its published split.
        resolution: side of the images, pixels: 28 or 32.

    Raises:
        ValueError: for another resolution.
    """

    pixels: Tensor
    labels: Tensor
    positions: Tensor
    resolution: int = SIDE + 2 * MARGIN
    channels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.resolution not in (SIDE, SIDE + 2 * MARGIN):
            raise ValueError(f"resolution must be {SIDE} or {SIDE + 2 * MARGIN}, got {self.resolution!r}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        counts = ", ".join(f"{int((self.labels == c).sum()):,} {CLASSES[c]}" for c in self.labels.unique().tolist())
        return f"{type(self).__name__}({counts}; {self.resolution} px)"

    def images(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Return some pictures, all by default, `[n, 1, H, W]` in [-1, 1]; the background is -1."""
        return to_range(pad(self.pixels[index], self.resolution)[:, None])

    def sample_images(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` pictures `[n, 1, H, W]` in [-1, 1] with replacement."""
        return self.images(torch.randint(len(self), (n,), generator=generator))

    def of(self, classes: tuple[str, ...]) -> Photographs:
        """Return the pictures of some classes alone, in their order.

        Raises:
            ValueError: for no class, a class named twice or an unknown one, or if there is no picture of a class.
        """
        numbers = torch.tensor(class_numbers(classes))
        if missing := [CLASSES[c] for c in numbers.tolist() if c not in self.labels]:
            shown = tuple(CLASSES[c] for c in self.labels.unique().tolist())
            raise ValueError(f"classes must be among {shown}, which are shown here, got {missing[0]!r}")
        rows = torch.isin(self.labels, numbers)
        return replace(self, pixels=self.pixels[rows], labels=self.labels[rows], positions=self.positions[rows])


def class_numbers(classes: tuple[str, ...]) -> list[int]:
    """Return the positions of classes in `CLASSES`; ValueError for none, an unknown one or one that is named twice."""
    if unknown := [name for name in classes if name not in CLASSES]:
        raise ValueError(f"classes must be among {CLASSES}, got {unknown[0]!r}")
    if not classes or len(set(classes)) < len(classes):
        raise ValueError(f"classes must name at least one class, and each once, got {tuple(classes)}")
    return [CLASSES.index(name) for name in classes]


def pad(pixels: Tensor, resolution: int) -> Tensor:
    """Return pixels `[..., 28, 28]` in the middle of a black square `[..., resolution, resolution]`."""
    margin = (resolution - SIDE) // 2
    return F.pad(pixels, (margin,) * 4)


def load_fashion(
    folder: str | Path = FOLDER,
    split: str = "train",
    classes: tuple[str, ...] = CLASSES,
    resolution: int = SIDE + 2 * MARGIN,
    files: tuple[IdxFile, IdxFile] | None = None,
) -> Photographs:
    """Read the pictures of one published split.

    Args:
        folder: holds the `idx` files, plain or as `.gz`.
        split: "train" (60,000 pictures) or "test" (10,000).
        classes: which pictures, by names among `CLASSES`.
        resolution: side of the images, pixels: 28 or 32.
        files: images and labels of a smaller set in the same format; None for the published split.

    Raises:
        FileNotFoundError: if a file is missing; the message says where it may be had.
        ValueError: for an unknown split or class, another resolution, or a file that is not what it should be; the
            message names the file, what was expected and what it holds.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {tuple(SPLITS)}, got {split!r}")
    class_numbers(classes)
    images, labels = files or SPLITS[split]
    pixels, shown = read_idx(folder, images), read_idx(folder, labels).long()
    if images.shape[1:] != (SIDE, SIDE) or shown.shape != pixels.shape[:1]:
        raise ValueError(f"files must be N images of 28 x 28 and N labels, got {images.shape} and {labels.shape}")
    if len(shown) and shown.max() >= len(CLASSES):
        raise ValueError(f"{folder}/{labels.name} must hold labels from 0 to 9, got {int(shown.max())}")
    return Photographs(pixels, shown, torch.arange(len(shown)), resolution).of(classes)


def read_idx(folder: str | Path, file: IdxFile) -> Tensor:
    """Read a file of unsigned bytes in the `idx` format: a magic number, the size of each dimension, the numbers.

    Raises:
        FileNotFoundError: if the folder has neither the file nor the same with `.gz`.
        ValueError: if it is damaged, has another shape or other bytes; the message names it.
    """
    path = _find(Path(folder), file.name)
    data, header = _unpacked(path), 4 + 4 * len(file.shape)
    magic = 0x0800 + len(file.shape)  # 08 stands for unsigned bytes
    if data[:4].hex() != f"{magic:08x}":
        raise ValueError(f"{path} must begin with the magic number {magic:08x}, got {data[:4].hex() or 'no bytes'}")
    shape = tuple(np.frombuffer(data[4:header].ljust(header - 4, b"\0"), ">u4").tolist())
    if shape != file.shape:
        raise ValueError(f"{path} must hold {_times(file.shape)} numbers, got {_times(shape)}")
    if len(data) != header + math.prod(file.shape):
        expected = header + math.prod(file.shape)
        raise ValueError(f"{path} must have {expected:,} bytes (unpacked), got {len(data):,}")
    digest = hashlib.sha256(data).hexdigest()
    if file.digest and digest != file.digest:
        raise ValueError(f"{path} must have the SHA-256 {file.digest} (unpacked) of the published file, got {digest}")
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=header).reshape(file.shape).copy())


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no file {name} or {name}.gz in {folder}; `apt-get install {PACKAGE}` (Debian) puts it into {FOLDER}"
    )


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(GZIP):  # browsers may have unpacked it and left its name
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a whole gzip file, got a damaged one: {error}") from None


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def prepare_fashion(
    source: str | Path,
    out: str | Path,
    classes: tuple[str, ...] = CLASSES,
    split: str = "train",
    resolution: int = SIDE + 2 * MARGIN,
    processes: int = 1,
    progress: bool = True,
    files: tuple[IdxFile, IdxFile] | None = None,
) -> dict:
    """Write the photographs of some classes as a folder of square PNGs; return what `about.json` says.

    As `wwlib.datasets.prepare.prepare_pictures`: the same call continues where the last one stopped, and the three
    channels of a grey picture are alike.

    Args:
        source: the folder with the four `idx` files.
        out: receives the PNGs and `about.json`; empty, missing, or of an earlier call with the same settings.
        classes, split, files: as for `load_fashion`.
        resolution: side of the result, pixels: 8, 16 or 32; the smaller ones are means of boxes.
        processes: number of processes that write at the same time.
        progress: show a progress bar (never when headless).

    Raises:
        FileNotFoundError, ValueError: as `load_fashion`; and for an `out` made with other settings.
    """
    check_settings(resolution, processes)
    if resolution > SIDE + 2 * MARGIN:
        raise ValueError(f"resolution must be at most {SIDE + 2 * MARGIN} for fashion, got {resolution}")
    data = load_fashion(source, split, classes, files=files)
    plan = dict(
        set="fashion",
        source=Path(source).resolve().name,
        sources=len(data),
        published=(files or SPLITS[split])[1].shape[0],
        pixels=hashlib.sha256(data.pixels.numpy()).hexdigest(),
        split=split,
        classes=sorted(classes, key=CLASSES.index),
        crop=f"none: {MARGIN} black pixels on every side, so that published pixels stay as they are",
        resolution=resolution,
        seed=SEED,
    )
    names = [f"{split} {position}" for position in data.positions.tolist()]
    sources = list(zip(names, data.pixels.numpy(), strict=True))
    return write_prepared(Path(out), plan, sources, partial(_square, resolution=resolution), processes, progress)


def _square(pixels: np.ndarray, resolution: int) -> np.ndarray:
    """Return grey pixels `[28, 28]` as a picture `[resolution, resolution, 3]` uint8."""
    return shrink(np.pad(pixels, MARGIN)[:, :, None].repeat(3, axis=2), resolution)


def make_archive(path: str | Path = ARCHIVE, folder: str | Path = FOLDER, seed: int = 0) -> None:
    """Draw shoes and bags from the published test split, and write them in the order in which they stand there."""
    data = load_fashion(folder, "test")
    random = np.random.RandomState(seed)  # its numbers are the same in every version of numpy
    drawn = []
    for classes in (SHOES, ("bag",)):
        positions = data.of(classes).positions.numpy()
        drawn.append(random.choice(positions, EACH, replace=False))
    rows = torch.from_numpy(np.sort(np.concatenate(drawn)))
    tensors = dict(pixels=data.pixels[rows], labels=data.labels[rows].byte(), positions=rows.short())
    about = dict(kind="fashion", command="python -m wwlib remake fashion", seed=seed, split="test", source=SOURCE)
    save_tensors(path, tensors, about)


def load_held_out(
    classes: tuple[str, ...] = (*SHOES, "bag"), resolution: int = SIDE + 2 * MARGIN, archive: str | Path = ARCHIVE
) -> Photographs:
    """Read the shipped pictures: 200 shoes and 200 bags of the published test split, on which nothing may be trained.

    Raises:
        FileNotFoundError: if the archive is missing.
        ValueError: for a file of another kind, another resolution, or a class that is not shown there.
    """
    tensors, about = load_tensors(archive)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected = dict(pixels=(2 * EACH, SIDE, SIDE), labels=(2 * EACH,), positions=(2 * EACH,))
    if about.get("kind") != "fashion" or shapes != expected:
        raise ValueError(f"{archive} must hold photographs {expected}, got {about.get('kind')!r} {shapes}")
    data = Photographs(tensors["pixels"], tensors["labels"].long(), tensors["positions"].long(), resolution)
    return data.of(classes)
