"""Using a trained model: local edits, attribute transfer, projection of real images."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.base.codes import copy_codes
from wwlib.base.device import own_modes
from wwlib.models.traversals import code_masks


def blend(before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
    """Return `after` where the mask is 1, `before` where it is 0, and a mixture between.

    Args:
        before, after: images `[B, C, H, W]`.
        mask: `[B, H, W]` in [0, 1].
    """
    return before + mask[:, None] * (after - before)


@torch.no_grad()
def local_edit(generator, codes: Tensor, code: int, value: float, feather: bool = True) -> Tensor:
    """Return images with one code set to `value`, changed only inside that code's mask.

    The edited image is blended over the original through the mask, so that pixels outside stay as they were even
    where the networks after the mask would have let the change leak.

    Args:
        generator: G, with masks.
        codes: `[B, d]`.
        code: which code to set.
        value: its new value.
        feather: blend softly; False cuts the mask at half its maximum.

    Raises:
        ValueError: if `code` is not a position in `codes`.
    """
    if not 0 <= code < codes.shape[1]:
        raise ValueError(f"code must be 0..{codes.shape[1] - 1}, got {code}")
    edited = codes.clone()
    edited[:, code] = value
    noise = generator.sample_noise(len(codes), torch.Generator().manual_seed(0))
    before, after = generator(codes, noise), generator(edited, noise)
    mask = code_masks(generator, codes, noise=noise)[:, code]
    mask = mask / mask.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    return blend(before, after, mask if feather else (mask > 0.5).to(before.dtype))


@torch.no_grad()
def transfer(generator, recogniser, target: Tensor, source: Tensor, codes: list[int]) -> Tensor:
    """Draw `target` images `[B, C, H, W]` again with some codes taken from `source` images.

    Args:
        generator, recogniser: G and Q.
        target: images whose other codes stay.
        source: images from which the codes at `codes` are taken.
        codes: positions to copy; one property of a picture may have several.
    """
    mixed = copy_codes(recogniser(target), recogniser(source), codes)
    return generator(mixed, generator.sample_noise(len(mixed), torch.Generator().manual_seed(0)))


@own_modes()
def project(
    generator,
    recogniser,
    images: Tensor,
    steps: int = 200,
    learning_rate: float = 0.05,
    prior: float = 0.001,
    starts: int = 1,
    seed: int = 0,
) -> tuple[Tensor, list[float]]:
    """Search for the codes whose images come closest to real `images`, starting from the recogniser's answer.

    Adam changes the codes, with a rate that falls linearly; `prior` holds them near N(0, I), where the generator was
    trained. A search can get stuck where a colour would have to pass through all others on its way. More `starts`,
    drawn from the prior, avoid that; the best start is used for each image.

    Args:
        generator, recogniser: G and Q.
        images: `[B, C, H, W]` in [-1, 1].
        steps, learning_rate: of Adam.
        prior: weight of the mean squared code.
        starts: searches for each image; the first begins at the recogniser's answer.
        seed: of the other starts.

    Returns:
        codes `[B, d]`, and the mean squared pixel error of the best starts before the search and after each step.

    Raises:
        ValueError: if `starts` is not positive.
    """
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    guess = recogniser(images).detach().clamp(-3, 3)
    random = torch.Generator().manual_seed(seed)
    others = torch.randn(starts - 1, *guess.shape, generator=random).to(guess)
    codes = torch.cat([guess[None], others]).flatten(0, 1).requires_grad_(True)
    noise = generator.sample_noise(len(images), torch.Generator().manual_seed(0))
    noise = [maps.repeat(starts, 1, 1, 1) for maps in noise]  # each start is searched with its picture's noise
    targets = images.repeat(starts, 1, 1, 1)
    optimiser = torch.optim.Adam([codes], lr=learning_rate)
    errors = []
    for step in range(steps + 1):
        error = (generator(codes, noise) - targets).square().mean(dim=(1, 2, 3))
        best = error.detach().view(starts, -1).min(dim=0)
        errors.append(best.values.mean().item())
        if step < steps:
            optimiser.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
            optimiser.zero_grad()
            (error.mean() + prior * codes.square().mean()).backward(inputs=[codes])
            optimiser.step()
    chosen = codes.detach().view(starts, len(images), -1)[best.indices, torch.arange(len(images))]
    return chosen, errors


def share_explained(drawn: Tensor, pictures: Tensor) -> float:
    """Return the share of pictures' variance that drawings explain: 1 if equal, 0 if no better than the mean picture.

    Args:
        drawn, pictures: `[n, C, H, W]`.
    """
    around_mean = (pictures - pictures.mean(dim=0, keepdim=True)).square().sum()
    return 1 - ((drawn - pictures).square().sum() / around_mean).item()
