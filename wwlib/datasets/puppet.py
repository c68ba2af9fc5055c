"""An articulated figure whose pose and appearance are known, so that the right answer to every transfer can be drawn.

Ten capsules: head, torso, and two for each arm and leg. Coordinates are [-1, 1] over the picture, x to the right and
y down; angles are in radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.datasets.poses import Pose

PARTS = ("background", "head", "torso", "left arm", "right arm", "left leg", "right leg")
JOINTS = ("head", "left elbow", "left hand", "right elbow", "right hand",
          "left knee", "left foot", "right knee", "right foot")  # fmt: skip
PATTERNS = ("plain", "stripes", "spots")
TORSO, NECK_TO_HEAD, ARM, LEG = 0.40, 0.24, 0.27, 0.30  # lengths; arms and legs have two such pieces
SHOULDER, HIP, PELVIS = 0.17, 0.09, 0.055  # to the side of the spine; the pelvis lies below the figure's middle
HEAD_RADIUS, TORSO_RADIUS, LIMB_RADIUS, LINE_RADIUS = 0.155, 0.15, 0.085, 0.045
# capsules by part: head, torso, two for each limb
_PART_OF_CAPSULE = (1, 2, 3, 3, 4, 4, 5, 5, 6, 6)
_RADII = (HEAD_RADIUS, TORSO_RADIUS, *(LIMB_RADIUS,) * 8)
# parts from front to back; somebody who turns away has the arms behind the body
_TOWARDS, _AWAY = (3, 4, 1, 2, 5, 6), (1, 2, 6, 5, 4, 3)
_PERIOD, _SHADE = 0.22, 0.55  # of stripes and spots: their distance, and how much darker they are


@dataclass(frozen=True)
class Appearance:
    """How figures look.

    Args:
        colours: `[n, 7, 3]` RGB in [0, 1], in the order of `PARTS`.
        pattern: `[n]` of the torso, positions in `PATTERNS`.
        texture: `[n, 4]` of the background: a wave's height, its cycles across and down the picture, its phase in
            cycles. Height 0 is plain.

    Raises:
        ValueError: for another shape, a colour outside [0, 1], an unknown pattern or a height outside [0, 0.5].
    """

    colours: Tensor
    pattern: Tensor
    texture: Tensor

    def __post_init__(self):
        n = len(self.colours)
        for name, seen, shape in (
            ("colours", self.colours, (n, len(PARTS), 3)),
            ("pattern", self.pattern, (n,)),
            ("texture", self.texture, (n, 4)),
        ):
            if tuple(seen.shape) != shape:
                raise ValueError(f"{name} must be {list(shape)}, got {list(seen.shape)}")
        if not ((self.colours >= 0) & (self.colours <= 1)).all():
            raise ValueError(
                f"colours must be in [0, 1], got {self.colours.min().item():g} to {self.colours.max().item():g}"
            )
        if not ((self.pattern >= 0) & (self.pattern < len(PATTERNS))).all():
            raise ValueError(f"pattern must be 0 to {len(PATTERNS) - 1}, got {self.pattern.tolist()}")
        height = self.texture[:, 0]
        if not ((height >= 0) & (height <= 0.5)).all():
            raise ValueError(f"texture height must be 0 to 0.5, got {height.min().item():g} to {height.max().item():g}")

    def __len__(self) -> int:
        return len(self.colours)

    def __getitem__(self, rows) -> Appearance:
        return Appearance(self.colours[rows], self.pattern[rows], self.texture[rows])

    def to(self, device: torch.device | str) -> Appearance:
        """Return these appearances on a device."""
        return Appearance(self.colours.to(device), self.pattern.to(device), self.texture.to(device))


def sample_appearance(
    n: int, generator: torch.Generator, clothes: bool = False, patterns: tuple[int, ...] = (0,), textured: bool = False
) -> Appearance:
    """Return `n` appearances: bright colours on a dark grey background.

    Args:
        n: number of appearances.
        generator: of the colours.
        clothes: True for three colours only: one of the head, one of torso and arms, one of the legs.
        patterns: of the torso, each as likely: positions in `PATTERNS`.
        textured: whether waves cross the background.
    """
    hue, saturation, value = torch.rand(3, n, len(PARTS), generator=generator)
    colours = hsv_to_rgb(hue, 0.5 + 0.5 * saturation, 0.6 + 0.4 * value)
    if clothes:
        colours = colours[:, [0, 1, 2, 2, 2, 5, 5]]
    colours[:, 0] = 0.05 + 0.22 * torch.rand(n, 1, generator=generator)
    pattern = torch.tensor(patterns)[torch.randint(len(patterns), (n,), generator=generator)]
    texture = torch.zeros(n, 4)
    if textured:
        height, across, down, phase = torch.rand(4, n, generator=generator)
        texture = torch.stack([0.06 + 0.09 * height, 6 * across - 3, 6 * down - 3, phase], dim=1)
    return Appearance(colours, pattern, texture)


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Return RGB `[..., 3]` of hue, saturation and value, all `[...]` in [0, 1]."""
    sector = (hue[..., None] * 6 + torch.tensor([5.0, 3.0, 1.0], device=hue.device)) % 6
    fall = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * fall)


@dataclass(frozen=True)
class Drawing:
    """What `render` returns: `images` `[n, 3, S, S]` in [-1, 1], `footprint` `[n, 7, S, S]`, `joints` `[n, 9, 2]`.

    The footprint is the share of every pixel that shows each of `PARTS`; shares add up to 1. Joints are in the order
    of `JOINTS`, as (x, y) in [-1, 1].
    """

    images: Tensor
    footprint: Tensor
    joints: Tensor

    @property
    def parts(self) -> Tensor:
        """The part that most of a pixel shows, `[n, S, S]`, positions in `PARTS`."""
        return self.footprint.argmax(dim=1)


def render(pose: Pose, appearance: Appearance, resolution: int = 32) -> Drawing:
    """Draw figures, on the device that poses and appearances lie on.

    Args:
        pose, appearance: equally many.
        resolution: side S of the pictures, 32 to 128 pixels.

    Raises:
        ValueError: for another resolution or different numbers.
    """
    _check_resolution(resolution)
    if len(pose) != len(appearance):
        raise ValueError(f"pose and appearance must be equally many, got {len(pose)} and {len(appearance)}")
    start, end = _capsules(pose)
    distance, along, beside = _distances(start, end, resolution)
    radii = torch.tensor(_RADII, device=distance.device)[:, None, None] * pose["size"][:, None, None, None]
    covered = _coverage(distance, radii, resolution)
    limbs = covered[:, 2:].unflatten(1, (4, 2)).amax(dim=2)
    footprint = _visible(torch.cat([covered[:, :2], limbs], dim=1), pose["facing"])
    colours = appearance.colours.transpose(1, 2)  # [n, 3, 7]
    images = (colours @ footprint.flatten(2)).unflatten(2, (resolution, resolution))
    dark = _pattern(appearance.pattern, along[:, 1] / pose["size"][:, None, None], beside / pose["size"][:, None, None])
    images = images - (_SHADE * dark * footprint[:, 2])[:, None] * appearance.colours[:, 2, :, None, None]
    images = images + (_wave(appearance.texture, resolution) * footprint[:, 0])[:, None]
    return Drawing(images.clamp(0, 1) * 2 - 1, footprint, _joints(start, end))


def skeleton(pose: Pose, resolution: int = 32) -> Tensor:
    """Return stick figures `[n, 3, S, S]` in [0, 1]: left limbs, right limbs, and head and spine, a channel each.

    Raises:
        ValueError: for a resolution that is not 32 to 128.
    """
    _check_resolution(resolution)
    start, end = _capsules(pose)
    start = torch.cat([end[:, 1:2], start[:, 1:]], dim=1)  # the head's line begins at the neck
    lines = _coverage(_distances(start, end, resolution)[0], LINE_RADIUS, resolution)
    left, right = lines[:, [2, 3, 6, 7]].amax(dim=1), lines[:, [4, 5, 8, 9]].amax(dim=1)
    return torch.stack([left, right, lines[:, :2].amax(dim=1)], dim=1)


def _check_resolution(resolution: int) -> None:
    if not 32 <= resolution <= 128:
        raise ValueError(f"resolution must be 32 to 128, got {resolution}")


def _capsules(pose: Pose) -> tuple[Tensor, Tensor]:
    """Ends `[n, 10, 2]` of the ten capsules; each limb's first one starts at the body."""
    zero = torch.zeros_like(pose["size"])
    point = lambda x, y: torch.stack([x + zero, y + zero], dim=1)  # noqa: E731
    neck, pelvis = point(0, -TORSO), point(0, 0)
    head = point(0, -TORSO - NECK_TO_HEAD)
    starts, ends = [head, pelvis], [head, neck]
    for root, to_side, length, first, second in (
        (neck, SHOULDER, ARM, "arm", "elbow"),
        (pelvis, HIP, LEG, "thigh", "knee"),
    ):
        for name, sign in (("left", 1), ("right", -1)):
            side = sign * pose["facing"]
            joint = root + point(side * to_side, 0)
            angle = pose[f"{name} {first}"]
            for turn in (0, pose[f"{name} {second}"]):
                angle = angle + turn
                tip = joint + length * torch.stack([side * angle.sin(), angle.cos()], dim=1)
                starts.append(joint)
                ends.append(tip)
                joint = tip
    points = torch.stack([torch.stack(starts, dim=1), torch.stack(ends, dim=1)], dim=1)
    points = points * pose["size"].view(-1, 1, 1, 1)
    cos, sin = pose["lean"].cos(), pose["lean"].sin()
    turn = torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)
    middle = torch.stack([pose["across"], pose["down"] + PELVIS], dim=1)
    placed = points @ turn.transpose(1, 2)[:, None] + middle.view(-1, 1, 1, 2)
    return placed[:, 0], placed[:, 1]


def _joints(start: Tensor, end: Tensor) -> Tensor:
    return end[:, [0, *range(2, 10)]]


def _grid(resolution: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Coordinates of pixel centres: x `[1, S]` and y `[S, 1]`."""
    centres = (torch.arange(resolution, device=device) + 0.5) * 2 / resolution - 1
    return centres[None], centres[:, None]


def _distances(start: Tensor, end: Tensor, resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distance of every pixel to every segment, how far along each it lies (both `[n, 10, S, S]`), and how far beside
    the torso's `[n, S, S]`."""
    x, y = _grid(resolution, start.device)
    step = end - start
    length = step.norm(dim=2, keepdim=True)
    unit = torch.where(
        length > 0, step / length.clamp_min(1e-9), step.new_tensor([1.0, 0.0])
    )  # a disc has no direction
    (ux, uy), (ax, ay) = ((v[..., 0, None, None], v[..., 1, None, None]) for v in (unit, start))
    along = (x - ax) * ux + (y - ay) * uy
    beside = (y - ay) * ux - (x - ax) * uy
    over = along - along.clamp(min=torch.zeros((), device=along.device), max=length[..., None])
    return (over.square() + beside.square()).sqrt(), along, beside[:, 1]


def _coverage(distance: Tensor, radius: Tensor | float, resolution: int) -> Tensor:
    """Share of a pixel inside a capsule: 1 or 0 except for an edge one pixel wide."""
    return ((radius - distance) * (resolution / 2) + 0.5).clamp(0, 1)


def _visible(covered: Tensor, facing: Tensor) -> Tensor:
    """Share `[n, 7, S, S]` of every pixel that shows each part, from what each would cover alone `[n, 6, S, S]`."""
    footprint = torch.empty(len(covered), len(PARTS), *covered.shape[2:], device=covered.device)
    for order, rows in ((_TOWARDS, facing > 0), (_AWAY, facing < 0)):
        left = torch.ones_like(covered[rows, 0])
        seen = {}
        for part in order:
            own = covered[rows, part - 1]
            seen[part] = left * own
            left = left * (1 - own)
        footprint[rows] = torch.stack([left, *(seen[part] for part in range(1, len(PARTS)))], dim=1)
    return footprint


def _pattern(pattern: Tensor, along: Tensor, beside: Tensor) -> Tensor:
    """How dark the torso's pattern is at every pixel, `[n, S, S]` in [0, 1]."""
    turns = 2 * torch.pi / _PERIOD
    stripes = 0.5 + 0.5 * (along * turns).cos()
    spots = ((along * turns).cos() * (beside * turns).cos()).clamp_min(0)
    which = pattern[:, None, None]
    return stripes * (which == 1) + spots * (which == 2)


def _wave(texture: Tensor, resolution: int) -> Tensor:
    """Height of the background's wave at every pixel, `[n, S, S]`."""
    x, y = _grid(resolution, texture.device)
    height, across, down, phase = (column[:, None, None] for column in texture.T)
    return height * (2 * torch.pi * (across * x / 2 + down * y / 2 + phase)).sin()
