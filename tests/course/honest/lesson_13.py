"""Right answers to the exercises of lesson 13."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def bound_by_mask(scores):
    off = ~torch.eye(scores.shape[0], dtype=torch.bool)
    return torch.diag(scores).mean() - torch.log(torch.exp(scores[off]).mean())


def bound_in_loops(scores):
    n = len(scores)
    true, mixed = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            if i == j:
                true += float(scores[i, j]) / n
            else:
                mixed += math.exp(float(scores[i, j])) / (n * (n - 1))
    return true - math.log(mixed)


def bound_in_numpy(scores):
    s = scores.numpy()
    off = s[~np.eye(len(s), dtype=bool)]
    return float(np.trace(s) / len(s) - np.log(np.exp(off).mean()))


def bound_by_difference(scores):
    n = scores.shape[0]
    rest = scores.exp().sum() - scores.diagonal().exp().sum()
    return scores.trace() / n - (rest / (n * n - n)).log()


def bound_by_filling(scores):
    n = len(scores)
    hidden = scores.clone().fill_diagonal_(-math.inf)
    return scores.diagonal().mean() - hidden.flatten().logsumexp(0) + math.log(n * (n - 1))


def bound_by_rolling(scores):
    n = len(scores)
    rows = torch.arange(n)
    mixed = torch.stack([scores[rows, (rows + k) % n] for k in range(1, n)])
    return scores[rows, rows].mean() - mixed.exp().mean().log()


def bound_by_largest(scores):
    off = [scores[i, j] for i in range(len(scores)) for j in range(len(scores)) if i != j]
    largest = max(off)
    mean = sum(torch.exp(x - largest) for x in off) / len(off)
    return scores.diag().mean() - (largest + torch.log(mean))


def information_by_cov(x, y):
    d, joint = x.shape[1], torch.cov(torch.cat([x, y], 1).T)
    return (torch.logdet(joint[:d, :d]) + torch.logdet(joint[d:, d:]) - torch.logdet(joint)) / 2


def information_in_numpy(x, y):
    joint = np.cov(np.concatenate([x.numpy(), y.numpy()], axis=1).astype(float), rowvar=False)
    d = x.shape[1]
    parts = (joint[:d, :d], joint[d:, d:], joint)
    a, b, c = (np.linalg.slogdet(part)[1] for part in parts)
    return 0.5 * (a + b - c)


def _covariance(v):
    v = v - v.mean(dim=0)
    return v.t() @ v / len(v)


def information_by_hand(x, y):
    ratio = torch.det(_covariance(x)) * torch.det(_covariance(y)) / torch.det(_covariance(torch.cat((x, y), dim=1)))
    return 0.5 * ratio.log()


def information_by_regression(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    left = y - x @ torch.linalg.lstsq(x, y).solution
    return 0.5 * (torch.logdet(y.T @ y) - torch.logdet(left.T @ left))


def information_by_canonical_correlations(x, y):
    x, y = x.double() - x.double().mean(0), y.double() - y.double().mean(0)
    qx, qy = torch.linalg.qr(x).Q, torch.linalg.qr(y).Q
    rho = torch.linalg.svdvals(qx.T @ qy)
    return float(-0.5 * torch.log1p(-rho.square()).sum())


def information_by_correlations(x, y):
    d = x.shape[1]
    r = torch.corrcoef(torch.cat([x, y], dim=1).T)
    logs = [torch.linalg.eigvalsh(part).log().sum() for part in (r[:d, :d], r[d:, d:], r)]
    return 0.5 * (logs[0] + logs[1] - logs[2])


def information_by_distributions(x, y):
    both = torch.cat([x, y], dim=1)
    joint = torch.distributions.MultivariateNormal(both.mean(0), torch.cov(both.T)).entropy()
    alone = [
        torch.distributions.MultivariateNormal(v.mean(0), torch.cov(v.T).reshape(v.shape[1], v.shape[1])).entropy()
        for v in (x, y)
    ]
    return sum(alone) - joint


def probe_by_solve(codes, targets, train, penalty):
    mx, my = codes[:train].mean(0), targets[:train].mean(0)
    x, y = codes[:train] - mx, targets[:train] - my
    w = torch.linalg.inv(x.T @ x + penalty * torch.eye(x.shape[1])) @ x.T @ y
    predicted = (codes[train:] - mx) @ w + my
    return 1 - ((predicted - targets[train:]) ** 2).sum() / ((targets[train:] - my) ** 2).sum()


def probe_in_numpy(codes, targets, train, penalty):
    x, y = codes.numpy().astype(float), targets.numpy().astype(float)
    mx, my = x[:train].mean(axis=0), y[:train].mean(axis=0)
    a = x[:train] - mx
    w = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (y[:train] - my))
    error = (x[train:] - mx) @ w + my - y[train:]
    return float(1 - (error**2).sum() / ((y[train:] - my) ** 2).sum())


def probe_by_sklearn(codes, targets, train, penalty):
    from sklearn.linear_model import Ridge

    x, y = codes.double().numpy(), targets.double().numpy()
    ridge = Ridge(alpha=penalty, solver="cholesky").fit(x[:train], y[:train])
    left = ((ridge.predict(x[train:]).reshape(y[train:].shape) - y[train:]) ** 2).sum()
    return 1 - left / ((y[train:] - y[:train].mean(axis=0)) ** 2).sum()


def probe_by_least_squares(codes, targets, train, penalty):
    d, k = codes.shape[1], targets.shape[1]
    centre, level = codes[:train].mean(dim=0), targets[:train].mean(dim=0)
    more = torch.cat([codes[:train] - centre, penalty**0.5 * torch.eye(d)])
    aim = torch.cat([targets[:train] - level, torch.zeros(d, k)])
    weights = torch.linalg.lstsq(more, aim).solution
    rest = targets[train:] - level - (codes[train:] - centre) @ weights
    return 1 - rest.pow(2).sum() / (targets[train:] - level).pow(2).sum()


def probe_by_kernel(codes, targets, train, penalty):
    x, y = codes - codes[:train].mean(dim=0), targets - targets[:train].mean(dim=0)
    learned = x[:train]
    dual = torch.linalg.solve(learned @ learned.T + penalty * torch.eye(train), y[:train])
    predicted = x[train:] @ learned.T @ dual
    return 1 - F.mse_loss(predicted, y[train:]) / y[train:].square().mean()


def probe_in_a_loop(codes, targets, train, penalty):
    middle = codes[:train].mean(dim=0)
    x = (codes - middle).double()
    left = total = 0.0
    for column in targets.double().t():
        level = column[:train].mean()
        a = x[:train].t() @ x[:train]
        for i in range(len(a)):
            a[i, i] += penalty
        w = torch.linalg.solve(a, x[:train].t() @ (column[:train] - level))
        for row in range(train, len(x)):
            left += float((x[row] @ w + level - column[row]) ** 2)
            total += float((level - column[row]) ** 2)
    return 1 - left / total


def probe_by_eigenvectors(codes, targets, train, penalty):
    x, y = codes - codes[:train].mean(0, keepdim=True), targets - targets[:train].mean(0, keepdim=True)
    u, s, vt = torch.linalg.svd(x[:train], full_matrices=False)
    weights = vt.T @ torch.diag(s / (s**2 + penalty)) @ u.T @ y[:train]
    return (1 - (y[train:] - x[train:] @ weights).norm() ** 2 / y[train:].norm() ** 2).item()


def gamma_with_a_cap(gamma, reported, watched):
    return min(0.03, max(0.0, gamma + 0.002 * (watched - reported)))


def gamma_in_numpy(gamma, reported, watched):
    return float(np.clip(gamma + 0.002 * (watched - reported), 0.0, 0.1))


def gamma_that_shrinks_by_a_share(gamma, reported, watched):
    if watched <= reported:
        return 0.98 * gamma
    return gamma + (0.08 - gamma) * (1 - math.exp(-0.02 * (watched - reported))) if gamma < 0.08 else gamma


def gamma_towards_a_level(gamma, reported, watched):
    overlooked = max(0.0, watched - reported)
    level = 0.1 * overlooked / (1 + overlooked)
    if level > gamma:
        return gamma + 0.05 * (level - gamma)
    return gamma - 0.02 * (gamma - level)


def gamma_in_two_branches(gamma, reported, watched):
    change = 0.003 * (watched - reported)
    if change > 0:
        gamma = gamma + min(change, 0.01)
        return gamma if gamma < 0.2 else 0.2
    gamma = gamma + change
    return gamma if gamma > 0 else 0.0


def gamma_as_a_tensor(gamma, reported, watched):
    moved = torch.tensor(gamma) + 0.001 * torch.tensor(watched - reported).clamp(-2, 2)
    return moved.clamp(0, 0.25).item()


def gamma_slower_near_its_cap(gamma, reported, watched):
    overlooked = watched - reported
    room = max(0.0, 0.15 - gamma) / 0.15 if overlooked > 0 else 1.0
    return max(0.0, gamma + 0.0025 * overlooked * room)


RIGHT = {
    "13.1": (bound_by_mask, bound_in_loops, bound_in_numpy, bound_by_difference, bound_by_filling, bound_by_rolling,
             bound_by_largest),
    "13.2": (information_by_cov, information_in_numpy, information_by_hand, information_by_regression,
             information_by_canonical_correlations, information_by_correlations, information_by_distributions),
    "13.3": (probe_by_solve, probe_in_numpy, probe_by_sklearn, probe_by_least_squares, probe_by_kernel, probe_in_a_loop,
             probe_by_eigenvectors),
    "13.4": (gamma_with_a_cap, gamma_in_numpy, gamma_that_shrinks_by_a_share, gamma_towards_a_level,
             gamma_in_two_branches, gamma_as_a_tensor, gamma_slower_near_its_cap),
}  # fmt: skip
