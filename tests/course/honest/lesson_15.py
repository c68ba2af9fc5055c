"""Right answers to the exercises of lesson 15."""

from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F


def colours_in_loops(images, slots, n):
    result = torch.zeros(images.shape[0], n, 3)
    for b in range(images.shape[0]):
        for p in range(n):
            count = int((slots[b] == p).sum())
            for c in range(3):
                if count > 0:
                    result[b, p, c] = images[b, c][slots[b] == p].sum() / count
    return result


def colours_in_numpy(images, slots, n):
    x, s = images.numpy(), slots.numpy()
    out = np.zeros((len(x), n, 3))
    for b, p in np.ndindex(len(x), n):
        inside = s[b] == p
        if inside.any():
            out[b, p] = x[b][:, inside].mean(axis=1)
    return out


def colours_by_einsum(images, slots, n):
    masks = F.one_hot(slots, n).to(images)
    return torch.einsum("bchw,bhwp->bpc", images, masks) / masks.sum((1, 2)).clamp(min=1).unsqueeze(-1)


def colours_by_index_add(images, slots, n):
    flat = images.flatten(2).transpose(1, 2)
    out = []
    for pixels, labels in zip(flat, slots.flatten(1), strict=True):
        total = torch.zeros(n, 3, dtype=images.dtype).index_add_(0, labels, pixels)
        out.append(total / torch.bincount(labels, minlength=n).clamp(min=1)[:, None])
    return torch.stack(out)


def colours_by_scatter_mean(images, slots, n):
    index = slots.flatten(1)[..., None].expand(-1, -1, 3)
    start = torch.zeros(len(images), n, 3, dtype=images.dtype)
    return start.scatter_reduce(1, index, images.flatten(2).mT, "mean", include_self=False)


def colours_with_where(images, slots, n):
    masks = torch.stack([(slots == p).to(images.dtype) for p in range(n)], dim=1)
    sums = (images[:, None] * masks[:, :, None]).sum(dim=(-2, -1))
    counts = masks.sum(dim=(-2, -1))[..., None]
    return torch.where(counts > 0, sums / counts.clamp(min=0.5), torch.zeros_like(sums))


def colours_nan_to_num(images, slots, n):
    masks = torch.eye(n, dtype=images.dtype)[slots]
    sums = masks.flatten(1, 2).mT @ images.flatten(2).mT
    return torch.nan_to_num(sums / masks.sum((1, 2))[:, :, None], nan=0.0)


def matching_by_scipy(shared):
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-shared.numpy().astype(float))
    out = np.zeros(len(shared), dtype=int)
    out[rows] = columns
    return out


def matching_by_permutations(shared):
    slots, parts = shared.shape
    best = max(permutations(range(slots), parts), key=lambda order: sum(shared[s, p] for p, s in enumerate(order)))
    return [best.index(slot) if slot in best else 0 for slot in range(slots)]


def matching_of_a_square(shared):
    slots, parts = shared.shape
    square = F.pad(shared, (0, slots - parts))  # columns without a part cost nothing
    best, answer = -1, None
    for order in permutations(range(slots)):
        total = square[torch.arange(slots), list(order)].sum()
        if total > best:
            best, answer = total, order
    return torch.tensor([part if part < parts else 0 for part in answer])


def matching_by_recursion(shared):
    table = shared.tolist()

    def best(part, free):
        if part == len(table[0]):
            return 0, {}
        tried = []
        for slot in free:
            value, rest = best(part + 1, free - {slot})
            tried.append((value + table[slot][part], {slot: part, **rest}))
        return max(tried, key=lambda pair: pair[0])

    named = best(0, frozenset(range(len(table))))[1]
    return torch.tensor([named.get(slot, 0) for slot in range(len(table))])


def matching_by_subsets(shared):
    states = {frozenset(): (0.0, ())}
    for part in range(shared.shape[1]):
        following = {}
        for used, (value, order) in states.items():
            for slot in set(range(len(shared))) - used:
                candidate = (value + float(shared[slot, part]), (*order, slot))
                key = used | {slot}
                if key not in following or candidate[0] > following[key][0]:
                    following[key] = candidate
        states = following
    _, order = max(states.values())
    answer = torch.zeros(len(shared), dtype=torch.int64)
    answer[list(order)] = torch.arange(shared.shape[1])
    return answer


def matching_of_all_orders_at_once(shared):
    slots, parts = shared.shape
    orders = torch.tensor(list(permutations(range(slots), parts)))
    order = orders[shared[orders, torch.arange(parts)].sum(dim=1).argmax()].tolist()
    answer = [0] * slots
    for part, slot in enumerate(order):
        answer[slot] = part
    return answer


def _pixel(value, side):
    return min(side - 1, max(0, int((float(value) + 1) * side / 2)))


def same_in_loops(slots, joints):
    from collections import Counter

    side, shares = slots.shape[1], []
    for j in range(joints.shape[1]):
        seen = [int(slots[i, _pixel(joints[i, j, 1], side), _pixel(joints[i, j, 0], side)]) for i in range(len(slots))]
        shares.append(Counter(seen).most_common(1)[0][1] / len(seen))
    return torch.tensor(shares)


def same_in_numpy(slots, joints):
    s, side = slots.numpy(), slots.shape[-1]
    place = np.clip(((joints.numpy() + 1) / 2 * side).astype(int), 0, side - 1)
    hit = s[np.arange(len(s))[:, None], place[..., 1], place[..., 0]]
    return np.array([np.bincount(column).max() for column in hit.T]) / len(s)


def same_by_gather(slots, joints):
    side = slots.shape[-1]
    x, y = ((joints + 1) * side / 2).floor().clamp(0, side - 1).long().unbind(-1)
    hit = slots.flatten(1).gather(1, y * side + x)
    return F.one_hot(hit).float().mean(dim=0).amax(dim=-1)


def same_by_unique(slots, joints):
    side = slots.shape[-1]
    place = torch.floor((joints + 1) / 2 * side).clamp(0, side - 1).int()
    out = []
    for j in range(joints.shape[1]):
        column = torch.stack([slots[i, place[i, j, 1], place[i, j, 0]] for i in range(len(slots))])
        out.append(torch.unique(column, return_counts=True)[1].max().item() / len(column))
    return out


def same_by_comparison(slots, joints):
    side = slots.shape[-1]
    place = (((joints + 1) / 2) * side).long().clamp(min=0, max=side - 1)
    hit = slots[torch.arange(len(slots)).unsqueeze(1), place[:, :, 1], place[:, :, 0]]
    alike = hit[:, None] == hit[None]  # [n, n, J]: the most frequent slot agrees with most pictures
    return alike.double().mean(dim=0).amax(dim=0)


def same_by_grid_sample(slots, joints):
    at = joints.clamp(-0.9999, 0.9999)[:, :, None].float()
    hit = F.grid_sample(slots[:, None].float(), at, mode="nearest", align_corners=False)[:, 0, :, 0].round().long()
    return torch.stack([(column == column.mode()[0]).float().mean() for column in hit.T])


def penalty_by_moments(mask):
    side = mask.shape[-1]
    y, x = torch.meshgrid(torch.arange(side, dtype=mask.dtype), torch.arange(side, dtype=mask.dtype), indexing="ij")
    area = mask.sum() + 1e-4
    cx, cy = (mask * x).sum() / area, (mask * y).sum() / area
    return (mask * ((x - cx) ** 2 + (y - cy) ** 2)).sum() / area**2


def penalty_by_edge_and_area(mask):
    padded = F.pad(mask, (1, 1, 1, 1))
    across, down = padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]
    edge = (across**2 + down**2 + 1e-6).sqrt().sum() - 1e-3 * across.numel()
    return edge / (mask.sum() + 1e-3).sqrt()


def penalty_by_squared_edge(mask):
    edge = (mask[1:] - mask[:-1]).abs().sum() + (mask[:, 1:] - mask[:, :-1]).abs().sum()
    return edge**2 / (mask.sum() + 0.01)


def penalty_by_covariance(mask):
    side = mask.shape[0]
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side)).to(mask.dtype)
    weights = mask.flatten() / (mask.sum() + 1e-6)
    centred = places - weights @ places
    covariance = (weights[:, None] * centred).T @ centred
    return covariance.diagonal().sum() / (1e-3 + mask.sum())


def penalty_in_loops(mask):
    side = mask.shape[-1]
    area = 1e-4 + sum(mask[i].sum() for i in range(side))
    total = 0.0
    for lines in (mask.sum(0), mask.sum(1)):
        middle = sum(k * lines[k] for k in range(side)) / area
        for k in range(side):
            total = total + lines[k] * (k - middle) ** 2
    return total / area / area


def penalty_of_pairs(mask):
    side = mask.shape[-1]
    lines = torch.arange(side, dtype=mask.dtype)
    apart = (lines[:, None] - lines[None]).square()
    x, y = mask.sum(dim=0), mask.sum(dim=1)
    total = mask.sum() + 1e-3
    return (x @ apart @ x + y @ apart @ y) / total**3


RIGHT = {
    "15.1": (
        colours_in_loops,
        colours_in_numpy,
        colours_by_einsum,
        colours_by_index_add,
        colours_by_scatter_mean,
        colours_with_where,
        colours_nan_to_num,
    ),
    "15.2": (
        matching_by_scipy,
        matching_by_permutations,
        matching_of_a_square,
        matching_by_recursion,
        matching_by_subsets,
        matching_of_all_orders_at_once,
    ),
    "15.3": (
        same_in_loops,
        same_in_numpy,
        same_by_gather,
        same_by_unique,
        same_by_comparison,
        same_by_grid_sample,
    ),
    "15.4": (
        penalty_by_moments,
        penalty_by_edge_and_area,
        penalty_by_squared_edge,
        penalty_by_covariance,
        penalty_in_loops,
        penalty_of_pairs,
    ),
}
