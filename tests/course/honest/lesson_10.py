"""Right answers to the exercises of lesson 10."""

import itertools
import statistics

import numpy as np
import torch
from scipy import stats


def gap_of_two(first, second):
    return max(first.min() - second.max(), second.min() - first.max()).item()


def gap_in_numpy(first, second):
    a, b = first.numpy(), second.numpy()
    return np.maximum(a.min() - b.max(), b.min() - a.max())


def gap_by_branches(first, second):
    if first.mean() > second.mean():
        return float(first.min() - second.max())
    return float(second.min() - first.max())


def gap_as_a_tensor(first, second):
    return torch.maximum(torch.min(first) - torch.max(second), torch.min(second) - torch.max(first))


def gap_by_all_pairs(first, second):
    differences = first[:, None] - second[None, :]
    return max(differences.min(), (-differences).min())


def gap_by_sorting(first, second):
    a, b = sorted(first.tolist()), sorted(second.tolist())
    return max(a[0] - b[-1], b[0] - a[-1])


def gap_in_a_loop(first, second):
    gaps = []
    for one, other in ((first, second), (second, first)):
        gaps.append(float(one.amin()) - float(other.amax()))
    return sorted(gaps)[-1]


def above_by_clamp(iou, share):
    return ((iou - share) / (1 - share)).clamp(min=0)


def above_by_relu(iou, share):
    return torch.relu(iou - share) / (1 - share)


def above_by_maximum(iou, share):
    return torch.maximum(torch.zeros_like(iou), 1 - (1 - iou) / (1 - share))


def above_in_numpy(iou, share):
    return np.clip((iou.numpy() - share.numpy()) / (1 - share.numpy()), 0, None)


def above_in_a_loop(iou, share):
    out = torch.zeros(len(iou))
    for k in range(len(iou)):
        if iou[k] > share[k]:
            out[k] = (iou[k] - share[k]) / (1 - share[k])
    return out


def above_by_where(iou, share):
    return torch.where(iou > share, (iou - share) / (1.0 - share), 0.0)


def above_as_a_list(iou, share):
    return [max(0.0, (i - s) / (1 - s)) for i, s in zip(iou.tolist(), share.tolist())]


def decision_by_permutations(first, second):
    values = list(first) + list(second)
    seen = abs(sum(first) / 5 - sum(second) / 5)
    gaps = []
    for chosen in itertools.combinations(range(10), 5):
        one = sum(values[i] for i in chosen)
        gaps.append(abs(one / 5 - (sum(values) - one) / 5))
    return sum(g >= seen * (1 - 1e-9) for g in gaps) / len(gaps) <= 0.05


def decision_by_ttest(first, second):
    return stats.ttest_ind(first, second, equal_var=False).pvalue < 0.05


def decision_by_ranks(first, second):
    return bool(stats.mannwhitneyu(first, second).pvalue < 0.05)


def decision_of_spreads(first, second):
    return min(first) > max(second) or min(second) > max(first)


def decision_by_hand(first, second):
    gap = statistics.mean(first) - statistics.mean(second)
    error = ((statistics.variance(first) + statistics.variance(second)) / 5) ** 0.5
    return abs(gap) / error > 2.306


def decision_in_numpy(first, second):
    a, b = np.array(first), np.array(second)
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return np.abs(a.mean() - b.mean()) > 1.6 * pooled


def decision_in_torch(first, second):
    a, b = torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)
    wins = (a[:, None] > b[None, :]).sum()
    return (wins <= 2) | (wins >= 23)


RIGHT = {
    "10.1": (gap_of_two, gap_in_numpy, gap_by_branches, gap_as_a_tensor, gap_by_all_pairs, gap_by_sorting,
             gap_in_a_loop),
    "10.2": (above_by_clamp, above_by_relu, above_by_maximum, above_in_numpy, above_in_a_loop, above_by_where,
             above_as_a_list),
    "10.3": (decision_by_permutations, decision_by_ttest, decision_by_ranks, decision_of_spreads, decision_by_hand,
             decision_in_numpy, decision_in_torch),
}  # fmt: skip
