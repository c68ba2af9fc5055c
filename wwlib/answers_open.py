"""Open exercises of lessons 00 to 05, and what all open ones share.

They have no single right answer, but properties that every good one has. Each example is one good answer among many,
written as a learner would.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from wwlib.exercises import Exercise, Mistake, Property
from wwlib.recipes import recipe

SIZES = (10, 10, 10, 8, 4, 15)  # of 3D Shapes


def random_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pictures(seed: int, n: int = 6, side: int = 32) -> Tensor:
    return torch.rand(n, 3, side, side, generator=random_of(seed)) * 1.8 - 0.9


def rooms(n: int, seed: int) -> Tensor:
    from wwlib.shapes3d import Shapes3D

    return Shapes3D(32).sample_images(n, random_of(seed))


def factors_of(seed: int, n: int = 6_000) -> Tensor:
    random = random_of(seed)
    return torch.stack([torch.randint(size, (n,), generator=random) for size in SIZES], dim=1)


# 00.3 an edit with a place


def corner_negative(images):
    """Turn the upper left quarter into its negative."""
    edited = images.clone()
    half = images.shape[-1] // 2
    edited[:, :, :half, :half] *= -1
    return edited


def _changed(answer, seed):
    images = _pictures(seed)
    return (answer(images) - images).abs().amax(dim=1) / 2 > 0.1


def _stays_an_image(answer, seed):
    images = _pictures(seed)
    edited = answer(images)
    return edited.shape == images.shape and bool((edited.abs() <= 1).all())


def _same_place(answer, seed):
    changed = _changed(answer, seed).float().mean(dim=0)
    often = changed > 0.25  # a pixel that the edit owns changes in most pictures
    return bool(often.any()) and bool(changed[~often].sum() < 0.1 * changed.sum())


_EDIT = (
    Property("the result has the shape of the input and stays within [-1, 1]", _stays_an_image),
    Property(
        "in every picture at least 3 % of the pixels change by more than a tenth of the range",
        lambda f, s: bool((_changed(f, s).float().mean((1, 2)) >= 0.03).all()),
    ),
    Property(
        "in no picture do more than 30 % of the pixels change: an edit that acts everywhere has no place",
        lambda f, s: bool((_changed(f, s).float().mean((1, 2)) <= 0.3).all()),
    ),
    Property("the same pixels change in every picture: the place belongs to the edit", _same_place),
)


def _somewhere_else_each_time(images):
    edited = images.clone()
    for number, image in enumerate(edited):
        image[:, number * 5 : number * 5 + 5] *= -1
    return edited


# 01.3 codes that a score cannot tell from good ones


def leaking_codes(factors):
    """Every code holds its factor, and a little of the next one."""
    return factors + 0.1 * factors.roll(1, dims=1)


def factor_vae(answer, seed):
    from wwlib.metrics import factor_vae_score

    factors = factors_of(seed)
    return factor_vae_score(answer(factors).float(), factors, random_of(seed), train_votes=600, test_votes=300).score


def _every_code_mixes(answer, seed):
    factors = factors_of(seed, 32)
    before = answer(factors)
    moved = torch.zeros(before.shape[1])
    for factor, size in enumerate(SIZES):
        other = factors.clone()
        other[:, factor] = (other[:, factor] + size // 2) % size
        moved += ((answer(other) - before).abs() > 1e-6).any(dim=0)
    return bool((moved >= 2).all())


_CODES = (
    Property(
        "factors [n, 6] become codes [n, d] with d at most 6, all finite",
        lambda f, s: (
            (codes := f(factors_of(s, 50))).dim() == 2
            and codes.shape[0] == 50
            and codes.shape[1] <= 6
            and bool(codes.isfinite().all())
        ),
    ),
    Property("every code changes with at least two factors", _every_code_mixes),
    Property("the FactorVAE score of the codes is at least 0.95", lambda f, s: factor_vae(f, s) >= 0.95),
)


# 02.4 a loss that wakes a sleeping mask


def soft_overlap_loss(mask, target):
    """One minus the soft intersection over union of each mask."""
    both = (mask * target).sum(dim=(1, 2))
    return 1 - both / (mask + target - mask * target).sum(dim=(1, 2)).clamp(min=1e-6)


def box(top: int, left: int, size: int = 6, side: int = 16) -> Tensor:
    box = torch.zeros(1, side, side)
    box[:, top : top + size, left : left + size] = 1
    return box


def _grows_with_overlap(answer, seed):
    target = box(4, 4)
    losses = [answer(box(4, 4 + shift), target).sum().item() for shift in (0, 1, 3, 5)]
    return all(a < b - 1e-6 for a, b in itertools.pairwise(losses))


def _same_at_any_size(answer, seed):
    mask, target = torch.rand(2, 3, 16, 16, generator=random_of(seed))
    large = [x.repeat_interleave(2, 1).repeat_interleave(2, 2) for x in (mask, target.round())]
    losses, again = answer(mask, target.round()), answer(*large)
    return losses.shape == again.shape == (3,) and torch.allclose(losses, again, atol=1e-4)


def _prefers_target_to_everything(answer, seed):
    target = box(4, 4)
    right, everything, nothing = (answer(m, target).sum().item() for m in (target, target * 0 + 1, target * 0))
    return right < everything - 0.1 and right < nothing - 0.1


def _half_is_half(answer, seed):
    small, large = box(5, 5, 4), box(2, 2, 12)
    halves = []
    for target, columns in ((small, slice(5, 7)), (large, slice(2, 8))):
        half = target.clone()
        half[:, :, columns] = 0
        halves.append(float(answer(half, target)))
    return abs(halves[0] - halves[1]) < 0.1 * max(abs(halves[0]), abs(halves[1]))


_OVERLAP = (
    Property("one loss for each mask: [n, R, R] twice give [n]",
             lambda f, s: f(torch.rand(3, 8, 8), torch.rand(3, 8, 8).round()).shape == (3,)),
    Property("the loss grows at every step as a box slides off its target", _grows_with_overlap),
    Property("covering everything, or nothing, is clearly worse than the target", _prefers_target_to_everything),
    Property("pictures of twice the size have the same loss: count shares, not pixels", _same_at_any_size),
    Property("missing half of a small target costs as much as missing half of a large one", _half_is_half),
)  # fmt: skip


# 03.4 a number that sees a collapse


def mean_deviation(images):
    """The standard deviation of each pixel over the batch, averaged."""
    return images.std(dim=0).mean()


def _towards_the_mean(answer, seed):
    images = rooms(24, seed)
    mean = images.mean(dim=0, keepdim=True)
    values = [float(answer(mean + t * (images - mean))) for t in (0.1, 0.4, 0.7, 1.0)]
    return all(a < b - 1e-6 for a, b in itertools.pairwise(values))


def _order_is_nothing(answer, seed):
    images = rooms(24, seed)
    return abs(float(answer(images)) - float(answer(images.flip(0)))) < 1e-4


_DIVERSITY = (
    Property("a batch of equal drawings has the value 0",
             lambda f, s: abs(float(f(rooms(1, s).repeat(8, 1, 1, 1)))) < 1e-4),
    Property("the order of the batch does not matter", _order_is_nothing),
    Property("the value grows as drawings move away from their mean", _towards_the_mean),
    Property("busy drawings that are all alike have the value 0: variety is between drawings, not within one",
             lambda f, s: abs(float(f(_pictures(s, 1).repeat(8, 1, 1, 1)))) < 1e-4),
)  # fmt: skip


# 04.4 a verdict over seeds


def verdict_of_spreads(first, second):
    """Decide only where no seed of one setting reaches any of the other, with three seeds at least."""
    if min(len(first), len(second)) < 3:
        return "undecided"
    if min(first) > max(second):
        return "first"
    return "second" if min(second) > max(first) else "undecided"


def _symmetric(answer, seed):
    other = {"first": "second", "second": "first", "undecided": "undecided"}
    pairs = [torch.rand(2, 4, generator=random_of(seed + n)) + torch.tensor([[n / 10], [0.0]]) for n in range(12)]
    pairs = [(a.tolist(), b.tolist()) for a, b in pairs]
    return all(answer(a, b) == other.get(answer(b, a)) for a, b in pairs)


def _knows_no_units(answer, seed):
    a, b = torch.rand(2, 5, generator=random_of(seed)).tolist()
    grown = [[100 * x - 7 for x in part] for part in (a, b)]
    apart = [0.9, 0.92, 0.94], [0.5, 0.52, 0.51]
    shrunk = [[0.001 * x for x in part] for part in apart]
    return answer(a, b) == answer(*grown) and answer(*apart) == answer(*shrunk)


_VERDICT = (
    Property('seeds far apart decide: ([0.9, 0.92, 0.94], [0.5, 0.52, 0.51]) gives "first"',
             lambda f, s: f([0.9, 0.92, 0.94], [0.5, 0.52, 0.51]) == "first"),
    Property('spreads that overlap widely give "undecided", whatever their means',
             lambda f, s: f([0.5, 0.7, 0.9], [0.48, 0.68, 0.89]) == "undecided"),
    Property('one seed of each is no evidence: "undecided"', lambda f, s: f([0.9], [0.1]) == "undecided"),
    Property("changing the two sides about changes the verdict about", _symmetric),
    Property("the unit of the score does not matter: the same scores times 100, or by 1,000 less", _knows_no_units),
)  # fmt: skip


# 05.3 a generator of your own


def all_codes_at_8():
    """Ten codes, all of them at 8 x 8."""
    return ("Const-128", "ResConv-up-1", "C_spgroup-4-5", "ResConv-id-1", "C_spgroup-4-5", "ResConv-id-1",
            "ResConv-up-1", "ResConv-id-1", "ResConv-up-1", "ResConv-id-1")  # fmt: skip


def _build(answer):
    from wwlib.networks import Generator

    modules = tuple(answer())
    numbers = [int(number) for token in modules for number in str(token).split("-")[1:] if number.isdecimal()]
    if len(modules) > 60 or max(numbers, default=0) > 1_000 or sum(numbers[1:]) > 600:
        raise ValueError("a list of at most 60 modules with small numbers, please: it is built to be tried")
    return Generator(modules, recipe("shapes3d-32").widths)


def _draws_32(answer, seed):
    generator = _build(answer)
    return generator(torch.randn(2, generator.codes, generator=random_of(seed))).shape == (2, 3, 32, 32)


def _affordable(answer, seed):
    mine, shipped = (
        sum(p.numel() for p in _build(modules).parameters())
        for modules in (answer, lambda: recipe("shapes3d-32").modules)
    )
    return mine <= 2 * shipped


_MODULES = (
    Property("the list builds a generator with the shipped widths that draws 32 x 32 pictures", _draws_32),
    Property("it has 6 to 16 codes", lambda f, s: 6 <= _build(f).codes <= 16),
    Property("it has at most twice the weights of the shipped generator", _affordable),
    Property("it is not the shipped list", lambda f, s: tuple(f()) != recipe("shapes3d-32").modules),
)


def open_exercise(id: str, title: str, example, properties, *mistakes) -> Exercise:
    """An open exercise; each mistake is given with the number of the property that it breaks."""
    wrong = tuple(Mistake(properties[number].what, function) for number, function in mistakes)
    return Exercise(id, title, example, mistakes=wrong, properties=properties)


BUILDING_OPEN = (
    open_exercise("00.3", "an edit with a place", corner_negative, _EDIT,
          (0, lambda x: x[:, :, ::2, ::2]), (1, lambda x: x.clone()), (2, lambda x: -x),
          (3, _somewhere_else_each_time)),
    open_exercise("01.3", "codes that fool a score", leaking_codes, _CODES,
          (0, lambda v: torch.cat([v, v], dim=1)), (1, lambda v: v.float()),
          (2, lambda v: v.float() @ (torch.ones(6, 6) + 0.1 * torch.eye(6)))),
    open_exercise("02.4", "a loss for overlap", soft_overlap_loss, _OVERLAP,
          (0, lambda m, t: soft_overlap_loss(m, t).mean()), (2, lambda m, t: -(m * t).mean(dim=(1, 2))),
          (3, lambda m, t: (m - t).square().sum(dim=(1, 2))), (1, lambda m, t: -soft_overlap_loss(m, t)),
          (4, lambda m, t: (m - t).square().mean(dim=(1, 2)))),
    open_exercise("03.4", "a number that sees collapse", mean_deviation, _DIVERSITY,
          (0, lambda x: x.std()), (1, lambda x: x[0].mean() - x[-1].mean()), (2, lambda x: -x.std(dim=0).mean()),
          (0, lambda x: x.std(dim=(1, 2, 3)).mean())),
    open_exercise("04.4", "a verdict over seeds", verdict_of_spreads, _VERDICT,
          (1, lambda a, b: "first" if sum(a) / len(a) > sum(b) / len(b) else "second"),
          (2, lambda a, b: "first" if min(a) > max(b) else "second" if min(b) > max(a) else "undecided"),
          (3, lambda a, b: "first" if len(a) > 2 and min(a) > max(b) else "undecided"),
          (4, lambda a, b: verdict_of_spreads(a, b) if abs(sum(a) - sum(b)) > 0.1 else "undecided")),
    open_exercise("05.3", "a generator of your own", all_codes_at_8, _MODULES,
          (0, lambda: ("Const-128", "C_spgroup-4-8", "ResConv-up-1")),
          (1, lambda: ("Const-128", "ResConv-up-1", "C_spgroup-4-2", "ResConv-up-1", "ResConv-up-1")),
          (2, lambda: ("Const-128", "C_spgroup-4-8", *["ResConv-id-1"] * 12, *["ResConv-up-1"] * 3)),
          (3, lambda: recipe("shapes3d-32").modules)),
)  # fmt: skip
