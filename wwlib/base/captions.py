"""A picture's words: the short caption that stands below it, and the text alternative that a screen reader reads."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure

LETTER = 0.066  # inches that a letter of 9 points takes on average
GAP = 0.08  # inches between the picture and its caption


def alternative(alt: str, caption: str, **labels: Sequence[str]) -> str:
    """Return the text alternative of a picture: `alt` if there is one, or else the caption and every label.

    Args:
        alt: what the picture shows, in words; may be empty beside a caption.
        caption: the short text below the picture.
        labels: texts inside the picture by what they name, such as `rows=("input", "output")`.

    Raises:
        ValueError: if both texts are empty.
    """
    if alt.strip():
        return alt
    if not caption.strip():
        raise ValueError("alt must say in words what the picture shows, or a caption must; got two empty texts")
    named = {kind: ", ".join(text for text in texts if text.strip()) for kind, texts in labels.items()}
    kinds = [f"{kind}: {texts}." for kind, texts in named.items() if texts]
    return " ".join([caption.strip(), *kinds]).replace("\n", " ")


def course(name: str, values: Sequence[float]) -> str:
    """Return a line of a plot in words: its name, its first and last value, and an extreme that lies between them.

    Args:
        name: of the line.
        values: finite; what is below a thousandth of the largest is called 0.
    """
    numbers = [float(value) for value in values]
    size = max(map(abs, numbers))
    first, last, highest, lowest = (
        f"{0.0 if abs(v) < size / 1000 else v:.3g}" for v in (numbers[0], numbers[-1], max(numbers), min(numbers))
    )
    between = [f", {what} {v}" for what, v in (("at most", highest), ("at least", lowest)) if v not in (first, last)]
    return f"{name} from {first} to {last}{''.join(between)}"


def write_below(figure: Figure, caption: str, colour: str) -> None:
    """Write a caption below everything that a figure shows, in lines no wider than the figure's contents.

    Args:
        figure: with a canvas that can be drawn on.
        caption: a short sentence; nothing is written when it is empty.
        colour: of the text.
    """
    if not caption.strip():
        return
    box = figure.get_tightbbox(figure.canvas.get_renderer())  # in inches
    lines = textwrap.fill(caption.strip(), max(24, int(box.width / LETTER)))
    x, y = box.x0 / figure.get_figwidth(), (box.y0 - GAP) / figure.get_figheight()
    figure.text(x, y, lines, ha="left", va="top", fontsize=9, color=colour)
