"""Right answers to the exercises of lesson 09."""

import itertools

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment


def choice_by_where(tpl, active, least):
    return torch.where(active >= least, tpl, torch.inf).argmin().item()


def choice_in_a_loop(tpl, active, least):
    best, position = float("inf"), -1
    for i, (t, a) in enumerate(zip(tpl, active)):
        if a >= least and t < best:
            best, position = t, i
    return position


def choice_by_min(tpl, active, least):
    candidates = [i for i in range(len(tpl)) if active[i] >= least]
    return min(candidates, key=lambda i: tpl[i])


def choice_in_numpy(tpl, active, least):
    return np.where(active.numpy() >= least, tpl.numpy(), np.inf).argmin()


def choice_by_nonzero(tpl, active, least):
    positions = torch.nonzero(active >= least).flatten()
    return int(positions[tpl[positions].argmin()])


def choice_in_place_on_a_clone(tpl, active, least):
    lengths = tpl.clone()
    lengths[active < least] = 1e9
    return torch.argmin(lengths)


def choice_by_sorting(tpl, active, least):
    for i in tpl.argsort().tolist():
        if active[i] >= least:
            return i


def better_by_combinations(length, label):
    points = []
    for i, j in itertools.combinations(range(len(length)), 2):
        if length[i] == length[j] or label[i] == label[j]:
            points.append(0.5)
        else:
            points.append(1.0 if (length[i] < length[j]) == (label[i] > label[j]) else 0.0)
    return sum(points) / len(points)


def better_in_loops(length, label):
    right, pairs = 0.0, 0
    for i in range(len(length)):
        for j in range(i):
            shorter, better = torch.sign(length[i] - length[j]), torch.sign(label[i] - label[j])
            right += 0.5 * (1 - float(shorter * better))
            pairs += 1
    return right / pairs


def better_by_signs(length, label):
    n = len(length)
    agree = torch.sign(length[None] - length[:, None]) * torch.sign(label[:, None] - label[None])
    return ((agree + 1) / 2).masked_select(~torch.eye(n, dtype=torch.bool)).mean().item()


def better_in_numpy(length, label):
    t, y = length.numpy(), label.numpy()
    i, j = np.triu_indices(len(t), k=1)
    product = (t[i] - t[j]) * (y[j] - y[i])
    return np.mean(np.where(product > 0, 1.0, np.where(product < 0, 0.0, 0.5)))


def better_by_counting(length, label):
    shorter = length[:, None] < length
    won, lost = (shorter & (label[:, None] > label)).sum(), (shorter & (label[:, None] < label)).sum()
    n = len(length)
    return 0.5 + float(won - lost) / (n * (n - 1))


def better_by_einsum(length, label):
    a = torch.sign(length.view(-1, 1) - length).float()
    b = torch.sign(label.view(-1, 1) - label).float()
    return 0.5 * (1 - torch.einsum("ij,ij->", a, b) / (len(a) * (len(a) - 1)))


def _point(one, other):
    (length, label), (length_of_other, label_of_other) = one, other
    if length > length_of_other:
        return _point(other, one)
    return 0.5 if length == length_of_other or label == label_of_other else float(label > label_of_other)


def better_with_a_helper(length, label):
    models = list(zip(length.tolist(), label.tolist()))
    return float(np.mean([_point(a, b) for a, b in itertools.combinations(models, 2)]))


def better_by_sorting(length, label):
    order = length.argsort()
    t, y = length[order], label[order]
    later = torch.ones(len(t), len(t)).triu(1).bool()
    right = (y[:, None] > y).double() + 0.5 * (y[:, None] == y).double()
    right[t[:, None] == t] = 0.5
    return right[later].mean()


def partners_by_permutations(relation):
    d = len(relation)
    return list(max(itertools.permutations(range(d)), key=lambda p: sum(float(relation[i, p[i]]) for i in range(d))))


def partners_of_scipy(relation):
    rows, columns = linear_sum_assignment(relation.numpy(), maximize=True)
    return columns


def partners_of_scipys_costs(relation):
    return torch.as_tensor(linear_sum_assignment(1 - np.asarray(relation))[1])


def partners_in_a_loop(relation):
    best, answer = -1.0, None
    for order in itertools.permutations(range(relation.shape[0])):
        total = 0.0
        for code, partner in enumerate(order):
            total += relation[code, partner].item()
        if total > best:
            best, answer = total, order
    return answer


def partners_all_at_once(relation):
    orders = torch.tensor(list(itertools.permutations(range(len(relation)))))
    sums = relation[torch.arange(len(relation)), orders].sum(dim=1)
    return orders[sums.argmax()]


def _extended(relation, taken):
    code = len(taken)
    if code == len(relation):
        return 0.0, taken
    free = [k for k in range(len(relation)) if k not in taken]
    options = [_extended(relation, [*taken, k]) for k in free]
    gains = [total + float(relation[code, k]) for k, (total, _) in zip(free, options)]
    best = gains.index(max(gains))
    return gains[best], options[best][1]


def partners_with_a_helper(relation):
    return _extended(relation, [])[1]


def partners_by_matrices(relation):
    identity = np.eye(len(relation))
    orders = [list(p) for p in itertools.permutations(range(len(relation)))]
    traces = [np.trace(relation.numpy() @ identity[order].T) for order in orders]
    return orders[int(np.argmax(traces))]


def rule_per_code(tpl, active):
    return torch.where(active > 0, tpl / active.clamp(min=1), torch.inf)


def rule_in_numpy(tpl, active):
    t, a = tpl.numpy(), active.numpy()
    return np.where(a > 0, t / np.maximum(a, 1), np.inf)


def rule_in_a_loop(tpl, active):
    scores = torch.zeros(len(tpl))
    for i in range(len(tpl)):
        scores[i] = tpl[i] / active[i] if active[i] > 0 else float("inf")
    return scores


def rule_more_codes_first(tpl, active):
    result = tpl / active.clamp(min=1) ** 1.5
    result[active == 0] = 1e6
    return result


def rule_with_one_more(tpl, active):
    score = tpl / active.float()
    return torch.where(active == 0, torch.full_like(score, 1e9), score)


def rule_of_logarithms(tpl, active):
    per_code = torch.log(tpl.clamp(min=1e-12)) - torch.log(active.clamp(min=1).to(tpl.dtype))
    return per_code.masked_fill(active == 0, 1e4)


RIGHT = {
    "09.1": (choice_by_where, choice_in_a_loop, choice_by_min, choice_in_numpy, choice_by_nonzero,
             choice_in_place_on_a_clone, choice_by_sorting),
    "09.2": (better_by_combinations, better_in_loops, better_by_signs, better_in_numpy, better_by_counting,
             better_by_einsum, better_with_a_helper, better_by_sorting),
    "09.3": (partners_by_permutations, partners_of_scipy, partners_of_scipys_costs, partners_in_a_loop,
             partners_all_at_once, partners_with_a_helper, partners_by_matrices),
    "09.4": (rule_per_code, rule_in_numpy, rule_in_a_loop, rule_more_codes_first, rule_with_one_more,
             rule_of_logarithms),
}  # fmt: skip
