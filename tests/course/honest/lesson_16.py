"""Right answers to the exercises of lesson 16."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def restyled_where_it_varies(h, reference):
    deviation = h.std((2, 3), keepdim=True, correction=0)
    safe = torch.where(deviation == 0, torch.ones_like(deviation), deviation)
    scale, offset = reference.std((2, 3), keepdim=True, correction=0), reference.mean((2, 3), keepdim=True)
    return (h - h.mean((2, 3), keepdim=True)).div(safe).mul(scale).add(offset)


def restyled_as_lists(h, reference):
    rows = []
    for picture, other in zip(h.double(), reference.double(), strict=True):
        row = []
        for plane, goal in zip(picture, other, strict=True):
            scale = torch.nan_to_num(goal.std(correction=0) / plane.std(correction=0), posinf=0.0)
            row.append(((plane - plane.mean()) * scale + goal.mean()).tolist())
        rows.append(row)
    return rows


def restyled_in_loops(h, reference):
    out = torch.empty_like(h)
    for b in range(h.shape[0]):
        for c in range(h.shape[1]):
            plane, other = h[b, c], reference[b, c]
            deviation = ((plane - plane.mean()) ** 2).mean() ** 0.5
            goal = ((other - other.mean()) ** 2).mean() ** 0.5
            out[b, c] = goal * (plane - plane.mean()) / (deviation + 1e-6) + other.mean()
    return out


def restyled_in_numpy(h, reference):
    x, r = h.numpy(), reference.numpy()
    axes = dict(axis=(2, 3), keepdims=True)
    return (x - x.mean(**axes)) / (x.std(**axes) + 1e-5) * r.std(**axes) + r.mean(**axes)


def restyled_by_instance_norm(h, reference):
    flat = reference.flatten(2)
    scale, offset = flat.std(dim=2, unbiased=False), flat.mean(dim=2)
    return F.instance_norm(h) * scale[..., None, None] + offset[..., None, None]


def restyled_by_group_norm(h, reference):
    variance, mean = torch.var_mean(reference, dim=(2, 3), correction=0, keepdim=True)
    return F.group_norm(h, h.shape[1]) * variance.sqrt() + mean


def restyled_with_clamp(h, reference):
    mean = h.mean(dim=(-1, -2), keepdim=True)
    deviation = h.std(dim=(-1, -2), keepdim=True, unbiased=False).clamp(min=1e-4)
    goal = reference.std(dim=(-1, -2), keepdim=True, unbiased=False)
    return (h - mean) * goal / deviation + reference.mean(dim=(-1, -2), keepdim=True)


def restyled_by_moments(h, reference):
    """Moments from sums: the variance is the mean of squares less the square of the mean."""
    n, m = h[0, 0].numel(), reference[0, 0].numel()
    mean, goal = h.sum((2, 3), keepdim=True) / n, reference.sum((2, 3), keepdim=True) / m
    variance = ((h - mean) ** 2).sum((2, 3), keepdim=True) / n
    goal_variance = ((reference - goal) ** 2).sum((2, 3), keepdim=True) / m
    return (h - mean) * torch.rsqrt(variance + 1e-6) * goal_variance.sqrt() + goal


def drift_by_sums(codes, families):
    """Pairs with itself add 0 to the sums and are left out of the counts."""
    p, r, _ = codes.shape
    above = (codes.unsqueeze(1) - codes.unsqueeze(0)).pow(2).sum() / (p * (p - 1) * r)
    same = (families.view(-1, 1) == families.view(1, -1)).to(codes.dtype)
    apart = (codes.unsqueeze(2) - codes.unsqueeze(1)).pow(2).sum(-1)
    return above / ((apart * same).sum() / (p * (same.sum() - r)))


def drift_in_loops(codes, families):
    above, below = [], []
    for r in range(codes.shape[1]):
        for p in range(codes.shape[0]):
            for q in range(p):
                above.append(float(((codes[p, r] - codes[q, r]) ** 2).sum()))
    for p in range(codes.shape[0]):
        for r in range(codes.shape[1]):
            for o in range(r):
                if families[r] == families[o]:
                    below.append(float(((codes[p, r] - codes[p, o]) ** 2).sum()))
    return sum(above) / len(above) / (sum(below) / len(below))


def drift_by_cdist(codes, families):
    above = torch.cdist(codes.transpose(0, 1), codes.transpose(0, 1)) ** 2
    below = torch.cdist(codes, codes) ** 2
    rows, columns = torch.triu_indices(len(families), len(families), 1)
    same = families[rows] == families[columns]
    p, q = torch.triu_indices(len(codes), len(codes), 1)
    return above[:, p, q].mean() / below[:, rows[same], columns[same]].mean()


def drift_by_cosines(codes, families):
    """The codes have length 1: the squared distance is 2 - 2 cos."""
    photos, references = codes.shape[:2]
    cosines = torch.einsum("prd,qsd->prqs", codes, codes)
    same_photo, same_reference = torch.eye(photos) > 0, torch.eye(references) > 0
    above = torch.stack([2 - 2 * cosines[:, r, :, r][~same_photo] for r in range(references)]).mean()
    pairs = families.unsqueeze(0).eq(families.unsqueeze(1)) & ~same_reference
    below = torch.stack([2 - 2 * cosines[p, :, p][pairs] for p in range(photos)]).mean()
    return above / below


def drift_in_numpy(codes, families):
    c, f = codes.numpy().astype(float), families.numpy()
    above = [((c[p] - c[q]) ** 2).sum(-1).mean() for p in range(len(c)) for q in range(len(c)) if p != q]
    below = [
        ((c[:, r] - c[:, o]) ** 2).sum(-1).mean()
        for r in range(len(f))
        for o in range(len(f))
        if r != o and f[r] == f[o]
    ]
    return np.mean(above) / np.mean(below)


def drift_by_variances(codes, families):
    """The mean squared distance of all pairs is twice the variance, with one less in the divisor."""
    above = 2 * codes.var(dim=0).sum(dim=-1).mean()
    total, pairs = 0, 0
    for k in families.unique():
        mine = codes[:, families == k]
        n = mine.shape[1]
        if n > 1:
            total = total + n * (n - 1) * 2 * mine.var(dim=1).sum(dim=-1).mean()
            pairs += n * (n - 1)
    return above / (total / pairs)


def drift_by_combinations(codes, families):
    from itertools import combinations

    squared = lambda a, b: (a - b).pow(2).sum(-1)  # noqa: E731
    above = torch.cat([squared(codes[p], codes[q]) for p, q in combinations(range(len(codes)), 2)])
    couples = [(r, o) for r, o in combinations(range(len(families)), 2) if families[r] == families[o]]
    below = torch.cat([squared(codes[:, r], codes[:, o]) for r, o in couples])
    return above.mean().item() / below.mean().item()


def hues_in_loops(hues, families, bins):
    answer = []
    for k in range(int(families.max()) + 1):
        counts = [0] * bins
        for hue, family in zip(hues.tolist(), families.tolist(), strict=True):
            if family == k:
                counts[min(int(hue * bins), bins - 1)] += 1
        shares = [count / sum(counts) for count in counts]
        answer.append(math.exp(-sum(s * math.log(s) for s in shares if s)))
    return answer


def hues_in_numpy(hues, families, bins):
    result = []
    for k in np.unique(families.numpy()):
        counts, _ = np.histogram(hues.numpy()[families.numpy() == k], bins=bins, range=(0, 1))
        p = counts[counts > 0] / counts.sum()
        result.append(np.exp(-(p * np.log(p)).sum()))
    return np.array(result)


def hues_by_scipy(hues, families, bins):
    from scipy.stats import entropy

    return torch.tensor(
        [
            math.exp(entropy(torch.histc(hues[families == k], bins=bins, min=0, max=1).numpy()))
            for k in range(int(families.max()) + 1)
        ]
    )


def hues_by_powers(hues, families, bins):
    """Two to the power of the bits; the product of shares to minus themselves."""
    table = torch.zeros(int(families.max()) + 1, bins, dtype=torch.float64)
    table.index_put_(
        (families, (hues * bins).floor().long().clamp(0, bins - 1)),
        torch.ones(len(hues), dtype=torch.float64),
        accumulate=True,
    )
    share = table / table.sum(dim=1, keepdim=True)
    return share.pow(-share).prod(dim=1)


def hues_by_distributions(hues, families, bins):
    part = torch.bucketize(hues, torch.linspace(0, 1, bins + 1, dtype=hues.dtype)[1:-1], right=True)
    shares = torch.stack([F.one_hot(part[families == k], bins).double().mean(0) for k in range(families.max() + 1)])
    return torch.distributions.Categorical(probs=shares).entropy().exp()


def hues_by_counter(hues, families, bins):
    from collections import Counter

    result = torch.zeros(int(families.max()) + 1)
    for k in range(len(result)):
        counts = Counter(int(h * bins) for h in hues[families == k].tolist())
        n = sum(counts.values())
        result[k] = math.prod((c / n) ** (-c / n) for c in counts.values())
    return result


def contrast_of_triplets_with_a_margin(codes):
    """The lesson's own triplet loss: costs nothing once strangers are half a unit farther away than partners."""
    n, k = codes.shape[:2]
    flat = codes.flatten(0, 1)
    apart = (flat[:, None] - flat).square().sum(dim=-1)
    label = torch.arange(n).repeat_interleave(k)
    same = label[:, None] == label
    valid = (same & ~torch.eye(n * k, dtype=torch.bool))[:, :, None] & ~same[:, None]
    return F.relu(0.5 + apart[:, :, None] - apart[:, None])[valid].mean()


def contrast_by_quotient(codes):
    """The variance within paintings over that between paintings."""
    means = codes.mean(dim=1, keepdim=True)
    return (codes - means).square().sum() / ((means - means.mean(dim=0)).square().sum() + 1e-4)


def contrast_by_questions(codes):
    """For every pair of crops: are they of one painting, yes or no?"""
    n, k = codes.shape[:2]
    flat = codes.reshape(n * k, -1)
    one, other = torch.triu_indices(n * k, n * k, 1)
    same = (one // k == other // k).to(codes.dtype)
    return F.binary_cross_entropy_with_logits(10 * ((flat[one] * flat[other]).sum(dim=1) - 0.5), same)


def contrast_by_pairs(codes):
    """The mean of the two-crop contrast over all pairs of crops."""
    rows = torch.arange(len(codes))
    total, pairs = 0, 0
    for a in range(codes.shape[1]):
        for b in range(codes.shape[1]):
            if a != b:
                total = total + F.cross_entropy(codes[:, a] @ codes[:, b].T / 0.1, rows)
                pairs += 1
    return total / pairs


def contrast_of_all(codes):
    """Supervised contrast: the logarithm of the mean share of partners."""
    n, k, d = codes.shape
    flat = codes.reshape(n * k, d)
    label = torch.arange(n * k) // k
    similar = (flat @ flat.T / 0.2).exp()
    similar = similar * (1 - torch.eye(n * k))
    partners = (label[:, None] == label).float()
    return -((similar * partners).sum(1) / similar.sum(1)).log().mean()


def contrast_with_means(codes):
    """Each crop against the mean of the other crops of its painting, among the means of all paintings."""
    n, k = codes.shape[:2]
    loss = 0
    for crop in range(k):
        rest = (codes.sum(dim=1) - codes[:, crop]) / (k - 1)
        loss = loss + F.cross_entropy(codes[:, crop] @ rest.T / 0.1, torch.arange(n))
    return loss / k


def contrast_pull_and_push(codes):
    """Squared distances of partners, and a hinge on those of crops of two paintings."""
    n, k = codes.shape[:2]
    flat = codes.flatten(0, 1)
    apart = (flat[:, None] - flat[None]).square().sum(dim=-1)
    label = torch.arange(n).repeat_interleave(k)
    same = label[:, None] == label[None]
    return apart[same].mean() + torch.relu(2.0 - apart[~same]).mean()


def contrast_of_triplets(codes):
    """The mean triplet loss over all pairs of partners and all strangers."""
    n, k = codes.shape[:2]
    flat = codes.flatten(0, 1)
    cosine = flat @ flat.T
    label = torch.arange(n).repeat_interleave(k)
    same = label[:, None] == label[None]
    loss = 0
    for i in range(n * k):
        near, far = cosine[i][same[i] & (torch.arange(n * k) != i)], cosine[i][~same[i]]
        loss = loss + torch.nn.functional.softplus(5 * (far[None] - near[:, None])).mean()
    return loss / (n * k)


def contrast_among_strangers(codes):
    """Each pair of partners against the strangers of the first one."""
    n, k = codes.shape[:2]
    flat = codes.flatten(0, 1) / 0.3
    cosine = flat @ codes.flatten(0, 1).T
    own = torch.block_diag(*[torch.ones(k, k)] * n).bool()
    strangers = cosine.masked_fill(own, float("-inf")).logsumexp(dim=1, keepdim=True)
    surprise = torch.logaddexp(cosine, strangers) - cosine
    return surprise[own & ~torch.eye(n * k, dtype=torch.bool)].mean()


RIGHT = {
    "16.1": (
        restyled_where_it_varies,
        restyled_as_lists,
        restyled_in_loops,
        restyled_in_numpy,
        restyled_by_instance_norm,
        restyled_by_group_norm,
        restyled_with_clamp,
        restyled_by_moments,
    ),
    "16.2": (
        drift_by_sums,
        drift_in_loops,
        drift_by_cdist,
        drift_by_cosines,
        drift_in_numpy,
        drift_by_variances,
        drift_by_combinations,
    ),
    "16.3": (
        hues_in_loops,
        hues_in_numpy,
        hues_by_scipy,
        hues_by_powers,
        hues_by_distributions,
        hues_by_counter,
    ),
    "16.4": (
        contrast_of_triplets_with_a_margin,
        contrast_by_quotient,
        contrast_by_questions,
        contrast_by_pairs,
        contrast_of_all,
        contrast_with_means,
        contrast_pull_and_push,
        contrast_of_triplets,
        contrast_among_strangers,
    ),
}
