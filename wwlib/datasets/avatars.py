"""Faces composed from parts that artists drew: real drawings whose factors and footprints are known exactly.

The drawings are "Pixel Art" by DiceBear (CC0 1.0). Colours recolour layers, as in `wwlib.datasets.shapes3d`, so a small
archive of layer weights holds all 138,240 faces: `data/avatars.safetensors`, which `python -m wwlib remake avatars`
writes.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wwlib.base.files import load_tensors, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.factors import FactorData

SIDE = 16  # the artists' own grid; larger images repeat pixels
HAIR_STYLES = ("long01", "long05", "long07", "long12", "long15", "short01", "short04", "short16")
GLASSES = (None, "dark03", "light04")
MOUTHS = ("happy01", "happy08", "sad01", "sad05")
PALETTES = {
    "background": ("b6e3f4", "ffd5dc", "c0aede", "d1f4c9", "ffdfa6", "5b7fa6", "9c4f5e", "4f7a57"),
    "skin": ("ffe0c4", "f0c09a", "d9a074", "a86f48", "6b4428"),
    "hair colour": ("2b2320", "7a4a26", "e0b64a", "c4512d", "bdbdc6", "6a3fa0"),
    "clothes colour": ("d7303a", "2f62c8", "2f9e5a", "e5b021", "f2f2f2", "3a3a44"),
}
COLOUR_OPTIONS = {
    "background": "backgroundColor",
    "skin": "skinColor",
    "hair colour": "hairColor",
    "clothes colour": "clothingColor",
}
ARCHIVE = DATA / "avatars.safetensors"


class Avatars(FactorData):
    """Pixel-art faces with seven factors, composed when they are asked for, on any device.

    Args:
        resolution: side of the images: 16, 32, 64 or 128 pixels.
        device: where images are composed.
        archive: the layer weights.

    Raises:
        ValueError: for another resolution or a file of another kind.
        FileNotFoundError: if the archive is missing.
    """

    factor_names = (*PALETTES, "hair style", "glasses", "mouth")
    factor_sizes = (*map(len, PALETTES.values()), len(HAIR_STYLES), len(GLASSES), len(MOUTHS))
    channels = 3

    def __init__(self, resolution: int = 32, device: torch.device | str = "cpu", archive: str | Path = ARCHIVE):
        if resolution not in (16, 32, 64, 128):
            raise ValueError(f"resolution must be 16, 32, 64 or 128, got {resolution!r}")
        self.resolution, self.device = resolution, torch.device(device)
        tensors, about = load_tensors(archive)
        expected = (len(HAIR_STYLES) * len(GLASSES) * len(MOUTHS), 3, SIDE, SIDE)
        if about.get("kind") != "avatars" or tuple(tensors["base"].shape) != expected:
            raise ValueError(f"{archive} must hold avatar layers {expected}, got {about.get('kind')!r}")
        self._base = tensors["base"].to(self.device, torch.get_default_dtype()) / 255
        self._weights = tensors["weights"].to(self.device, torch.get_default_dtype()) / 255
        self._palettes = [palette(colours).to(self.device) for colours in PALETTES.values()]

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, H, W]` in [-1, 1] for `factors` `[n, 7]`."""
        factors = self.check_factors(factors)
        geometry = (factors[:, 4] * len(GLASSES) + factors[:, 5]) * len(MOUTHS) + factors[:, 6]
        colours = torch.stack([palette[factors[:, i]] for i, palette in enumerate(self._palettes)], dim=2)
        flat = torch.baddbmm(self._base[geometry].flatten(2), colours, self._weights[geometry].flatten(2))
        images = (flat * 2 - 1).clamp(-1, 1).view(-1, 3, SIDE, SIDE)
        repeat = self.resolution // SIDE
        return images.repeat_interleave(repeat, dim=2).repeat_interleave(repeat, dim=3)


def palette(colours: tuple[str, ...]) -> Tensor:
    """Return colours, written as six hex digits each, as a tensor `[n, 3]` in [0, 1]."""
    return torch.tensor([[int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)] for colour in colours])


def make_archive(path: str | Path = ARCHIVE) -> None:
    """Draw all layers and write the archive; needs the packages dicebear-core, dicebear-styles and resvg-py.

    A layer's weight is how much the picture changes when its colour goes from black to white, all others black.
    """
    base, weights = [], []
    for hair, glasses, mouth in product(HAIR_STYLES, GLASSES, MOUTHS):
        parts = dict(hair=hair, glasses=glasses, mouth=mouth)
        black = draw(parts, dict.fromkeys(PALETTES, "000000"))
        whites = [draw(parts, dict.fromkeys(PALETTES, "000000") | {name: "ffffff"}) for name in PALETTES]
        base.append(torch.from_numpy(black).permute(2, 0, 1))
        weights.append(torch.stack([torch.from_numpy(white.astype(int) - black).amax(2) for white in whites]))
    tensors = dict(base=torch.stack(base).to(torch.uint8), weights=torch.stack(weights).to(torch.uint8))
    about = dict(
        kind="avatars",
        command="python -m wwlib remake avatars",
        source="Pixel Art by DiceBear, CC0 1.0, https://www.figma.com/community/file/1198754108850888330",
    )
    save_tensors(path, tensors, about)


def draw(parts: dict[str, str | None], colours: dict[str, str]) -> np.ndarray:
    """Draw one face with DiceBear itself: uint8 `[16, 16, 3]`.

    Args:
        parts: variant of "hair", "glasses" (None for none) and "mouth".
        colours: six hex digits for each name in `PALETTES`.
    """
    options = dict(
        seed="ww",
        eyesVariant=["variant11"],
        eyesColor=["3b2a20"],
        mouthVariant=[parts["mouth"]],
        mouthColor=["b5403c"],
        hairVariant=[parts["hair"]],
        hairProbability=100,
        glassesProbability=0 if parts["glasses"] is None else 100,
        glassesColor=["20242c"],
        clothesVariant=["variant04"],
        hatProbability=0,
        accessoriesProbability=0,
        beardProbability=0,
    )
    if parts["glasses"]:
        options["glassesVariant"] = [parts["glasses"]]
    options |= {COLOUR_OPTIONS[name]: [colour] for name, colour in colours.items()}
    return rasterise("pixel-art", options, SIDE)[:, :, :3]


def rasterise(style: str, options: dict, side: int, only: tuple[str, ...] | None = None) -> np.ndarray:
    """Draw one picture in a style of DiceBear, such as "pixel-art": uint8 `[side, side, 4]`, RGB and opacity.

    Args:
        style: its name at DiceBear.
        options: the parts and colours.
        side: of the picture, pixels.
        only: draw these components of the style alone; "" is what belongs to none.
    """
    import resvg_py
    from dicebear import Avatar
    from PIL import Image

    svg = Avatar(_load_style(style, only), options).to_string()
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


@lru_cache
def _load_style(name: str, only: tuple[str, ...] | None):
    from dicebear import Style

    described = json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8"))
    if only is not None:
        canvas = described["canvas"]
        component = lambda element: element["name"] if element["type"] == "component" else ""  # noqa: E731
        canvas["elements"] = [element for element in canvas["elements"] if component(element) in only]
    return Style(described)
