"""Right answers to the exercises of lesson 18."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def added_short(late, early):
    return (1 - early.var(dim=1).sum(dim=1).mean() / late.var(dim=1).sum(dim=1).mean()).item()


def added_in_numpy(late, early):
    open_late, open_early = (x.numpy().var(axis=1, ddof=1).mean(axis=0).sum() for x in (late, early))
    return (open_late - open_early) / open_late


def added_in_loops(late, early):
    left_open = []
    for draws in (late, early):
        total = 0.0
        for condition in draws:
            mean = condition.mean(dim=0)
            total += float(((condition - mean) ** 2).sum()) / (len(condition) - 1)
        left_open.append(total / len(draws))
    return 1 - left_open[1] / left_open[0]


def added_by_var_mean(late, early):
    late_within, _ = torch.var_mean(late, dim=1, unbiased=True)
    early_within, _ = torch.var_mean(early, dim=1, unbiased=True)
    return 1 - torch.div(early_within.sum(), late_within.sum())


def added_by_einsum(late, early):
    a = late - late.mean(dim=1, keepdim=True)
    b = early - early.mean(dim=1, keepdim=True)
    ratio = torch.einsum("ndm,ndm->", b, b) / torch.einsum("ndm,ndm->", a, a)
    return float(1 - ratio * (late.shape[1] - 1) / (early.shape[1] - 1))


def _left_open(x):
    draws = x.shape[1]
    plain = x.square().mean(dim=1) - x.mean(dim=1).square()
    return plain.mean(dim=0).sum() * draws / (draws - 1)


def added_with_a_helper(late, early):
    before, after = _left_open(late), _left_open(early)
    return (before - after) / before


def step_short(original, moved, gradient, step, epsilon):
    return torch.clip(moved + step * gradient.sign(), original - epsilon, original + epsilon).clamp(-1, 1)


def step_by_change(original, moved, gradient, step, epsilon):
    change = moved - original + step * torch.sign(gradient)
    return torch.clamp(original + change.clamp(min=-epsilon, max=epsilon), -1.0, 1.0)


def step_in_numpy(original, moved, gradient, step, epsilon):
    original, further = original.numpy(), moved.numpy() + step * np.sign(gradient.numpy())
    return np.clip(np.clip(further, original - epsilon, original + epsilon), -1, 1)


def step_by_where(original, moved, gradient, step, epsilon):
    x = torch.where(gradient > 0, moved + step, moved - step)
    x = torch.where(x > original + epsilon, original + epsilon, x)
    x = torch.where(x < original - epsilon, original - epsilon, x)
    return x.clamp(-1, 1)


def step_in_place_on_a_clone(original, moved, gradient, step, epsilon):
    x = moved.clone()
    x[gradient > 0] += step
    x[gradient < 0] -= step
    low, high = (original - epsilon).clamp(min=-1), (original + epsilon).clamp(max=1)
    return x.clamp_(low, high)


def step_by_minimum(original, moved, gradient, step, epsilon):
    x = moved + step * gradient / gradient.abs().clamp(min=1e-30)
    high = torch.minimum(original + epsilon, torch.tensor(1.0))
    return torch.minimum(torch.maximum(x, torch.maximum(original - epsilon, torch.tensor(-1.0))), high)


def step_image_by_image(original, moved, gradient, step, epsilon):
    results = []
    for o, x, g in zip(original, moved, gradient):
        change = (x + step * g.sign() - o).clamp(-epsilon, epsilon)
        results.append(F.hardtanh(o + change))
    return torch.stack(results)


def entropy_by_xlogy(values, size):
    shares = values.flatten().bincount(minlength=size) / values.numel()
    return -torch.xlogy(shares, shares).sum()


def entropy_in_a_loop(values, size):
    total = 0.0
    for value in range(size):
        share = float((values == value).float().mean())
        if share > 0:
            total -= share * math.log(share)
    return total


def entropy_in_numpy(values, size):
    counts = np.bincount(values.numpy().ravel(), minlength=size)
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log(p)).sum()


def entropy_by_distribution(values, size):
    return torch.distributions.Categorical(probs=F.one_hot(values.flatten(), size).float().mean(0)).entropy()


def entropy_of_unique(values, size):
    _, counts = values.unique(return_counts=True)
    p = counts / counts.sum()
    return -(p * p.log()).sum().item()


def entropy_by_special(values, size):
    counts = torch.zeros(size).index_add_(0, values.flatten(), torch.ones(values.numel()))
    return torch.special.entr(counts / counts.sum()).sum()


def entropy_by_counting(values, size):
    listed = values.flatten().tolist()
    shares = [listed.count(k) / len(listed) for k in range(size)]
    return -sum(s * math.log(s) for s in shares if s)


def _entropies(p):
    return -torch.xlogy(p, p).sum(dim=-1)


def information_of_bins(concepts):
    edges = torch.quantile(concepts.flatten(), torch.linspace(0, 1, 9)[1:-1])
    bins = torch.bucketize(concepts.contiguous(), edges)
    shares = torch.stack([(bins == b).float().mean(dim=1) for b in range(8)], dim=1)
    return float(1 - _entropies(shares).mean() / _entropies(shares.mean(dim=0)))


def information_of_ranks(concepts):
    n, draws = concepts.shape
    ranks = concepts.reshape(-1).argsort().argsort()
    bins = (ranks * 6 // ranks.numel()).view(n, draws)
    shares = F.one_hot(bins, 6).double().mean(dim=1)
    return 1 - _entropies(shares).mean() / math.log(6)


def information_in_numpy(concepts):
    c = concepts.numpy()
    edges = np.quantile(c, np.linspace(0, 1, 9))[1:-1]
    bins = np.digitize(c, edges)
    p = np.stack([np.bincount(row, minlength=8) / row.size for row in bins])
    entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=1)
    return 1 - entropy.mean() / np.log(8)


def information_in_a_loop(concepts):
    ordered = concepts.flatten().sort().values
    edges = [ordered[len(ordered) * k // 5] for k in range(1, 5)]
    total = 0.0
    for row in concepts:
        bins = sum((row >= edge).long() for edge in edges)
        p = torch.bincount(bins, minlength=5) / len(row)
        total += float(torch.special.entr(p).sum())
    return 1 - total / len(concepts) / math.log(5)


def information_of_square(concepts):
    # S of the concept, and S of its distance from the middle: a spread moves the second
    def explained(x):
        return float(1 - x.var(dim=1).mean() / x.flatten().var(correction=0))

    centred = concepts - concepts.mean()
    return max(explained(centred), explained(centred.abs()), 0.0)


def information_by_distance(concepts):
    # how much closer together are two draws of one condition than two draws of any?
    mixed = concepts.flatten().sort().values
    n = len(mixed)
    weights = 2 * torch.arange(1, n + 1) - n - 1
    every = 2 * (weights * mixed).sum() / (n * (n - 1))
    m = concepts.shape[1]
    own = 2 * ((2 * torch.arange(1, m + 1) - m - 1) * concepts.sort(dim=1).values).sum(1) / (m * (m - 1))
    return max(0.0, float(1 - torch.log1p(5 * own / every).mean() / math.log(6)))


RIGHT = {
    "18.1": (added_short, added_in_numpy, added_in_loops, added_by_var_mean, added_by_einsum, added_with_a_helper),
    "18.2": (step_short, step_by_change, step_in_numpy, step_by_where, step_in_place_on_a_clone, step_by_minimum,
             step_image_by_image),
    "18.3": (entropy_by_xlogy, entropy_in_a_loop, entropy_in_numpy, entropy_by_distribution, entropy_of_unique,
             entropy_by_special, entropy_by_counting),
    "18.4": (information_of_bins, information_of_ranks, information_in_numpy, information_in_a_loop,
             information_of_square, information_by_distance),
}  # fmt: skip
