"""Faces of lesson 16 that three artists drew: the same attributes, each in three hands.

The drawings come through DiceBear: "Pixel Art" by DiceBear (CC0 1.0), a remix of "Personas" by Draftbit (CC BY 4.0) and
a remix of "Adventurer" by Lisa Wischofsky (CC BY 4.0). Content is what a drawing shows: six attributes, with the same
colours offered to all three. Style is the hand. Which of its own hair and mouths a hand takes for an attribute is left
to chance: its versions.

A face is a few layers, painted one over the other; `data/artists.safetensors` stores each layer once for every value
that it depends on. `python -m wwlib remake artists` writes the file. Heads are brought to about the same place
and size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wwlib.base.files import load_tensors, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.avatars import palette, rasterise
from wwlib.datasets.factors import FactorData

SIDE = 32  # px
FINER = 4  # layers are drawn so many times as large, then averaged
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "background": ("b6e3f4", "ffe3a8", "c3e6b5", "e6b3d3"),
    "skin": ("f0c8a8", "c68a5c", "6f4630"),
    "hair colour": ("2b2320", "e0b64a", "c4512d", "6a3fa0"),
    "hair": ("short", "long"),
    "glasses": ("none", "clear", "dark"),
    "mouth": ("frown", "smile"),
}
SIZES = tuple(map(len, ATTRIBUTES.values()))
VERSIONS = {"hair version": 4, "mouth version": 2}  # of what a hand has for the same attribute
HELD_OUT, HELD_OUT_SEED = 0.2, 16  # share of the combinations of attributes that no training sees
CLOTHES = "4a6fa5"
ARCHIVE = DATA / "artists.safetensors"


@dataclass(frozen=True)
class Layer:
    """Parts of a drawing that are painted together.

    Args:
        follows: "skin", "hair", "glasses" or "mouth", which choose what it shows; "" if it is always the same.
        components: of the style at DiceBear; "" is what belongs to none.
    """

    follows: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Hand:
    """An artist's hand, as DiceBear offers it.

    Args:
        style: its name at DiceBear.
        credit: title, author, licence and source.
        view: left and upper edge and side of the square that is shown, in the style's own units.
        width: of the style's canvas, in its own units.
        layers: from back to front.
        hair, mouth: the versions of each value of the attribute.
        glasses: options for each kind.
        fixed: options that no attribute changes.
    """

    style: str
    credit: str
    view: tuple[float, float, float]
    width: float
    layers: tuple[Layer, ...]
    hair: tuple[tuple[str, ...], ...]
    mouth: tuple[tuple[str, ...], ...]
    glasses: tuple[dict, ...]
    fixed: dict = field(default_factory=dict)


CC_BY = "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)"
HANDS = {
    "pixel art": Hand(
        "pixel-art",
        "Pixel Art by DiceBear, CC0 1.0, https://www.figma.com/community/file/1198754108850888330",
        (0, 0, 16),
        16,
        (
            Layer("skin", ("",)),
            Layer("", ("clothes", "eyes")),
            Layer("glasses", ("glasses",)),
            Layer("mouth", ("mouth",)),
            Layer("hair", ("hair",)),
        ),
        (("short01", "short06", "short16", "short22"), ("long01", "long07", "long12", "long20")),
        (("sad01", "sad08"), ("happy06", "happy08")),
        (
            {"glassesProbability": 0},
            {"glassesProbability": 100, "glassesVariant": ["light05"]},
            {"glassesProbability": 100, "glassesVariant": ["dark03"]},
        ),
        {
            "eyesVariant": ["variant11"],
            "eyesColor": ["3b2a20"],
            "mouthColor": ["b5403c"],
            "glassesColor": ["20242c"],
            "clothesVariant": ["variant04"],
            "clothingColor": [CLOTHES],
        },
    ),
    "personas": Hand(
        "personas",
        f"Remix of Personas by Draftbit (https://draftbit.com/), {CC_BY}, https://personas.draftbit.com/",
        (9.6, 6.5, 44.8),
        64,
        (
            Layer("skin", ("", "nose")),  # the nose takes its colour from the skin below it
            Layer("glasses", ("eyes",)),
            Layer("hair", ("hair",)),
            Layer("", ("clothes",)),
            Layer("mouth", ("mouth",)),
        ),
        (
            ("shortCombover", "shortComboverChops", "fade", "curlyHighTop"),
            ("long", "extraLong", "bobCut", "bobBangs"),
        ),
        (("frown",), ("bigSmile", "smile")),
        ({"eyesVariant": ["open"]}, {"eyesVariant": ["glasses"]}, {"eyesVariant": ["sunglasses"]}),
        {"noseVariant": ["smallRound"], "clothesVariant": ["rounded"], "clothingColor": [CLOTHES]},
    ),
    "adventurer": Hand(
        "adventurer",
        f"Remix of Adventurer by Lisa Wischofsky (https://www.instagram.com/lischi_art/), {CC_BY}, "
        "https://www.figma.com/community/file/1184595184137881796",
        (0, 72, 660),
        762,
        (
            Layer("skin", ("head",)),
            Layer("", ("eyes", "eyebrows")),
            Layer("mouth", ("mouth",)),
            Layer("glasses", ("glasses",)),
            Layer("hair", ("hair",)),
        ),
        (("short01", "short10", "short11", "short14"), ("long01", "long05", "long07", "long17")),
        (("variant04", "variant14"), ("variant01", "variant23")),
        (
            {"glassesProbability": 0},
            {"glassesProbability": 100, "glassesVariant": ["variant02"]},
            {"glassesProbability": 100, "glassesVariant": ["variant01"]},
        ),
        {"eyesVariant": ["variant24"], "eyebrowsVariant": ["variant10"]},
    ),
}
ARTISTS = tuple(HANDS)


def attribute_grid() -> Tensor:
    """Return every combination of attributes, `[576, 6]`."""
    return torch.tensor(list(product(*map(range, SIZES))))


def held_out() -> Tensor:
    """Return which rows of `attribute_grid` are left out of every training, `[576]`."""
    n = len(attribute_grid())
    chosen = torch.zeros(n, dtype=torch.bool)
    chosen[torch.randperm(n, generator=torch.Generator().manual_seed(HELD_OUT_SEED))[: round(HELD_OUT * n)]] = True
    return chosen


class Drawings(FactorData):
    """Faces in three hands: artist, six attributes, and two versions.

    Args:
        test: whether `sample_factors` gives the combinations of attributes that are held out, or the others.
        archive: the layers.

    Raises:
        ValueError: for a file of another kind.
        FileNotFoundError: if the archive is missing.
    """

    factor_names = ("artist", *ATTRIBUTES, *VERSIONS)
    factor_sizes = (len(ARTISTS), *SIZES, *VERSIONS.values())
    channels, resolution = 3, SIDE

    def __init__(self, test: bool = False, archive: str | Path = ARCHIVE):
        tensors, about = load_tensors(archive)
        expected = {name: shape for hand in HANDS.values() for name, shape in layer_shapes(hand).items()}
        if about.get("kind") != "artists" or {name: tuple(t.shape) for name, t in tensors.items()} != expected:
            raise ValueError(f"{archive} must hold the layers of {ARTISTS}, got {about.get('kind')!r}")
        self._layers = {name: tensor.to(torch.get_default_dtype()) / 255 for name, tensor in tensors.items()}
        self._background = palette(ATTRIBUTES["background"])
        self._combinations = attribute_grid()[held_out() == test]

    def sample_factors(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` factor vectors `[n, 9]` whose attributes are held out, or are not."""
        factors = super().sample_factors(n, generator)
        rows = torch.randint(len(self._combinations), (n,), generator=generator)
        factors[:, 1 : 1 + len(SIZES)] = self._combinations[rows]
        return factors

    def images(self, factors: Tensor) -> Tensor:
        """Return drawings `[n, 3, 32, 32]` in [-1, 1] for `factors` `[n, 9]`."""
        factors = self.check_factors(factors)
        canvas = self._background[factors[:, 1]][:, :, None, None].repeat(1, 1, SIDE, SIDE)
        for artist, hand in enumerate(HANDS.values()):
            rows = (factors[:, 0] == artist).nonzero()[:, 0]
            for (name, _), layer in zip(layer_shapes(hand).items(), hand.layers, strict=True):
                paint = self._layers[name][_chosen(hand, layer, factors[rows])]
                canvas[rows] = canvas[rows] * (1 - paint[:, 3:]) + paint[:, :3]
        return (2 * canvas - 1).clamp(-1, 1)

    def every(self, artist: int) -> Tensor:
        """Return the factors `[m, 9]` of all different drawings that `sample_factors` can give, of one artist.

        Args:
            artist: position in `ARTISTS`.
        """
        versions = torch.tensor(list(product(*map(range, VERSIONS.values()))))
        attributes = self._combinations.repeat_interleave(len(versions), dim=0)
        versions = versions.repeat(len(self._combinations), 1)
        factors = torch.cat([torch.full((len(attributes), 1), artist), attributes, versions], dim=1)
        mouths = torch.tensor([len(one) for one in HANDS[ARTISTS[artist]].mouth])[factors[:, 6]]
        return factors[factors[:, 8] < mouths]  # a hand with fewer mouths would show the same drawing twice


def layer_shapes(hand: Hand) -> dict[str, tuple[int, ...]]:
    """Return the name of every layer of a hand in the archive, and its shape `[values, 4, 32, 32]`."""
    count = lambda layer: len(list(_values(hand, layer)))  # noqa: E731
    return {f"{hand.style} {k} {layer.follows}".strip(): (count(layer), 4, SIDE, SIDE)
            for k, layer in enumerate(hand.layers)}  # fmt: skip


def _chosen(hand: Hand, layer: Layer, factors: Tensor) -> Tensor:
    """The value of a layer that each of `factors` `[n, 9]` shows: positions in `_values`."""
    _, _, skin, colour, length, glasses, mouth, hair_version, mouth_version = factors.unbind(dim=1)
    if layer.follows == "hair":
        return (length * VERSIONS["hair version"] + hair_version) * len(ATTRIBUTES["hair colour"]) + colour
    if layer.follows == "mouth":
        counts = torch.tensor([len(one) for one in hand.mouth])
        first = counts.cumsum(dim=0) - counts
        return first[mouth] + mouth_version % counts[mouth]
    return {"skin": skin, "glasses": glasses, "": torch.zeros_like(skin)}[layer.follows]


def _values(hand: Hand, layer: Layer) -> Iterator[dict]:
    """Yield the options of every value of a layer."""
    if layer.follows == "hair":
        for variant, colour in product(sum(hand.hair, ()), ATTRIBUTES["hair colour"]):
            yield {"hairVariant": [variant], "hairColor": [colour]}
    elif layer.follows == "mouth":
        yield from ({"mouthVariant": [variant]} for variant in sum(hand.mouth, ()))
    elif layer.follows == "skin":
        yield from ({"skinColor": [colour]} for colour in ATTRIBUTES["skin"])
    else:
        yield from hand.glasses if layer.follows == "glasses" else ({},)


def make_archive(path: str | Path = ARCHIVE) -> None:
    """Draw all layers and write the archive; needs the packages dicebear-core, dicebear-styles and resvg-py."""
    tensors = {}
    for hand in HANDS.values():
        for name, layer in zip(layer_shapes(hand), hand.layers, strict=True):
            drawn = [draw(hand, options, layer.components) for options in _values(hand, layer)]
            tensors[name] = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()
    source = "; ".join(hand.credit for hand in HANDS.values())
    packages = {name: version(name) for name in ("dicebear-core", "dicebear-styles", "resvg-py")}
    about = dict(kind="artists", command="python -m wwlib remake artists", source=source, packages=packages)
    save_tensors(path, tensors, about)


def draw(hand: Hand, options: dict, components: tuple[str, ...] | None = None) -> np.ndarray:
    """Draw a face, or parts of it, with DiceBear itself: uint8 `[32, 32, 4]`, colours times opacity, and opacity.

    Args:
        hand: whose.
        options: of attributes; what is not named is as `hand.fixed` says.
        components: draw these alone.
    """
    options = {"seed": "ww", "hairProbability": 100, "earringsProbability": 0, "facialHairProbability": 0,
               "detailsProbability": 0, "hatProbability": 0, "beardProbability": 0, "accessoriesProbability": 0,
               **hand.fixed, **options}  # fmt: skip
    left, top, side = hand.view
    scale = SIDE * FINER / side  # pixels of the finer picture for one unit
    whole = rasterise(hand.style, options, round(hand.width * scale), components).astype(float)
    row, column = round(top * scale), round(left * scale)
    finer = whole[row : row + SIDE * FINER, column : column + SIDE * FINER]
    finer[..., :3] *= finer[..., 3:] / 255
    return finer.reshape(SIDE, FINER, SIDE, FINER, 4).mean(axis=(1, 3)).round().astype(np.uint8)
