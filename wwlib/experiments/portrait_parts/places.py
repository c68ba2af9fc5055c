"""Where the codes of lesson 11's generator act, beside the slots in which a segmenter sees what it drew."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.viz import stretched
from wwlib.datasets.portraits import REGIONS
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
    """Return, for every active code, what fits best the pixels that it changes: one slot, and all slots of one region.

    Each of `slot` and `region` holds its `number`, the mean IoU of its pixels with the changed ones (`change`) and with
    the code's mask (`mask`), and `next`: the IoU of the changed pixels with it in the next picture, which places that
    are the same in all pictures reach as well. `own` is the IoU of the code's mask with the pixels that it changes.

    Args:
        acting: portraits with the places of all codes.
        slots: that a segmenter gives every pixel of them, `[n, 32, 32]`.
        mapping: region of each slot, `[P]`.
    """
    seen = {"slot": _places(slots, len(mapping)), "region": _places(mapping[slots], len(REGIONS))}
    scores = []
    for code in acting.active:
        changed, masked = acting.changed[:, code, None], acting.masked[:, code, None]
        fits = {name: _best(changed, masked, places) for name, places in seen.items()}
        scores.append(dict(code=code, own=float(iou(masked, changed).mean()), **fits))
    return scores


def _places(labels: Tensor, n: int) -> Tensor:
    """Where each of `n` labels is, `[m, n, 32, 32]` bool."""
    return F.one_hot(labels, n).movedim(3, 1).bool()


def _best(changed: Tensor, masked: Tensor, places: Tensor) -> dict:
    number = int(iou(changed, places).mean(dim=0).argmax())
    own = places[:, number, None]
    mean = lambda place, other: float(iou(place, other).mean())  # noqa: E731
    return dict(number=number, change=mean(changed, own), next=mean(changed, own.roll(1, dims=0)),
                mask=mean(masked, own))  # fmt: skip
