"""Exercises, written solutions and quiz questions of lesson 15."""

from __future__ import annotations

from itertools import permutations

import torch
from scipy import optimize

from wwlib.course.answers.common import open_exercise
from wwlib.course.exercise import Exercise, Mistake, Property, Question, slopes_of

# 15.1 the colours of slots


def slot_colours(images, slots, n):
    """The mean colour `[B, n, 3]` of every slot of images `[B, 3, S, S]`, whose slots are `[B, S, S]`; empty: 0."""
    masks = torch.nn.functional.one_hot(slots, n).to(images.dtype).flatten(1, 2)
    return masks.transpose(1, 2) @ images.flatten(2).transpose(1, 2) / masks.sum(dim=1).clamp_min(1)[..., None]


def _pictures(b: int, side: int, n: int, used: int):
    def make(g):
        return torch.rand(b, 3, side, side, generator=g) * 2 - 1, torch.randint(used, (b, side, side), generator=g), n

    return make


def _over_batch(images, slots, n):
    """One mean over all pictures together."""
    masks = torch.nn.functional.one_hot(slots, n).to(images.dtype)
    colours = torch.einsum("bcxy,bxyp->pc", images, masks) / masks.sum(dim=(0, 1, 2)).clamp_min(1)[:, None]
    return colours.expand(len(images), -1, -1).clone()


def _over_all_pixels(images, slots, n):
    """Sums divided by all pixels of the picture."""
    masks = torch.nn.functional.one_hot(slots, n).to(images.dtype)
    return torch.einsum("bcxy,bxyp->bpc", images, masks) / slots[0].numel()


def _empty_is_nan(images, slots, n):
    masks = torch.nn.functional.one_hot(slots, n).to(images.dtype)
    return torch.einsum("bcxy,bxyp->bpc", images, masks) / masks.sum(dim=(1, 2))[..., None]


# 15.2 one slot for each part


def one_for_each(shared):
    """The part `[P]` of every slot from shared pixels `[P, K]`: no part twice but 0, most pixels in all."""
    slots, parts = shared.shape
    best, chosen = -1.0, ()
    for order in permutations(range(slots), min(slots, parts)):  # slot of each part
        total = sum(float(shared[slot, part]) for part, slot in enumerate(order))
        if total > best:
            best, chosen = total, order
    answer = torch.zeros(slots, dtype=torch.long)
    for part, slot in enumerate(chosen):
        answer[slot] = part
    return answer


def _has_one_best(shared) -> bool:
    """Say whether a single assignment has the most pixels: another right answer could choose the other one."""
    orders = permutations(range(len(shared)), min(shared.shape))
    totals = sorted(sum(int(shared[slot, part]) for part, slot in enumerate(order)) for order in orders)
    return totals[-1] > totals[-2]


def _table(slots: int, parts: int):
    """Two slots share most with one part, so that the best slot for each part is not simply its own best part."""

    def make(g):
        while True:
            shared = torch.randint(1, 60, (slots, parts), generator=g)
            shared[:2, 1] += 200
            shared[-1, 0] += 90
            if _has_one_best(shared):
                return (shared,)

    return make


def _many_to_one(shared):
    return shared.argmax(dim=1)


def _greedy(shared):
    """The largest number first, then the largest of what is left."""
    left, answer = shared.clone().double(), torch.zeros(len(shared), dtype=torch.long)
    for _ in range(min(shared.shape)):
        slot, part = divmod(int(left.argmax()), shared.shape[1])
        answer[slot] = part
        left[slot], left[:, part] = -1, -1
    return answer


def _rest_keeps_its_best(shared):
    """Slots that are left over keep the part that they share most with."""
    answer = one_for_each(shared)
    used = set()
    for slot in answer.argsort(descending=True).tolist():
        part = int(answer[slot])
        if part == 0 and used & {int(shared[slot].argmax())}:
            answer[slot] = shared[slot].argmax()
        used.add(part)
    return answer


def _slots_of_parts(shared):
    """The slot of every part `[K]`, in place of the part of every slot."""
    return torch.from_numpy(optimize.linear_sum_assignment(shared.T.numpy(), maximize=True)[1])


def _without_the_rest(shared):
    """The parts `[K]` of the slots that have one: those that are left over have no entry."""
    return torch.from_numpy(optimize.linear_sum_assignment(shared.numpy(), maximize=True)[1])


def _background_is_free(shared):
    """Pixels that slots share with the background do not count."""
    return one_for_each(torch.cat([torch.zeros_like(shared[:, :1]), shared[:, 1:]], dim=1))


# 15.3 the same slot under the same joint


def same_slot(slots, joints):
    """How often each joint `[J]` lies on its most frequent slot; slots `[n, S, S]`, joints `[n, J, 2]` in [-1, 1]."""
    side = slots.shape[-1]
    place = ((joints + 1) / 2 * side).long().clamp(0, side - 1)
    rows = torch.arange(len(slots))[:, None]
    hit = slots[rows, place[..., 1], place[..., 0]]
    return torch.stack([(column == column.mode().values).double().mean() for column in hit.t()])


def _motions(n: int, side: int, joints: int, slots: int = 3):
    def make(g):
        return (
            torch.randint(slots, (n, side, side), generator=g),
            torch.rand(n, joints, 2, generator=g) * 2.4 - 1.2,  # a few lie outside the picture
        )

    return make


def _rows_and_columns(slots, joints):
    return same_slot(slots, joints.flip(-1))


def _at_pixels(slots, columns_and_rows):
    """Slots `[n, J]` at pixels `[n, J, 2]`, numbers that need not be whole or inside: what is behind the point is cut
    off."""
    place = columns_and_rows.long().clamp(0, slots.shape[-1] - 1)
    return slots[torch.arange(len(slots))[:, None], place[..., 1], place[..., 0]]


def _under(slots, joints):
    """The slots `[n, J]` under joints."""
    return _at_pixels(slots, (joints + 1) / 2 * slots.shape[-1])


def _agreement(hit):
    return (hit == hit.mode(dim=0).values).double().mean(dim=0)


def _between_centres(slots, joints):
    """Places `[n, J, 2]` from 0 to S - 1, as if -1 and 1 were the centres of the outer pixels: the other convention."""
    return (joints + 1) / 2 * (slots.shape[-1] - 1)


def _of_slot_of_first(slots, joints):
    """Compared with the first picture's slot, not with the most frequent one."""
    hit = _under(slots, joints)
    return (hit == hit[:1]).double().mean(dim=0)


EDGES = "-1 and 1 are the picture's edges, not the centres of its outer pixels"


# 15.4 a penalty that does not care for size


def spread_over_area(mask):
    """The spread of a mask's pixels about their mean over the mask's area: about 1 / (2 pi) for a disc of any size."""
    side, area = mask.shape[-1], mask.sum() + 1e-6
    places = torch.arange(side, dtype=mask.dtype, device=mask.device)
    x, y = mask.sum(dim=0), mask.sum(dim=1)
    spread = 0
    for line in (x, y):
        centre = (line * places).sum() / area
        spread = spread + (line * (places - centre).square()).sum() / area
    return spread / (area + 1)


def _disc(radius: float, across: float = 15.5, down: float = 15.5, side: int = 32):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (radius + 0.5 - ((x - across).square() + (y - down).square()).sqrt()).clamp(0, 1)


def _ring() -> torch.Tensor:
    return _disc(8.0) - _disc(6.0)


def _bar() -> torch.Tensor:
    bar = torch.zeros(32, 32)
    bar[15:18, 4:28] = 1
    return bar


def _scattered(seed: int) -> torch.Tensor:
    return (torch.rand(32, 32, generator=torch.Generator().manual_seed(seed)) < 0.1).float()


def _two() -> torch.Tensor:
    return _disc(4.0, 9.5) + _disc(4.0, 22.5)


def _cost(answer, mask) -> float:
    return float(answer(mask.clone()))


def _trains(answer, seed: int) -> bool:
    slopes = slopes_of(answer, 0.8 * _ring() + 0.05)[1]
    return bool(slopes) and bool(slopes[0].isfinite().all()) and float(slopes[0].abs().max()) > 0


_PENALTY = (
    Property("the penalty is a finite number for a disc and for a mask of zeros, and above 0 for a disc",
             lambda f, s: 0 < _cost(f, _disc(5.0)) < float("inf")
             and abs(_cost(f, torch.zeros(32, 32))) < float("inf")),
    Property("gradients reach the mask: a mask is to be trained with it",
             lambda f, s: _trains(f, s)),
    Property("a disc of radius 4, one of 6 and one of 8 cost the same, within a quarter",
             lambda f, s: max(costs := [_cost(f, _disc(r)) for r in (4.0, 6.0, 8.0)]) < 1.25 * min(costs)),
    Property("where the disc lies does not matter, within a tenth",
             lambda f, s: abs(_cost(f, _disc(5.0, 9.0, 20.0)) - _cost(f, _disc(5.0)))
             <= 0.1 * abs(_cost(f, _disc(5.0)))),
    Property("a ring costs at least a quarter more than a disc",
             lambda f, s: _cost(f, _ring()) > 1.25 * _cost(f, _disc(5.5))),
    Property("scattered pixels cost at least a quarter more than a disc",
             lambda f, s: _cost(f, _scattered(s)) > 1.25 * _cost(f, _disc(5.5))),
    Property("two discs apart, side by side or one above the other, cost at least a quarter more than one",
             lambda f, s: all(_cost(f, mask) > 1.25 * _cost(f, _disc(5.5)) for mask in (_two(), _two().t()))),
    Property("a bar of 3 by 24 pixels, level or upright, costs at least a quarter more than a disc",
             lambda f, s: all(_cost(f, mask) > 1.25 * _cost(f, _disc(5.0)) for mask in (_bar(), _bar().t()))),
)  # fmt: skip


def _variation(mask):
    across, down = mask[:, 1:] - mask[:, :-1], mask[1:] - mask[:-1]
    return across.abs().sum() + down.abs().sum()


def _spread_along_x(mask):
    """Looks at one axis alone."""
    area, places = mask.sum() + 1e-6, torch.arange(mask.shape[-1], dtype=mask.dtype)
    line = mask.sum(dim=0)
    return (line * (places - (line * places).sum() / area).square()).sum() / area / (area + 1)


def _variation_down(mask):
    """Looks at changes from row to row alone."""
    return (mask[1:] - mask[:-1]).abs().sum().square() / (mask.sum() + 1)


def _spread(mask):
    return spread_over_area(mask) * (mask.sum() + 1)


EXERCISES = (
    Exercise(
        "15.1",
        "the colours of slots",
        slot_colours,
        (_pictures(2, 6, 4, 4), _pictures(3, 5, 6, 3), _pictures(1, 4, 1, 1)),
        (
            Mistake("a mean for every picture, not one over the batch", _over_batch),
            Mistake("divide by the slot's pixels, not by all of the picture's", _over_all_pixels),
            Mistake("a slot without pixels gets 0: nothing divided by nothing is no number", _empty_is_nan),
            Mistake("slots come before colours: [B, n, 3]", lambda i, s, n: slot_colours(i, s, n).transpose(1, 2)),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "15.2",
        "one slot for each part",
        one_for_each,
        (_table(5, 4), _table(4, 4), _table(6, 3)),
        (
            Mistake("no part twice, but for 0: two slots may not both have it", _many_to_one),
            Mistake("the largest number first is not the best in all", _greedy),
            Mistake("slots that are left over get part 0", _rest_keeps_its_best),
            Mistake("the background is a part too: the pixels shared with it count in the sum", _background_is_free),
            Mistake("the part of every slot, not the slot of every part", _slots_of_parts),
            Mistake("every slot has an entry, [P]: those that are left over too", _without_the_rest),
            Mistake("as many shared pixels as possible: the largest sum, not the smallest",
                    lambda shared: one_for_each(shared.max() - shared)),
        ),
    ),
    Exercise(
        "15.3",
        "the same slot under the same joint",
        same_slot,
        (_motions(9, 8, 3), _motions(12, 5, 2), _motions(7, 4, 4, slots=2)),
        (
            Mistake("x is the column and y the row: slots[i, y, x]", _rows_and_columns),
            Mistake(EDGES, lambda s, j: _agreement(_at_pixels(s, _between_centres(s, j).round()))),
            Mistake(EDGES, lambda s, j: _agreement(_at_pixels(s, _between_centres(s, j)))),
            Mistake("pixel k reaches from k to k + 1: cut off what is behind the point, do not round",
                    lambda s, j: _agreement(_at_pixels(s, ((j + 1) / 2 * s.shape[-1]).round()))),
            Mistake("compare with the slot that is most frequent under this joint", _of_slot_of_first),
            Mistake("one number for every joint, not their mean", lambda s, j: same_slot(s, j).mean()),
            Mistake("how often the most frequent slot occurs, not its number",
                    lambda s, j: _under(s, j).mode(dim=0).values),
            Mistake("a share of the pictures, not their number", lambda s, j: same_slot(s, j) * len(s)),
            Mistake("most frequent in all pictures, under one joint; not in one picture, under all joints",
                    lambda s, j: (_under(s, j) == _under(s, j).mode(1, keepdim=True).values).double().mean(dim=0)),
        ),
    ),
    open_exercise("15.4", "a penalty that does not care for size", spread_over_area, _PENALTY,
          (0, lambda m: spread_over_area(m) / m.sum()), (0, lambda m: (spread_over_area(m) + 1e-9).log()),
          (1, lambda m: spread_over_area((m > 0.5).to(m.dtype))),
          (2, _variation), (2, _spread),
          (3, lambda m: spread_over_area(m) + (m.sum(dim=1) * torch.arange(32)).sum() / (31 * m.sum() + 1e-6)),
          (4, lambda m: 0.1 + 0.001 * spread_over_area(m)),
          (0, lambda m: (spread_over_area(m) + 1e-6).log()),
          (6, _spread_along_x), (7, _variation_down)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_slot_colours(images, slots, n):
    colours = torch.zeros(len(images), n, 3, dtype=images.dtype)
    for b in range(len(images)):
        for slot in range(n):
            inside = slots[b] == slot
            if inside.any():
                colours[b, slot] = images[b][:, inside].mean(dim=1)
    return colours


def my_matching(shared):
    from scipy.optimize import linear_sum_assignment

    slots, parts = linear_sum_assignment(shared.numpy(), maximize=True)
    answer = torch.zeros(len(shared), dtype=torch.long)
    answer[torch.from_numpy(slots)] = torch.from_numpy(parts)
    return answer


def my_same_slot(slots, joints):
    side = slots.shape[-1]
    place = ((joints + 1) / 2 * side).long().clamp(0, side - 1)
    shares = []
    for j in range(joints.shape[1]):
        seen = torch.stack([s[y, x] for s, (x, y) in zip(slots, place[:, j], strict=True)])
        shares.append(seen.bincount().max() / len(seen))
    return torch.stack(shares)


SOLUTIONS = (
    my_slot_colours,
    my_matching,
    my_same_slot,
)

QUESTIONS = (
    Question(
        "15.a",
        "6309bf753a7f04a6",
        "In one picture any cut can be painted with its own averages. Only a slot that lies on the same part in both "
        "pictures brings the right colour.",
        dict(
            b="It gives every pair twice, but that is not what makes slots mean the same thing.",
            c="Masks are read from the shape code either way.",
            d="Poses come from the picture that is drawn, not from the one that gives the looks.",
        ),
    ),
    Question(
        "15.b",
        "ac87c0f617607ee5",
        "The decoder sees hard masks, and the gradient takes the way of the soft ones.",
        dict(
            a="A choice of the largest share has no slope at all: nothing would be learned.",
            c="Rounding cuts gradients off as well; what helps is that the way back differs from the way there.",
            d="The noise on the logits is drawn beforehand and is no part of the trick.",
        ),
    ),
    Question(
        "15.c",
        "49be125a1b0f6c03",
        "Eight slots can share out the background between them. Count those that are named after a part of the figure.",
        dict(
            a="Eight large slots say nothing about where they lie.",
            b="The picture can be rebuilt quite well with a coarse figure.",
            d="More slots would cut the background into more pieces.",
        ),
    ),
    Question(
        "15.d",
        "fec55788a70bfe8a",
        "A name that is chosen on the scored pictures has seen the answer.",
        dict(
            a="Both have the same pixels to score.",
            b="The slots are the same; only their names are chosen elsewhere.",
            c="Many slots may have one name in both.",
        ),
    ),
)
