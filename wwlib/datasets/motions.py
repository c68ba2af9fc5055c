"""Samples and motions of the puppet: pairs that share an appearance, triplets, and smooth sequences of poses."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.datasets.poses import POSE_FACTORS, Pose, sample_pose, standing
from wwlib.datasets.puppet import Appearance, sample_appearance


def sample_pairs(n: int, generator: torch.Generator, **looks) -> tuple[Pose, Pose, Appearance]:
    """Return `n` times two poses and the one appearance that both pictures share.

    Args:
        n: number of pairs.
        generator: of poses and appearances.
        **looks: as `sample_appearance`'s.
    """
    return sample_pose(n, generator), sample_pose(n, generator), sample_appearance(n, generator, **looks)


def sample_triplets(n: int, generator: torch.Generator, **looks) -> tuple[Pose, Pose, Appearance, Appearance]:
    """Return `n` times the poses a and b and the appearances a and b.

    The two given pictures are (pose a, appearance a) and (pose b, appearance b). The right answer to "pose of b,
    appearance of a" is drawn from (pose b, appearance a).

    Args:
        n: number of triplets.
        generator: of poses and appearances.
        **looks: as `sample_appearance`'s.
    """
    return *sample_pairs(n, generator, **looks), sample_appearance(n, generator, **looks)


def walk(frames: int = 24, strides: int = 2) -> Pose:
    """Return a walk on the spot as `frames` poses: legs lift in turn, arms swing against them, the body sways.

    Args:
        frames: of the whole motion; it ends where it begins, so that it can be repeated.
        strides: how often each leg lifts.
    """
    turn = _turns(frames) * strides
    lift, other = 0.5 - 0.5 * turn.cos(), 0.5 + 0.5 * turn.cos()
    return _sequence(
        frames,
        {
            "across": 0.1 * turn.sin(),
            "lean": 0.12 * turn.sin(),
            "left thigh": 0.05 + 0.7 * lift,
            "left knee": 0.1 - 0.7 * lift,
            "right thigh": 0.05 + 0.7 * other,
            "right knee": 0.1 - 0.7 * other,
            "left arm": 0.1 + 0.9 * other,
            "left elbow": -0.2 - 0.6 * other,
            "right arm": 0.1 + 0.9 * lift,
            "right elbow": -0.2 - 0.6 * lift,
        },
    )


def wave(frames: int = 24, times: int = 3) -> Pose:
    """Return a figure that raises its left arm and waves `times` times, as `frames` poses that can be repeated."""
    turn = _turns(frames)
    raised = 0.5 - 0.5 * turn.cos()
    return _sequence(
        frames,
        {
            "left arm": 0.2 + 1.4 * raised,
            "left elbow": raised * (0.6 + 0.55 * (times * turn).sin()),
            "right arm": torch.full_like(turn, 0.2),
            "right elbow": torch.full_like(turn, -0.2),
            "lean": -0.1 * raised,
        },
    )


def jump(frames: int = 24) -> Pose:
    """Return a jump as `frames` poses that can be repeated: knees bend, arms and legs fly outward, and back."""
    turn = _turns(frames)
    up = 0.5 - 0.5 * turn.cos()
    crouch = (2 * turn).sin().clamp_min(0) * (1 - up)
    return _sequence(
        frames,
        {
            "down": 0.1 - 0.26 * up + 0.06 * crouch,
            "left arm": 0.2 + 1.3 * up,
            "right arm": 0.2 + 1.3 * up,
            "left elbow": -0.3 + 0.5 * up,
            "right elbow": -0.3 + 0.5 * up,
            "left thigh": 0.15 + 0.5 * up + 0.3 * crouch,
            "right thigh": 0.15 + 0.5 * up + 0.3 * crouch,
            "left knee": 0.1 - 0.5 * crouch,
            "right knee": 0.1 - 0.5 * crouch,
        },
    )


def _turns(frames: int) -> Tensor:
    if frames < 2:
        raise ValueError(f"frames must be at least 2, got {frames}")
    return torch.arange(frames) * (2 * torch.pi / frames)


def _sequence(frames: int, factors: dict[str, Tensor]) -> Pose:
    """Poses that stand but for the factors given, `[frames]` each."""
    start = standing()
    columns = [factors.get(name, start[name].expand(frames)) for name in POSE_FACTORS]
    return Pose(torch.stack(columns, dim=1))
