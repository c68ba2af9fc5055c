"""Right answers to the exercises of lesson 18."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def share_short(concepts):
    within = concepts.var(dim=1).mean(dim=0).sum()
    total = concepts.flatten(0, 1).var(dim=0, correction=0).sum()
    return (1 - within / total).item()


def share_in_numpy(concepts):
    c = concepts.numpy()
    within = c.var(axis=1, ddof=1).mean(axis=0).sum()
    return 1 - within / c.reshape(-1, c.shape[-1]).var(axis=0).sum()


def share_in_loops(concepts):
    n, draws, m = concepts.shape
    within = 0.0
    for condition in concepts:
        mean = condition.mean(dim=0)
        within += float(((condition - mean) ** 2).sum()) / (draws - 1) / n
    everything = concepts.reshape(n * draws, m)
    total = float(((everything - everything.mean(0)) ** 2).sum()) / (n * draws)
    return 1 - within / total


def share_by_var_mean(concepts):
    within, _ = torch.var_mean(concepts, dim=1, unbiased=True)
    total, _ = torch.var_mean(concepts.view(-1, concepts.shape[2]), dim=0, unbiased=False)
    return 1 - within.sum(dim=1).mean() / total.sum()


def share_by_einsum(concepts):
    centred = concepts - concepts.mean(dim=1, keepdim=True)
    around = concepts - concepts.mean(dim=(0, 1))
    within = torch.einsum("ndm,ndm->", centred, centred) / (concepts.shape[0] * (concepts.shape[1] - 1))
    return float(1 - within / (torch.einsum("ndm,ndm->", around, around) / concepts[..., 0].numel()))


def _plain_variance(x):
    return (x.square().mean(0) - x.mean(0).square()).sum()


def share_with_a_helper(concepts):
    draws = concepts.shape[1]
    within = torch.stack([_plain_variance(c) for c in concepts]).mean() * draws / (draws - 1)
    total = _plain_variance(concepts.flatten(0, 1))
    return (total - within) / total


def attack_short(images, gradient, epsilon):
    return (images + epsilon * gradient.sign()).clamp(-1, 1)


def attack_by_clip(images, gradient, epsilon):
    return torch.clip(images + epsilon * torch.sign(gradient), min=-1.0, max=1.0)


def attack_in_numpy(images, gradient, epsilon):
    return np.clip(images.numpy() + epsilon * np.sign(gradient.numpy()), -1, 1)


def attack_by_where(images, gradient, epsilon):
    step = torch.where(gradient > 0, epsilon, -epsilon)
    attacked = images + step
    attacked = torch.where(attacked > 1, torch.ones_like(attacked), attacked)
    return torch.where(attacked < -1, -torch.ones_like(attacked), attacked)


def attack_in_place_on_a_clone(images, gradient, epsilon):
    attacked = images.clone()
    attacked[gradient > 0] += epsilon
    attacked[gradient < 0] -= epsilon
    return attacked.clamp_(-1, 1)


def attack_by_division(images, gradient, epsilon):
    direction = gradient / gradient.abs().clamp(min=1e-30)
    return torch.minimum(torch.maximum(images + epsilon * direction, torch.tensor(-1.0)), torch.tensor(1.0))


def attack_image_by_image(images, gradient, epsilon):
    return torch.stack([F.hardtanh(x + epsilon * g.sign()) for x, g in zip(images, gradient)])


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
    "18.1": (share_short, share_in_numpy, share_in_loops, share_by_var_mean, share_by_einsum, share_with_a_helper),
    "18.2": (attack_short, attack_by_clip, attack_in_numpy, attack_by_where, attack_in_place_on_a_clone,
             attack_by_division, attack_image_by_image),
    "18.3": (entropy_by_xlogy, entropy_in_a_loop, entropy_in_numpy, entropy_by_distribution, entropy_of_unique,
             entropy_by_special, entropy_by_counting),
    "18.4": (information_of_bins, information_of_ranks, information_in_numpy, information_in_a_loop,
             information_of_square, information_by_distance),
}  # fmt: skip
