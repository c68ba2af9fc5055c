"""Pictures with a text alternative: grids of images, masks, curves, animations and heat maps."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from wwlib.base.captions import alternative, course, write_below
from wwlib.base.files import write_whole

INK, ACCENT, SECOND, FAINT = "#1b1f2a", "#0b6fb8", "#d1495b", "#9aa3b2"


class Picture:
    """Encoded image bytes with alt text; a notebook shows it, a screen reader reads it.

    Args:
        data: PNG or GIF bytes.
        alt: what the picture shows, in words.
        kind: "image/png" or "image/gif".
    """

    def __init__(self, data: bytes, alt: str, kind: str = "image/png"):
        if not alt.strip():
            raise ValueError("alt must say in words what the picture shows, got an empty text")
        self.data, self.alt, self.kind = data, alt, kind

    def _repr_mimebundle_(self, include=None, exclude=None):
        content = {self.kind: base64.b64encode(self.data).decode(), "text/plain": f"[picture: {self.alt}]"}
        return content, {self.kind: {"alt": self.alt}}

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def save(self, path: str | Path) -> None:
        """Write the bytes to `path`, whole or not at all."""
        write_whole(path, lambda file: file.write_bytes(self.data))


def figure_picture(figure: Figure, alt: str = "", dpi: int = 100, caption: str = "") -> Picture:
    """Turn a matplotlib figure into a `Picture` of 256 colours, a third of the size, so that lessons stay small.

    Args:
        figure: what to draw.
        alt: what the picture shows, in words; left out, it is the caption and the titles of the panels.
        dpi: pixels an inch.
        caption: a short text that is written below the picture.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    FigureCanvasAgg(figure)
    alt = alternative(alt, caption, Panels=[axis.get_title() for axis in figure.axes])
    write_below(figure, caption, INK)
    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, dpi=dpi, bbox_inches="tight", facecolor="white")
    with Image.open(buffer) as full:
        full.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
    return Picture(small.getvalue(), alt)


def to_pixels(images: Tensor, side: int | None = None) -> np.ndarray:
    """Return images `[..., C, H, W]` in [-1, 1] as uint8 `[..., H, W, 3]`, enlarged to about `side` pixels.

    Raises:
        ValueError: unless there are 1 or 3 channels.
    """
    images = images.detach().float().cpu()
    if images.dim() < 3 or images.shape[-3] not in (1, 3):
        raise ValueError(f"images must be [..., 1 or 3, H, W], got {tuple(images.shape)}")
    lead = images.shape[:-3]
    images = images.reshape(-1, *images.shape[-3:])
    if side:
        images = images.repeat_interleave(max(1, side // images.shape[-1]), 2)
        images = images.repeat_interleave(max(1, side // images.shape[-1]), 3)
    images = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    images = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return images.reshape(*lead, *images.shape[1:]).numpy()


def mask_images(masks: Tensor, resolution: int, stretch: bool = False) -> Tensor:
    """Return masks `[..., R, R]` in [0, 1] as grey images `[..., 1, resolution, resolution]` in [-1, 1].

    Args:
        masks: any leading axes.
        resolution: side of the result; masks are resized bilinearly.
        stretch: stretch each mask to the full range from black to white, as the paper's figures do.
    """
    flat = masks.detach().reshape(-1, 1, *masks.shape[-2:]).float()
    flat = F.interpolate(flat, size=(resolution, resolution), mode="bilinear", align_corners=False)
    if stretch:
        flat = stretched(flat)
    return (flat * 2 - 1).reshape(*masks.shape[:-2], 1, resolution, resolution)


def stretched(masks: Tensor) -> Tensor:
    """Return each mask `[..., R, R]` stretched over its own range to [0, 1]; a flat one becomes 0."""
    low, high = masks.amin(dim=(-2, -1), keepdim=True), masks.amax(dim=(-2, -1), keepdim=True)
    return (masks - low) / (high - low).clamp(min=1e-6)


def grid(
    images: Tensor,
    alt: str = "",
    columns: int | None = None,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    side: int = 64,
    title: str = "",
    caption: str = "",
) -> Picture:
    """Lay images out in rows and columns with labels.

    Args:
        images: `[n, C, H, W]`, or `[rows, columns, C, H, W]`, in [-1, 1].
        alt: what the picture shows; left out, it is the caption and the labels.
        columns: for `[n, C, H, W]`; default: all in one row, at most 12.
        row_labels, column_labels: texts beside and above.
        side: size of one image on the page, pixels.
        title: text above everything.
        caption: a short text below the picture.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    alt = alternative(alt, caption, Rows=row_labels, Columns=column_labels)
    pixels = to_pixels(images)
    if pixels.ndim == 4:
        columns = columns or min(12, len(pixels))
        missing = -len(pixels) % columns
        pixels = np.concatenate([pixels, np.full((missing, *pixels.shape[1:]), 255, np.uint8)])
        pixels = pixels.reshape(-1, columns, *pixels.shape[1:])
    rows, columns = pixels.shape[:2]
    figure = Figure(figsize=(columns * side / 100, rows * side / 100))
    axes = figure.subplots(rows, columns, squeeze=False, gridspec_kw=dict(wspace=0.05, hspace=0.05))
    for row in range(rows):
        for column in range(columns):
            axis = axes[row, column]
            axis.imshow(pixels[row, column], interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(color=FAINT, linewidth=0.5)  # a white mask needs a visible border on a white page
        if row < len(row_labels):
            axes[row, 0].set_ylabel(row_labels[row], rotation=0, ha="right", va="center", fontsize=9, color=INK)
    for column, label in enumerate(column_labels):
        axes[0, column].set_title(_wrapped(label, side), fontsize=9, color=INK, pad=4)
    if title:
        figure.suptitle(title, fontsize=11, color=INK, y=0.93 + 0.35 / max(rows, 1))
    return figure_picture(figure, alt, caption=caption)


def _wrapped(label: str, side: int) -> str:
    """Break a label of 9 points into lines that fit over a picture `side` pixels wide; words stay whole."""
    width = max(1, int(0.77 * side / 6.6))  # a picture is 0.77 of its share of the figure; a letter is 6.6 pixels wide
    return "\n".join(textwrap.fill(line, width, break_long_words=False) for line in label.split("\n"))


def overlay(images: Tensor, masks: Tensor, strength: float = 0.75) -> Tensor:
    """Return images `[n, C, H, W]` dimmed where their mask `[n, R, R]` is low; the masked place stays bright."""
    light = (mask_images(masks, images.shape[-1], stretch=True) + 1) / 2
    return (images.clamp(-1, 1) + 1) * (1 - strength + strength * light) - 1


def where_truth(
    images: Tensor, masks: Tensor, footprints: Tensor, labels: Sequence[str], alt: str = "", caption: str = ""
) -> Picture:
    """Show image, mask and true footprint one above the other, with a column for each code.

    Args:
        images: `[n, C, H, W]`.
        masks: `[n, R, R]` in [0, 1].
        footprints: `[n, H, W]` bool.
        labels: `n` texts.
        alt: what the picture shows; left out, it is the caption and the labels.
        caption: a short text below the picture.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    colours = images.shape[1]
    seen = mask_images(masks, images.shape[-1], stretch=True).expand(-1, colours, -1, -1)
    truth = (footprints.float() * 2 - 1)[:, None].expand(-1, colours, -1, -1)
    rows = torch.stack([images.cpu(), seen.cpu(), truth.cpu()])
    return grid(rows, alt, row_labels=("image", "mask", "truth"), column_labels=labels, side=115, caption=caption)


def filmstrip(
    files: Sequence[str | Path],
    alt: str = "",
    labels: Sequence[str] = (),
    rows: Sequence[str] = (),
    caption: str = "",
) -> Picture:
    """Show pictures saved during a training in two columns, large enough to see what their rows show.

    Args:
        files: the pictures, all of one size.
        alt: what they show, in words; left out, it is the caption, the titles and the names of the rows.
        labels: a title for each picture.
        rows: names of the equally high rows that each picture consists of.
        caption: a short text below the pictures.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    alt = alternative(alt, caption, Pictures=labels, Rows=rows)
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    labels = labels or [""] * len(pictures)
    lines, shape = -(-len(pictures) // 2), pictures[0].shape
    figure = Figure(figsize=(7.6, 3.6 * lines * shape[0] / shape[1]))
    axes = figure.subplots(lines, 2, squeeze=False).flatten()
    for axis, picture, label in zip(axes, pictures, labels, strict=False):
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(label, fontsize=9, color=INK)
        height = shape[0] / max(1, len(rows))
        axis.set_yticks([height * (k + 0.5) for k in range(len(rows))], rows, fontsize=7, color=INK)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    for axis in axes[len(pictures) :]:
        axis.axis("off")
    figure.subplots_adjust(wspace=0.16, hspace=0.08)
    return figure_picture(figure, alt, caption=caption)


def gif(frames: Tensor, alt: str, side: int = 64, milliseconds: int = 100) -> Picture:
    """Return an animated GIF that runs through `frames` `[n, C, H, W]` and back, without end."""
    pictures = [Image.fromarray(p) for p in to_pixels(frames, side)]
    pictures += pictures[-2:0:-1]
    buffer = io.BytesIO()
    rest = dict(save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    pictures[0].save(buffer, format="GIF", **rest)
    return Picture(buffer.getvalue(), alt, "image/gif")


def curves(
    lines: dict[str, tuple[Sequence[float], Sequence[float]]],
    alt: str = "",
    x: str = "",
    y: str = "",
    level: tuple[float, str] | None = None,
    size: tuple[float, float] = (7.0, 3.2),
    log: bool = False,
    caption: str = "",
) -> Picture:
    """Plot named lines `{name: (xs, ys)}`, with an optional dashed level `(value, label)`.

    Args:
        lines: what to plot.
        alt: what the picture shows; left out, it is the caption, the names of the axes and the course of every line.
        x, y: names of the axes.
        level: a dashed horizontal line and its name.
        size: of the picture, inches.
        log: a logarithmic x axis.
        caption: a short text below the picture.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    lines = {name: tuple(points) for name, points in lines.items()}  # an iterator of pairs can be read only once
    alt = alternative(alt, caption, Axes=(x, y), Lines=[course(name, ys) for name, (_, ys) in lines.items()])
    figure = Figure(figsize=size)
    axis = figure.subplots()
    for (name, (xs, ys)), colour in zip(lines.items(), _colours(len(lines)), strict=True):
        axis.plot(xs, ys, color=colour, label=name, linewidth=1.8)
    if level:
        axis.axhline(level[0], color=FAINT, linestyle="--", linewidth=1)
        axis.annotate(
            level[1], (1.0, level[0]), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9
        )
    axis.set(xlabel=x, ylabel=y, xscale="log" if log else "linear")
    axis.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        axis.legend(facecolor="white", edgecolor="none", framealpha=0.8, fontsize=9)  # lines may pass behind it
    return figure_picture(figure, alt, caption=caption)


def _colours(n: int) -> list[str]:
    palette = [ACCENT, SECOND, "#2e8b57", "#e08e0b", "#6a4c93", INK, "#4aa8d8", "#b56576", FAINT, "#7a9e3a"]
    return [palette[i % len(palette)] for i in range(n)]


def heat_map(
    table: np.ndarray, rows: str, columns: str, title: str, names: Sequence[str] | None = None, digits: int = 2
) -> Picture:
    """Return a picture of a table of numbers, with each value written in its cell.

    Args:
        table: `[rows, columns]`.
        rows, columns: what a row and a column are; rows are numbered from 0.
        title: shown above.
        names: of the columns; numbers if left out.
        digits: shown after the decimal point.
    """
    height, width = table.shape
    figure = Figure(figsize=(1.6 + 0.62 * width, 1.2 + 0.3 * height))
    axes = figure.add_subplot()
    image = axes.imshow(table, cmap="Blues", aspect="auto")
    axes.set_xticks(range(width), names or range(width), rotation=30 if names else 0, ha="right" if names else "center")
    axes.set_yticks(range(height))
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
    axes.set_title(title, fontsize=10)
    light = image.to_rgba(table)[..., :3] ** 2.2 @ (0.2126, 0.7152, 0.0722)  # relative luminance
    for row, column in np.ndindex(height, width):
        colour = "white" if light[row, column] < 0.18 and np.isfinite(table[row, column]) else INK
        axes.text(column, row, f"{table[row, column]:.{digits}f}", ha="center", va="center", fontsize=7, color=colour)
    lines = f"{height} rows, one for each {rows}, and {width} columns, one for each {columns}"
    return figure_picture(figure, f"{title}: a table of {lines}.")
