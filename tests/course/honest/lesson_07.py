"""Right answers to the exercises of lesson 07."""

import math

import numpy as np
import torch


def gaps_by_topk(information, entropy):
    best = information.topk(2, dim=1)
    return (best.values[:, 0] - best.values[:, 1]) / entropy[best.indices[:, 0]]


def gaps_by_sorting(information, entropy):
    values, order = information.sort(dim=1, descending=True)
    return (values[:, 0] - values[:, 1]) / entropy[order[:, 0]]


def gaps_in_numpy(information, entropy):
    table = np.asarray(information)
    ordered = np.sort(table, axis=1)
    return (ordered[:, -1] - ordered[:, -2]) / np.asarray(entropy)[table.argmax(axis=1)]


def gaps_in_numpy_without_conversion(information, entropy):
    best = np.argmax(information.numpy(), axis=1)
    gaps = np.zeros(len(best))
    for j, k in enumerate(best):
        row = information.numpy()[j]
        gaps[j] = (row[k] - np.delete(row, k).max()) / entropy.numpy()[k]
    return gaps


def gaps_code_by_code(information, entropy):
    result = torch.zeros(len(information))
    for j, row in enumerate(information):
        k = int(row.argmax())
        others = torch.cat([row[:k], row[k + 1 :]])
        result[j] = (row[k] - others.max()) / entropy[k]
    return result


def gaps_as_a_list(information, entropy):
    gaps = []
    for row in information.tolist():
        ordered = sorted(row)
        gaps.append((ordered[-1] - ordered[-2]) / float(entropy[row.index(ordered[-1])]))
    return gaps


def gaps_by_masking(information, entropy):
    winner, k = information.max(dim=1)
    rest = information.scatter(1, k[:, None], -torch.inf)
    return (winner - rest.amax(dim=1)) / entropy.index_select(0, k)


def served_short(importances):
    shares = importances / importances.sum(dim=1, keepdim=True).clamp(min=1e-12)
    served = torch.exp(-torch.special.xlogy(shares, shares).sum(dim=1))
    served[importances.sum(dim=1) == 0] = 0
    return served


def served_with_a_grain(importances):
    rows = importances.sum(1, keepdim=True)
    p = importances / (rows + 1e-12)
    entropies = -(p * torch.log(p + 1e-8)).sum(1)
    return torch.exp(entropies) * (rows[:, 0] > 0)


def served_in_numpy(importances):
    table = importances.numpy()
    served = np.zeros(len(table))
    for j, row in enumerate(table):
        p = row[row > 0] / row.sum() if row.any() else row[:0]
        served[j] = np.exp(-(p * np.log(p)).sum()) if len(p) else 0.0
    return served


def served_as_a_list(importances):
    result = []
    for row in importances.tolist():
        whole = sum(row)
        if whole == 0:
            result.append(0.0)
        else:
            result.append(math.exp(-sum(x / whole * math.log(x / whole) for x in row if x > 0)))
    return result


def served_by_product(importances):
    used = importances.sum(dim=1) > 0
    p = importances[used] / importances[used].sum(dim=1, keepdim=True)
    out = torch.zeros(len(importances))
    out[used] = (1 / (p**p).prod(dim=1)).float()
    return out


def served_by_distribution(importances):
    rows = [row for row in importances]
    return torch.stack(
        [torch.distributions.Categorical(probs=r).entropy().exp() if r.sum() > 0 else r.new_zeros(()) for r in rows]
    )


def _bits(row):
    p = row[row > 0]
    p = p / p.sum()
    return -(p * p.log2()).sum()


def served_with_a_helper(importances):
    return torch.stack([2 ** _bits(row) if row.any() else torch.tensor(0.0).to(row) for row in importances])


def served_by_entr(importances):
    rows = importances.sum(dim=1)
    entropy = torch.special.entr(importances.div(torch.where(rows == 0, 1, rows).unsqueeze(1))).sum(-1)
    return entropy.exp().masked_fill(rows == 0, 0)


def votes_by_mask(train, test):
    chosen = train.argmax(dim=0) == torch.arange(len(train))[:, None]
    return (test * chosen).sum(dim=1) / test.sum(dim=1)


def votes_in_a_loop(train, test):
    right = torch.zeros(train.shape[0])
    for j in range(train.shape[1]):
        k = train[:, j].argmax()
        right[k] += test[k, j]
    return right / test.sum(1)


def votes_in_numpy(train, test):
    majority = np.argmax(train.numpy(), axis=0)
    chosen = majority[None] == np.arange(len(train))[:, None]
    return np.where(chosen, test.numpy(), 0).sum(1) / test.numpy().sum(1)


def votes_by_one_hot(train, test):
    chosen = torch.nn.functional.one_hot(train.argmax(0), len(train)).t()
    return (chosen * test).sum(1).float() / test.sum(1).float()


def votes_as_a_list(train, test):
    majority = train.argmax(dim=0).tolist()
    return [
        sum(int(test[k, j]) for j, m in enumerate(majority) if m == k) / int(test[k].sum()) for k in range(len(test))
    ]


def votes_by_scatter(train, test):
    k = train.argmax(dim=0, keepdim=True)
    right = torch.zeros_like(test).scatter(0, k, test.gather(0, k))
    return right.sum(dim=1).div(test.sum(dim=1))


def votes_by_einsum(train, test):
    winners = (train == train.max(dim=0, keepdim=True).values).int()
    winners = winners * (winners.cumsum(0) == 1)  # the first of equals
    return torch.einsum("kj,kj->k", winners.float(), test.float()) / test.float().sum(1)


def patient_first_value(factors):
    return (factors == 0).float()


def patient_in_numpy(factors):
    return (factors.numpy() == 1).astype(np.float32)


def patient_in_a_loop(factors):
    codes = torch.zeros(factors.shape)
    for k in range(factors.shape[1]):
        codes[:, k] = torch.where(factors[:, k] == 2, 1.0, 0.0)
    return codes


def patient_by_stack(factors):
    return torch.stack([column.eq(column.max()).double() for column in factors.unbind(1)], dim=1)


def patient_as_comparison(factors):
    return 1.0 - (factors > 0).to(torch.float64)


def patient_between_two_values(factors):
    flags = (factors < 1).float() - 0.5
    return 2 * flags


RIGHT = {
    "07.1": (gaps_by_topk, gaps_by_sorting, gaps_in_numpy, gaps_in_numpy_without_conversion, gaps_code_by_code,
             gaps_as_a_list, gaps_by_masking),
    "07.2": (served_short, served_with_a_grain, served_in_numpy, served_as_a_list, served_by_product,
             served_by_distribution, served_with_a_helper, served_by_entr),
    "07.3": (votes_by_mask, votes_in_a_loop, votes_in_numpy, votes_by_one_hot, votes_as_a_list, votes_by_scatter,
             votes_by_einsum),
    "07.4": (patient_first_value, patient_in_numpy, patient_in_a_loop, patient_by_stack, patient_as_comparison,
             patient_between_two_values),
}  # fmt: skip
