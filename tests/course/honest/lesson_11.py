"""Right answers to the exercises of lesson 11."""

import numpy as np
import torch


def crop_by_slices(picture):
    return picture[:, 57:185, 25:153]


def crop_by_narrow(picture):
    return picture.narrow(1, 57, 128).narrow(2, 25, 128)


def crop_by_index_select(picture):
    return picture.index_select(1, torch.arange(57, 185)).index_select(2, torch.arange(25, 153))


def crop_in_numpy(picture):
    return np.array(picture)[..., 57 : 57 + 128, 25 : 25 + 128]


def crop_in_a_loop(picture):
    rows = []
    for y in range(57, 185):
        rows.append(picture[:, y, 25:153])
    return torch.stack(rows, dim=1)


def crop_from_the_end(picture):
    return picture[:, 57 : 218 - 33, 25 : 178 - 25].clone()


def crop_by_copying(picture):
    cropped = torch.empty(picture.shape[0], 128, 128)
    cropped[:] = picture[..., 57:185, 25:153]
    return cropped


def mirror_by_where(images, coins):
    return torch.where(coins[:, None, None, None], images.flip(-1), images)


def mirror_in_a_loop(images, coins):
    return torch.stack([torch.fliplr(x.movedim(0, -1)).movedim(-1, 0) if c else x for x, c in zip(images, coins)])


def mirror_in_place_on_a_clone(images, coins):
    turned = images.clone()
    turned[coins] = images[coins].flip(dims=(3,))
    return turned


def mirror_in_numpy(images, coins):
    x = images.numpy().copy()
    for i in range(len(x)):
        if coins[i]:
            x[i] = x[i, :, :, ::-1]
    return x


def mirror_by_weights(images, coins):
    c = coins.view(-1, 1, 1, 1).to(images.dtype)
    return c * torch.flip(images, dims=[3]) + (1 - c) * images


def mirror_by_gather(images, coins):
    width = images.shape[-1]
    columns = torch.where(coins[:, None], torch.arange(width - 1, -1, -1), torch.arange(width))
    return images.gather(3, columns[:, None, None, :].expand_as(images))


def mirror_as_batches(images, coins):
    parts = []
    for picture, coin in zip(images.split(1), coins.tolist()):
        parts.append(picture.flip(3) if coin else picture)
    return torch.cat(parts, dim=0)


def share_short(drawn, wanted):
    return (1 - (drawn - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()).item()


def share_in_numpy(drawn, wanted):
    d, w = drawn.numpy(), wanted.numpy()
    return 1 - ((d - w) ** 2).sum() / ((w - w.mean(axis=0, keepdims=True)) ** 2).sum()


def share_of_means(drawn, wanted):
    error = torch.nn.functional.mse_loss(drawn, wanted)
    return 1 - error / wanted.var(dim=0, unbiased=False).mean()


def share_in_a_loop(drawn, wanted):
    mean, left, whole = wanted.mean(dim=0), 0.0, 0.0
    for d, w in zip(drawn, wanted):
        left += ((d - w) ** 2).sum().item()
        whole += ((mean - w) ** 2).sum().item()
    return 1 - left / whole


def share_of_flat_vectors(drawn, wanted):
    d, w = drawn.flatten(1), wanted.flatten(1)
    centred = w - w.mean(dim=0, keepdim=True)
    return 1 - (torch.linalg.norm(d - w) / torch.linalg.norm(centred)) ** 2


def _squares(x):
    return torch.einsum("nchw,nchw->", x, x)


def share_with_a_helper(drawn, wanted):
    return float((_squares(wanted - wanted.mean(0)) - _squares(drawn - wanted)) / _squares(wanted - wanted.mean(0)))


def nearest_by_cdist(drawn, pictures):
    distances = torch.cdist(drawn.flatten(1), pictures.flatten(1))
    found = distances.min(dim=1)
    return found.indices, found.values


def nearest_in_loops(drawn, pictures):
    where, how_far = [], []
    for d in drawn:
        distances = torch.stack([(d - p).square().mean() for p in pictures])
        where.append(distances.argmin())
        how_far.append(distances.min().sqrt())
    return torch.stack(where), torch.stack(how_far)


def nearest_by_broadcasting(drawn, pictures):
    distances = (drawn[:, None] - pictures[None]).abs().mean(dim=(2, 3, 4))
    values, indices = torch.min(distances, dim=1)
    return indices, values


def nearest_in_numpy(drawn, pictures):
    d, p = drawn.numpy().reshape(len(drawn), -1), pictures.numpy().reshape(len(pictures), -1)
    distances = np.stack([np.linalg.norm(p - one, axis=1) for one in d])
    return distances.argmin(axis=1), distances.min(axis=1)


def nearest_by_products(drawn, pictures):
    d, p = drawn.flatten(1).double(), pictures.flatten(1).double()
    squares = (d**2).sum(1)[:, None] + (p**2).sum(1)[None] - 2 * d @ p.T
    best = squares.clamp(min=0).min(1)
    return best.indices, best.values / d.shape[1]


def nearest_by_topk(drawn, pictures):
    distances = torch.cdist(drawn.reshape(len(drawn), -1), pictures.reshape(len(pictures), -1), p=1.0)
    values, indices = distances.topk(1, largest=False)
    return indices[:, 0], values[:, 0]


def nearest_one_by_one(drawn, pictures):
    positions = torch.zeros(len(drawn), dtype=torch.long)
    lengths = torch.zeros(len(drawn))
    for i in range(len(drawn)):
        norms = (pictures - drawn[i]).flatten(1).norm(dim=1)
        positions[i] = torch.argmin(norms)
        lengths[i] = norms[positions[i]]
    return positions, lengths


RIGHT = {
    "11.1": (crop_by_slices, crop_by_narrow, crop_by_index_select, crop_in_numpy, crop_in_a_loop, crop_from_the_end,
             crop_by_copying),
    "11.2": (mirror_by_where, mirror_in_a_loop, mirror_in_place_on_a_clone, mirror_in_numpy, mirror_by_weights,
             mirror_by_gather, mirror_as_batches),
    "11.3": (share_short, share_in_numpy, share_of_means, share_in_a_loop, share_of_flat_vectors, share_with_a_helper),
    "11.4": (nearest_by_cdist, nearest_in_loops, nearest_by_broadcasting, nearest_in_numpy, nearest_by_products,
             nearest_by_topk, nearest_one_by_one),
}  # fmt: skip
