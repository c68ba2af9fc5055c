"""Right answers to the exercises of lesson 02."""

import numpy as np
import torch
import torch.nn.functional as F


def step(logits):
    return torch.cumsum(torch.softmax(logits, dim=-1), dim=-1)


def falling(logits):
    return logits.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)


def falling_in_a_loop(logits):
    weights = logits.softmax(-1)
    out = torch.zeros(weights.shape)
    total = 0
    for r in reversed(range(weights.shape[-1])):
        total = total + weights[..., r]
        out[..., r] = total
    return out


def falling_by_matrix(logits):
    length = logits.shape[-1]
    lower = torch.ones(length, length, dtype=logits.dtype).tril()
    return F.softmax(logits, dim=-1) @ lower


def falling_in_numpy(logits):
    v = logits.numpy()
    e = np.exp(v - v.max(axis=-1, keepdims=True))
    return np.cumsum((e / e.sum(axis=-1, keepdims=True))[..., ::-1], axis=-1)[..., ::-1]


def falling_by_einsum(logits):
    later = torch.triu(torch.ones(logits.size(-1), logits.size(-1)))
    return torch.einsum("rs,...s->...r", later, logits.softmax(dim=-1).float())


def falling_from_the_rising_step(logits):
    weights = torch.softmax(logits, dim=-1)
    return 1 - weights.cumsum(dim=-1) + weights


def falling_one_position_later(logits):
    rising = step(logits)
    return 1 - torch.cat([torch.zeros_like(rising[..., :1]), rising[..., :-1]], dim=-1)


def falling_by_logs(logits):
    turned = torch.flip(logits, dims=(-1,))
    return torch.flip((torch.logcumsumexp(turned, -1) - turned.logsumexp(-1, keepdim=True)).exp(), (-1,))


def window_of_or(open_logits, close_logits):
    return 1 - (1 - step(open_logits)) * step(close_logits)


def window_of_inclusion(open_logits, close_logits):
    opened, left = step(open_logits), 1 - step(close_logits)
    return opened + left - opened * left


def window_in_numpy(open_logits, close_logits):
    def rise(v):
        e = np.exp(v.numpy())
        return np.cumsum(e / e.sum(-1, keepdims=True), -1)

    return 1 - (1 - rise(open_logits)) * rise(close_logits)


def window_row_by_row(open_logits, close_logits):
    shape = open_logits.shape
    out = torch.empty(shape).view(-1, shape[-1])
    for i, (a, b) in enumerate(zip(open_logits.reshape(-1, shape[-1]), close_logits.reshape(-1, shape[-1]))):
        out[i] = 1 - (1 - a.softmax(0).cumsum(0)) * b.softmax(0).cumsum(0)
    return out.view(shape)


def window_by_addcmul(open_logits, close_logits):
    closed = close_logits.softmax(dim=-1).cumsum(dim=-1)
    opened = open_logits.softmax(dim=-1).cumsum(dim=-1)
    return torch.addcmul(1 - closed, opened, closed)


def window_of_both_steps_at_once(open_logits, close_logits):
    opened, closed = torch.stack([open_logits, close_logits]).softmax(-1).cumsum(-1)
    return 1.0 - closed + opened * closed


def window_by_interpolation(open_logits, close_logits):
    return torch.lerp(torch.ones_like(open_logits), step(open_logits), step(close_logits))


def front_in_a_loop(masks):
    light, weights = torch.ones(masks.shape[0], 1, *masks.shape[2:]), []
    for i in range(masks.shape[1]):
        weights.append(masks[:, i : i + 1] * light)
        light = light * (1 - masks[:, i : i + 1])
    return torch.cat(weights, 1), light


def front_by_cumprod(masks):
    through = (1 - masks).cumprod(dim=1)
    before = torch.cat([torch.ones_like(masks[:, :1]), through[:, :-1]], dim=1)
    return masks * before, through[:, -1:]


def front_in_place_on_a_clone(masks):
    weights, ground = masks.clone(), torch.ones_like(masks[:, 0])
    for i in range(masks.size(1)):
        weights[:, i] *= ground
        ground *= 1 - masks[:, i]
    return weights, ground.unsqueeze(1)


def front_by_two_loops(masks):
    n = masks.shape[1]
    weights = torch.zeros_like(masks)
    for i in range(n):
        w = masks[:, i]
        for j in range(i):
            w = w * (1 - masks[:, j])
        weights[:, i] = w
    return weights, torch.prod(1 - masks, dim=1, keepdim=True)


def front_in_numpy(masks):
    m = masks.numpy()
    through = np.cumprod(1 - m, axis=1)
    shifted = np.concatenate([np.ones_like(m[:, :1]), through[:, :-1]], axis=1)
    return m * shifted, through[:, -1:]


def front_by_what_is_left(masks):
    left = F.pad((1 - masks).cumprod(1), (0, 0, 0, 0, 1, 0), value=1.0)
    return left[:, :-1] - left[:, 1:], left[:, -1:]


def front_as_a_list(masks):
    light = masks.new_ones(len(masks), 1, *masks.shape[-2:])
    parts = []
    for mask in masks.unbind(dim=1):
        mask = mask[:, None]
        parts += [light * mask]
        light = light - parts[-1]
    return [torch.cat(parts, dim=1), light]


def loss_one_minus_iou(mask, target):
    both = (mask * target).sum((1, 2))
    either = (mask + target - mask * target).sum((1, 2))
    return 1 - both / (either + 1e-6)


def loss_dice(mask, target):
    return 1 - 2 * (mask * target).flatten(1).sum(1) / (mask.flatten(1).sum(1) + target.flatten(1).sum(1) + 1e-6)


def loss_by_einsum(mask, target):
    both = torch.einsum("nij,nij->n", mask, target)
    return 1 - both / (mask.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1)) - both).clamp(min=1e-6)


def loss_in_a_loop(mask, target):
    losses = []
    for m, t in zip(mask, target):
        both = torch.sum(m * t)
        losses.append(1 - both / (torch.sum(m + t) - both + 1e-6))
    return torch.stack(losses)


def loss_negative_overlap(mask, target):
    both = torch.minimum(mask, target).mean(dim=(1, 2))
    return -both / torch.maximum(mask, target).mean(dim=(1, 2)).clamp_min(1e-6)


def loss_in_matrices(mask, target):
    m, t = mask.reshape(len(mask), 1, -1), target.reshape(len(target), -1, 1)
    both = (m @ t)[:, 0, 0]
    return 1 - both / (m.sum((1, 2)) + t.sum((1, 2)) - both + 1e-6)


def _mean_share(x):
    return x.mean(dim=(-1, -2))


def loss_with_a_helper(mask, target):
    missed, extra = _mean_share(target * (1 - mask)), _mean_share(mask * (1 - target))
    return (missed + extra) / (_mean_share(target) + extra).clamp(min=1e-6)


RIGHT = {
    "02.1": (falling, falling_in_a_loop, falling_by_matrix, falling_in_numpy, falling_by_einsum,
             falling_from_the_rising_step, falling_one_position_later, falling_by_logs),
    "02.2": (window_of_or, window_of_inclusion, window_in_numpy, window_row_by_row, window_by_addcmul,
             window_of_both_steps_at_once, window_by_interpolation),
    "02.3": (front_in_a_loop, front_by_cumprod, front_in_place_on_a_clone, front_by_two_loops, front_in_numpy,
             front_by_what_is_left, front_as_a_list),
    "02.4": (loss_one_minus_iou, loss_dice, loss_by_einsum, loss_in_a_loop, loss_negative_overlap, loss_in_matrices,
             loss_with_a_helper),
}  # fmt: skip
