"""Open exercises of lessons 06 to 10, on reading, measuring and choosing; `answers_open` holds the others."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from wwlib.answers_open import box, factor_vae, factors_of, open_exercise, random_of, rooms
from wwlib.exercises import Property

# 06.4 how much overlap is luck


def best_of_random_boxes(target, count, seed):
    """The largest intersection over union that `count` random rectangles reach."""
    random = torch.Generator().manual_seed(seed)
    side, best = target.shape[-1], 0.0
    for _ in range(count):
        (top, bottom), (left, right) = torch.randint(side + 1, (2, 2), generator=random).sort(dim=1).values.tolist()
        box = torch.zeros_like(target, dtype=torch.bool)
        box[top:bottom, left:right] = True
        best = max(best, float((box & target).sum() / (box | target).sum().clamp(min=1)))
    return best


def _target(seed: int) -> Tensor:
    return box(5 + seed % 3, 4, 7)[0].bool()


def _overlaps(answer, seed, count: int) -> list[float]:
    return [float(answer(_target(seed), count, seed + n)) for n in range(8)]


def _whole_pixels(answer, seed):
    covered = [16 * float(answer(torch.ones(4, 4, dtype=torch.bool), 1, seed + n)) for n in range(12)]
    return all(abs(c - round(c)) < 1e-3 for c in covered) and len(set(covered)) > 2


_CONTROL = (
    Property("the value lies in [0, 1]", lambda f, s: 0 <= min(_overlaps(f, s, 20)) <= max(_overlaps(f, s, 20)) <= 1),
    Property("the same seed gives the same value", lambda f, s: _overlaps(f, s, 20) == _overlaps(f, s, 20)),
    Property("other seeds give other values", lambda f, s: len(set(_overlaps(f, s, 2))) > 1),
    Property("one rectangle on a target that is everything covers a whole number of pixels", _whole_pixels),
    Property("more tries find more: the mean over seeds is larger for 100 rectangles than for 3",
             lambda f, s: sum(_overlaps(f, s, 100)) - sum(_overlaps(f, s, 3)) > 0.8),
    Property("an empty footprint cannot be met",
             lambda f, s: float(f(torch.zeros(16, 16, dtype=torch.bool), 20, s)) == 0),
)  # fmt: skip


# 07.4 a patient that two metrics judge differently


def rare_value_codes(factors):
    """One code a factor that only says whether the factor has its first value."""
    return (factors == 0).float()


def _turned(factors):
    return factors.float() @ torch.linalg.qr(torch.randn(6, 6, generator=random_of(1)))[0]


def _mig(answer, seed):
    from wwlib.information import mig_score

    factors = factors_of(seed)
    return mig_score(answer(factors).float().numpy(), factors.numpy()).score


def _nothing_twice(answer, seed):
    relation = torch.corrcoef(answer(factors_of(seed)).double().t()).nan_to_num().abs()
    return bool((relation - torch.eye(len(relation))).max() < 0.9)


_PATIENT = (
    Property("factors [n, 6] become finite codes [n, d]",
             lambda f, s: (c := f(factors_of(s, 50))).dim() == 2 and len(c) == 50 and bool(c.isfinite().all())),
    Property("nothing is stored twice: no two codes correlate by 0.9 or more", _nothing_twice),
    Property("the FactorVAE score is above 0.9", lambda f, s: factor_vae(f, s) > 0.9),
    Property("MIG is below 0.2", lambda f, s: _mig(f, s) < 0.2),
)  # fmt: skip


# 08.3 a distance of your own


def coarse_pixels(images):
    """The picture averaged over 4 x 4 pixels, as one vector: squared distances compare it point by point."""
    return torch.nn.functional.avg_pool2d(images, 4).flatten(1)


def _rounded_mean(images):
    return images.mean(dim=(1, 2, 3))[:, None].round()


def _sees_every_factor(answer, seed):
    from wwlib.shapes3d import Shapes3D

    data = Shapes3D(32)
    room = data.sample_factors(1, random_of(seed))
    for name in data.factor_names:
        embedded = answer(data.variations(room, name)[0])
        if not bool(((embedded[1:] - embedded[:-1]).square().sum(dim=1) > 1e-6).all()):
            return False
    return True


def _smaller_than_any_factor(answer, seed):
    from wwlib.shapes3d import Shapes3D

    data = Shapes3D(32)
    room = data.sample_factors(1, random_of(seed))
    image = data.images(room)
    grain = 0.004 * torch.randn(image.shape, generator=random_of(seed))
    speckle = (answer(image + grain) - answer(image)).square().sum()
    steps = [answer(data.variations(room, name)[0][:2]) for name in data.factor_names]
    return all(bool((step[1] - step[0]).square().sum() > speckle) for step in steps)


_DISTANCE = (
    Property("images [n, 3, H, W] become one vector each, [n, F]",
             lambda f, s: (e := f(rooms(5, s))).dim() == 2 and len(e) == 5 and bool(e.isfinite().all())),
    Property("each picture is embedded by itself: its neighbours in the batch do not matter",
             lambda f, s: torch.allclose(f(rooms(5, s))[:1], f(rooms(5, s)[:1]), atol=1e-4)),
    Property("it sees every step of every factor of a room", _sees_every_factor),
    Property("a step of any factor is longer than a grain too fine to see", _smaller_than_any_factor),
)  # fmt: skip


# 09.4 a rule that does not reward sleep


def length_per_code(tpl, active):
    """TPL for each active code; a model without active codes comes last."""
    return torch.where(active > 0, tpl / active.clamp(min=1), torch.inf)


def _as_tpl(answer, seed):
    tpl = torch.rand(9, generator=random_of(seed)) * 5 + 0.1
    score = answer(tpl, torch.full((9,), 6))
    return score.shape == tpl.shape and bool((score.argsort() == tpl.argsort()).all())


def _moves_with_models(answer, seed):
    random = random_of(seed)
    tpl, active = torch.rand(9, generator=random) * 5, torch.randint(1, 10, (9,), generator=random)
    order = torch.randperm(9, generator=random)
    return torch.allclose(answer(tpl, active)[order].float(), answer(tpl[order], active[order]).float(), atol=1e-5)


def _collapse_is_last(answer, seed):
    score = answer(torch.tensor([0.0, 3.0, 90.0]), torch.tensor([0, 5, 9]))
    return bool(score[0] >= score[1:].max())


def _twice_as_much(answer, seed):
    score = answer(torch.tensor([2.0, 4.0]), torch.tensor([4, 8]))
    return bool(score[1] <= score[0] + 1e-6)


_RULE = (
    Property("models with equally many active codes are ordered as by TPL, the smallest value best", _as_tpl),
    Property("each model keeps its value when the models come in another order", _moves_with_models),
    Property("a model with no active code, whose TPL is 0, is not better than any other", _collapse_is_last),
    Property("twice as many codes of the same length are no worse", _twice_as_much),
)


# 10.3 a decision with known errors


def permutation_decision(first, second):
    """Different if at most one in twenty ways to deal the seeds out again gives so large a gap of means."""
    values, n = list(first) + list(second), len(first)
    gaps = []
    for chosen in itertools.combinations(range(len(values)), n):
        one = sum(values[i] for i in chosen) / n
        gaps.append(abs(one - (sum(values) - one * n) / (len(values) - n)))
    seen = abs(sum(first) / n - sum(second) / (len(values) - n))
    return sum(gap >= seen - 1e-9 for gap in gaps) / len(gaps) <= 0.05


def _rate(answer, seed, effect: float, scale: float = 1.0, tries: int = 200) -> float:
    drawn = torch.randn(tries, 2, 5, generator=random_of(seed)) + torch.tensor([[effect], [0.0]])
    return sum(bool(answer(*pair)) for pair in (scale * drawn).tolist()) / tries


_DECISION = (
    Property("without any effect, five seeds a side give a false alarm in at most 10 % of 200 experiments",
             lambda f, s: _rate(f, s, 0.0) <= 0.1),
    Property("an effect of four standard deviations is found in at least 90 % of them",
             lambda f, s: _rate(f, s, 4.0) >= 0.9),
    Property("so is one in the other direction", lambda f, s: _rate(f, s, -4.0) >= 0.9),
    Property("the unit does not matter: the same when all scores are divided by 1,000",
             lambda f, s: _rate(f, s, 4.0, 0.001) >= 0.9 and _rate(f, s, 0.0, 0.001) <= 0.1),
)  # fmt: skip


MEASURING_OPEN = (
    open_exercise("06.4", "how much overlap is luck", best_of_random_boxes, _CONTROL,
          (1, lambda t, n, s: torch.rand(()).item()), (2, lambda t, n, s: best_of_random_boxes(t, n, 0)),
          (4, lambda t, n, s: best_of_random_boxes(t, 1, s)), (3, lambda t, n, s: (n + s % 7) / 200),
          (5, lambda t, n, s: max(best_of_random_boxes(t, n, s), 1 / 16))),
    open_exercise("07.4", "a patient of your own", rare_value_codes, _PATIENT,
          (1, lambda v: torch.cat([v, v], dim=1).float()), (2, _turned),
          (3, lambda v: v.float())),
    open_exercise("08.3", "a distance of your own", coarse_pixels, _DISTANCE,
          (0, lambda x: x), (1, lambda x: (x - x.mean(dim=0)).flatten(1)), (2, _rounded_mean),
          (2, lambda x: x[:, :, :4].flatten(1))),
    open_exercise("09.4", "a better rule", length_per_code, _RULE,
          (2, lambda t, a: t), (0, lambda t, a: -t), (3, lambda t, a: torch.where(a > 0, t, torch.inf)),
          (1, lambda t, a: t / torch.arange(1, len(t) + 1).sqrt() if a.unique().numel() > 1 else t)),
    open_exercise("10.3", "a decision with known errors", permutation_decision, _DECISION,
          (0, lambda a, b: sum(a) / 5 != sum(b) / 5), (1, lambda a, b: False),
          (2, lambda a, b: min(a) > max(b)), (3, lambda a, b: abs(sum(a) - sum(b)) / 5 > 1.4)),
)  # fmt: skip
