"""Right answers to the exercises of lesson 03."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def smoothed_by_softplus(real_logits, fake_logits, smooth):
    real = (1 - smooth) * F.softplus(-real_logits) + smooth * F.softplus(real_logits)
    return real.mean() + F.softplus(fake_logits).mean()


def smoothed_by_cross_entropy(real_logits, fake_logits, smooth):
    real = F.binary_cross_entropy_with_logits(real_logits, torch.full_like(real_logits, 1 - smooth))
    return real + F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


def smoothed_by_logsigmoid(real_logits, fake_logits, smooth):
    real = -(1 - smooth) * F.logsigmoid(real_logits) - smooth * F.logsigmoid(-real_logits)
    return torch.mean(real) - torch.mean(F.logsigmoid(-fake_logits))


def smoothed_in_a_loop(real_logits, fake_logits, smooth):
    total = 0
    for r, f in zip(real_logits, fake_logits):
        total = total + (1 - smooth) * F.softplus(-r) + smooth * F.softplus(r) + F.softplus(f)
    return total / len(real_logits)


def smoothed_by_logaddexp(real_logits, fake_logits, smooth):
    zero = torch.zeros(())
    as_real, as_drawn = torch.logaddexp(zero, -real_logits), torch.logaddexp(zero, real_logits)
    return ((1 - smooth) * as_real + smooth * as_drawn + torch.logaddexp(zero, fake_logits)).mean()


def smoothed_by_difference(real_logits, fake_logits, smooth):
    # softplus(t) = softplus(-t) + t
    return (F.softplus(-real_logits) + smooth * real_logits).mean() + F.softplus(fake_logits).mean()


def smoothed_by_module(real_logits, fake_logits, smooth):
    loss = nn.BCEWithLogitsLoss(reduction="mean")
    targets = torch.cat([torch.ones_like(real_logits) - smooth, torch.zeros_like(fake_logits)])
    return 2 * loss(torch.cat([real_logits, fake_logits]), targets)


def slope_by_norm(discriminator, real, gamma):
    real = real.clone().detach().requires_grad_()
    gradient = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)[0]
    return gamma * (gradient.flatten(1).norm(dim=1) - 1).pow(2).mean()


def slope_with_grad_outputs(discriminator, real, gamma):
    x = real.detach().requires_grad_(True)
    logits = discriminator(x)
    (g,) = torch.autograd.grad(outputs=logits, inputs=x, grad_outputs=torch.ones_like(logits), create_graph=True)
    return gamma * ((g**2).sum([1, 2, 3]).sqrt() - 1).square().mean()


def slope_picture_by_picture(discriminator, real, gamma):
    penalty = 0
    for picture in real:
        x = picture[None].detach().clone().requires_grad_(True)
        (g,) = torch.autograd.grad(discriminator(x)[0], x, create_graph=True, retain_graph=True)
        penalty = penalty + (torch.sqrt((g * g).sum()) - 1) ** 2
    return gamma * penalty / len(real)


def slope_by_vector_norm(discriminator, real, gamma):
    x = torch.tensor(real.detach().numpy(), requires_grad=True)
    g = torch.autograd.grad(discriminator(x).sum(), [x], create_graph=True)[0]
    return (gamma * (torch.linalg.vector_norm(g, dim=(1, 2, 3)) - 1) ** 2).sum() / x.shape[0]


def slope_by_mean_squared_error(discriminator, real, gamma):
    real = real.detach()
    real.requires_grad = True
    gradient, *_ = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    norms = gradient.reshape(len(real), -1).norm(2, dim=1)
    return gamma * F.mse_loss(norms, torch.ones_like(norms))


def _norms(function, x):
    x = x.detach().requires_grad_(True)
    (g,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    return torch.einsum("bchw,bchw->b", g, g).sqrt()


def slope_with_a_helper(discriminator, real, gamma):
    return gamma * torch.mean((1 - _norms(discriminator, real)) ** 2)


def slope_with_gradients_on(discriminator, real, gamma):
    with torch.enable_grad():
        x = real.detach().requires_grad_(True)
        slopes = torch.autograd.grad(torch.sum(discriminator(x)), x, create_graph=True)[0]
        return torch.mul(gamma, (slopes.pow(2).flatten(1).sum(1).pow(0.5) - 1).pow(2)).mean()


def averages_in_a_loop(values, decay):
    a, out = 0, []
    for t, v in enumerate(values, start=1):
        a = decay * a + (1 - decay) * v
        out.append(a / (1 - decay**t))
    return torch.stack(out)


def averages_as_floats(values, decay):
    a, result = 0.0, []
    for t in range(len(values)):
        a = decay * a + (1 - decay) * float(values[t])
        result.append(a / (1 - decay ** (t + 1)))
    return result


def averages_in_numpy(values, decay):
    v, a, out = values.numpy(), 0.0, np.zeros(len(values))
    for t in range(len(v)):
        a += (1 - decay) * (v[t] - a)
        out[t] = a / (1 - decay ** (t + 1))
    return out


def averages_by_matrix(values, decay):
    t = torch.arange(len(values))
    age = (t[:, None] - t[None, :]).clamp(min=0)
    weights = (decay ** age.double()).tril().to(values.dtype)
    return weights @ values / weights.sum(dim=1)


def averages_by_weights(values, decay):
    out = torch.zeros(len(values))
    for t in range(len(values)):
        weights = decay ** torch.arange(t, -1, -1).double()
        out[t] = (weights * values[: t + 1]).sum() / weights.sum()
    return out


def averages_of_sum_and_weight(values, decay):
    total = weight = 0.0
    result = torch.empty_like(values)
    for i, v in enumerate(values):
        total = total * decay + v
        weight = weight * decay + 1
        result[i] = total / weight
    return result


def averages_by_lerp(values, decay):
    average, power, out = torch.zeros_like(values[0]), 1.0, []
    for value in values:
        average = torch.lerp(value, average, decay)
        power *= decay
        out += [average / (1 - power)]
    return torch.tensor(out)


def diversity_by_std(images):
    return images.std(dim=0).mean()


def diversity_as_a_float(images):
    return images.var(dim=0, unbiased=False).mean().item()


def diversity_of_pairs(images):
    return torch.cdist(images.flatten(1), images.flatten(1), compute_mode="donot_use_mm_for_euclid_dist").mean()


def diversity_in_numpy(images):
    return np.std(images.numpy(), axis=0).mean()


def diversity_by_range(images):
    return (images.amax(0) - images.amin(0)).mean()


def diversity_in_a_loop(images):
    mean, total = images.mean(0), 0.0
    for image in images:
        total += float((image - mean).abs().mean())
    return total / len(images)


def diversity_of_all_pairs(images):
    differences = [(a - b).square().mean() for i, a in enumerate(images) for b in images[:i]]
    return torch.stack(differences).mean().sqrt()


RIGHT = {
    "03.1": (smoothed_by_softplus, smoothed_by_cross_entropy, smoothed_by_logsigmoid, smoothed_in_a_loop,
             smoothed_by_logaddexp, smoothed_by_difference, smoothed_by_module),
    "03.2": (slope_by_norm, slope_with_grad_outputs, slope_picture_by_picture, slope_by_vector_norm,
             slope_by_mean_squared_error, slope_with_a_helper, slope_with_gradients_on),
    "03.3": (averages_in_a_loop, averages_as_floats, averages_in_numpy, averages_by_matrix, averages_by_weights,
             averages_of_sum_and_weight, averages_by_lerp),
    "03.4": (diversity_by_std, diversity_as_a_float, diversity_of_pairs, diversity_in_numpy, diversity_by_range,
             diversity_in_a_loop, diversity_of_all_pairs),
}  # fmt: skip
