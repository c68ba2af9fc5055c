"""From captions to pictures: a translation between two frozen networks, and measures of its drawings and edits.

An autoencoder reads pictures of coloured digits, an encoder of text reads their captions, and a translation learns the
autoencoder's codes given the caption's embedding. It is compared with a regression.
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
from wwlib.flows.latents import Latents, encode_pictures
from wwlib.flows.translation import Translation, carry
from wwlib.models.judges import Judge

DEPTHS = {
    "first maps": "conv1",
    "last maps": "conv3",
    "logits": "logits",
}  # and the layers of `wwlib.flows.invariances`


@dataclass(frozen=True)
class Captioned:
    """Pictures with captions, and the codes that both networks give for them.

    Args:
        latents: the autoencoder's codes of the pictures.
        factors: the true factors of the pictures `[n, 6]`.
        stated: what the captions state `[n, 3]`, -1 for what they leave out.
        captions: the texts.
        embeddings: the caption encoder's vectors `[n, e]`.
    """

    latents: Latents
    factors: Tensor
    stated: Tensor
    captions: list[str]
    embeddings: Tensor


def caption_pictures(
    host,
    encoder: CaptionEncoder,
    n: int,
    seed: int,
    shares: Sequence[float] | None = None,
    without: Tensor | None = None,
) -> Captioned:
    """Draw `n` pictures of `Glyphs` and encode them, write a caption for each and encode the captions.

    Args:
        host: the autoencoder.
        encoder: of captions.
        n: number of pictures.
        seed: of pictures, omissions and words.
        shares: how often a caption leaves out digit, ink, paper; the default of `leave_out` if None.
        without: factors `[m, 6]` of pictures that must not occur.
    """
    latents, factors = encode_pictures(host, Glyphs(), n, STATED, seed, without)
    generator = torch.Generator().manual_seed(seed + 1)
    stated = leave_out(factors, generator) if shares is None else leave_out(factors, generator, shares)
    captions = write_all(stated, seed + 2)
    return Captioned(latents, factors, stated, captions, encoder.embed(captions))


@torch.no_grad()
def at_depth(classifier: Judge, images: Tensor, depth: str) -> Tensor:
    """Return the activations of a classifier at one of three depths.

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
    """Return a function from codes `[n, d]` to the six factors `[n, 6]` that two judges see in the codes' pictures.

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


def agreement(seen: Tensor, stated: Tensor) -> Tensor:
    """Return for each of the three attributes how often pictures show what their caption states, `[3]`.

    Args:
        seen: factors that judges see, `[n, 6]`.
        stated: `[n, 3]`; what a caption leaves out does not count.
    """
    is_stated = stated != UNSAID
    right = (seen[:, :3] == stated) & is_stated
    return right.sum(dim=0) / is_stated.sum(dim=0).clamp(min=1)


def change_word(stated: Tensor, attribute: int, generator: torch.Generator) -> Tensor:
    """Return `stated` `[n, 3]` with one attribute of every row replaced by another value, at random."""
    size = SIZES[attribute]
    step = torch.randint(1, size, (len(stated),), generator=generator)
    changed = stated.clone()
    changed[:, attribute] = (stated[:, attribute] + step) % size
    return changed


@torch.no_grad()
def edit_scores(
    translation: Translation, read: Callable, encoder: CaptionEncoder, pictures: Captioned, generator: torch.Generator
) -> Tensor:
    """Change one word of every caption, draw the pictures again, and let judges read them.

    Args:
        translation: trained on captions.
        read: codes to factors.
        encoder: of captions.
        pictures: whose captions state all three attributes.
        generator: of the changes.

    Returns:
        A table `[3, 6]` with a row for each changed attribute: how often each factor is right. This means the new value
        of the changed attribute, and the old value of every other factor.

    Raises:
        ValueError: if a caption leaves an attribute out.
    """
    if (pictures.stated == UNSAID).any():
        raise ValueError("pictures must have captions that state all three attributes")
    table = []
    for attribute in range(len(STATED)):
        changed = change_word(pictures.stated, attribute, generator)
        # both captions are written with the same seed, so that all other words are the same
        old, new = (
            encoder.embed([write_all(row[None], k)[0] for k, row in enumerate(s)]) for s in (pictures.stated, changed)
        )
        seen = read(carry(translation, pictures.latents.mean, old, new))
        expected = pictures.factors.clone()
        expected[:, attribute] = changed[:, attribute]
        table.append((seen == expected).float().mean(dim=0))
    return torch.stack(table)


@torch.no_grad()
def transfer_scores(translation: Translation, read: Callable, pictures: Captioned) -> Tensor:
    """Draw each caption with the residual of the next picture in the sample, and let judges read the drawings.

    Returns:
        A table `[2, 6]`: how often each factor is that of the picture with the caption, and how often that of the
        picture with the residual; both among pairs that differ in the factor.
    """
    words = pictures.embeddings.roll(1, dims=0)
    seen = read(carry(translation, pictures.latents.mean, pictures.embeddings, words))
    caption, residual = pictures.factors.roll(1, dims=0), pictures.factors
    differ = caption != residual
    count = differ.sum(dim=0).clamp(min=1)
    return torch.stack([((seen == source) & differ).sum(dim=0) / count for source in (caption, residual)])


def within_and_total(codes: Tensor) -> tuple[float, float]:
    """Return root mean variances of codes `[conditions, draws, d]`: within a condition, and of all codes."""
    within = codes.var(dim=1, correction=0).mean().sqrt()
    return float(within), float(codes.flatten(0, 1).var(dim=0, correction=0).mean().sqrt())


def example_captions(words: int) -> list[str]:
    """Return six captions for pictures in the lesson, always the same for one seed of words."""
    stated = torch.tensor([[7, 0, 3], [3, 6, 1], [2, 2, 8], [8, 9, 5], [UNSAID, 1, 6], [5, UNSAID, UNSAID]])
    chosen = random.Random(words)
    return [write_all(row[None], chosen.randrange(1000))[0] for row in stated]
