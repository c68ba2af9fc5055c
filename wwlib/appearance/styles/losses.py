"""What content, style and drawn pictures are asked for in lesson 16. Style codes are `[B, 8]`, of length 1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLUR = 5  # px
TEMPERATURE = 0.1


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the squared distances `[B]` of codes; 2 for unrelated ones, 4 for opposite ones."""
    return (one - other).square().sum(dim=1)


def triplet_loss(given: Tensor, read: Tensor, other: Tensor, margin: float) -> Tensor:
    """Return the mean of [margin + d(given, read) - d(given, other)]+, d the squared distance.

    Args:
        given: code of a reference.
        read: code of the picture drawn in its style: it should be the same, hence "fixpoint".
        other: code of the picture drawn in another style.
        margin: by which the other one should be farther away.
    """
    return F.relu(margin + squared_distance(given, read) - squared_distance(given, other)).mean()


def fixpoint_triplet_loss(s: Tensor, s_other: Tensor, read: Tensor, read_other: Tensor, margin: float) -> Tensor:
    """Return the mean of two triplet losses: each reference's code, against what was drawn in either style.

    Args:
        s, s_other: codes of two references.
        read, read_other: codes of one photo drawn in the style of the one and of the other.
        margin: as `triplet_loss`'.
    """
    return 0.5 * (triplet_loss(s, read, read_other, margin) + triplet_loss(s_other, read_other, read, margin))


def disentanglement_loss(given: Tensor, read: Tensor, read_elsewhere: Tensor) -> Tensor:
    """Return the mean of [d(read, elsewhere) - d(read, given)]+.

    Two pictures in one style must lie nearer to each other than to their reference: the code may not depend on the
    photo.

    Args:
        given: code of the reference.
        read, read_elsewhere: codes of two photos drawn in its style.
    """
    return F.relu(squared_distance(read, read_elsewhere) - squared_distance(read, given)).mean()


def content_loss(drawn: Tensor, given: Tensor) -> Tensor:
    """Return the mean of (1 - cos)^2 between content maps `[B, C, H, W]` of drawn and given pictures."""
    cosine = F.cosine_similarity(drawn.float().flatten(1), given.float().flatten(1), dim=1)
    return (1 - cosine).square().mean()


def blurred(images: Tensor) -> Tensor:
    """Return pictures `[B, C, H, W]` blurred over 5 pixels and in [0, 1]: `[B, C, H - 4, W - 4]`."""
    return F.avg_pool2d((images.float() + 1) / 2, BLUR, stride=1)


def blurred_grey(images: Tensor) -> Tensor:
    """Return the mean of red, green and blue, blurred over 5 pixels and in [0, 1]: `[B, 1, H - 4, W - 4]`."""
    return blurred(images.float().mean(dim=1, keepdim=True))


def image_loss(drawn: Tensor, photos: Tensor, coloured: bool = False) -> Tensor:
    """Return the mean squared difference of blurred pictures; what a style adds in small patterns costs nothing.

    Args:
        drawn, photos: pictures in [-1, 1].
        coloured: compare red, green and blue; otherwise their mean, where the hues of a style cost nothing either.
    """
    blur = blurred if coloured else blurred_grey
    return F.mse_loss(blur(drawn), blur(photos))


def contrast_loss(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean surprise, in nats, at finding each code's partner among all partners (InfoNCE, temperature 0.1).

    Args:
        one, other: codes of two crops in one style each; rows belong together.
    """
    with torch.autocast(one.device.type, enabled=False):  # in bfloat16 cosines would have two digits
        cosines = one @ other.T / TEMPERATURE
    rows = torch.arange(len(one), device=one.device)
    return 0.5 * (F.cross_entropy(cosines, rows) + F.cross_entropy(cosines.T, rows))


def critic_loss(real: list[tuple[Tensor, ...]], drawn: list[tuple[Tensor, ...]], families: Tensor) -> Tensor:
    """Return what the critic pays: hinge losses of both maps, and cross entropy of the real pictures' families.

    Args:
        real, drawn: what it said of pictures, one entry a scale; see `style.CriticScale`.
        families: of the real pictures, `[B]`.
    """
    loss = torch.zeros((), device=families.device)
    for (on_real, logits, _), (on_drawn, _, _) in zip(real, drawn, strict=True):
        loss = loss + F.relu(1 - on_real).mean() + F.relu(1 + on_drawn).mean() + F.cross_entropy(logits, families)
    return loss / len(real)


def deception_loss(drawn: list[tuple[Tensor, ...]], families: Tensor) -> tuple[Tensor, Tensor]:
    """Return what drawn pictures pay where the critic is not deceived: about being real, and about their families.

    Args:
        drawn: what the critic said of them, one entry a scale.
        families: that their references have, `[B]`.
    """
    real = torch.stack([-on_drawn.mean() for on_drawn, _, _ in drawn]).mean()
    return real, torch.stack([F.cross_entropy(logits, families) for _, logits, _ in drawn]).mean()


def gradient_penalty(verdicts: list[tuple[Tensor, ...]], images: Tensor) -> Tensor:
    """Return the mean squared length of the gradient of the critic's maps at real pictures (R1).

    Args:
        verdicts: what the critic said of `images`.
        images: real pictures that require a gradient.
    """
    (gradient,) = torch.autograd.grad(
        sum(on_real.mean(dim=(1, 2, 3)).sum() for on_real, _, _ in verdicts), images, create_graph=True
    )
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def feature_loss(drawn: list[tuple[Tensor, ...]], real: list[tuple[Tensor, ...]]) -> Tensor:
    """Return the mean difference between the critic's pooled features of drawn pictures and of their references."""
    pairs = zip(drawn, real, strict=True)
    return torch.stack([(ours[2] - theirs[2].detach()).abs().mean() for ours, theirs in pairs]).mean()
