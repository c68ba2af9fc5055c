"""Right answers to the exercises of lesson 00."""

import numpy as np
import torch


def change_by_slices(frames):
    return (frames[:, 1:] - frames[:, :-1]).abs().mean((2, 3, 4)).sum(1)


def change_by_diff(frames):
    return frames.diff(dim=1).abs().flatten(2).mean(dim=2).sum(dim=1)


def change_in_loops(frames):
    result = torch.zeros(len(frames))
    for code, row in enumerate(frames):
        for before, after in zip(row[:-1], row[1:]):
            result[code] += (after - before).abs().mean()
    return result


def change_in_numpy(frames):
    steps = np.diff(frames.numpy(), axis=1)
    return np.abs(steps).mean(axis=(2, 3, 4)).sum(axis=1)


def change_as_a_list(frames):
    every = []
    for row in frames:
        every.append(sum(float((row[t] - row[t - 1]).abs().mean()) for t in range(1, len(row))))
    return every


def change_by_roll(frames):
    around = (frames - torch.roll(frames, shifts=1, dims=1)).abs()
    return around[:, 1:].sum(1).mean((1, 2, 3))


def _mean_difference(a, b):
    return torch.abs(a - b).mean(dim=[-3, -2, -1])


def change_with_a_helper(frames):
    total = 0
    for t in range(frames.size(1) - 1):
        total = total + _mean_difference(frames[:, t + 1], frames[:, t])
    return total


def share_short(before, after, threshold=0.1):
    return ((after - before).abs().amax(1) / 2 > threshold).float().mean((1, 2))


def share_by_max_values(before, after, threshold=0.1):
    moved, _ = torch.max(torch.abs(before - after), dim=1)
    return (moved > 2 * threshold).double().mean(dim=(-2, -1))


def share_by_any_channel(before, after, threshold=0.1):
    visible = (((before - after) / 2).abs() > threshold).any(dim=1)
    return visible.sum(dim=(1, 2)) / visible[0].numel()


def share_in_a_loop(before, after, threshold=0.1):
    shares = []
    for one, other in zip(before, after):
        difference = (other - one).abs().max(dim=0).values / 2
        shares.append((difference > threshold).float().mean())
    return torch.stack(shares)


def share_in_numpy(before, after, threshold=0.1):
    difference = np.abs(after.numpy() - before.numpy()).max(axis=1) / 2
    return (difference > threshold).mean(axis=(1, 2))


def share_pixel_by_pixel(before, after, threshold=0.1):
    n, channels, height, width = before.shape
    counts = [0] * n
    for i in range(n):
        for y in range(height):
            for x in range(width):
                counts[i] += any(abs(after[i, c, y, x] - before[i, c, y, x]) / 2 > threshold for c in range(channels))
    return torch.tensor(counts) / (height * width)


def share_by_where(before, after, threshold=0.1):
    top = torch.amax((after - before).abs() * 0.5, dim=1)
    return torch.where(top > threshold, 1.0, 0.0).mean(dim=(1, 2))


def edit_negative_corner(images):
    edited = images.clone()
    edited[:, :, :8, :8] = -edited[:, :, :8, :8]
    return edited


def edit_white_band(images):
    edited = images.clone()
    edited[:, :, 10:16] = 1.0
    return edited


def edit_by_mask(images):
    mask = torch.zeros(images.shape[-2:])
    mask[12:20, 12:20] = 1
    return images * (1 - mask) - mask


def edit_swaps_channels(images):
    edited = images.clone()
    edited[:, :, 4:18, 6:20] = images[:, [2, 0, 1], 4:18, 6:20]
    return edited


def edit_in_numpy(images):
    edited = images.numpy().copy()
    edited[..., -9:, -9:] = np.clip(edited[..., -9:, -9:] + 1, -1, 1)
    return edited


def edit_one_by_one(images):
    return torch.stack([torch.cat([image[:, :24], -image[:, 24:]], dim=1) for image in images])


def edit_flips_a_box(images):
    edited = torch.clone(images)
    edited[:, :, 8:24, 8:24] = torch.flip(images[:, :, 8:24, 8:24], dims=(2, 3))
    return edited


RIGHT = {
    "00.1": (change_by_slices, change_by_diff, change_in_loops, change_in_numpy, change_as_a_list, change_by_roll,
             change_with_a_helper),
    "00.2": (share_short, share_by_max_values, share_by_any_channel, share_in_a_loop, share_in_numpy,
             share_pixel_by_pixel, share_by_where),
    "00.3": (edit_negative_corner, edit_white_band, edit_by_mask, edit_swaps_channels, edit_in_numpy, edit_one_by_one,
             edit_flips_a_box),
}  # fmt: skip
