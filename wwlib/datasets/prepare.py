"""Preparing picture sets as the paper does: a published folder is cropped and shrunk to small square PNGs.

The output is readable by any tool: `00000/00000000.png`, `00000/00000001.png`, ... in shuffled order, a thousand to a
folder, and `about.json`, which says what was done. Running the same command again continues.

Sources of the crops: CelebA from the authors' data set tool; FFHQ is used whole. How UT-Zappos shoes and CLEVR were
cropped for the paper was never published (`Form.crop` says what we do instead).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from wwlib.base.device import headless
from wwlib.base.files import save_json, write_whole
from wwlib.datasets.pictures import PICTURES, Unreadable, description, list_pictures, read_picture

ABOUT = "about.json"
SEED = 123  # of the order, as in the authors' data set tool
DAMAGED_SHARE = 0.01  # of the source's pictures that may be unreadable
FOLDER = 1_000  # pictures in one folder


@dataclass(frozen=True)
class Form:
    """Which sizes the pictures of a published set have, and how they become square.

    Args:
        sizes: (width, height) that occur; empty for any.
        square: turns pixels `[H, W, 3]` into a square.
        crop: what `square` does, in words, for `about.json`.
        published: pictures in the published set; 0 for unknown.
    """

    sizes: tuple[tuple[int, int], ...]
    square: Callable[[np.ndarray], np.ndarray]
    crop: str
    published: int = 0


def crop_face(pixels: np.ndarray) -> np.ndarray:
    """Return CelebA's 128 x 128 about column 89, row 121: rows 57 to 184, columns 25 to 152."""
    return pixels[57:185, 25:153]


def central_square(pixels: np.ndarray) -> np.ndarray:
    """Return the largest central square."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def pad_white(pixels: np.ndarray) -> np.ndarray:
    """Return the picture in the middle of a white square as wide as its longer side."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    canvas = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


FORMS = {
    "celeba": Form(
        ((178, 218),), crop_face, "rows 57 to 184, columns 25 to 152 of the aligned picture, as the authors do", 202_599
    ),
    "ffhq": Form(((512, 512), (1024, 1024)), np.asarray, "none: the pictures are square", 70_000),
    "shoes": Form(
        ((136, 102), (136, 136)),
        pad_white,
        "none: white above and below to a square (ours; what the paper did is not known)",
        50_025,
    ),
    "clevr": Form(
        ((480, 320), (320, 240), (256, 256), (128, 128)),
        central_square,
        "central square (ours; the Hessian Penalty's own CLEVR pictures are square already)",
    ),
    "folder": Form((), central_square, "central square"),
}


def shrink(pixels: np.ndarray, resolution: int) -> np.ndarray:
    """Return a square picture `[S, S, 3]` uint8 averaged down to `[resolution, resolution, 3]`.

    Where `S` is a multiple of the resolution every pixel is the rounded mean of its box.
    """
    side = len(pixels)
    if side % resolution:
        return np.asarray(Image.fromarray(pixels).resize((resolution, resolution), Image.BOX))
    factor = side // resolution
    boxes = pixels.reshape(resolution, factor, resolution, factor, 3).astype(np.float64)
    return np.rint(boxes.mean(axis=(1, 3))).astype(np.uint8)


def square_picture(file: Path, form: Form, resolution: int) -> np.ndarray:
    """Read one picture of a set and return it cropped and shrunk, `[resolution, resolution, 3]` uint8.

    Raises:
        Unreadable: for a damaged file.
        ValueError: for a picture of another size than the set's; the message names the file and what was expected.
    """
    picture = read_picture(file)
    if form.sizes and picture.size not in form.sizes:
        expected = " or ".join(f"{width} x {height}" for width, height in form.sizes)
        raise ValueError(f"{file} must be {expected} pixels, got {picture.width} x {picture.height}")
    square = form.square(np.asarray(picture))
    if len(square) < resolution:
        raise ValueError(f"{file} must have at least {resolution} pixels a side after cropping, got {len(square)}")
    return shrink(square, resolution)


def prepare_pictures(
    name: str, source: str | Path, out: str | Path, resolution: int = 64, processes: int = 1, progress: bool = True
) -> dict:
    """Turn a published picture folder into a folder of square PNGs; return what `about.json` says.

    Pictures that are there already are skipped, so the same call continues where the last one stopped.

    Args:
        name: "celeba", "ffhq", "shoes", "clevr" or "folder" (any pictures, central square).
        source: the folder as published, searched recursively for png, jpg, webp and bmp.
        out: receives the PNGs and `about.json`; empty, missing, or of an earlier call with the same settings.
        resolution: side of the result, pixels.
        processes: number of processes that read and write at the same time.
        progress: show a progress bar (never when headless).

    Raises:
        ValueError: for an unknown set, pictures of the wrong size, an `out` made with other settings, or more than
            one per cent of damaged files.
        FileNotFoundError: if `source` holds no pictures.
    """
    if name not in FORMS:
        raise ValueError(f"set must be one of {tuple(FORMS)}, got {name!r}")
    check_settings(resolution, processes)
    source, out = Path(source), Path(out)
    files = list_pictures(source)
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"out must lie outside of the source, got {out} in {source}")
    names = "\n".join(file.relative_to(source).as_posix() for file in files)
    plan = dict(
        set=name,
        source=source.resolve().name,
        sources=len(files),
        published=FORMS[name].published,
        names=hashlib.sha256(names.encode()).hexdigest(),
        crop=FORMS[name].crop,
        resolution=resolution,
        seed=SEED,
    )
    sources = [(file.relative_to(source).as_posix(), file) for file in files]
    return write_prepared(
        out, plan, sources, partial(square_picture, form=FORMS[name], resolution=resolution), processes, progress
    )


def write_prepared(
    out: Path,
    plan: dict,
    sources: Sequence[tuple[str, Any]],
    read: Callable[[Any], np.ndarray],
    processes: int = 1,
    progress: bool = True,
) -> dict:
    """Write one PNG for each source, shuffled, and `about.json`; return what it says. Pictures there are skipped.

    Args:
        out: receives the PNGs and `about.json`; empty, missing, or of an earlier call with the same plan.
        plan: what `about.json` says of the settings; it holds `source`, where the pictures come from.
        sources: pairs of a picture's name and what `read` makes its pixels from.
        read: returns pixels `[resolution, resolution, 3]` uint8; raises `Unreadable` for a damaged source.
        processes: number of processes that read and write at the same time.
        progress: show a progress bar (never when headless).

    Raises:
        ValueError: for an `out` made with another plan, or more than one per cent of damaged sources.
    """
    _check_out(out, plan)
    save_json(out / ABOUT, {**plan, "finished": False})

    order = np.arange(len(sources))
    np.random.RandomState(SEED).shuffle(order)
    jobs = ((*sources[index], picture_path(out, number)) for number, index in enumerate(order))
    damaged: list[str] = []
    bar = tqdm(total=len(sources), mininterval=0.5, unit="picture", disable=headless() or not progress)
    with bar:
        for name, problem in _results(partial(_prepare_one, read=read), jobs, processes):
            bar.update()
            if problem:
                damaged.append(name)
            if len(damaged) > max(1, DAMAGED_SHARE * len(sources)):
                raise ValueError(f"{plan['source']} holds too many damaged pictures, such as {damaged[0]}: {problem}")
    about = {**plan, "finished": True, "count": len(sources) - len(damaged), "damaged": sorted(damaged)}
    save_json(out / ABOUT, about)
    return about


def check_settings(resolution: int, processes: int) -> None:
    """Raise ValueError unless pictures can be prepared at this resolution by so many processes."""
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two from 8, got {resolution}")
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")


def picture_path(out: Path, number: int) -> Path:
    """Return the path of picture `number` of a prepared folder."""
    return out / f"{number // FOLDER:05d}" / f"{number:08d}.png"


def _check_out(out: Path, plan: dict) -> None:
    about = out / ABOUT
    if about.is_file():
        recorded = description(out)
        if differing := sorted(key for key in plan if recorded.get(key) != plan[key]):
            differences = ", ".join(f"{key} {recorded.get(key)!r} instead of {plan[key]!r}" for key in differing)
            raise ValueError(f"{out} was prepared with {differences}; choose another folder")
    elif out.is_dir() and any(file.suffix.lower() in PICTURES for file in out.rglob("*")):
        raise ValueError(f"{out} must be empty or prepared by this command: it holds pictures but no {ABOUT}")


def _prepare_one(job: tuple[str, Any, Path], read: Callable[[Any], np.ndarray]) -> tuple[str, str]:
    """Prepare one picture unless it is there; return its name and, for a damaged one, what is wrong with it."""
    name, source, target = job
    if target.is_file() and target.stat().st_size:  # after a power cut a file may be there and be empty
        return name, ""
    try:
        picture = Image.fromarray(read(source))
    except Unreadable as error:
        return name, str(error)
    write_whole(target, lambda path: picture.save(path, format="PNG"), sync=False)
    return name, ""


def _results(work: Callable, jobs: Iterator, processes: int) -> Iterator[tuple[str, str]]:
    """Do the jobs in this process or in several, a few thousand at a time, so that results do not pile up."""
    if processes == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(processes) as pool:
        while some := list(islice(jobs, 2_000)):
            yield from pool.map(work, some, chunksize=50)
