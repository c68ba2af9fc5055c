"""Invariances of a classifier: which properties of a picture a layer still holds, and which it has discarded.

After Rombach, Esser and Ommer, *Making Sense of CNNs: Interpreting Deep Representations and Their Invariances with
INNs* (ECCV 2020). A conditional flow (`wwlib.flows.translation`) learns which codes of an autoencoder are possible,
given the activations of a layer.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.flows.flow import Flow, block_slices
from wwlib.models.judges import Judge


def stages(classifier: Judge) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the steps of a classifier of one factor by name; applied in order they are the classifier."""
    first, second, third = classifier.convolutions
    return {
        "conv1": lambda x: F.relu(first(F.pixel_unshuffle(x, 2))),
        "conv2": lambda x: F.relu(F.max_pool2d(second(x), 2)),
        "conv3": lambda x: F.relu(F.max_pool2d(third(x), 2)),
        "features": lambda x: F.relu(classifier.hidden(x.flatten(1))),
        "logits": classifier.heads[0],
    }


def cut(classifier: Judge, layer: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Cut a classifier after a layer; return Phi, from pictures to the layer, and Psi, from the layer to logits.

    Args:
        classifier: with one head.
        layer: a name of `stages`.

    Raises:
        ValueError: for another layer.
    """
    steps = stages(classifier)
    if layer not in steps:
        raise ValueError(f"layer must be one of {tuple(steps)}, got {layer!r}")
    behind = list(steps).index(layer) + 1  # the layer itself belongs to the first part

    def run(part: list[Callable], x: Tensor) -> Tensor:
        for step in part:
            x = step(x)
        return x

    before, after = list(steps.values())[:behind], list(steps.values())[behind:]
    return lambda images: run(before, images), lambda z: run(after, z)


def pooled_share(concepts: Tensor) -> float:
    """Return the share of all variance of a group of numbers that a condition explains.

    S = 1 - sum_i E[Var(u_i | y)] / sum_i Var(u_i); 1 - S is the share of the invariance. Variances within a condition
    are divided by draws - 1; otherwise, with few draws, a condition without information would seem to explain some.

    Args:
        concepts: the numbers `[conditions, draws, m]`.

    Raises:
        ValueError: for fewer than two conditions or draws.
    """
    if concepts.dim() != 3 or min(concepts.shape[:2]) < 2:
        raise ValueError(f"concepts must be [conditions, draws, m], at least 2 of each, got {tuple(concepts.shape)}")
    within = concepts.var(dim=1).mean(dim=0).sum()
    return float(1 - within / concepts.flatten(0, 1).var(dim=0, correction=0).sum())


@torch.no_grad()
def concept_shares(codes: Tensor, interpretation: Flow, sizes: list[int], names: tuple[str, ...]) -> dict[str, float]:
    """Return S, as in `pooled_share`, of every block of an interpretation by name, and of the whole code as "code".

    Args:
        codes: the autoencoder's, several for each condition, `[conditions, draws, d]`.
        interpretation: translates them into blocks.
        sizes: of the blocks.
        names: of the blocks.
    """
    sorted_codes = interpretation(codes.flatten(0, 1))[0].unflatten(0, codes.shape[:2])
    blocks = zip(names, block_slices(sizes), strict=True)
    return {name: pooled_share(sorted_codes[..., block]) for name, block in blocks} | {"code": pooled_share(codes)}


def fgsm_step(images: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """Return images in [-1, 1] moved by `epsilon` in every pixel, in the direction in which the loss grows.

    The fast gradient sign method of Goodfellow, Shlens and Szegedy (2015).

    Args:
        images, gradient: `[B, 3, H, W]`.
        epsilon: the step; the whole range of a pixel is 2.
    """
    return (images + epsilon * gradient.sign()).clamp(-1, 1)


def attack(classifier: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Return images changed by one step of FGSM, so that a classifier may misjudge them.

    Args:
        classifier: images to logits.
        images: `[B, 3, H, W]` in [-1, 1].
        labels: the truth `[B]`.
        epsilon: largest change of a pixel.

    Raises:
        ValueError: if epsilon is not positive.
    """
    if epsilon <= 0:
        raise ValueError(f"epsilon must be positive, got {epsilon}")
    moved = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(F.cross_entropy(classifier(moved), labels), moved)
    return fgsm_step(images, gradient, epsilon)


def value_entropy(values: Tensor, size: int) -> Tensor:
    """Return the entropy in nats of how often each of `size` values occurs among whole numbers of any shape."""
    shares = values.flatten().bincount(minlength=size) / values.numel()
    return -torch.xlogy(shares, shares).sum()
