"""Right answers to the exercises of lesson 01."""

import math

import numpy as np
import torch


def footprint_of_ranges(variations, threshold):
    return (variations.amax(1) - variations.amin(1)).amax(1) / 2 > threshold


def footprint_of_any_channel(variations, threshold):
    high, low = variations.max(dim=1).values, variations.min(dim=1).values
    return ((high - low) > 2 * threshold).any(dim=1)


def footprint_of_all_pairs(variations, threshold):
    pairs = variations[:, :, None] - variations[:, None]
    return pairs.amax(dim=(1, 2, 3)) * 0.5 > threshold


def footprint_in_numpy(variations, threshold):
    return np.ptp(variations.numpy(), axis=1).max(axis=1) / 2 > threshold


def footprint_room_by_room(variations, threshold):
    result = torch.zeros(variations.shape[0], *variations.shape[3:], dtype=torch.bool)
    for i, room in enumerate(variations):
        result[i] = (room.max(0)[0] - room.min(0)[0]).max(0)[0].div(2).gt(threshold)
    return result


def footprint_by_aminmax(variations, threshold):
    low, high = torch.aminmax(variations, dim=1)
    return torch.gt(torch.amax(high - low, dim=1), threshold * 2)


def footprint_in_a_running_range(variations, threshold):
    low = high = variations[:, 0]
    for value in range(1, variations.shape[1]):
        low, high = torch.minimum(low, variations[:, value]), torch.maximum(high, variations[:, value])
    return ((high - low) / 2 > threshold).sum(dim=1) > 0


def matrix_entry_by_entry(d, i, j, degrees):
    a = math.radians(degrees)
    m = torch.eye(d)
    m[i, i], m[i, j], m[j, i], m[j, j] = math.cos(a), -math.sin(a), math.sin(a), math.cos(a)
    return m


def matrix_in_numpy(d, i, j, degrees):
    angle = np.deg2rad(degrees)
    m = np.eye(d)
    m[np.ix_([i, j], [i, j])] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return m


def matrix_from_lists(d, i, j, degrees):
    c, s = math.cos(degrees * math.pi / 180), math.sin(degrees * math.pi / 180)
    rows = [[1.0 if row == column else 0.0 for column in range(d)] for row in range(d)]
    rows[i][i] = rows[j][j] = c
    rows[i][j], rows[j][i] = -s, s
    return torch.tensor(rows)


def matrix_as_nested_lists(d, i, j, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    special = {(i, i): c, (j, j): c, (i, j): -s, (j, i): s}
    return [[float(special.get((r, k), r == k)) for k in range(d)] for r in range(d)]


def matrix_by_exponential(d, i, j, degrees):
    spin = torch.zeros(d, d, dtype=torch.float64)
    spin[i, j], spin[j, i] = -math.radians(degrees), math.radians(degrees)
    return torch.linalg.matrix_exp(spin)


def _turned(codes, i, j, degrees):
    angle = torch.deg2rad(torch.tensor(degrees))
    turned = codes.clone()
    turned[:, i] = angle.cos() * codes[:, i] - angle.sin() * codes[:, j]
    turned[:, j] = angle.sin() * codes[:, i] + angle.cos() * codes[:, j]
    return turned


def matrix_of_turned_axes(d, i, j, degrees):
    return _turned(torch.eye(d), i, j, degrees).T


def codes_leak_the_next(factors):
    return factors + 0.1 * factors.roll(1, dims=1)


def codes_leak_by_matrix(factors):
    mixing = torch.eye(6) + 0.05 * torch.eye(6).roll(1, dims=0)
    return factors.float() @ mixing


def codes_leak_in_a_loop(factors):
    codes = torch.zeros(len(factors), 6)
    for k in range(6):
        codes[:, k] = factors[:, k] + 0.1 * factors[:, (k + 1) % 6]
    return codes


def codes_in_numpy(factors):
    values = factors.numpy().astype(float)
    return values + 0.08 * np.roll(values, -1, axis=1)


def codes_of_all_factors(factors):
    scaled = factors.double() / factors.double().std(dim=0)
    return scaled + 0.02 * scaled.sum(dim=1, keepdim=True)


def codes_turned_a_little(factors):
    codes = factors / torch.tensor([9.0, 9, 9, 7, 3, 14]) * 2 - 1
    result = codes.clone()
    for i in range(0, 6, 2):
        result[:, i] = codes[:, i] * math.cos(0.2) - codes[:, i + 1] * math.sin(0.2)
        result[:, i + 1] = codes[:, i] * math.sin(0.2) + codes[:, i + 1] * math.cos(0.2)
    return result


RIGHT = {
    "01.1": (footprint_of_ranges, footprint_of_any_channel, footprint_of_all_pairs, footprint_in_numpy,
             footprint_room_by_room, footprint_by_aminmax, footprint_in_a_running_range),
    "01.2": (matrix_entry_by_entry, matrix_in_numpy, matrix_from_lists, matrix_as_nested_lists, matrix_by_exponential,
             matrix_of_turned_axes),
    "01.3": (codes_leak_the_next, codes_leak_by_matrix, codes_leak_in_a_loop, codes_in_numpy, codes_of_all_factors,
             codes_turned_a_little),
}  # fmt: skip
