"""Measures of lesson 16: is a style copied and the content kept, and what do encoder and decoder tell each other?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.appearance.measures import in_batches
from wwlib.appearance.style import StyleModel
from wwlib.appearance.styles.losses import squared_distance


def agreement(measured: Tensor, given: Tensor) -> float:
    """Return the mean cosine of the differences of angles, both `[n]` in turns: 1 for equal ones, 0 for unrelated."""
    return float((2 * math.pi * (measured - given)).cos().mean())


def variety(drawn: Tensor, drawn_other: Tensor, right: Tensor, right_other: Tensor) -> float:
    """Return how far the mean colours of two drawings lie apart, over how far they should: roots of mean squares.

    Args:
        drawn, drawn_other: the same photos in two styles of a family, `[n, 3, H, W]`.
        right, right_other: the right answers to both.
    """
    apart = lambda one, other: (one - other).mean(dim=(2, 3)).square().mean()  # noqa: E731
    return float((apart(drawn, drawn_other) / apart(right, right_other)).sqrt())


def nearest_neighbour(codes: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """Return, for every code `[n, 8]`, the value of the known code `[m, 8]` that is most like it."""
    return values[(codes @ known.T).argmax(dim=1)]


def readable(codes: Tensor, labels: Tensor, train: int) -> tuple[float, float]:
    """Return how often labels are read from codes of rows that were not learned from: linearly, and by a forest.

    Args:
        codes: `[n, d]`.
        labels: whole numbers `[n]`.
        train: rows to learn from; the rest are scored.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x, t = codes.double().cpu().numpy(), labels.cpu().numpy()
    readers = LogisticRegression(C=100.0, max_iter=2_000), RandomForestClassifier(200, random_state=0)
    linear, forest = (float((reader.fit(x[:train], t[:train]).predict(x[train:]) == t[train:]).mean())
                      for reader in readers)  # fmt: skip
    return linear, forest


@torch.no_grad()
def style_codes(model: StyleModel, images: Tensor) -> Tensor:
    """Return the style codes `[n, 8]` of whole pictures `[n, 3, H, W]`."""
    return in_batches(model.style, images)


@torch.no_grad()
def painted(model: StyleModel, photos: Tensor, references: Tensor) -> Tensor:
    """Return photos `[n, 3, 32, 32]` in the styles of as many references."""
    return in_batches(model.transfer, photos, references)


def code_distance(model: StyleModel, drawn: Tensor, other: Tensor) -> float:
    """Return the mean squared distance between the style codes of pictures and of others, row by row.

    Of two photos in one style it is the drift with the photo; of one photo in two styles, that with the reference.
    """
    return float(squared_distance(style_codes(model, drawn), style_codes(model, other)).mean())
