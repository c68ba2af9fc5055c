"""Where the codes of lesson 11's generator act, beside the slots in which a segmenter sees what it drew."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.viz import stretched
from wwlib.metrics.where import change_map, iou
from wwlib.models.shipped import load_model
from wwlib.models.traversals import code_masks

GENERATOR, SIDE = "portraits-64-seed0", 32
CHANGED = 0.1  # of the range from black to white: one of the generator's pixels that changes more counts
DARK = 0.05  # a mask that nowhere is above marks no place
ACTS = 0.05  # share of the pixels that a code must change to be compared


@dataclass(frozen=True)
class Acting:
    """Portraits that a generator drew, and where each of its codes acts on them.

    Args:
        images: `[n, 3, 32, 32]` in [-1, 1].
        masks: of the codes in the generator, `[n, d, 32, 32]` in [0, 1].
        changes: share of every pixel, of its four finer ones, that changes while a code runs from -2 to 2,
            `[n, d, 32, 32]`.
    """

    images: Tensor
    masks: Tensor
    changes: Tensor

    @property
    def masked(self) -> Tensor:
        """Where a mask is above half of its own range, `[n, d, 32, 32]` bool."""
        return (stretched(self.masks) > 0.5) & (self.masks.amax(dim=(2, 3), keepdim=True) > DARK)

    @property
    def changed(self) -> Tensor:
        """Where at least half of a pixel changes, `[n, d, 32, 32]` bool."""
        return self.changes >= 0.5

    @property
    def active(self) -> list[int]:
        """The codes that change more than a twentieth of the pixels; the others act nowhere that can be seen."""
        return [code for code, share in enumerate(self.changed.float().mean(dim=(0, 2, 3)).tolist()) if share > ACTS]


@torch.no_grad()
def draw_acting(n: int, seed: int) -> Acting:
    """Return `n` portraits that the generator draws, halved to 32 px, with the places of all codes."""
    model = load_model(GENERATOR)
    generator, codes = model.generator, model.sample_codes(n, seed)
    noise = generator.sample_noise(n, torch.Generator().manual_seed(seed))
    half = lambda maps: F.avg_pool2d(maps, generator.resolution // SIDE)  # noqa: E731
    changes = [(change_map(generator, codes, code, noise=noise) > CHANGED).float() for code in range(model.codes)]
    masks = code_masks(generator, codes, SIDE, noise)
    return Acting(half(generator(codes, noise).clamp(-1, 1)), masks, half(torch.stack(changes, dim=1)))


def code_scores(acting: Acting, slots: Tensor, mapping: Tensor) -> list[dict]:
    """Return, for every active code, the slot that fits best the pixels that it changes, and how well both fit.

    `change` and `mask` are the mean IoU of that slot with the changed pixels and with the mask; `change_shifted` and
    `mask_shifted` are those with the same slot in the next picture, which any two places that stay in the middle of
    all pictures reach as well; `own` is the IoU of the code's mask with the pixels that it changes.

    Args:
        acting: portraits with the places of all codes.
        slots: that a segmenter gives every pixel of them, `[n, 32, 32]`.
        mapping: region of each slot, `[P]`.
    """
    seen = F.one_hot(slots, len(mapping)).movedim(3, 1).bool()
    scores = []
    for code in acting.active:
        changed, masked = acting.changed[:, code, None], acting.masked[:, code, None]
        slot = int(iou(changed, seen).mean(dim=0).argmax())
        own = seen[:, slot, None]
        mean = lambda a, b: float(iou(a, b).mean())  # noqa: E731
        scores.append(dict(code=code, slot=slot, region=int(mapping[slot]), share=float(own.float().mean()),
                           change=mean(changed, own), change_shifted=mean(changed, own.roll(1, dims=0)),
                           mask=mean(masked, own), mask_shifted=mean(masked, own.roll(1, dims=0)),
                           own=mean(masked, changed)))  # fmt: skip
    return scores
