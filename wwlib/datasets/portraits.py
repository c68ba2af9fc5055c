"""Portraits composed from layers that an artist drew: real drawings whose factors and footprints are known exactly.

The drawings are "ToonHead" by Johan Melin, a remix under CC BY 4.0, through DiceBear. A face is nine layers painted one
over the other. Each layer is stored once for each of its variants, as opacity and as weights of the colours it uses, so
a small archive holds all the faces there can be: `data/portraits.safetensors`, which `python -m wwlib remake portraits`
writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.files import load_tensors, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.avatars import palette, rasterise
from wwlib.datasets.factors import FactorData

SIDE = 64
PALETTES = {
    "background": ("b6e3f4", "ffd5dc", "c0aede", "d1f4c9", "ffdfa6", "5b7fa6", "9c4f5e", "4f7a57"),
    "skin": ("f1c3a5", "d9a383", "b97a56", "8c5a3c", "5c3829"),
    "hair colour": ("2c1b18", "724133", "c9602c", "e0b85a", "c9c4c0", "7a4fb0"),
    "clothes colour": ("b11f1f", "f97316", "eab308", "147f3c", "0b6ea8", "731ac3", "ec4899", "e8e9e6"),
}
# the layers from back to front; a layer with one variant is always drawn and is not a factor
LAYERS: dict[str, tuple[str | None, ...]] = {
    "rearHair": (None, "longStraight", "longWavy", "neckHigh"),
    "body": ("body",),
    "head": ("head",),
    "clothes": ("openJacket", "shirt", "tShirt", "turtleNeck"),
    "mouth": ("agape", "laugh", "sad", "smile"),
    "beard": (None, "chin", "fullBeard"),
    "eyes": ("happy", "humble", "wide"),
    "eyebrows": ("angry", "neutral", "raised"),
    "hair": ("bun", "sideComed", "spiky", "undercut"),
}
FACTOR_OF = {
    "rearHair": "hair behind",
    "hair": "hair above",
    "beard": "beard",
    "clothes": "clothes",
    "mouth": "mouth",
    "eyes": "eyes",
    "eyebrows": "eyebrows",
}
COLOURS = ("skin", "hair colour", "clothes colour")
# what a portrait consists of, by the layers that show it; a beard has the hair's colour
REGIONS = {
    "background": (),
    "hair": ("rearHair", "beard", "hair"),
    "face": ("body", "head", "mouth", "eyes", "eyebrows"),
    "clothes": ("clothes",),
}
ARCHIVE = DATA / "portraits.safetensors"
SOURCE = "Remix of ToonHead by Johan Melin, CC BY 4.0, https://www.figma.com/community/file/1589627891082866389"


class Portraits(FactorData):
    """Drawn portraits with eleven factors, composed when they are asked for, on any device.

    Args:
        resolution: side of the images: 32 or 64 pixels.
        device: where images are composed.
        archive: the layers.

    Raises:
        ValueError: for another resolution or a file of another kind.
        FileNotFoundError: if the archive is missing.
    """

    factor_names = (*PALETTES, *FACTOR_OF.values())
    factor_sizes = (*map(len, PALETTES.values()), *(len(LAYERS[layer]) for layer in FACTOR_OF))
    channels = 3

    def __init__(self, resolution: int = 64, device: torch.device | str = "cpu", archive: str | Path = ARCHIVE):
        if resolution not in (32, SIDE):
            raise ValueError(f"resolution must be 32 or {SIDE}, got {resolution!r}")
        self.resolution, self.device = resolution, torch.device(device)
        tensors, about = load_tensors(archive)
        expected = {layer: (len(variants), 4 + len(COLOURS), SIDE, SIDE) for layer, variants in LAYERS.items()}
        if about.get("kind") != "portraits" or {name: tuple(t.shape) for name, t in tensors.items()} != expected:
            raise ValueError(f"{archive} must hold the layers of the portraits, got {about.get('kind')!r}")
        self._layers = {
            name: tensor.to(self.device, torch.get_default_dtype()) / 255 for name, tensor in tensors.items()
        }
        self._palettes = {name: palette(colours).to(self.device) for name, colours in PALETTES.items()}

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, H, W]` in [-1, 1] for `factors` `[n, 11]`."""
        return self._shown(deque(self._paint(factors), maxlen=1).pop())

    def stages(self, factors: Tensor) -> Tensor:
        """Return `[n, stages, 3, H, W]`: the bare background, then the picture after each layer of `LAYERS`."""
        return torch.stack([self._shown(canvas) for canvas in self._paint(factors)], dim=1)

    def regions(self, factors: Tensor) -> Tensor:
        """Return how much of every pixel shows each of `REGIONS`, `[n, 4, H, W]`: the exact truth; shares add up to 1.

        Args:
            factors: `[n, 11]`.
        """
        chosen = self._chosen(factors)
        owner = {layer: region for region, layers in enumerate(REGIONS.values()) for layer in layers}
        shares = torch.zeros(len(factors), len(REGIONS), SIDE, SIDE, device=self.device)
        shares[:, 0] = 1
        for name in LAYERS:
            opacity = self._layer(name, chosen)[:, :1]
            shares = shares * (1 - opacity)
            shares[:, owner[name]] += opacity[:, 0]
        return F.avg_pool2d(shares, SIDE // self.resolution)

    def _chosen(self, factors: Tensor) -> dict[str, Tensor]:
        """Each factor's values by its name."""
        return dict(zip(self.factor_names, self.check_factors(factors).unbind(1), strict=True))

    def _layer(self, name: str, chosen: dict[str, Tensor]) -> Tensor:
        """A layer as each portrait has it, `[n, 7, 64, 64]`."""
        layer = self._layers[name]
        return layer[chosen[FACTOR_OF[name]]] if name in FACTOR_OF else layer.expand(len(chosen["skin"]), -1, -1, -1)

    def _paint(self, factors: Tensor) -> Iterator[Tensor]:
        """Yield the canvas `[n, 3, 64, 64]` in [0, 1] before the first layer and after each."""
        chosen = self._chosen(factors)
        canvas = self._palettes["background"][chosen["background"]][:, :, None, None].expand(-1, -1, SIDE, SIDE)
        yield canvas
        colours = torch.stack([self._palettes[name][chosen[name]] for name in COLOURS], dim=2)
        for name in LAYERS:
            # a layer holds opacity, the red, green and blue that no factor changes, and one weight for each colour
            opacity, fixed, weights = self._layer(name, chosen).split((1, 3, len(COLOURS)), dim=1)
            paint = torch.baddbmm(fixed.flatten(2), colours, weights.flatten(2)).view_as(fixed)
            canvas = canvas * (1 - opacity) + paint
            yield canvas

    def _shown(self, canvas: Tensor) -> Tensor:
        return F.avg_pool2d((canvas * 2 - 1).clamp(-1, 1), SIDE // self.resolution)


def make_archive(path: str | Path = ARCHIVE) -> None:
    """Draw all layers and write the archive; needs the packages dicebear-core, dicebear-styles and resvg-py.

    A colour's weight is how much the layer changes when that colour goes from black to white, all others black.
    """
    black = dict.fromkeys(COLOURS, "000000")
    tensors = {}
    for layer, variants in LAYERS.items():
        drawn = []
        for variant in variants:
            base = draw({layer: variant}, black)
            whites = [draw({layer: variant}, black | {name: "ffffff"}) for name in COLOURS]
            weights = np.stack([(_premultiplied(white) - _premultiplied(base)).max(axis=2) for white in whites])
            drawn.append(np.concatenate([base[None, :, :, 3], _premultiplied(base).transpose(2, 0, 1), weights]))
        tensors[layer] = torch.from_numpy(np.stack(drawn).round().clip(0, 255).astype(np.uint8))
    save_tensors(path, tensors, dict(kind="portraits", command="python -m wwlib remake portraits", source=SOURCE))


def draw(parts: dict[str, str | None], colours: dict[str, str], background: str | None = None) -> np.ndarray:
    """Draw layers with DiceBear itself: uint8 `[64, 64, 4]`, red, green, blue and opacity.

    Args:
        parts: the variant of each layer to draw; a layer that is not named, or is None, is left out.
        colours: six hex digits for "skin", "hair colour" and "clothes colour".
        background: six hex digits; None leaves it transparent.
    """
    options: dict[str, object] = {"seed": "ww", "strokeColor": ["000000"]}
    for layer in LAYERS:
        variant = parts.get(layer)
        options[f"{layer}Probability"] = 0 if variant is None else 100
        if variant:
            options[f"{layer}Variant"] = [variant]
    options |= {f"{name.split()[0]}Color": [colour] for name, colour in colours.items()}
    if background:
        options["backgroundColor"] = [background]
    return rasterise("toon-head", options, SIDE)


def _premultiplied(image: np.ndarray) -> np.ndarray:
    """Return colours times opacity, 0 to 255: what a layer adds to the canvas."""
    return image[:, :, :3] * (image[:, :, 3:] / 255.0)
