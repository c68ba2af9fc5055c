"""Exercises, written solutions and quiz questions of lesson 16."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from wwlib.course.answers.common import open_exercise, random_of
from wwlib.course.exercise import Exercise, Mistake, Property, Question, slopes_of

# 16.1 scale and offset from a reference


def restyled(h, reference):
    """Maps `[B, C, H, W]` with the mean and the standard deviation of a reference's channels, picture by picture."""
    at = (2, 3)
    spread = lambda maps: maps.var(dim=at, keepdim=True, unbiased=False)  # noqa: E731
    normalised = (h - h.mean(dim=at, keepdim=True)) / (spread(h) + 1e-5).sqrt()
    return normalised * spread(reference).sqrt() + reference.mean(dim=at, keepdim=True)


def _maps(b: int, c: int, side: int, other: int, flat: bool = False):
    def make(g):
        scale, offset = torch.rand(2, b, c, 1, 1, generator=g)
        h = torch.randn(b, c, side, side, generator=g) * (0.5 + 2 * scale) + offset
        if flat:
            h[:, 0] = 0.5
        return h, torch.randn(b, c, other, other, generator=g) * (0.3 + offset) - scale

    return make


def _moments(maps, dims):
    return maps.mean(dim=dims, keepdim=True), maps.var(dim=dims, keepdim=True, unbiased=False)


def _restyled_over(dims):
    """The same, with means over other dimensions."""

    def answer(h, reference):
        (m, v), (m_ref, v_ref) = _moments(h, dims), _moments(reference, dims)
        return (h - m) / (v + 1e-5).sqrt() * v_ref.sqrt() + m_ref

    return answer


def _not_normalised(h, reference):
    m, v = _moments(reference, (2, 3))
    return h * v.sqrt() + m


def _variance_for_deviation(h, reference):
    (m, v), (m_ref, v_ref) = _moments(h, (2, 3)), _moments(reference, (2, 3))
    return (h - m) / (v + 1e-5).sqrt() * v_ref + m_ref


def _divided_by_variance(h, reference):
    (m, v), (m_ref, v_ref) = _moments(h, (2, 3)), _moments(reference, (2, 3))
    return (h - m) / (v + 1e-5) * v_ref.sqrt() + m_ref


def _divided_by_nothing(h, reference):
    (m, v), (m_ref, v_ref) = _moments(h, (2, 3)), _moments(reference, (2, 3))
    return (h - m) / v.sqrt() * v_ref.sqrt() + m_ref


def _one_more_than_the_deviation(h, reference):
    (m, v), (m_ref, v_ref) = _moments(h, (2, 3)), _moments(reference, (2, 3))
    return (h - m) / (v + 1e-5).sqrt() * (1 + v_ref.sqrt()) + m_ref


def _one_pixel_less(h, reference):
    """Both standard deviations with a sum over one pixel less."""
    scale, spread = reference.std(dim=(2, 3), keepdim=True), h.std(dim=(2, 3), keepdim=True)
    return (h - h.mean(dim=(2, 3), keepdim=True)) / (spread + 1e-5) * scale + reference.mean(dim=(2, 3), keepdim=True)


def _own_mean(h, reference):
    offset = _moments(h, (2, 3))[0] - _moments(reference, (2, 3))[0]
    return restyled(h, reference) + offset


def _mean_before_scale(h, reference):
    m, v = _moments(reference, (2, 3))
    return restyled(h, reference) + m * (v.sqrt() - 1)


# 16.2 drift with the photo over drift with the reference, within a family


def drift_within_families(codes, families):
    """Mean squared distance of codes `[P, R, d]` of two photos in one style, over that of two references of a family in
    one photo; families `[R]`."""
    photos, references = codes.shape[:2]
    by_photo = (codes[:, None] - codes[None]).square().sum(dim=-1)  # [P, P, R]
    by_reference = (codes[:, :, None] - codes[:, None]).square().sum(dim=-1)  # [P, R, R]
    pairs = (families[:, None] == families[None]) & ~torch.eye(references, dtype=torch.bool, device=families.device)
    others = ~torch.eye(photos, dtype=torch.bool, device=codes.device)
    return by_photo[others].mean() / by_reference[:, pairs].mean()


def _codes(photos: int, per_family: tuple[int, ...], d: int = 8):
    def make(g):
        families = torch.arange(len(per_family)).repeat_interleave(torch.tensor(per_family))
        families = families[torch.randperm(len(families), generator=g)]
        centres = 2 * torch.randn(len(per_family), d, generator=g)
        codes = centres[families] + 0.6 * torch.randn(len(families), d, generator=g)
        codes = codes + 0.3 * torch.randn(photos, len(families), d, generator=g)
        return F.normalize(codes, dim=-1), families

    return make


def _pairs(codes, families, same_family=True, photo_itself=False, reference_itself=False):
    photos, references = codes.shape[:2]
    by_photo = (codes[:, None] - codes[None]).square().sum(dim=-1)
    by_reference = (codes[:, :, None] - codes[:, None]).square().sum(dim=-1)
    pairs = families[:, None] == families[None]
    if not same_family:
        pairs = torch.ones_like(pairs)
    others = torch.ones(photos, photos, dtype=torch.bool)
    if not reference_itself:
        pairs = pairs & ~torch.eye(references, dtype=torch.bool)
    if not photo_itself:
        others = others & ~torch.eye(photos, dtype=torch.bool)
    return by_photo[others], by_reference[:, pairs]


def _across_families(codes, families):
    by_photo, by_reference = _pairs(codes, families, same_family=False)
    return by_photo.mean() / by_reference.mean()


def _with_itself(photo: bool, reference: bool):
    def answer(codes, families):
        by_photo, by_reference = _pairs(codes, families, photo_itself=photo, reference_itself=reference)
        return by_photo.mean() / by_reference.mean()

    return answer


def _both_differ(codes, families):
    """Below, the photo changes with the reference."""
    photos, references = codes.shape[:2]
    distance = (codes[:, None, :, None] - codes[None, :, None]).square().sum(dim=-1)  # [P, P, R, R]
    pairs = (families[:, None] == families[None]) & ~torch.eye(references, dtype=torch.bool)
    below = distance[~torch.eye(photos, dtype=torch.bool)][:, pairs]
    return _pairs(codes, families)[0].mean() / below.mean()


def _not_squared(codes, families):
    by_photo, by_reference = _pairs(codes, families)
    return by_photo.sqrt().mean() / by_reference.sqrt().mean()


def _mean_over_numbers(codes, families):
    """A mean over the eight numbers below alone."""
    by_photo, by_reference = _pairs(codes, families)
    return by_photo.mean() / (by_reference.mean() / codes.shape[-1])


def _mean_of_families(codes, families):
    """Each family counts alike, not each pair."""
    within = [_pairs(codes[:, families == k], families[families == k])[1].mean() for k in families.unique()]
    return _pairs(codes, families)[0].mean() / torch.stack(within).mean()


def _sum_of_pairs(codes, families):
    by_photo, by_reference = _pairs(codes, families)
    return by_photo.sum() / by_reference.sum()


# 16.3 how many hues are drawn


def effective_hues(hues, families, bins):
    """The exponential of the entropy of every family's hues, in turns, over `bins` equal parts of the circle."""
    counted = []
    for family in range(int(families.max()) + 1):
        part = (hues[families == family] * bins).long().clamp(max=bins - 1)
        share = torch.bincount(part, minlength=bins).double() / len(part)
        counted.append(-torch.special.xlogy(share, share).sum())
    return torch.stack(counted).exp()


def _hues(n: int, families: int, bins: int, modes: int | None = None):
    def make(g):
        family = torch.cat([torch.arange(families), torch.randint(families, (n - families,), generator=g)])
        hues = torch.rand(n, generator=g, dtype=torch.float64)
        if modes:  # one hue is frequent, the others rare
            rare = torch.randint(modes, (n,), generator=g) * (torch.rand(n, generator=g) < 0.5)
            hues = (rare.double() + 0.1 + 0.5 * hues) / modes
        return hues, family, bins

    return make


def _shares(hues, families, bins):
    one_hot = F.one_hot((hues * bins).long().clamp(max=bins - 1), bins).double()
    return torch.stack([one_hot[families == k].mean(dim=0) for k in range(int(families.max()) + 1)])


def _entropy(shares):
    return -torch.special.xlogy(shares, shares).sum(dim=-1)


def _of_all(hues, families, bins):
    shares = _shares(hues, torch.zeros_like(families), bins)
    return _entropy(shares).exp().expand(int(families.max()) + 1).clone()


def _of_all_hues(hues, families, bins):
    """Shares of all hues, not of the family's."""
    weight = torch.bincount(families)[:, None] / len(families)
    return _entropy(_shares(hues, families, bins) * weight).exp()


def _range_of_its_own(hues, families, bins):
    """Parts between the smallest and the greatest hue of the family."""
    counted = []
    for family in range(int(families.max()) + 1):
        mine = hues[families == family]
        counts = torch.histc(mine, bins, mine.min().item(), mine.max().item())
        counted.append(_entropy(counts.double() / len(mine)).exp())
    return torch.stack(counted)


# 16.4 a contrast of more than two crops


def contrast_of_many(codes):
    """The mean surprise at a crop's partner, over all pairs of crops of one painting; codes `[n, k, d]` of length 1."""
    n, k = codes.shape[:2]
    flat = codes.flatten(0, 1)
    painting = torch.arange(n, device=codes.device).repeat_interleave(k)
    itself = torch.eye(n * k, dtype=torch.bool, device=codes.device)
    logits = (flat @ flat.T / 0.1).masked_fill(itself, -1e9)
    partner = (painting[:, None] == painting[None]) & ~itself
    return -logits.log_softmax(dim=1)[partner].mean()


def _crops(n: int, k: int, spread: float, seed: int, alike: bool = False) -> torch.Tensor:
    """Codes `[n, k, 8]` of k crops of n paintings; `alike`: all paintings have one style."""
    g = random_of(seed)
    centres = torch.linalg.qr(torch.randn(8, 8, generator=g, dtype=torch.float64))[0][:n]
    if alike:
        centres = centres[:1].expand(n, -1)
    noise = spread * torch.randn(n, k, 8, generator=g, dtype=torch.float64)
    return F.normalize(centres[:, None] + noise, dim=-1).float()


def _fans(angle: float) -> torch.Tensor:
    """Four crops of each of four paintings: fans of directions, each in a plane of its own, at right angles to all
    others however wide they are."""
    turns = angle * torch.linspace(-1, 1, 4)
    codes = torch.zeros(4, 4, 8)
    for painting in range(4):
        codes[painting, :, 2 * painting] = turns.cos()
        codes[painting, :, 2 * painting + 1] = turns.sin()
    return codes


def _loss(answer, codes) -> float:
    return float(answer(codes.clone()))


def _one_astray(seed: int, crop: int) -> torch.Tensor:
    """Four crops of each of five paintings; one crop of each has the style of another painting."""
    codes = _crops(5, 4, 0.05, seed)
    astray = codes.clone()
    astray[:, crop] = codes[:, crop].roll(1, dims=0)
    return astray


def _around_a_middle(seed: int, angle: float) -> torch.Tensor:
    """Four crops of each of five paintings, in two opposite pairs: their mean has one direction at every angle."""
    g = random_of(seed)
    frame = torch.linalg.qr(torch.randn(8, 8, generator=g, dtype=torch.float64))[0]
    away = F.normalize(torch.randn(5, 2, 3, generator=g, dtype=torch.float64) @ frame[5:], dim=-1)
    return (math.cos(angle) * frame[:5, None] + math.sin(angle) * torch.cat([away, -away], dim=1)).float()


def _any_order(answer, seed: int) -> bool:
    codes = _crops(5, 4, 0.4, seed)
    loss = _loss(answer, codes)
    others = codes.flip(0), codes.roll(1, dims=1), codes[:, [0, 2, 1, 3]], codes[[2, 0, 4, 1, 3]][:, [1, 3, 0, 2]]
    return all(abs(_loss(answer, other) - loss) <= 1e-4 * max(1.0, abs(loss)) for other in others)


def _reaches_all(answer, seed: int) -> bool:
    slopes = slopes_of(answer, _crops(5, 4, 0.6, seed))[1]  # far enough apart that a triplet's margin is not met
    return bool(slopes) and bool(slopes[0].isfinite().all()) and bool((slopes[0].norm(dim=-1) > 0).all())


def _step_helps(answer, seed: int) -> bool:
    """Whether small steps down the slope bring crops of a painting nearer to each other than to other paintings."""
    codes = _crops(5, 4, 0.5, seed)
    before = _gap(codes)
    for _ in range(20):
        slopes = slopes_of(answer, codes.clone())[1]
        if not slopes:
            return False
        step = slopes[0] / slopes[0].norm().clamp_min(1e-12)
        codes = F.normalize(codes - 0.1 * step, dim=-1).detach()
    return _gap(codes) > before + 0.05


def _gap(codes: torch.Tensor) -> float:
    """The mean cosine of crops of one painting, less that of crops of two."""
    flat = codes.flatten(0, 1)
    painting = torch.arange(len(codes)).repeat_interleave(codes.shape[1])
    same = painting[:, None] == painting[None]
    itself = torch.eye(len(flat), dtype=torch.bool)
    cosines = flat @ flat.T
    return float(cosines[same & ~itself].mean() - cosines[~same].mean())


_MANY = (
    Property("a finite number for 5 paintings with 2, 3 or 4 crops each",
             lambda f, s: all(math.isfinite(_loss(f, _crops(5, k, 0.3, s))) for k in (2, 3, 4))),
    Property("gradients reach every crop's code",
             lambda f, s: _reaches_all(f, s)),
    Property("crops of a painting that agree cost less than crops that differ",
             lambda f, s: _loss(f, _crops(5, 4, 0.05, s)) < _loss(f, _crops(5, 4, 0.6, s))),
    Property("paintings that differ cost less than paintings that all have one code: else one code for all is best",
             lambda f, s: _loss(f, _crops(5, 4, 1e-3, s)) < _loss(f, _crops(5, 4, 1e-3, s, alike=True)) - 1e-3),
    Property("one crop of each painting with another painting's style costs more, whichever of the four it is",
             lambda f, s: all(_loss(f, _one_astray(s, crop)) > _loss(f, _crops(5, 4, 0.05, s)) + 1e-3
                              for crop in range(4))),
    Property("the order of the crops and of the paintings does not matter",
             _any_order),
    Property("steps down its slope bring crops of one painting nearer to each other than to other paintings",
             _step_helps),
    Property("crops that lie far apart around one middle cost more than crops that agree: it is not their mean alone",
             lambda f, s: _loss(f, _around_a_middle(s, math.pi / 3)) > _loss(f, _around_a_middle(s, 0.0)) + 1e-3),
    Property("they cost less even where different paintings stay as far apart as they were",
             lambda f, s: _loss(f, _fans(0.1)) < _loss(f, _fans(0.7)) - 1e-3),
)  # fmt: skip


def _two_crops_alone(codes):
    """Looks at the first two crops."""
    cosines = codes[:, 0] @ codes[:, 1].T / 0.1
    rows = torch.arange(len(codes))
    return 0.5 * (F.cross_entropy(cosines, rows) + F.cross_entropy(cosines.T, rows))


def _pull_alone(codes):
    """Brings crops together and paintings too."""
    return (codes[:, :, None] - codes[:, None]).square().sum(dim=-1).mean()


def _strangers_alone(codes):
    """Pushes crops of different paintings apart, and asks nothing of crops of one painting."""
    flat = codes.flatten(0, 1)
    painting = torch.arange(len(codes)).repeat_interleave(codes.shape[1])
    strangers = painting[:, None] != painting[None]
    return (flat @ flat.T / 0.1).exp()[strangers].mean().log()


def _push_alone(codes):
    means = codes.mean(dim=1)
    return (means @ means.T).mean() + 0 * codes.sum()


def _towards_the_first(codes):
    """Every crop against the first crops of all paintings, in one direction."""
    n, k = codes.shape[:2]
    logits = codes.flatten(0, 1) @ codes[:, 0].T / 0.1
    return F.cross_entropy(logits, torch.arange(n).repeat_interleave(k))


def _pairs_of_crops(k_pairs):
    """The two-crop contrast over some pairs of crops; `k_pairs` says which."""

    def answer(codes):
        some = [_two_crops_alone(codes[:, list(pair)]) for pair in k_pairs(codes.shape[1])]
        return torch.stack(some).mean()

    return answer


def _means_alone(codes):
    """A contrast of the paintings' mean codes."""
    means = F.normalize(codes.mean(dim=1), dim=1)
    return F.cross_entropy(means @ means.T / 0.1, torch.arange(len(means)))


EXERCISES = (
    Exercise(
        "16.1",
        "scale and offset from a reference",
        restyled,
        (_maps(2, 3, 6, 6), _maps(3, 2, 5, 8), _maps(2, 4, 4, 4, flat=True)),
        (
            Mistake("a mean for every picture, not one over the batch", _restyled_over((0, 2, 3))),
            Mistake("a mean for every channel, not one over all channels", _restyled_over((1, 2, 3))),
            Mistake("take the photo's own mean and spread out first, or it keeps them", _not_normalised),
            Mistake("the scale is the standard deviation, not its square", _variance_for_deviation),
            Mistake("divide by the standard deviation, the root of the variance", _divided_by_variance),
            Mistake("a channel that is the same everywhere has no spread: add a small number before you divide",
                    _divided_by_nothing),
            Mistake("the scale is the standard deviation itself, not 1 more", _one_more_than_the_deviation),
            Mistake("divide sums by the number of pixels, not by one less: correction=0", _one_pixel_less),
            Mistake("the offset is the reference's mean, not the photo's own", _own_mean),
            Mistake("scale first, then add the mean: the mean itself is not scaled", _mean_before_scale),
            Mistake("h gets the reference's numbers, not the other way round", lambda h, r: restyled(r, h)),
        ),
        tolerance=2e-3,
    ),
    Exercise(
        "16.2",
        "drift within a family",
        drift_within_families,
        (_codes(5, (3, 3)), _codes(3, (2, 4, 1)), _codes(5, (4,), d=3)),
        (
            Mistake("references of one family only: families lie far apart, whatever the model does", _across_families),
            Mistake("neither a photo nor a reference is a pair with itself", _with_itself(True, True)),
            Mistake("a photo is no pair with itself: that distance is 0", _with_itself(True, False)),
            Mistake("a reference is no pair with itself: that distance is 0", _with_itself(False, True)),
            Mistake("two references for one photo: below, the photo stays the same", _both_differ),
            Mistake("squared distances, as in the losses", _not_squared),
            Mistake("a squared distance is a sum over the numbers of a code, in both means", _mean_over_numbers),
            Mistake("the mean over all pairs: a family with more references has more pairs", _mean_of_families),
            Mistake("means, not sums: there are not as many pairs of the one kind as of the other", _sum_of_pairs),
            Mistake("the photo's drift above, the reference's below", lambda c, f: 1 / drift_within_families(c, f)),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "16.3",
        "how many hues are drawn",
        effective_hues,
        (_hues(60, 2, 12), _hues(90, 3, 7, modes=4), _hues(40, 1, 20, modes=2)),
        (
            Mistake("an answer for every family", _of_all),
            Mistake("shares of the family's own hues: they add up to 1 for each family", _of_all_hues),
            Mistake("the exponential of the entropy, not the entropy", lambda h, f, b: _entropy(_shares(h, f, b))),
            Mistake("the natural logarithm goes with exp; with log2 it is 2 to the power",
                    lambda h, f, b: (_entropy(_shares(h, f, b)) / math.log(2)).exp()),
            Mistake("an empty part adds nothing: 0 times log 0 counts as 0",
                    lambda h, f, b: (-(_shares(h, f, b) * _shares(h, f, b).log()).sum(dim=1)).exp()),
            Mistake("rare hues count less: not the number of parts that are not empty",
                    lambda h, f, b: (_shares(h, f, b) > 0).sum(dim=1).double()),
            Mistake("the entropy, not one over the sum of squares",
                    lambda h, f, b: 1 / _shares(h, f, b).square().sum(dim=1)),
            Mistake("as many parts as `bins` says, not 12 each time", lambda h, f, b: effective_hues(h, f, 12)),
            Mistake("the parts divide the whole circle, from 0 to 1, not what lies between the smallest hue and the "
                    "greatest", _range_of_its_own),
            Mistake("the exponential of the entropy; the entropy over its largest value is another number",
                    lambda h, f, b: _entropy(_shares(h, f, b)) / math.log(b) * b),
            Mistake("the entropy has a minus in front", lambda h, f, b: (-_entropy(_shares(h, f, b))).exp()),
            Mistake("part k reaches from k / bins to (k + 1) / bins: cut off, do not round",
                    lambda h, f, b: effective_hues(((h * b).round() % b + 0.5) / b, f, b)),
        ),
        tolerance=1e-4,
    ),
    open_exercise("16.4", "a contrast of more than two crops", contrast_of_many, _MANY,
          (0, lambda c: contrast_of_many(c).log() * float("nan")),
          (1, _two_crops_alone), (1, lambda c: contrast_of_many(c.detach())),
          (3, _pull_alone), (2, _push_alone), (8, _strangers_alone),
          (5, _towards_the_first), (5, _pairs_of_crops(lambda k: [(a, a + 1) for a in range(k - 1)])),
          (5, _pairs_of_crops(lambda k: [(a, (a + 1) % k) for a in range(k)])),
          (5, _pairs_of_crops(lambda k: [(a, k - 1 - a) for a in range(k)])), (7, _means_alone),
          (2, lambda c: -contrast_of_many(c))),
)  # fmt: skip


# right answers as a learner would write them, under the names of the stubs; they call nothing of wwlib


def my_restyled(h, reference):
    mean, std = h.mean((2, 3), keepdim=True), h.std((2, 3), keepdim=True, correction=0)
    new_mean, new_std = reference.mean((2, 3), keepdim=True), reference.std((2, 3), keepdim=True, correction=0)
    return (h - mean) / (std + 1e-5) * new_std + new_mean


def my_drift(codes, families):
    by_photo, by_reference = [], []
    photos, references = codes.shape[:2]
    for p in range(photos):
        for q in range(photos):
            for r in range(references):
                for o in range(references):
                    distance = (codes[p, r] - codes[q, o]).square().sum()
                    if r == o and p != q:
                        by_photo.append(distance)
                    if p == q and r != o and families[r] == families[o]:
                        by_reference.append(distance)
    return torch.stack(by_photo).mean() / torch.stack(by_reference).mean()


def my_hues(hues, families, bins):
    answer = []
    for family in range(int(families.max()) + 1):
        mine = hues[families == family]
        entropy = 0.0
        for part in range(bins):
            share = float((torch.floor(mine * bins) == part).double().mean())
            if share > 0:
                entropy -= share * math.log(share)
        answer.append(math.exp(entropy))
    return torch.tensor(answer)


SOLUTIONS = (
    my_restyled,
    my_drift,
    my_hues,
)

QUESTIONS = (
    Question(
        "16.a",
        "687900d291330720",
        "Blur removes the pattern and grey removes the hue: both belong to the style. Dark and light must stay.",
        dict(
            a="The blur costs about as much as it saves; it decides what the loss cannot see.",
            b="The photos are sharp; the blur is a part of the loss.",
            d="The critic sees the sharp drawing; this loss does not pass through it.",
        ),
    ),
    Question(
        "16.b",
        "ed1f4c3ac6f2c1db",
        "If both drawings have one code, both distances are equal and the margin is left.",
        dict(
            a="A smaller margin would give a smaller number, with the same drawings.",
            c="The critic has no part in this loss, trained or not.",
            d="It is what the formula gives for two drawings that are alike, and it falls within some steps.",
        ),
    ),
    Question(
        "16.c",
        "100fb11f7fcaf6b5",
        "The loss counts distances of the encoder's own codes. Where these hardly tell two hues apart, the wrong one "
        "costs hardly anything; a judge that was trained elsewhere sees it.",
        dict(
            a="The same judge reads the hues of real paintings almost without an error.",
            b="The critic is not asked whether the hue is the one of the reference.",
            c="The code hardly drifts with the photo, so the photo's colours are not the cause.",
        ),
    ),
    Question(
        "16.d",
        "f87dd472fb115ad5",
        "Families look so different that any model passes. The question is the variation within one.",
        dict(
            b="The same pictures have to be drawn either way.",
            c="The judge is not needed here at all: the model's own encoder reads the codes.",
            d="The photo is the same in both; only the reference changes.",
        ),
    ),
)
