"""The judge of joints: a regressor that reads from a picture where head, elbows, hands, knees and feet are.

It learns from true puppets with a seed of its own and is never part of a model that it judges.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.appearance.blocks import WIDTHS, Pyramid
from wwlib.base.descent import descend
from wwlib.base.device import Compute
from wwlib.base.seeds import drawn_from
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import JOINTS, render, sample_appearance
from wwlib.models.judges import half_soft


class JointJudge(nn.Module):
    """Reads the joints from pictures `[B, 3, 32, 32]`.

    Args:
        seed: of the weights.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.pyramid = Pyramid(3)
            self.hidden = nn.Linear(16 * WIDTHS[3], 128)
            self.head = nn.Linear(128, 2 * len(JOINTS))

    def forward(self, images: Tensor) -> Tensor:
        """Return joints `[B, 9, 2]`, (x, y) in [-1, 1]."""
        at_4 = self.pyramid(images)[-1]
        return self.head(F.silu(self.hidden(at_4.flatten(1)))).unflatten(1, (len(JOINTS), 2))


def train_joint_judge(
    steps: int = 700, seed: int = 900, clothes: bool = True, compute: Compute | None = None
) -> JointJudge:
    """Train a judge of joints and return it frozen; half of its pictures are blurred, since drawn ones are too.

    Args:
        steps: of Adam, with 64 pictures each.
        seed: of weights and pictures.
        clothes: as `sample_appearance`'s.
        compute: where it runs.
    """
    compute = compute or Compute(torch.device("cpu"))
    judge = JointJudge(seed).to(compute.device, memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(seed)

    def loss_at(_: int) -> Tensor:
        pose = sample_pose(64, generator)
        drawing = render(pose, sample_appearance(64, generator, clothes=clothes))
        images = half_soft(drawing.images, 0.05, generator)
        with compute.autocast():
            read = judge(images.to(compute.device))
        return (read.float() - drawing.joints.to(compute.device)).abs().mean()

    descend(judge, loss_at, steps, rate=2e-3, betas=(0.9, 0.99), clip=5.0, falls_from=0.5)
    return judge


@torch.no_grad()
def joint_error(judge: JointJudge, images: Tensor, joints: Tensor) -> float:
    """Return the mean distance, in pixels, between the joints that a judge reads and those given `[n, 9, 2]`."""
    read = torch.cat([judge(part) for part in images.split(100)])
    return float((read - joints).norm(dim=2).mean()) * images.shape[-1] / 2
