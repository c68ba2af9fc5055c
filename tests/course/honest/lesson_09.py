"""Right answers to the exercises of lesson 09."""

import numpy as np
import torch
from scipy import stats


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


def spearman_by_argsort(first, second):
    ranks = torch.stack([first.argsort().argsort(), second.argsort().argsort()]).float()
    return torch.corrcoef(ranks)[0, 1].item()


def spearman_by_formula(first, second):
    n = len(first)
    d = first.argsort().argsort() - second.argsort().argsort()
    return 1 - 6 * float((d**2).sum()) / (n * (n**2 - 1))


def spearman_in_numpy(first, second):
    a, b = np.argsort(np.argsort(first.numpy())), np.argsort(np.argsort(second.numpy()))
    return np.corrcoef(a, b)[0, 1]


def spearman_of_scipy(first, second):
    return stats.spearmanr(first, second).statistic


def spearman_of_ranked(first, second):
    return stats.pearsonr(stats.rankdata(first), stats.rankdata(second))[0]


def _ranks(x):
    return [sum(other < value for other in x.tolist()) for value in x.tolist()]


def spearman_by_counting(first, second):
    a, b = torch.tensor(_ranks(first)).double(), torch.tensor(_ranks(second)).double()
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


def spearman_by_cosine(first, second):
    a, b = first.argsort().argsort().float(), second.argsort().argsort().float()
    return torch.cosine_similarity(a - a.mean(), b - b.mean(), dim=0)


def agreement_short(relation):
    columns = relation.max(dim=0).values ** 2 / relation.sum(dim=0)
    rows = relation.max(dim=1).values ** 2 / relation.sum(dim=1)
    return (columns.mean() + rows.mean()).item() / 2


def agreement_in_loops(relation):
    a, b = relation.shape
    rows = sum(float(max(relation[i])) ** 2 / float(sum(relation[i])) for i in range(a)) / a
    columns = sum(float(max(relation[:, j])) ** 2 / float(sum(relation[:, j])) for j in range(b)) / b
    return 0.5 * rows + 0.5 * columns


def agreement_in_numpy(relation):
    r = relation.numpy()
    return np.mean([(r.max(axis=k) ** 2 / r.sum(axis=k)).mean() for k in (0, 1)])


def _one_way(table, dim):
    return (torch.amax(table, dim).square() / table.sum(dim)).mean()


def agreement_with_a_helper(relation):
    return (_one_way(relation, 0) + _one_way(relation, 1)) / 2


def agreement_of_the_transpose(relation):
    total = 0
    for table in (relation, relation.T):
        best, _ = table.max(dim=-1)
        total = total + torch.mean(best * best / table.sum(-1))
    return float(total / 2)


def agreement_of_shares(relation):
    rows = (relation / relation.sum(1, keepdim=True)).amax(1) * relation.amax(1)
    columns = (relation / relation.sum(0, keepdim=True)).amax(0) * relation.amax(0)
    return torch.stack([rows.mean(), columns.mean()]).mean()


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
    "09.2": (spearman_by_argsort, spearman_by_formula, spearman_in_numpy, spearman_of_scipy, spearman_of_ranked,
             spearman_by_counting, spearman_by_cosine),
    "09.3": (agreement_short, agreement_in_loops, agreement_in_numpy, agreement_with_a_helper,
             agreement_of_the_transpose, agreement_of_shares),
    "09.4": (rule_per_code, rule_in_numpy, rule_in_a_loop, rule_more_codes_first, rule_with_one_more,
             rule_of_logarithms),
}  # fmt: skip
