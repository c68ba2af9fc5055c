"""Two frozen networks that never met, and what a translation between them can do: draw, vary, edit, transfer.

Pictures of coloured digits are read by an autoencoder, their captions by an encoder of text; a translation learns the
autoencoder's codes given the caption's embedding. A plain regression is its rival.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.datasets.captions import SIZES, STATED, UNSAID, leave_out, write_all
from wwlib.datasets.glyphs import Glyphs
from wwlib.flows.caption_encoder import CaptionEncoder
from wwlib.flows.invariances import cut
from wwlib.flows.latents import Latents, collect
from wwlib.flows.translation import Translation, carry
from wwlib.models.judges import Judge

DEPTHS = {
    "first maps": "conv1",
    "last maps": "conv3",
    "logits": "logits",
}  # and the layers of `wwlib.flows.invariances`


@dataclass(frozen=True)
class Captioned:
    """Pictures as both networks see them.

    Args:
        latents: the autoencoder's codes.
        factors: the truth `[n, 6]`.
        stated: what the captions say `[n, 3]`, -1 for nothing.
        captions: the texts.
        embeddings: what the encoder makes of them `[n, e]`.
    """

    latents: Latents
    factors: Tensor
    stated: Tensor
    captions: list[str]
    embeddings: Tensor


def caption_pictures(host, encoder: CaptionEncoder, n: int, seed: int, shares: Sequence[float] | None = None,
                     without: Tensor | None = None) -> Captioned:  # fmt: skip
    """Draw `n` pictures of `Glyphs`, encode them, write a caption for each and encode that.

    Args:
        host: the autoencoder.
        encoder: of captions.
        n: how many.
        seed: of pictures, omissions and words.
        shares: how often a caption leaves out digit, ink, paper; the default of `leave_out` if None.
        without: factors `[m, 6]` of pictures that may not occur.
    """
    latents, factors = collect(host, Glyphs(), n, STATED, seed, without)
    generator = torch.Generator().manual_seed(seed + 1)
    stated = leave_out(factors, generator) if shares is None else leave_out(factors, generator, shares)
    captions = write_all(stated, seed + 2)
    return Captioned(latents, factors, stated, captions, encoder.embed(captions))


@torch.no_grad()
def at_depth(classifier: Judge, images: Tensor, depth: str) -> Tensor:
    """Return what a classifier holds at one of three depths.

    Args:
        classifier: with three convolutions and one head.
        images: `[B, 3, H, W]`.
        depth: "first maps" `[B, 16, 16, 16]`, "last maps" `[B, 32, 4, 4]` (both for 32 px), or "logits" `[B, 10]`.

    Raises:
        ValueError: for another depth.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth must be one of {tuple(DEPTHS)}, got {depth!r}")
    return cut(classifier, DEPTHS[depth])[0](images)


def reader(decode: Callable, digits: Judge, pose: Judge) -> Callable[[Tensor], Tensor]:
    """Return the function from codes `[n, d]` to the six factors `[n, 6]` that two judges see in their pictures.

    Args:
        decode: codes to images.
        digits: judge of digit, ink and paper.
        pose: judge of all six, asked for position and tilt.
    """

    @torch.no_grad()
    def read(z: Tensor) -> Tensor:
        parts = []
        for part in z.split(256):
            images = decode(part)
            parts.append(torch.cat([digits.verdict(images), pose.verdict(images)[:, 3:]], dim=1))
        return torch.cat(parts)

    return read


def agreement(found: Tensor, stated: Tensor) -> Tensor:
    """Return for each of the three attributes how often pictures show what their caption states, `[3]`.

    Args:
        found: factors that judges see, `[n, 6]`.
        stated: `[n, 3]`; what is unsaid does not count.
    """
    said = stated != UNSAID
    right = (found[:, :3] == stated) & said
    return right.sum(dim=0) / said.sum(dim=0).clamp(min=1)


def change_word(stated: Tensor, attribute: int, generator: torch.Generator) -> Tensor:
    """Return `stated` `[n, 3]` with one attribute of every row replaced by another value, at random."""
    size = SIZES[attribute]
    step = torch.randint(1, size, (len(stated),), generator=generator)
    changed = stated.clone()
    changed[:, attribute] = (stated[:, attribute] + step) % size
    return changed


@torch.no_grad()
def edit_scores(translation: Translation, read: Callable, encoder: CaptionEncoder, pictures: Captioned,
                generator: torch.Generator) -> Tensor:  # fmt: skip
    """Change one word of every caption, redraw, and judge.

    Args:
        translation: trained on captions.
        read: codes to factors.
        encoder: of captions.
        pictures: whose captions state all three attributes.
        generator: of the changes.

    Returns:
        A table `[3, 6]`: a row for each changed attribute; the share of pictures in which each factor is what it should
        be now: the new one where it was changed, the old one elsewhere.

    Raises:
        ValueError: if a caption leaves something unsaid.
    """
    if (pictures.stated == UNSAID).any():
        raise ValueError("pictures must have captions that state all three attributes")
    table = []
    for attribute in range(len(STATED)):
        changed = change_word(pictures.stated, attribute, generator)
        # the same words otherwise: both captions are written with the same seed
        old, new = (
            encoder.embed([write_all(row[None], k)[0] for k, row in enumerate(s)]) for s in (pictures.stated, changed)
        )
        found = read(carry(translation, pictures.latents.mean, old, new))
        wanted = pictures.factors.clone()
        wanted[:, attribute] = changed[:, attribute]
        table.append((found == wanted).float().mean(dim=0))
    return torch.stack(table)


@torch.no_grad()
def transfer_scores(translation: Translation, read: Callable, pictures: Captioned) -> Tensor:
    """Draw each caption with the residual of another picture, its neighbour in the sample, and judge.

    Returns:
        `[2, 6]`: how often each factor is that of the picture whose caption was taken, and how often that of the one
        whose residual was; both among pairs that differ in the factor.
    """
    words = pictures.embeddings.roll(1, dims=0)
    found = read(carry(translation, pictures.latents.mean, pictures.embeddings, words))
    caption, residual = pictures.factors.roll(1, dims=0), pictures.factors
    differ = caption != residual
    count = differ.sum(dim=0).clamp(min=1)
    return torch.stack([((found == source) & differ).sum(dim=0) / count for source in (caption, residual)])


def within_and_total(codes: Tensor) -> tuple[float, float]:
    """Return the spread of codes `[conditions, draws, d]` within a condition, and altogether: root mean variances."""
    within = codes.var(dim=1, correction=0).mean().sqrt()
    return float(within), float(codes.flatten(0, 1).var(dim=0, correction=0).mean().sqrt())


def example_captions(words: int) -> list[str]:
    """Return some captions for pictures in the lesson, always the same for one seed of words."""
    stated = torch.tensor([[7, 0, 3], [3, 6, 1], [2, 2, 8], [8, 9, 5], [UNSAID, 1, 6], [5, UNSAID, UNSAID]])
    chosen = random.Random(words)
    return [write_all(row[None], chosen.randrange(1000))[0] for row in stated]
