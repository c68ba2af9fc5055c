"""Exercises, written solutions and quiz questions of lesson 14."""

from __future__ import annotations

import math

import torch

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question

# 14.1 how long and how wide


def axes_in_pixels(covariance, resolution):
    """Spreads of landmarks along their long and their short axis, `[B, K, 2]` in pixels, from `[B, K, 2, 2]`."""
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    middle, apart = (xx + yy) / 2, ((xx - yy).square() / 4 + xy.square()).sqrt()
    variances = torch.stack([middle + apart, middle - apart], dim=-1)
    return variances.clamp_min(0).sqrt() * resolution / 2


def _covariances(b: int, k: int, resolution: int):
    def make(g):
        root = torch.randn(b, k, 2, 2, generator=g) * 0.15
        return root @ root.transpose(2, 3) + 0.002 * torch.eye(2), resolution

    return make


# 14.2 two landmarks on one part


def merged(mean, covariance, share):
    """Mean `[B, 2]` and covariance `[B, 2, 2]` of several landmarks taken together, in given shares `[K]`."""
    share = share / share.sum()
    middle = (share[:, None] * mean).sum(dim=1)
    away = mean - middle[:, None]
    second = covariance + away[..., :, None] * away[..., None, :]
    return middle, (share[:, None, None] * second).sum(dim=1)


def _landmarks(b: int, k: int):
    def make(g):
        root = torch.randn(b, k, 2, 2, generator=g) * 0.2
        covariance = root @ root.transpose(2, 3) + 0.01 * torch.eye(2)
        return torch.rand(b, k, 2, generator=g) * 1.6 - 0.8, covariance, torch.rand(k, generator=g) + 0.2

    return make


def _without_distance(mean, covariance, share):
    middle, _ = merged(mean, covariance, share)
    return middle, ((share / share.sum())[:, None, None] * covariance).sum(dim=1)


def _without_own_spread(mean, covariance, share):
    return merged(mean, torch.zeros_like(covariance), share)


def _squared_by_entry(mean, covariance, share):
    """Squares the way to each landmark entry by entry, so that x and y never vary together."""
    share = share / share.sum()
    middle = (share[:, None] * mean).sum(dim=1)
    second = covariance + torch.diag_embed((mean - middle[:, None]).square())
    return middle, (share[:, None, None] * second).sum(dim=1)


def _not_normalised(mean, covariance, share):
    middle = (share[:, None] * mean).sum(dim=1)
    away = mean - middle[:, None]
    second = covariance + away[..., :, None] * away[..., None, :]
    return middle, (share[:, None, None] * second).sum(dim=1)


# 14.3 where did the change go?


def change_by_part(before, after, footprint):
    """Share of a change's energy in every part `[P]`, of pictures `[n, 3, S, S]` and footprints `[n, P, S, S]`."""
    energy = (after - before).square().sum(dim=1, keepdim=True)
    return (energy * footprint).sum(dim=(0, 2, 3)) / energy.sum()


def _changed(n: int, parts: int, side: int):
    def make(g):
        before = torch.rand(n, 3, side, side, generator=g) * 2 - 1
        footprint = (3 * torch.randn(n, parts, side, side, generator=g)).softmax(dim=1)
        strength = torch.rand(n, 1, 1, 1, generator=g)
        return before, before + strength * torch.randn(before.shape, generator=g), footprint

    return make


def _mean_of_shares(before, after, footprint):
    energy = (after - before).square().sum(dim=1, keepdim=True)
    return ((energy * footprint).sum(dim=(2, 3)) / energy.sum(dim=(2, 3))).mean(dim=0)


def _by_mean(before, after, footprint):
    """The mean energy in each part, so that its size does not count."""
    energy = (after - before).square().sum(dim=1, keepdim=True)
    density = (energy * footprint).sum(dim=(0, 2, 3)) / footprint.sum(dim=(0, 2, 3))
    return density / density.sum()


def _absolute(before, after, footprint):
    change = (after - before).abs().sum(dim=1, keepdim=True)
    return (change * footprint).sum(dim=(0, 2, 3)) / change.sum()


def _added_first(before, after, footprint):
    change = (after - before).sum(dim=1, keepdim=True).square()
    return (change * footprint).sum(dim=(0, 2, 3)) / change.sum()


# 14.4 a score that no false success can pass


def landmark_score(landmarks, moved, recoloured):
    """The product of three shares: landmarks follow the figure, warps and nothing else, and lie apart."""
    pixel = 2 / 32
    spread = landmarks.var(dim=0).sum(dim=1).sqrt().mean() / pixel
    off = (moved - landmarks).norm(dim=2).mean() / pixel
    shift = (recoloured - landmarks).norm(dim=2).mean() / pixel
    distances = torch.cdist(landmarks, landmarks)
    k = landmarks.shape[1]
    nearest = (distances + 10 * torch.eye(k, dtype=distances.dtype)).amin(dim=2).mean() / pixel
    follows = (spread / 2).clamp(0, 1) * (nearest / 2).clamp(0, 1)
    return float(follows * (1.3 - off / 1.6).clamp(0, 1) * (1.3 - shift / 1.6).clamp(0, 1))


PIXEL = 2 / 32


def _good(seed: int, n: int = 200, k: int = 8):
    """Landmarks of figures: each has its own place in the figure, which moves; errors as a good model makes them."""
    g = random_of(seed)
    angle = torch.arange(k) * (2 * math.pi / k)
    places = 0.4 * torch.stack([angle.cos(), angle.sin()], dim=1)
    figure = 2 * PIXEL * torch.randn(n, 1, 2, generator=g)
    limbs = 1.2 * PIXEL * torch.randn(n, k, 2, generator=g)
    landmarks = places + figure + limbs
    noise = lambda size: size * PIXEL * torch.randn(n, k, 2, generator=g) / math.sqrt(2)  # noqa: E731
    return landmarks, landmarks + noise(0.4), landmarks + noise(0.1)


def _standing(seed: int, pixels: float = 2.0):
    """The same places in every picture, whatever it shows; the warps move the pictures by so many pixels."""
    landmarks, _, _ = _good(seed)
    still = landmarks[:1].expand_as(landmarks).clone()
    away = pixels * PIXEL * torch.randn(landmarks.shape, generator=random_of(seed + 1)) / math.sqrt(2)
    return still, still + away, still.clone()


def _on_one_spot(seed: int):
    return tuple(each.mean(dim=1, keepdim=True).expand_as(each).clone() for each in _good(seed))


def _off(seed: int, which: int, pixels: float):
    landmarks, *others = _good(seed)
    push = torch.randn(landmarks.shape, generator=random_of(seed + 2))
    others[which] = others[which] + pixels * PIXEL * push / push.norm(dim=2, keepdim=True)
    return landmarks, *others


def _shuffled(given, seed: int):
    pictures = torch.randperm(given[0].shape[0], generator=random_of(seed + 3))
    order = torch.randperm(given[0].shape[1], generator=random_of(seed + 4))
    return tuple(each[pictures][:, order] for each in given)


def _order_matters(answer, seed: int) -> bool:
    """Whether the score changes with the order: of good landmarks, and of some that one of the errors holds down."""
    return any(abs(float(answer(*given)) - float(answer(*_shuffled(given, seed)))) >= 1e-4
               for given in (_good(seed), _off(seed, 0, 0.6), _off(seed, 1, 0.6)))  # fmt: skip


_SCORE = (
    Property("a number from 0 to 1, whatever is given",
             lambda f, s: all(0 <= float(f(*given)) <= 1
                              for given in (_good(s), _standing(s), _on_one_spot(s), _off(s, 0, 8)))),
    Property("good landmarks (spread 3 px, off by 0.4 px under warps and 0.1 px under new colours) score above 0.6",
             lambda f, s: float(f(*_good(s))) > 0.6),
    Property("landmarks that stand still score below 0.3, though no colour moves them",
             lambda f, s: all(float(f(*_standing(s, pixels))) < 0.3 for pixels in (2.0, 0.4))),
    Property("landmarks that all lie on one spot score below 0.3, though they follow the figure",
             lambda f, s: float(f(*_on_one_spot(s))) < 0.3),
    Property("landmarks that new colours move by 2 px score below 0.3",
             lambda f, s: float(f(*_off(s, 1, 2.0))) < 0.3),
    Property("landmarks that miss warps by 2 px score below 0.3",
             lambda f, s: float(f(*_off(s, 0, 2.0))) < 0.3),
    Property("neither the order of pictures nor that of landmarks matters",
             lambda f, s: not _order_matters(f, s)),
)  # fmt: skip


def _steady_alone(landmarks, moved, recoloured):
    """Forgets to ask whether landmarks follow the figure and lie apart."""
    off = (moved - landmarks).norm(dim=2).mean() / PIXEL
    shift = (recoloured - landmarks).norm(dim=2).mean() / PIXEL
    return float((1.3 - off / 4).clamp(0, 1) * (1.3 - shift / 1.6).clamp(0, 1))


def _one_picture_decides(landmarks, moved, recoloured):
    return landmark_score(landmarks, moved, recoloured) * (0.8 + 0.2 * float(landmarks[0, 0, 0].sigmoid()))


def _spread_forgotten(landmarks, moved, recoloured):
    """Trusts that landmarks which stand still miss the warps: they do not miss weak ones."""
    off = (moved - landmarks).norm(dim=2).mean() / PIXEL
    shift = (recoloured - landmarks).norm(dim=2).mean() / PIXEL
    apart = (landmarks - landmarks.mean(dim=1, keepdim=True)).norm(dim=2).mean() / (3 * PIXEL)
    return float(apart.clamp(0, 1) * (1.3 - off / 1.6).clamp(0, 1) * (1.3 - shift / 1.6).clamp(0, 1))


def _first_picture_for_warps(landmarks, moved, recoloured):
    off = (moved[:1] - landmarks[:1]).norm(dim=2).mean() / PIXEL
    return min(landmark_score(landmarks, landmarks, recoloured), float((1.5 - off).clamp(0, 1)))


def _without(number: int):
    """The score without one of its checks: 0 warps, 1 colours, 2 lying apart."""

    def score(landmarks, moved, recoloured):
        moved = landmarks if number == 0 else moved
        recoloured = landmarks if number == 1 else recoloured
        value = landmark_score(landmarks, moved, recoloured)
        if number == 2 and value == 0:
            spread = landmarks.var(dim=0).sum(dim=1).sqrt().mean() / PIXEL
            return float((spread / 2).clamp(0, 1))
        return value

    return score


EXERCISES = (
    Exercise(
        "14.1",
        "how long and how wide",
        axes_in_pixels,
        (_covariances(2, 3, 32), _covariances(3, 1, 16), _covariances(1, 5, 64)),
        (
            Mistake("a spread is the root of a variance", lambda c, r: axes_in_pixels(c, 2).square() * r / 2),
            Mistake("a picture is 2 wide: one pixel is 2 / resolution",
                    lambda c, r: axes_in_pixels(c, 2) * r),
            Mistake("in pixels: multiply by resolution / 2", lambda c, r: axes_in_pixels(c, 2)),
            Mistake("the long axis first", lambda c, r: axes_in_pixels(c, r).flip(-1)),
            Mistake("the axes of a landmark may lie aslant: eigenvalues, not the two variances of x and y",
                    lambda c, r: c.diagonal(dim1=2, dim2=3).sort(dim=-1, descending=True).values.sqrt() * r / 2),
            Mistake("these are the spreads along x and y, and an axis may lie aslant: take eigenvalues",
                    lambda c, r: c.diagonal(dim1=2, dim2=3).sqrt() * r / 2),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "14.2",
        "two landmarks on one part",
        merged,
        (_landmarks(2, 2), _landmarks(3, 4), _landmarks(1, 3)),
        (
            Mistake("a mixture is wide because its parts are wide, and because they lie apart: the second is missing",
                    _without_distance),
            Mistake("the landmarks' own covariances are missing", _without_own_spread),
            Mistake("the way to a landmark's mean enters as an outer product: x times y too", _squared_by_entry),
            Mistake("divide the shares by their sum first", _not_normalised),
            Mistake("shares count in both results: this is the plain mean",
                    lambda m, c, s: merged(m, c, torch.ones_like(s))),
            Mistake("covariances add up in their shares, not in their squares",
                    lambda m, c, s: (merged(m, c, s)[0], merged(m, c, s.square())[1])),
        ),
    ),
    Exercise(
        "14.3",
        "where did the change go?",
        change_by_part,
        (_changed(3, 4, 8), _changed(1, 7, 8), _changed(5, 2, 6)),
        (
            Mistake("energy is the square of a change, not its size", _absolute),
            Mistake("square first, then add over the colours: otherwise they cancel", _added_first),
            Mistake("all pictures together: one sum over one sum, not a mean of shares", _mean_of_shares),
            Mistake("shares of the energy, not of the energy for each pixel: a large part may hold more", _by_mean),
            Mistake("a share: divide by the whole energy",
                    lambda b, a, f: ((a - b).square().sum(dim=1, keepdim=True) * f).sum(dim=(0, 2, 3))),
            Mistake("the change, not the picture after it", lambda b, a, f: change_by_part(torch.zeros_like(b), a, f)),
            Mistake("one number for each part over all pictures",
                    lambda b, a, f: torch.stack([change_by_part(b[[i]], a[[i]], f[[i]]) for i in range(len(b))])),
        ),
    ),
    open_exercise("14.4", "a score that no false success can pass", landmark_score, _SCORE,
          (0, lambda seen, moved, recoloured: 1 - (moved - seen).norm(dim=2).mean() / PIXEL),
          (1, lambda seen, moved, recoloured: 0.1), (2, _steady_alone), (2, _spread_forgotten), (3, _without(2)),
          (4, _without(1)), (5, _without(0)), (6, _one_picture_decides), (6, _first_picture_for_warps)),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_axes(covariance, resolution):
    variances = torch.linalg.eigvalsh(covariance).flip(-1)
    return variances.sqrt() * resolution / 2


def my_merged(mean, covariance, share):
    share = share / share.sum()
    middle = torch.einsum("k,bki->bi", share, mean)
    away = mean - middle[:, None]
    return middle, torch.einsum("k,bkij->bij", share, covariance + torch.einsum("bki,bkj->bkij", away, away))


def my_change_by_part(before, after, footprint):
    energy = ((after - before) ** 2).sum(dim=1)
    return torch.einsum("nhw,nphw->p", energy, footprint) / energy.sum()


SOLUTIONS = (
    my_axes,
    my_merged,
    my_change_by_part,
)

QUESTIONS = (
    Question(
        "14.a",
        "0e54d92004c440ff",
        "Landmarks that never move are moved by no colour: their spread over pictures tells them from good ones.",
        dict(
            a="A landmark that is frozen on the screen gets the smallest number of all, and reads nothing.",
            c="Colours and warps are two questions: a frozen landmark is best at one and bad at the other.",
            d="The number does not tell how much jitter a model was trained with.",
        ),
    ),
    Question(
        "14.b",
        "4424840d0adbd375",
        "A pixel of the warped view stands for more or less of the picture, and must count accordingly.",
        dict(
            a="Where the map folds over, its sign changes; but we take its size and weigh every pixel.",
            b="The softmax has the sum 1 already; what changes is how much of the picture each pixel stands for.",
            d="The grid does that: it says where a pixel comes from, the determinant how much it counts.",
        ),
    ),
    Question(
        "14.c",
        "066856a23c752597",
        "A map of 256 numbers has room for colours, and without jitter nothing in the loss speaks against it.",
        dict(
            b="A narrow map says where a part is, and that is all that it should say.",
            c="Its rebuilt pictures are the best of all; it is only transfers that go wrong.",
            d="Landmarks close together draw a part badly, but that carries no colour from one figure to another.",
        ),
    ),
)
