"""Smooth warps, landmarks and colour changes of pictures, which lessons 14 and 15 share.

One convention holds everywhere. A picture spans [-1, 1] in both directions, x to the right and y down, and its pixels
are small squares: pixel i of S has its centre at (2 i + 1) / S - 1. `grid_sample` calls that `align_corners=False`.
So a landmark has the same coordinates at every resolution, and the puppet's joints are in them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.datasets.puppet import hsv_to_rgb

CONTROL = 4  # control points of a warp across and down; the outermost lie on the picture's edge
FLOOR = 0.0015  # added to both variances of a landmark before it is drawn: a spread of .6 px at 32 px
SHARPNESS = 0.64  # of a heat map


def pixel_centres(resolution: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the (x, y) of every pixel of a square picture, `[S, S, 2]`."""
    centres = (torch.arange(resolution, device=device, dtype=dtype) * 2 + 1) / resolution - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y], dim=-1)


@dataclass(frozen=True)
class Warp:
    """Smooth maps from a warped picture's coordinates to those of the picture: warped(u) = picture(map(u)).

    map(u) = `linear` u + `shift` + d(u). The displacement d is the thin-plate spline (Bookstein, PAMI 1989) that takes
    the values `displacements` at 4 x 4 control points. The pilot of lesson 14 interpolated the same 4 x 4 values with
    bicubic pieces; a spline has its Jacobian in closed form at every point.

    Args:
        linear: `[B, 2, 2]`.
        shift: `[B, 2]`.
        displacements: `[B, 16, 2]`, control points row by row.

    Raises:
        ValueError: for other shapes.
    """

    linear: Tensor
    shift: Tensor
    displacements: Tensor

    def __post_init__(self):
        n = len(self.linear)
        for name, seen, shape in (
            ("linear", self.linear, (n, 2, 2)),
            ("shift", self.shift, (n, 2)),
            ("displacements", self.displacements, (n, CONTROL**2, 2)),
        ):
            if tuple(seen.shape) != shape:
                raise ValueError(f"{name} must be {list(shape)}, got {list(seen.shape)}")

    def __len__(self) -> int:
        return len(self.linear)

    def points(self, u: Tensor) -> Tensor:
        """Return where points `[B, n, 2]` (or `[n, 2]`, the same for all) of the warped pictures come from."""
        weights, slope, offset = _spline(self.displacements)
        _, squared = _from_controls(u)
        bend = squared * squared.clamp_min(1e-12).log()  # r^2 log r^2, which is 0 at a control point
        straight = (u.unsqueeze(-2) * (self.linear + slope).unsqueeze(1)).sum(dim=-1)
        return straight + (self.shift + offset)[:, None] + _weighted(bend[..., None], weights)

    def determinant(self, u: Tensor) -> Tensor:
        """Return the determinant of the map's Jacobian at points `[B, n, 2]` or `[n, 2]`, as `[B, n]`.

        Its size says how much of the picture a pixel of the warped picture stands for. Where it is below 0 the map
        folds over.
        """
        weights, slope, _ = _spline(self.displacements)
        away, squared = _from_controls(u)
        steep = 2 * away * (squared.clamp_min(1e-12).log() + 1)[..., None]  # gradient of r^2 log r^2
        (a, b), (c, d) = (
            [(self.linear + slope)[:, i, j, None] + _weighted(steep[..., j], weights[..., i]) for j in (0, 1)]
            for i in (0, 1)
        )
        return a * d - b * c

    def grid(self, resolution: int) -> tuple[Tensor, Tensor]:
        """Return where every pixel comes from `[B, S, S, 2]`, and the Jacobian's determinant there `[B, S, S]`."""
        u = pixel_centres(resolution, self.linear.device, self.linear.dtype).flatten(0, 1)
        side = (resolution, resolution)
        return self.points(u).unflatten(1, side), self.determinant(u).unflatten(1, side)

    def apply(self, images: Tensor) -> Tensor:
        """Return warped pictures `[B, C, S, S]`; what lies outside a picture continues its edge."""
        grid = self.points(pixel_centres(images.shape[-1], images.device).flatten(0, 1)).unflatten(1, images.shape[2:])
        return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def identity_warp(n: int, device: torch.device | str = "cpu") -> Warp:
    """Return `n` warps that leave pictures as they are."""
    zero = torch.zeros(n, CONTROL**2, 2, device=device)
    return Warp(torch.eye(2, device=device).repeat(n, 1, 1), zero[:, 0], zero)


def sample_warp(
    n: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    rotation: float = 0.35,
    scale: float = 0.15,
    shift: float = 0.12,
    bend: float = 0.06,
) -> Warp:
    """Return `n` random warps. They are drawn where the generator lives, so that a seed means the same everywhere.

    Args:
        n: number of warps.
        generator: of the draws.
        device: where the warps shall lie.
        rotation: largest angle, radians.
        scale: largest change of size: sizes are from 1 - `scale` to 1 + `scale`.
        shift: largest shift in x and in y; the picture is 2 wide.
        bend: standard deviation of each control point's displacement in x and in y.
    """
    home = generator.device
    angle, size, right, down = (2 * torch.rand(4, n, generator=generator, device=home) - 1).to(device)
    displacements = bend * torch.randn(n, CONTROL**2, 2, generator=generator, device=home).to(device)
    cos, sin = (rotation * angle).cos(), (rotation * angle).sin()
    turn = torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)
    return Warp((1 + scale * size)[:, None, None] * turn, shift * torch.stack([right, down], dim=1), displacements)


def _controls(like: Tensor) -> Tensor:
    """The control points `[16, 2]`, row by row."""
    line = torch.linspace(-1, 1, CONTROL, device=like.device, dtype=like.dtype)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)


def _from_controls(u: Tensor) -> tuple[Tensor, Tensor]:
    """How points lie from each control point `[..., n, 16, 2]`, and the squared distances `[..., n, 16]`."""
    away = u.unsqueeze(-2) - _controls(u)
    return away, away.square().sum(dim=-1)


def _weighted(bends: Tensor, weights: Tensor) -> Tensor:
    """The sum of bends `[..., n, 16, ...]` with weights `[B, 16, ...]`, as `[B, n, ...]`.

    It is a sum of products and no matrix product, which autocast would round to bfloat16. So are the moments below.
    """
    return (bends * weights[:, None]).sum(dim=2)


def _spline(displacements: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The spline through displacements: weights of the 16 bends `[B, 16, 2]`, slope `[B, 2, 2]`, offset `[B, 2]`."""
    controls = _controls(displacements).double()
    squared = _from_controls(controls)[1]
    bend = squared * squared.clamp_min(1e-12).log()
    ends = torch.cat([torch.ones_like(controls[:, :1]), controls], dim=1)  # the part of a spline that does not bend
    nothing = torch.zeros_like(controls[:3, :1]).expand(3, 3)
    system = torch.cat([torch.cat([bend, ends], dim=1), torch.cat([ends.T, nothing], dim=1)])
    given = F.pad(displacements.double(), (0, 0, 0, 3))
    solved = torch.linalg.solve(system, given).to(displacements.dtype)
    return solved[:, :-3], solved[:, -2:].transpose(1, 2), solved[:, -3]


class Moments(NamedTuple):
    """Landmarks: `mean` `[B, K, 2]` as (x, y) and `covariance` `[B, K, 2, 2]`."""

    mean: Tensor
    covariance: Tensor


def spatial_softmax(maps: Tensor) -> Tensor:
    """Return maps `[B, K, H, W]` as distributions over the pixels: above 0, each with sum 1, in float32 at least."""
    maps = maps if maps.dtype == torch.float64 else maps.float()
    return maps.flatten(2).softmax(dim=2).view_as(maps)


def moments(maps: Tensor, coordinates: Tensor | None = None, weight: Tensor | None = None) -> Moments:
    """Return mean and covariance of maps, each taken as a distribution over the pixels.

    With `Warp.grid`'s two tensors, the moments of a warped picture's maps are those in the picture's own coordinates,
    and no inverse of the warp is needed.

    Args:
        maps: not below 0, `[B, K, S, S]`; they need not have the sum 1.
        coordinates: of every pixel, `[B, S, S, 2]`; the centres of the pixels unless others are given.
        weight: of every pixel, `[B, S, S]`, of which the absolute value counts; 1 unless it is given.
    """
    if coordinates is None:
        coordinates = pixel_centres(maps.shape[-1], maps.device, maps.dtype)[None]
    if weight is not None:
        maps = maps * weight.abs()[:, None]
    share = maps.flatten(2) / maps.flatten(2).sum(dim=2, keepdim=True).clamp_min(1e-12)
    x, y = coordinates.flatten(1, 2)[:, None].unbind(dim=-1)
    mean_x, mean_y = (share * x).sum(dim=2), (share * y).sum(dim=2)
    x, y = x - mean_x[..., None], y - mean_y[..., None]
    xx, xy, yy = ((share * product).sum(dim=2) for product in (x * x, x * y, y * y))
    covariance = torch.stack([xx, xy, xy, yy], dim=-1).unflatten(-1, (2, 2))
    return Moments(torch.stack([mean_x, mean_y], dim=-1), covariance)


def heat_maps(landmarks: Moments, resolution: int, sharpness: float = SHARPNESS, floor: float = FLOOR) -> Tensor:
    """Return what landmarks look like, `[B, K, S, S]`: 1 / (1 + sharpness d^2), so 1 at the mean.

    d is the distance in units of the landmark's own spread (Mahalanobis).

    Args:
        landmarks: mean and covariance.
        resolution: side S.
        sharpness: the larger, the narrower.
        floor: added to both variances.
    """
    u = pixel_centres(resolution, landmarks.mean.device, landmarks.mean.dtype)
    dx, dy = (u - landmarks.mean[:, :, None, None]).unbind(dim=-1)
    xx, xy, yy = (landmarks.covariance[:, :, i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    xx, yy = xx + floor, yy + floor
    squared = (yy * dx.square() - 2 * xy * dx * dy + xx * dy.square()) / (xx * yy - xy.square())
    return 1 / (1 + sharpness * squared)


@dataclass(frozen=True)
class Jitter:
    """Changes of colour, one for each picture; the same object changes several views of a picture alike.

    Args:
        hue: turn of the hue, `[B]` in radians.
        contrast: factor about the middle grey, `[B]`.
        brightness: what is added, `[B]` for pictures in [-1, 1].
    """

    hue: Tensor
    contrast: Tensor
    brightness: Tensor

    def __len__(self) -> int:
        return len(self.hue)

    def apply(self, images: Tensor) -> Tensor:
        """Return recoloured pictures `[B, 3, H, W]` in [-1, 1]; what would leave the range is cut off."""
        turned = 2 * turned_hue((images + 1) / 2, self.hue) - 1
        contrast, brightness = (values[:, None, None, None] for values in (self.contrast, self.brightness))
        return (contrast * turned + brightness).clamp(-1, 1)


def sample_jitter(
    n: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    hue: float = torch.pi,
    contrast: float = 0.2,
    brightness: float = 0.1,
) -> Jitter:
    """Return `n` random changes of colour, drawn where the generator lives; each number is the largest change."""
    home = generator.device
    turn, factor, added = (2 * torch.rand(3, n, generator=generator, device=home) - 1).to(device)
    return Jitter(hue * turn, 1 + contrast * factor, brightness * added)


def turned_hue(images: Tensor, angle: Tensor) -> Tensor:
    """Return pictures `[B, 3, H, W]` in [0, 1] whose hue (of HSV) is turned by an angle each, `[B]` in radians."""
    red, green, blue = images.unbind(dim=1)
    value, spread = images.amax(dim=1), images.amax(dim=1) - images.amin(dim=1)
    some = spread.clamp_min(1e-12)  # grey has no hue, and its saturation below is 0
    sixths = torch.where(
        value == red,
        (green - blue) / some,
        torch.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    hue = (sixths / 6 + (angle / (2 * torch.pi))[:, None, None]) % 1
    return hsv_to_rgb(hue, spread / value.clamp_min(1e-12), value).movedim(-1, 1)
