"""Right answers to the exercises of lesson 06."""

import random

import numpy as np
import torch


def dice_short(a, b):
    return 2 * (a & b).sum((1, 2)) / (a.sum((1, 2)) + b.sum((1, 2))).clamp(min=1)


def dice_by_products(a, b):
    a, b = a.float(), b.float()
    return 2 * (a * b).sum(dim=(-2, -1)) / (a + b).sum(dim=(-2, -1)).clamp_min(1)


def dice_in_a_loop(a, b):
    values = []
    for one, other in zip(a, b):
        sizes = one.sum() + other.sum()
        values.append(2 * (one & other).sum() / sizes if sizes > 0 else torch.tensor(0.0))
    return torch.stack(values)


def dice_in_numpy(a, b):
    a, b = a.numpy(), b.numpy()
    sizes = a.sum(axis=(1, 2)) + b.sum(axis=(1, 2))
    return 2 * np.logical_and(a, b).sum(axis=(1, 2)) / np.maximum(sizes, 1)


def dice_from_iou(a, b):
    both, either = (a & b).flatten(1).sum(1), (a | b).flatten(1).sum(1)
    iou = both / either.clamp(min=1)
    return 2 * iou / (1 + iou)


def dice_as_a_list(a, b):
    result = []
    for i in range(a.shape[0]):
        both = int(torch.logical_and(a[i], b[i]).sum())
        sizes = int(a[i].sum()) + int(b[i].sum())
        result.append(0.0 if sizes == 0 else 2 * both / sizes)
    return result


def dice_by_nan_to_num(a, b):
    both = torch.einsum("nij,nij->n", a.float(), b.float())
    return torch.nan_to_num(2 * both / (a.float().sum((1, 2)) + b.float().sum((1, 2))))


def blend_change(before, after, mask):
    return before + mask[:, None] * (after - before)


def blend_two_parts(before, after, mask):
    m = mask.unsqueeze(1)
    return m * after + (1 - m) * before


def blend_lerp(before, after, mask):
    return torch.lerp(before, after, mask[:, None].expand_as(before))


def blend_in_a_loop(before, after, mask):
    pictures = []
    for old, new, m in zip(before, after, mask):
        pictures.append(old * (1 - m) + new * m)
    return torch.stack(pictures)


def blend_in_numpy(before, after, mask):
    m = mask.numpy()[:, np.newaxis]
    return (1 - m) * before.numpy() + m * after.numpy()


def blend_in_place_on_a_clone(before, after, mask):
    result = before.clone()
    for channel in range(before.shape[1]):
        result[:, channel] += mask * (after[:, channel] - before[:, channel])
    return result


def blend_by_einsum(before, after, mask):
    return torch.einsum("nchw,nhw->nchw", after, mask) + torch.einsum("nchw,nhw->nchw", before, 1 - mask)


def transfer_by_columns(target, source, positions):
    mixed = target.clone()
    mixed[:, positions] = source[:, positions]
    return mixed


def transfer_in_a_loop(target, source, positions):
    result = torch.empty_like(target)
    for k in range(target.shape[1]):
        result[:, k] = source[:, k] if k in positions else target[:, k]
    return result


def transfer_by_where(target, source, positions):
    chosen = torch.zeros(target.shape[1], dtype=torch.bool)
    chosen[positions] = True
    return torch.where(chosen, source, target)


def transfer_by_mask(target, source, positions):
    m = torch.tensor([1.0 if k in positions else 0.0 for k in range(target.size(1))])
    return target * (1 - m) + source * m


def transfer_in_numpy(target, source, positions):
    mixed = np.array(target)
    mixed[:, positions] = np.asarray(source)[:, positions]
    return mixed


def transfer_by_index_copy(target, source, positions):
    index = torch.tensor(positions)
    return target.index_copy(1, index, source.index_select(1, index))


def transfer_of_columns(target, source, positions):
    columns = [source[:, k] if k in set(positions) else column for k, column in enumerate(target.unbind(1))]
    return torch.stack(columns, dim=1)


def _iou(a, b):
    return float((a & b).sum()) / max(1, int((a | b).sum()))


def control_by_sorting(target, count, seed):
    generator = torch.Generator().manual_seed(seed)
    height, width = target.shape
    best = 0.0
    for _ in range(count):
        top, bottom = sorted(torch.randint(height + 1, (2,), generator=generator).tolist())
        left, right = sorted(torch.randint(width + 1, (2,), generator=generator).tolist())
        box = torch.zeros_like(target)
        box[top:bottom, left:right] = True
        best = max(best, _iou(box, target))
    return best


def control_in_numpy(target, count, seed):
    rng = np.random.default_rng(seed)
    t, best = np.asarray(target), 0.0
    for _ in range(count):
        box = np.zeros(t.shape, dtype=bool)
        r, c = np.sort(rng.integers(0, t.shape[0] + 1, 2)), np.sort(rng.integers(0, t.shape[1] + 1, 2))
        box[r[0] : r[1], c[0] : c[1]] = True
        best = max(best, (box & t).sum() / max(1, (box | t).sum()))
    return best


def control_with_random(target, count, seed):
    rng = random.Random(seed)
    values = [0.0]
    for _ in range(count):
        (a, b), (c, d) = (sorted(rng.sample(range(size + 1), 2)) for size in target.shape)
        box = torch.zeros(target.shape, dtype=torch.bool)
        box[a:b, c:d] = 1
        values.append(_iou(target, box))
    return max(values)


def control_all_at_once(target, count, seed):
    g = torch.Generator().manual_seed(seed)
    n = target.shape[0]
    ends = torch.randint(n + 1, (count, 2, 2), generator=g).sort(dim=2).values
    p = torch.arange(n)
    inside = (p >= ends[..., :1]) & (p < ends[..., 1:])
    boxes = inside[:, 0, :, None] & inside[:, 1, None, :]
    both, either = (boxes & target).sum((1, 2)), (boxes | target).sum((1, 2))
    return (both / either.clamp(min=1)).max().item()


def control_of_corners(target, count, seed):
    torch.manual_seed(seed)
    best = torch.tensor(0.0)
    for _ in range(count):
        y, x = torch.randint(target.shape[0], (2,)), torch.randint(target.shape[1], (2,))
        box = torch.zeros_like(target)
        box[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
        union = (box | target).sum()
        best = torch.maximum(best, (box & target).sum() / union)
    return best


def control_by_size_and_place(target, count, seed):
    rng = np.random.RandomState(seed)
    h, w = target.shape
    found = []
    for _ in range(count):
        height, width = rng.randint(1, h + 1), rng.randint(1, w + 1)
        top, left = rng.randint(0, h - height + 1), rng.randint(0, w - width + 1)
        box = torch.zeros(h, w, dtype=torch.bool)
        box[top : top + height, left : left + width] = True
        found.append(_iou(box, target))
    return np.max(found)


RIGHT = {
    "06.1": (dice_short, dice_by_products, dice_in_a_loop, dice_in_numpy, dice_from_iou, dice_as_a_list,
             dice_by_nan_to_num),
    "06.2": (blend_change, blend_two_parts, blend_lerp, blend_in_a_loop, blend_in_numpy, blend_in_place_on_a_clone,
             blend_by_einsum),
    "06.3": (transfer_by_columns, transfer_in_a_loop, transfer_by_where, transfer_by_mask, transfer_in_numpy,
             transfer_by_index_copy, transfer_of_columns),
    "06.4": (control_by_sorting, control_in_numpy, control_with_random, control_all_at_once, control_of_corners,
             control_by_size_and_place),
}  # fmt: skip
