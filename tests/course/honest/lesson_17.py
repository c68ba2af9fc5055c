"""Right answers to the exercises of lesson 17."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def step_short(w, raw_scale, shift):
    scale = 2 * raw_scale.sigmoid()
    return w * scale + shift, scale.log().sum(dim=1)


def step_by_numpy(w, raw_scale, shift):
    scale = 2 / (1 + np.exp(-raw_scale.numpy()))
    return scale * w.numpy() + shift.numpy(), np.log(scale).sum(axis=1)


def step_vector_by_vector(w, raw_scale, shift):
    new, logs = torch.zeros(w.shape), torch.zeros(len(w))
    for i in range(len(w)):
        new[i] = 2 * torch.sigmoid(raw_scale[i]) * w[i] + shift[i]
        logs[i] = torch.log(2 * torch.sigmoid(raw_scale[i])).sum()
    return new, logs


def step_by_jacobian(w, raw_scale, shift):
    jacobians = torch.diag_embed(2 * torch.sigmoid(raw_scale))
    return torch.einsum("bij,bj->bi", jacobians, w) + shift, torch.linalg.slogdet(jacobians).logabsdet


def step_by_logsigmoid(w, raw_scale, shift):
    return [
        torch.addcmul(shift, w, torch.sigmoid(raw_scale), value=2),
        F.logsigmoid(raw_scale).sum(1) + w.shape[1] * math.log(2),
    ]


def step_by_products(w, raw_scale, shift):
    scale = 2 / (1 + torch.exp(-raw_scale))
    return w.mul(scale).add(shift), scale.prod(dim=-1).log()


def step_by_tanh(w, raw_scale, shift):
    scale = 1 + torch.tanh(raw_scale / 2)
    return w * scale + shift, torch.log1p(torch.tanh(raw_scale / 2)).sum(-1)


def step_by_autograd(w, raw_scale, shift):
    inputs = w.clone().requires_grad_()
    new = 2 * torch.sigmoid(raw_scale) * inputs + shift
    (slopes,) = torch.autograd.grad(new.sum(), inputs)
    return new.detach(), slopes.log().sum(1)


def evidence_short(v_a, v_b, shared, rho):
    a, b = v_a[:, shared], v_b[:, shared]
    gain = b**2 / 2 - (b - rho * a) ** 2 / (2 * (1 - rho**2)) - 0.5 * math.log(1 - rho**2)
    return gain.sum(1)


def evidence_by_distributions(v_a, v_b, shared, rho):
    a, b = v_a[:, shared], v_b[:, shared]
    given = torch.distributions.Normal(rho * a, (1 - rho**2) ** 0.5)
    alone = torch.distributions.Normal(torch.zeros_like(b), torch.ones_like(b))
    return (given.log_prob(b) - alone.log_prob(b)).sum(dim=-1)


def evidence_in_a_loop(v_a, v_b, shared, rho):
    result = torch.zeros(len(v_a))
    for n in range(len(v_a)):
        for a, b in zip(v_a[n, shared], v_b[n, shared]):
            result[n] += 0.5 * b**2 - (b - rho * a) ** 2 / (2 * (1 - rho**2)) - math.log(math.sqrt(1 - rho**2))
    return result


def evidence_in_numpy(v_a, v_b, shared, rho):
    a, b = v_a.numpy()[:, shared], v_b.numpy()[:, shared]
    left = 1 - rho**2
    return (-((b - rho * a) ** 2) / left - np.log(left) + b**2).sum(axis=1) / 2


def evidence_of_a_joint_gaussian(v_a, v_b, shared, rho):
    both = torch.stack([v_a[:, shared], v_b[:, shared]], dim=-1)
    covariance = torch.tensor([[1, rho], [rho, 1]], dtype=both.dtype)
    zero = torch.zeros(2, dtype=both.dtype)
    joint = torch.distributions.MultivariateNormal(zero, covariance).log_prob(both)
    apart = torch.distributions.MultivariateNormal(zero, torch.eye(2, dtype=both.dtype)).log_prob(both)
    return (joint - apart).sum(dim=1)


def _symmetric(a, b, rho):
    return (2 * rho * a * b - rho**2 * (a * a + b * b)) / (1 - rho**2)


def evidence_with_a_helper(v_a, v_b, shared, rho):
    n = v_a[:, shared].shape[1]
    return _symmetric(v_a[:, shared], v_b[:, shared], rho).sum(1) / 2 - n / 2 * math.log(1 - rho**2)


def evidence_by_gaussian_nll(v_a, v_b, shared, rho):
    a, b = v_a[..., shared], v_b[..., shared]
    given = F.gaussian_nll_loss(rho * a, b, torch.full_like(b, 1 - rho**2), reduction="none")
    alone = F.gaussian_nll_loss(torch.zeros_like(b), b, torch.ones_like(b), reduction="none")
    return torch.einsum("bn->b", alone - given)


def shares_short(sizes):
    return [1 + math.log(n / sizes[0]) for n in sizes[1:]]


def shares_in_torch(sizes):
    lengths = torch.tensor(sizes, dtype=torch.float32)
    return 1 + (lengths[1:] / lengths[0]).log()


def shares_in_numpy(sizes):
    logs = np.log(np.array(sizes))
    return logs[1:] - logs[0] + 1


def shares_in_a_loop(sizes):
    shares = torch.zeros(len(sizes) - 1)
    for k, size in enumerate(sizes[1:]):
        shares[k] = math.log(size) - math.log(sizes[0]) + 1.0
    return shares


def shares_of_weights(sizes):
    weights = torch.tensor(sizes) / sum(sizes)
    return torch.log(math.e * weights[1:] / weights[0])


def _logits(numbers):
    return torch.log(torch.as_tensor(numbers).double())


def shares_with_a_helper(sizes):
    logits = _logits(sizes)
    return (logits - (logits[0] - 1)).split([1, len(sizes) - 1])[1]


def shares_by_unpacking(sizes):
    residual, *rest = sizes
    return tuple(math.log(math.e * size / residual) for size in rest)


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
    "17.1": (step_short, step_by_numpy, step_vector_by_vector, step_by_jacobian, step_by_logsigmoid, step_by_products,
             step_by_tanh, step_by_autograd),
    "17.2": (evidence_short, evidence_by_distributions, evidence_in_a_loop, evidence_in_numpy,
             evidence_of_a_joint_gaussian, evidence_with_a_helper, evidence_by_gaussian_nll),
    "17.3": (shares_short, shares_in_torch, shares_in_numpy, shares_in_a_loop, shares_of_weights, shares_with_a_helper,
             shares_by_unpacking),
    "17.4": (departure_of_moments, departure_added, departure_in_numpy, departure_of_quantiles, departure_of_directions,
             departure_in_loops),
}  # fmt: skip
