"""Right answers to the exercises as a learner would write them, under the names that the lessons' stubs have.

`make release` puts them into the instructor's copies. They call nothing of wwlib: that would not be an answer.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def change_along_rows(frames):
    steps = (frames[:, 1:] - frames[:, :-1]).abs()
    return steps.mean(dim=(2, 3, 4)).sum(dim=1)


def share_of_changed_pixels(before, after, threshold=0.1):
    difference = (after - before).abs().amax(dim=1) / 2
    return (difference > threshold).to(before.dtype).mean(dim=(1, 2))


def footprint(variations, threshold):
    span = variations.amax(dim=1) - variations.amin(dim=1)
    return span.amax(dim=1) / 2 > threshold


def rotate(codes, i, j, degrees):
    angle = math.radians(degrees)
    turned = codes.clone()
    turned[:, i] = math.cos(angle) * codes[:, i] - math.sin(angle) * codes[:, j]
    turned[:, j] = math.sin(angle) * codes[:, i] + math.cos(angle) * codes[:, j]
    return turned


def my_cumax(logits):
    return logits.softmax(dim=-1).cumsum(dim=-1)


def my_window(open_logits, close_logits):
    opened = open_logits.softmax(dim=-1).cumsum(dim=-1)
    closed = close_logits.softmax(dim=-1).cumsum(dim=-1)
    return opened * (1 - closed)


def my_compositing(masks):
    weights, ground = [], torch.ones_like(masks[:, :1])
    for mask in masks.flip(1).split(1, dim=1):  # from the last painted to the first
        weights.append(mask * ground)
        ground = ground * (1 - mask)
    return torch.cat(weights[::-1], dim=1), ground


def my_generator_loss(fake_logits):
    return F.softplus(-fake_logits).mean()


def my_r1(discriminator, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()


def my_average(average, current, decay):
    return decay * average + (1 - decay) * current


def my_perturb(codes, k, p):
    return codes + p[:, None] * F.one_hot(k, codes.shape[1])


def my_ps_loss(codes, perturbed, k, recognised, recognised_perturbed):
    moved = F.one_hot(k, codes.shape[1]).bool()
    mean = (recognised + recognised_perturbed) / 2
    first = torch.where(moved, recognised, mean)
    second = torch.where(moved, recognised_perturbed, mean)
    errors = (codes - first).square() + (perturbed - second).square()
    return errors.sum(dim=1).mean() / 2


def expected_start(d, scale):
    return d + scale**2 / 2


def my_ema_decay(batch, half_life):
    return 0.5 ** (batch / half_life)


def my_count(modules):
    parts = [module.split("-") for module in modules if module.startswith("C_")]
    return sum(int(part[-1]) for part in parts)


def my_iou(a, b):
    both, either = (a & b).sum(dim=(1, 2)), (a | b).sum(dim=(1, 2))
    return both / either.clamp(min=1)


def my_blend(before, after, mask):
    return before + mask[:, None] * (after - before)


def my_transfer(target, source, positions):
    mixed = target.clone()
    mixed[:, positions] = source[:, positions]
    return mixed


def my_gaps(information, entropy):
    best = information.sort(dim=0, descending=True).values
    return (best[0] - best[1]) / entropy


def my_disentanglement(importances):
    importances = importances.double()
    shares = importances / importances.sum(dim=1, keepdim=True)
    entropy = -(shares * (shares + 1e-11).log()).sum(dim=1) / math.log(importances.shape[1])
    weights = importances.sum(dim=1) / importances.sum()
    return float((weights * (1 - entropy)).sum())


def my_vote_accuracy(train, test):
    majority = train.argmax(dim=0)
    right = test[majority, torch.arange(test.shape[1])].sum()
    return float(right / test.sum())


def my_length(embedded):
    return (embedded[1:] - embedded[:-1]).square().sum()


def my_tpl(every, threshold):
    lengths = every.mean(dim=0)
    return float(lengths[lengths >= threshold].sum())


def my_choice(tpl, active, least):
    return int(torch.where(active >= least, tpl, torch.inf).argmin())


def my_spearman(first, second):
    ranks = [values.argsort().argsort().double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def my_agreement(relation):
    rows = relation.max(dim=1).values ** 2 / relation.sum(dim=1)
    columns = relation.max(dim=0).values ** 2 / relation.sum(dim=0)
    return float((rows.mean() + columns.mean()) / 2)


def my_gap(first, second):
    return float(first.min() - second.max())


def my_above_everywhere(iou, share):
    return ((iou - share) / (1 - share)).clamp(min=0)


def my_crop(picture):
    return picture[:, 57:185, 25:153]


def my_mirror(images, coins):
    return torch.where(coins[:, None, None, None], images.flip(-1), images)


def my_share(drawn, wanted):
    mean_picture = wanted.mean(dim=0, keepdim=True)
    left = (drawn - wanted).square().sum() / (mean_picture - wanted).square().sum()
    return 1 - left.item()


def my_half_step(w, raw_scale, shift):
    log_scale = raw_scale.tanh()
    return w * log_scale.exp() + shift, log_scale.sum(dim=1)


def my_pair_nll(v_a, v_b, logdet_a, logdet_b, shared, rho):
    a, b = v_a[:, shared], v_b[:, shared]
    rest = torch.cat([v_b[:, : shared.start], v_b[:, shared.stop :]], dim=1)
    left = 1 - rho**2
    squares = v_a.square().sum(dim=1) + rest.square().sum(dim=1) + (b - rho * a).square().sum(dim=1) / left
    constant = v_a.shape[1] * math.log(2 * math.pi) + a.shape[1] * math.log(left) / 2
    return (squares / 2 + constant - logdet_a - logdet_b).mean()


def my_block_sizes(shares, dim):
    weights = torch.cat([torch.ones_like(shares[:1]), shares]).softmax(dim=0)
    sizes = (weights[1:] * dim).floor().int().tolist()
    return [dim - sum(sizes), *sizes]


def my_explained_share(concepts):
    within = concepts.var(dim=1).mean(dim=0).sum()
    total = concepts.flatten(0, 1).var(dim=0, correction=0).sum()
    return float(1 - within / total)


def my_attack(images, gradient, epsilon):
    return (images + epsilon * gradient.sign()).clamp(-1, 1)


def my_value_entropy(values, size):
    shares = values.flatten().bincount(minlength=size) / values.numel()
    return -torch.xlogy(shares, shares).sum()


def my_retell(z, old_mean, old_spread, new_mean, new_spread):
    residual = (z - old_mean) / old_spread
    return residual * new_spread + new_mean


def my_mean_kl(means, spreads):
    nats = (means.square() + spreads.square() - 1) / 2 - spreads.log()
    return nats.sum(dim=1).mean()


def my_within_and_total(codes):
    within = codes.var(dim=1, correction=0).mean().sqrt()
    total = codes.flatten(0, 1).var(dim=0, correction=0).mean().sqrt()
    return within.item(), total.item()


def my_hard(logits):
    classes = F.one_hot(logits.argmax(dim=1), logits.shape[1])
    return classes.movedim(-1, 1).float()


def my_two_maps(z, mean, spread, common):
    logdet = torch.linalg.slogdet(common).logabsdet - spread.log().sum(dim=1)
    return ((z - mean) / spread) @ common.t(), logdet


def my_within_variance(features):
    return float(features.var(dim=1).sum(dim=1).mean())
