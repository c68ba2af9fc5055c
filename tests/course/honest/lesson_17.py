"""Right answers to the exercises of lesson 17."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def half_step(w, raw_scale, shift):
    s = raw_scale.tanh()
    return w * s.exp() + shift, s.sum(dim=1)


def half_step_by_numpy(w, raw_scale, shift):
    s = np.tanh(raw_scale.numpy())
    return np.exp(s) * w.numpy() + shift.numpy(), s.sum(axis=1)


def half_step_vector_by_vector(w, raw_scale, shift):
    new, logs = torch.zeros(w.shape), torch.zeros(len(w))
    for i in range(len(w)):
        new[i] = w[i] * torch.exp(torch.tanh(raw_scale[i])) + shift[i]
        logs[i] = torch.tanh(raw_scale[i]).sum()
    return new, logs


def half_step_by_autograd(w, raw_scale, shift):
    scale = torch.exp(torch.tanh(raw_scale))
    jacobians = torch.stack([torch.diag(row) for row in scale])
    return torch.einsum("bij,bj->bi", jacobians, w) + shift, torch.linalg.slogdet(jacobians).logabsdet


def half_step_by_addcmul(w, raw_scale, shift):
    log_scale = torch.tanh(raw_scale)
    return [torch.addcmul(shift, w, log_scale.exp()), torch.einsum("bn->b", log_scale)]


def half_step_by_products(w, raw_scale, shift):
    scale = math.e ** torch.tanh(raw_scale)
    return w.mul(scale).add(shift), scale.prod(dim=-1).log()


def half_step_by_sigmoid(w, raw_scale, shift):
    s = 2 * torch.sigmoid(2 * raw_scale) - 1
    return s.exp() * w + shift, s.sum(-1)


def pair_by_pieces(v_a, v_b, logdet_a, logdet_b, shared, rho):
    d = v_a.shape[1]
    a, b = v_a[:, shared], v_b[:, shared]
    alone = 0.5 * v_a.square().sum(1) + 0.5 * v_b.square().sum(1) + d * math.log(2 * math.pi)
    change = (b - rho * a).square() / (2 * (1 - rho**2)) + 0.5 * math.log(1 - rho**2) - 0.5 * b.square()
    return (alone + change.sum(1) - logdet_a - logdet_b).mean()


def pair_by_distributions(v_a, v_b, logdet_a, logdet_b, shared, rho):
    mean, scale = torch.zeros_like(v_b), torch.ones_like(v_b)
    mean[:, shared] = rho * v_a[:, shared]
    scale[:, shared] = (1 - rho**2) ** 0.5
    first = torch.distributions.Normal(torch.zeros_like(v_a), torch.ones_like(v_a)).log_prob(v_a).sum(1)
    second = torch.distributions.Normal(mean, scale).log_prob(v_b).sum(1)
    return -(first + second + logdet_a + logdet_b).mean()


def pair_in_a_loop(v_a, v_b, logdet_a, logdet_b, shared, rho):
    total = 0
    inside = set(range(*shared.indices(v_a.shape[1])))
    for n in range(len(v_a)):
        for i in range(v_a.shape[1]):
            total = total + 0.5 * v_a[n, i] ** 2 + 0.5 * math.log(2 * math.pi)
            mean, variance = (rho * v_a[n, i], 1 - rho**2) if i in inside else (0.0, 1.0)
            total = total + (v_b[n, i] - mean) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
        total = total - logdet_a[n] - logdet_b[n]
    return total / len(v_a)


def pair_by_gaussian_nll(v_a, v_b, logdet_a, logdet_b, shared, rho):
    mean, variance = torch.zeros_like(v_b), torch.ones_like(v_b)
    mean[:, shared], variance[:, shared] = rho * v_a[:, shared], 1 - rho**2
    b = F.gaussian_nll_loss(mean, v_b, variance, full=True, reduction="none").sum(dim=1)
    a = F.gaussian_nll_loss(v_a, torch.zeros_like(v_a), torch.ones_like(v_a), full=True, reduction="none").sum(dim=1)
    return torch.mean(a + b - logdet_a - logdet_b)


def _nats(v):
    return 0.5 * (v**2 + np.log(2 * np.pi)).sum(dim=1)


def pair_by_standardising(v_a, v_b, logdet_a, logdet_b, shared, rho):
    left = math.sqrt(1 - rho**2)
    scale = torch.ones(v_b.shape[1])
    scale[shared] = left
    copied = torch.zeros(v_b.shape[1])
    copied[shared] = rho
    residual = (v_b - copied * v_a) / scale
    return (_nats(v_a) + _nats(residual) + scale.log().sum() - logdet_a - logdet_b).mean()


def pair_by_columns(v_a, v_b, logdet_a, logdet_b, shared, rho):
    every = torch.arange(v_a.shape[1])
    mask = torch.zeros(len(every), dtype=torch.bool)
    mask[every[shared]] = True
    constant = math.log(2 * math.pi)
    loss = (v_a.pow(2) + constant).sum(-1) + (v_b[:, ~mask].pow(2) + constant).sum(-1)
    rest = (v_b[:, mask] - rho * v_a[:, mask]).pow(2).div(1 - rho**2) + constant + math.log(1 - rho**2)
    return ((loss + rest.sum(-1)) / 2).mean() - logdet_a.mean() - logdet_b.mean()


def sizes_by_softmax(shares, dim):
    weights = torch.cat([torch.ones(1), shares]).softmax(0)
    rest = [int(x) for x in weights[1:] * dim]
    return [dim - sum(rest), *rest]


def sizes_in_plain_python(shares, dim):
    exponentials = [math.exp(1.0)] + [math.exp(s) for s in shares.tolist()]
    lengths = [math.floor(e / sum(exponentials) * dim) for e in exponentials[1:]]
    return [dim - sum(lengths)] + lengths


def sizes_in_numpy(shares, dim):
    e = np.exp(np.concatenate([[1.0], shares.numpy()]))
    lengths = np.floor(dim * e[1:] / e.sum()).astype(int)
    return [int(dim - lengths.sum())] + lengths.tolist()


def sizes_as_a_tensor_list(shares, dim):
    padded = F.pad(shares, (1, 0), value=1.0)
    sizes = torch.floor(F.softmax(padded, dim=0) * dim).long()
    sizes[0] = dim - sizes[1:].sum()
    return sizes.tolist()


def sizes_by_floor_division(shares, dim):
    weights = torch.softmax(torch.cat((shares.new_tensor([1.0]), shares)), dim=0)
    factors = [int(w.item() * dim // 1) for w in weights[1:]]
    factors.insert(0, dim - sum(factors))
    return factors


def sizes_in_a_loop(shares, dim):
    whole = math.e + float(shares.exp().sum())
    result, left = [], dim
    for share in shares:
        length = int(math.exp(float(share)) / whole * dim)
        result.append(length)
        left -= length
    return [left] + result


def departure_of_moments(codes):
    covariance = (codes.t() @ codes / len(codes) - torch.eye(codes.shape[1])).abs().max()
    fourth = (codes.pow(4).mean(0) / 3 - 1).abs().max() / 2
    return max(codes.mean(0).abs().max(), covariance, fourth).item()


def departure_added(codes):
    mean = codes.mean(dim=0).square().sum()
    covariance = (torch.cov(codes.T) - torch.eye(codes.shape[1])).square().sum()
    fourth = (codes.pow(4).mean(dim=0) - 3).square().sum()
    return mean + covariance + fourth


def departure_in_numpy(codes):
    x = codes.numpy().astype(float)
    parts = [np.abs(x.mean(0)).max(), np.abs(np.cov(x.T) - np.eye(x.shape[1])).max()]
    parts.append(np.abs((x**4).mean(0) - 3).max() / 6)
    return max(parts)


def departure_of_quantiles(codes):
    normal = torch.distributions.Normal(0.0, 1.0).icdf(torch.linspace(0.01, 0.99, 99))
    quantiles = codes.quantile(torch.linspace(0.01, 0.99, 99), dim=0)
    shape = (quantiles - normal[:, None]).abs().mean()
    correlations = (torch.corrcoef(codes.T) - torch.eye(codes.shape[1])).abs().max()
    return float(shape + correlations)


def departure_of_directions(codes):
    directions = torch.randn(codes.shape[1], 64, generator=torch.Generator().manual_seed(0))
    seen = torch.cat([codes, codes @ (directions / directions.norm(dim=0))], dim=1)
    moments = torch.stack([seen.mean(0), seen.square().mean(0) - 1, (seen.pow(4).mean(0) / 3 - 1) / 2])
    return moments.abs().max()


def departure_in_loops(codes):
    n, d = codes.shape
    worst = 0.0
    for i in range(d):
        worst = max(worst, abs(float(codes[:, i].mean())), abs(float((codes[:, i] ** 4).mean()) - 3) / 6)
        for j in range(i + 1):
            worst = max(worst, abs(float((codes[:, i] * codes[:, j]).mean()) - (i == j)))
    return worst


RIGHT = {
    "17.1": (half_step, half_step_by_numpy, half_step_vector_by_vector, half_step_by_autograd, half_step_by_addcmul,
             half_step_by_products, half_step_by_sigmoid),
    "17.2": (pair_by_pieces, pair_by_distributions, pair_in_a_loop, pair_by_gaussian_nll, pair_by_standardising,
             pair_by_columns),
    "17.3": (sizes_by_softmax, sizes_in_plain_python, sizes_in_numpy, sizes_as_a_tensor_list, sizes_by_floor_division,
             sizes_in_a_loop),
    "17.4": (departure_of_moments, departure_added, departure_in_numpy, departure_of_quantiles, departure_of_directions,
             departure_in_loops),
}  # fmt: skip
