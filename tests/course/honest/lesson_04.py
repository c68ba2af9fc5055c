"""Right answers to the exercises of lesson 04."""

import statistics

import numpy as np
import torch
import torch.nn.functional as F


def moved_by_indexing(codes, perturbed):
    change = perturbed - codes
    k = change.abs().argmax(dim=1)
    return k, change[torch.arange(len(k)), k]


def moved_by_max(codes, perturbed):
    difference = perturbed - codes
    _, k = torch.max(difference.abs(), dim=1)
    return k, difference.gather(1, k.unsqueeze(1)).squeeze(1)


def moved_by_sums(codes, perturbed):
    difference = perturbed - codes
    return (difference != 0).float().argmax(1), difference.sum(dim=1)


def moved_by_nonzero(codes, perturbed):
    change = perturbed - codes
    rows, columns = change.nonzero(as_tuple=True)
    return columns, change[rows, columns]


def moved_row_by_row(codes, perturbed):
    k, p = [], []
    for before, after in zip(codes, perturbed):
        for position in range(len(before)):
            if before[position] != after[position]:
                k.append(position)
                p.append(float(after[position] - before[position]))
    return k, p


def moved_in_numpy(codes, perturbed):
    change = perturbed.numpy() - codes.numpy()
    k = np.abs(change).argmax(axis=1)
    return k, np.take_along_axis(change, k[:, None], axis=1)[:, 0]


def moved_by_one_hot(codes, perturbed):
    change = perturbed - codes
    k = torch.argmax(change.square(), dim=-1)
    return k, (change * F.one_hot(k, codes.shape[1])).sum(-1)


def poster_by_where(codes, perturbed, moved, recognised, recognised_perturbed):
    mean = (recognised + recognised_perturbed) / 2
    first, second = torch.where(moved, recognised, mean), torch.where(moved, recognised_perturbed, mean)
    return ((codes - first) ** 2 + (perturbed - second) ** 2).mean()


def poster_in_two_loops(codes, perturbed, moved, recognised, recognised_perturbed):
    B, d = codes.shape
    total = 0
    for b in range(B):
        for i in range(d):
            if moved[b, i]:
                total += (codes[b, i] - recognised[b, i]) ** 2
                total += (perturbed[b, i] - recognised_perturbed[b, i]) ** 2
            else:
                average = (recognised[b, i] + recognised_perturbed[b, i]) / 2
                total += 2 * (codes[b, i] - average) ** 2
    return total / (B * d)


def poster_from_the_other_picture(codes, perturbed, moved, recognised, recognised_perturbed):
    alone = (codes - recognised).square() + (perturbed - recognised_perturbed).square()
    shared = 2 * (perturbed - 0.5 * recognised - 0.5 * recognised_perturbed).square()
    return torch.where(moved, alone, shared).mean(dim=1).mean()


def poster_by_weights(codes, perturbed, moved, recognised, recognised_perturbed):
    m = moved.to(codes.dtype)
    average = (recognised + recognised_perturbed) / 2
    answer = m * recognised + (1 - m) * average
    answer2 = m * recognised_perturbed + (1 - m) * average
    return F.mse_loss(answer, codes) + F.mse_loss(answer2, perturbed)


def poster_in_place_on_clones(codes, perturbed, moved, recognised, recognised_perturbed):
    first, second = recognised.clone(), recognised_perturbed.clone()
    average = (recognised + recognised_perturbed) / 2
    first[~moved] = average[~moved]
    second[~moved] = average[~moved]
    errors = (codes - first).pow(2) + (perturbed - second).pow(2)
    return errors.sum(dim=1).mean() / codes.shape[1]


def poster_by_masks(codes, perturbed, moved, recognised, recognised_perturbed):
    errors = ((codes - recognised)[moved] ** 2).sum() + ((perturbed - recognised_perturbed)[moved] ** 2).sum()
    average = torch.stack([recognised, recognised_perturbed]).mean(dim=0)
    return (errors + 2 * ((codes - average)[~moved] ** 2).sum()) / codes.numel()


def poster_sample_by_sample(codes, perturbed, moved, recognised, recognised_perturbed):
    losses = []
    for c, c2, m, r, r2 in zip(codes, perturbed, moved, recognised, recognised_perturbed):
        a = torch.where(m, r, (r + r2) / 2)
        a2 = torch.where(m, r2, (r + r2) / 2)
        losses.append(torch.dot(c - a, c - a) + torch.dot(c2 - a2, c2 - a2))
    return torch.stack(losses).mean() / codes.size(1)


def start_formula(d, scale, share):
    return (1 - share) ** 2 * (d + scale**2 / 2)


def start_in_parts(d, scale, share):
    missing = 1 - share
    moved = 0.5 * (missing**2 + missing**2 * (1 + scale**2))
    return moved + (d - 1) * missing**2


def start_as_tensor(d, scale, share):
    return torch.tensor(1.0 - share) ** 2 * (d + 0.5 * scale * scale)


def start_in_numpy(d, scale, share):
    return np.square(1 - share) * (d + np.square(scale) / 2)


def start_added_up(d, scale, share):
    total = 0.0
    for position in range(d):
        variance = 1 + scale**2 / 2 if position == 0 else 1
        total += (1 - share) ** 2 * variance
    return total


def start_expanded(d, scale, share):
    untrained = d + pow(scale, 2) / 2
    return untrained - 2 * share * untrained + share * share * untrained


def verdict_of_extremes(first, second):
    if len(first) < 2 or len(second) < 2:
        return "undecided"
    if min(first) > max(second):
        return "first"
    if min(second) > max(first):
        return "second"
    return "undecided"


def verdict_by_sorting(first, second):
    a, b = sorted(first), sorted(second)
    if min(len(a), len(b)) >= 3:
        if a[0] > b[-1]:
            return "first"
        if b[0] > a[-1]:
            return "second"
    return "undecided"


def verdict_by_standard_errors(first, second):
    if len(first) < 3 or len(second) < 3:
        return "undecided"
    gap = statistics.mean(first) - statistics.mean(second)
    spread = (statistics.variance(first) / len(first) + statistics.variance(second) / len(second)) ** 0.5
    if abs(gap) < 3 * spread:
        return "undecided"
    return "first" if gap > 0 else "second"


def verdict_in_tensors(first, second):
    a, b = torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)
    wins = (a[:, None] > b[None, :]).double().mean().item()
    if len(a) < 2 or len(b) < 2 or 0 < wins < 1:
        return "undecided"
    return "first" if wins == 1 else "second"


def verdict_in_numpy(first, second):
    if np.size(first) < 3 or np.size(second) < 3:
        return "undecided"
    low, high = np.min([np.min(first), np.min(second)]), np.max([np.max(first), np.max(second)])
    gap = max(np.min(first) - np.max(second), np.min(second) - np.max(first))
    if gap <= 0.01 * (high - low):
        return "undecided"
    return "first" if np.mean(first) > np.mean(second) else "second"


def verdict_by_all(first, second):
    enough = len(first) > 2 and len(second) > 2
    if enough and all(a > b for a in first for b in second):
        return "first"
    if enough and all(a < b for a in first for b in second):
        return "second"
    return "undecided"


RIGHT = {
    "04.1": (moved_by_indexing, moved_by_max, moved_by_sums, moved_by_nonzero, moved_row_by_row, moved_in_numpy,
             moved_by_one_hot),
    "04.2": (poster_by_where, poster_in_two_loops, poster_from_the_other_picture, poster_by_weights,
             poster_in_place_on_clones, poster_by_masks, poster_sample_by_sample),
    "04.3": (start_formula, start_in_parts, start_as_tensor, start_in_numpy, start_added_up, start_expanded),
    "04.4": (verdict_of_extremes, verdict_by_sorting, verdict_by_standard_errors, verdict_in_tensors, verdict_in_numpy,
             verdict_by_all),
}  # fmt: skip
