"""3D Shapes, rendered here: the factor grid of the published set, with exactly known pixels of every factor.

The three hues only recolour three surfaces. So the 480 geometries (scale x shape x orientation) are ray-traced once
into per-surface light weights, and any of the 480,000 images is `sum_layer weight * colour`.
Factor grid: Burgess & Kim 2018 (3D Shapes). The scene is ours and resembles theirs; it does not copy their pixels.
"""

from __future__ import annotations

import colorsys
import hashlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.files import load_tensors, save_tensors, tensor_digest
from wwlib.base.paths import CACHE
from wwlib.datasets.factors import FactorData

SHAPES = ("cube", "cylinder", "sphere", "capsule")
ROOM = 4.0  # half the side of the square room, in object heights
FAR = 1e6  # larger than any distance in the room


class Shapes3D(FactorData):
    """Rendered 3D Shapes: 480,000 images with six factors, composed when they are asked for, on any device.

    Args:
        resolution: side of the images, 32 to 128 pixels.
        device: where images are composed.

    Raises:
        ValueError: if `resolution` is outside 32 to 128.
    """

    factor_names = ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
    factor_sizes = (10, 10, 10, 8, 4, 15)
    channels = 3

    def __init__(self, resolution: int = 64, device: torch.device | str = "cpu"):
        if not isinstance(resolution, int) or not 32 <= resolution <= 128:
            raise ValueError(f"resolution must be a whole number from 32 to 128, got {resolution!r}")
        self.resolution = resolution
        self.device = torch.device(device)
        self._layers = cached_layers(resolution).to(self.device, torch.get_default_dtype())
        self._palette = torch.tensor([colorsys.hsv_to_rgb(i / 10, 1, 1) for i in range(10)], device=self.device)

    def layers(self, factors: Tensor) -> Tensor:
        """Return the light weights `[n, 3, H, W]` in [0, 1] of floor, wall and object for `factors` `[n, 6]`."""
        factors = self.check_factors(factors)
        return self._layers[factors[:, 3] * 60 + factors[:, 4] * 15 + factors[:, 5]]

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, H, W]` in [-1, 1] for `factors` `[n, 6]`."""
        layers = self.layers(factors)
        colours = self._palette[self.check_factors(factors)[:, :3]].transpose(1, 2)
        flat = torch.baddbmm(layers.new_full((1, 1, 1), -1.0), colours, layers.flatten(2), alpha=2)
        return flat.view_as(layers)


@lru_cache(maxsize=4)
def cached_layers(resolution: int) -> Tensor:
    """Return what `render_layers` returns, read from the cache where this version of it has been rendered before.

    Args:
        resolution: side R in pixels.
    """
    version = hashlib.sha256(Path(__file__).read_bytes() + torch.__version__.encode()).hexdigest()[:12]
    file = CACHE / f"shapes3d-{resolution}-{version}.safetensors"
    with suppress(OSError, ValueError):  # not rendered yet, or damaged
        stored, about = load_tensors(file)
        if about.get("digest") == tensor_digest(stored):
            return stored["layers"]
    layers = {"layers": render_layers(resolution)}
    with suppress(OSError):  # where nothing can be written, rendering takes some seconds each time
        file.parent.mkdir(parents=True, exist_ok=True)
        for earlier in file.parent.glob(f"shapes3d-{resolution}-*.safetensors"):
            earlier.unlink(missing_ok=True)
        save_tensors(file, layers, dict(kind="layers", digest=tensor_digest(layers)))
    return layers["layers"]


def render_layers(resolution: int, samples: int = 3) -> Tensor:
    """Ray-trace all 480 geometries and return the light weights `[480, 3, R, R]` of floor, wall and object, in [0, 1].

    Args:
        resolution: side R in pixels.
        samples: rays per pixel and axis (antialiasing).
    """
    rendered = [
        _render(resolution, samples, shape, 0.75 + 0.5 * scale / 7, -30 + 60 * angle / 14)
        for scale in range(8)
        for shape in SHAPES
        for angle in range(15)
    ]
    return torch.stack(rendered)


def _render(resolution: int, samples: int, shape: str, scale: float, degrees: float) -> Tensor:
    eye, rays = _camera(resolution * samples, degrees)
    distance, normal, surface = _nearest(eye, rays, shape, scale)
    point = eye + rays * distance[:, None]
    light = torch.nn.functional.normalize(_vector(0.45, 1.0, -0.5), dim=0)
    lambert = (normal * light).sum(1).clamp(min=0)
    blocked = _object(point + 1e-3 * normal, light.expand_as(point), shape, scale)[0] < FAR
    diffuse = torch.where(blocked, 0.0, lambert)
    # the light overhead hardly reaches the walls; a second one from the side gives the two walls different shades
    fill = 0.5 + 0.5 * (normal * _vector(0.6, 0.3, 0.75)).sum(1)
    weight = (0.45 + 0.25 * fill + 0.4 * diffuse).clamp(0, 1)
    layers = torch.nn.functional.one_hot(surface, 3).t() * weight
    side = resolution * samples
    return torch.nn.functional.avg_pool2d(layers.view(3, side, side), samples)


def _vector(*numbers: float) -> Tensor:
    """Return numbers as float32, whatever torch's default is: what is rendered goes to a file that others read."""
    return torch.tensor(numbers, dtype=torch.float32)


def _camera(side: int, degrees: float) -> tuple[Tensor, Tensor]:
    angle = torch.deg2rad(_vector(degrees + 45.0)[0])  # 45: at orientation 0 a corner of the room is behind
    eye = torch.stack([-3.3 * angle.cos(), _vector(1.75)[0], -3.3 * angle.sin()])
    forward = torch.nn.functional.normalize(_vector(0.0, 0.62, 0.0) - eye, dim=0)
    right = torch.linalg.cross(forward, _vector(0.0, 1.0, 0.0))
    right = torch.nn.functional.normalize(right, dim=0)
    up = torch.linalg.cross(right, forward)
    grid = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(-grid, grid, indexing="ij")
    rays = forward + 0.45 * (x.reshape(-1, 1) * right + y.reshape(-1, 1) * up)
    return eye, torch.nn.functional.normalize(rays, dim=1)


def _nearest(eye: Tensor, rays: Tensor, shape: str, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return distance, normal and surface (0 floor, 1 wall, 2 object) of what each ray meets first."""
    origin = eye.expand_as(rays)
    floor = torch.where(rays[:, 1] < 0, -origin[:, 1] / rays[:, 1], FAR)
    sides = (ROOM * rays[:, [0, 2]].sign() - origin[:, [0, 2]]) / rays[:, [0, 2]]
    wall, axis = sides.min(dim=1)
    thing, thing_normal = _object(origin, rays, shape, scale)
    distance, surface = torch.stack([floor, wall, thing]).min(dim=0)
    wall_normal = torch.zeros_like(rays)
    wall_normal[torch.arange(len(rays)), axis * 2] = -rays[:, [0, 2]].gather(1, axis[:, None])[:, 0].sign()
    normals = torch.stack([_vector(0.0, 1.0, 0.0).expand_as(rays), wall_normal, thing_normal])
    return distance, normals[surface, torch.arange(len(rays))], surface


def _object(origin: Tensor, rays: Tensor, shape: str, scale: float) -> tuple[Tensor, Tensor]:
    """Return distance (FAR for a miss) and normal where rays meet the object that stands on the floor."""
    half = 0.65 * scale
    lift = _vector(0.0, half, 0.0)
    if shape == "cube":
        return _box(origin - lift, rays, 0.9 * half)
    if shape == "sphere":
        return _sphere(origin - lift, rays, half)
    if shape == "cylinder":
        return _first(_tube(origin - lift, rays, 0.8 * half, half), *_caps(origin - lift, rays, 0.8 * half, half))
    radius, reach = 0.55 * half, 0.65 * half
    ends = [_sphere(origin - lift - _vector(0.0, s * reach, 0.0), rays, radius) for s in (-1, 1)]
    return _first(_tube(origin - lift, rays, radius, reach), *ends)


def _first(*hits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    distance, which = torch.stack([d for d, _ in hits]).min(dim=0)
    return distance, torch.stack([n for _, n in hits])[which, torch.arange(len(which))]


def _quadratic(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return the smallest positive root of a t^2 + 2 b t + c = 0, FAR where there is none."""
    root = b * b - a * c
    t = (-b - root.clamp(min=0).sqrt()) / a
    return torch.where((root > 0) & (t > 0), t, FAR)


def _sphere(origin: Tensor, rays: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    a, b, c = (rays * rays).sum(1), (origin * rays).sum(1), (origin * origin).sum(1) - radius**2
    t = _quadratic(a, b, c)
    return t, (origin + rays * t[:, None]) / radius


def _tube(origin: Tensor, rays: Tensor, radius: float, reach: float) -> tuple[Tensor, Tensor]:
    o, d = origin[:, [0, 2]], rays[:, [0, 2]]
    t = _quadratic((d * d).sum(1).clamp(min=1e-9), (o * d).sum(1), (o * o).sum(1) - radius**2)
    point = origin + rays * t[:, None]
    t = torch.where(point[:, 1].abs() <= reach, t, FAR)
    return t, point * _vector(1.0, 0.0, 1.0) / radius


def _caps(origin: Tensor, rays: Tensor, radius: float, reach: float) -> list[tuple[Tensor, Tensor]]:
    hits = []
    for side in (-1.0, 1.0):
        t = (side * reach - origin[:, 1]) / rays[:, 1]
        point = origin + rays * t[:, None]
        inside = (t > 0) & (point[:, [0, 2]].square().sum(1) <= radius**2)
        hits.append((torch.where(inside, t, FAR), _vector(0.0, side, 0.0).expand_as(rays)))
    return hits


def _box(origin: Tensor, rays: Tensor, half: float) -> tuple[Tensor, Tensor]:
    near, far = (-half * rays.sign() - origin) / rays, (half * rays.sign() - origin) / rays
    enter, axis = near.max(dim=1)
    hit = (enter < far.min(dim=1).values) & (enter > 0)
    normal = torch.zeros_like(rays)
    normal[torch.arange(len(rays)), axis] = -rays.gather(1, axis[:, None])[:, 0].sign()
    return torch.where(hit, enter, FAR), normal


class SmallRooms(FactorData):
    """Rooms of 16 px in which only the three hues and the scale of a cylinder vary: 8,000 images."""

    factor_names = ("floor hue", "wall hue", "object hue", "scale")
    factor_sizes = (10, 10, 10, 8)
    channels = 3
    resolution = 16

    def __init__(self):
        self._rooms = Shapes3D(32)

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, 16, 16]` in [-1, 1] for `factors` `[n, 4]`."""
        factors = self.check_factors(factors)
        shape_and_orientation = torch.tensor([[1, 7]]).expand(len(factors), -1)
        return F.avg_pool2d(self._rooms.images(torch.cat([factors, shape_and_orientation], dim=1)), 2)
