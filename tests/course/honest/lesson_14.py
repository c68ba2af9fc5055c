"""Right answers to the exercises of lesson 14."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def axes_by_eigenvalues(covariance, resolution):
    return torch.linalg.eigvalsh(covariance).flip(-1).sqrt() * (resolution / 2)


def axes_in_numpy(covariance, resolution):
    values = np.linalg.eigvalsh(covariance.numpy().astype(float))[..., ::-1]
    return np.sqrt(values.copy()) * resolution / 2


def axes_by_singular_values(covariance, resolution):
    return torch.linalg.svdvals(covariance) ** 0.5 / (2 / resolution)


def axes_in_closed_form(covariance, resolution):
    a, b, d = covariance[:, :, 0, 0], covariance[:, :, 0, 1], covariance[:, :, 1, 1]
    half = (a + d) / 2
    root = torch.sqrt(half**2 - (a * d - b * b))
    return torch.sqrt(torch.stack((half + root, half - root), dim=2)) * resolution / 2


def axes_in_loops(covariance, resolution):
    out = []
    for picture in covariance:
        row = []
        for one in picture:
            (a, b), (_, d) = one.double().tolist()
            root = math.hypot((a - d) / 2, b)
            row.append([math.sqrt((a + d) / 2 + root) * resolution / 2, math.sqrt((a + d) / 2 - root) * resolution / 2])
        out.append(row)
    return out


def axes_by_turning(covariance, resolution):
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    angle = torch.atan2(2 * xy, xx - yy) / 2
    along = torch.stack([angle.cos(), angle.sin()], dim=-1)
    across = torch.stack([-angle.sin(), angle.cos()], dim=-1)
    variances = [torch.einsum("bki,bkij,bkj->bk", v, covariance, v) for v in (along, across)]
    return torch.stack(variances, dim=-1).sqrt() * resolution / 2


def axes_by_general_eigenvalues(covariance, resolution):
    values = torch.linalg.eigvals(covariance.double()).real
    return values.sort(dim=-1, descending=True).values.sqrt() * resolution / 2


def merged_by_einsum(mean, covariance, share):
    p = share / share.sum()
    m = torch.einsum("k,bki->bi", p, mean)
    second = torch.einsum("k,bkij->bij", p, covariance) + torch.einsum("k,bki,bkj->bij", p, mean, mean)
    return m, second - m[:, :, None] * m[:, None, :]


def merged_in_loops(mean, covariance, share):
    total = sum(share)
    middles, spreads = [], []
    for b in range(len(mean)):
        middle = sum(share[k] * mean[b, k] for k in range(len(share))) / total
        spread = torch.zeros_like(covariance[0, 0])
        for k in range(len(share)):
            away = mean[b, k] - middle
            spread = spread + share[k] / total * (covariance[b, k] + torch.outer(away, away))
        middles.append(middle)
        spreads.append(spread)
    return torch.stack(middles), torch.stack(spreads)


def merged_in_numpy(mean, covariance, share):
    m, c, p = (x.numpy().astype(float) for x in (mean, covariance, share))
    p = p / p.sum()
    middle = np.tensordot(m, p, axes=([1], [0]))
    away = m - middle[:, None]
    return middle, np.einsum("k,bkij->bij", p, c + away[..., None] * away[:, :, None])


def merged_by_matrix_products(mean, covariance, share):
    p = (share / share.sum()).view(1, -1, 1)
    middle = (p * mean).sum(1, keepdim=True)
    away = mean - middle
    return middle[:, 0], (p[..., None] * covariance).sum(1) + (p * away).transpose(1, 2) @ away


def merged_by_average(mean, covariance, share):
    weights = (share / share.sum())[None, :, None].expand_as(mean)
    middle = torch.sum(weights * mean, dim=1)
    rows = []
    for i in range(2):
        rows.append(
            torch.stack(
                [
                    (
                        weights[..., 0]
                        * (
                            covariance[..., i, j]
                            + (mean[..., i] - middle[:, None, i]) * (mean[..., j] - middle[:, None, j])
                        )
                    ).sum(1)
                    for j in range(2)
                ],
                dim=1,
            )
        )
    return middle, torch.stack(rows, dim=1)


def merged_two_at_a_time(mean, covariance, share):
    m, c, w = mean[:, 0], covariance[:, 0], share[0]
    for k in range(1, len(share)):
        both = w + share[k]
        away = mean[:, k] - m
        c = (w * c + share[k] * covariance[:, k]) / both
        c = c + (w * share[k] / both**2) * away[:, :, None] * away[:, None, :]
        m, w = m + share[k] / both * away, both
    return m, c


def change_by_einsum(before, after, footprint):
    energy = (after - before).pow(2).sum(1)
    return torch.einsum("nhw,nphw->p", energy, footprint) / energy.sum()


def change_in_a_loop(before, after, footprint):
    energy = ((after - before) ** 2).sum(dim=1)
    return torch.stack([(energy * footprint[:, p]).sum() for p in range(footprint.shape[1])]) / energy.sum()


def change_in_numpy(before, after, footprint):
    energy = np.square(after.numpy() - before.numpy()).sum(axis=1)
    return (energy[:, None] * footprint.numpy()).sum(axis=(0, 2, 3)) / energy.sum()


def change_by_matrix_product(before, after, footprint):
    energy = (before - after).square().sum(1).flatten()
    return footprint.movedim(1, 0).flatten(1) @ energy / energy.sum()


def change_picture_by_picture(before, after, footprint):
    totals = [0.0] * footprint.shape[1]
    for one, other, parts in zip(before, after, footprint, strict=True):
        energy = (other - one).double().square().sum(0)
        for p, part in enumerate(parts):
            totals[p] += float((energy * part.double()).sum())
    whole = float((after - before).double().square().sum())
    return [total / whole for total in totals]


def change_by_normalised_energy(before, after, footprint):
    energy = F.mse_loss(after, before, reduction="none").mean(dim=1, keepdim=True)
    share = energy / energy.sum()
    return (share * footprint).flatten(2).sum(dim=2).sum(dim=0)


def _pixels(one, other):
    return float((one - other).norm(dim=-1).mean()) * 16


def _nearest(landmarks):
    distances = torch.cdist(landmarks, landmarks)
    distances.diagonal(dim1=1, dim2=2).fill_(10.0)
    return float(distances.min(dim=2).values.mean()) * 16


def score_by_passing_all(landmarks, moved, recoloured):
    spread = float(landmarks.std(dim=0).norm(dim=1).mean()) * 16
    passed = [spread > 1.5, _nearest(landmarks) > 1.0, _pixels(moved, landmarks) < 1.0]
    return float(all(passed) and _pixels(recoloured, landmarks) < 0.7)


def score_by_the_worst(landmarks, moved, recoloured):
    spread = float(landmarks.var(dim=0).sum(dim=1).sqrt().mean()) * 16
    shares = (
        spread / 3,
        _nearest(landmarks) / 2,
        1.5 - _pixels(moved, landmarks),
        1.5 - _pixels(recoloured, landmarks),
    )
    return min(1.0, max(0.0, min(shares)))


def score_by_ratios(landmarks, moved, recoloured):
    spread = float(landmarks.var(dim=0).sum(dim=1).mean().sqrt()) * 16
    off, shift = _pixels(moved, landmarks), _pixels(recoloured, landmarks)
    apart = _nearest(landmarks)
    if spread < 1e-3 or apart < 1e-3:
        return 0.0
    return math.exp(-((off / 1.2) ** 2) - (shift / 1.2) ** 2 - (0.5 / spread) ** 2 - (0.5 / apart) ** 2)


def score_in_numpy(landmarks, moved, recoloured):
    seen, warped, coloured = (x.numpy().astype(float) * 16 for x in (landmarks, moved, recoloured))
    spread = np.sqrt(seen.var(axis=0).sum(axis=-1)).mean()
    off = np.linalg.norm(warped - seen, axis=-1).mean()
    shift = np.linalg.norm(coloured - seen, axis=-1).mean()
    between = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1)
    pairs = between[:, ~np.eye(seen.shape[1], dtype=bool)].mean()
    clip = lambda value: np.clip(value, 0.0, 1.0)  # noqa: E731
    return clip(spread / 2) * clip(pairs / 3) * clip(1.5 - off) * clip(1.5 - shift)


def score_in_steps(landmarks, moved, recoloured):
    score = 1.0
    if landmarks.var(dim=0).mean() < (0.5 / 16) ** 2:
        score = 0.0
    if (landmarks - landmarks.mean(dim=1, keepdim=True)).norm(dim=2).mean() < 1.5 / 16:
        score = 0.0
    for other in (moved, recoloured):
        if _pixels(other, landmarks) > 1.2:
            score *= 0.2
    return torch.tensor(score)


def score_by_explained_variance(landmarks, moved, recoloured):
    spread = landmarks.var(dim=0).sum()
    if spread == 0:
        return 0.0
    left = [(other - landmarks).square().sum(dim=2).mean(dim=0).sum() / spread for other in (moved, recoloured)]
    within = (landmarks - landmarks.mean(dim=1, keepdim=True)).square().sum(dim=2).mean()
    apart = min(1.0, float(within) / (2 / 16) ** 2)
    return apart * math.prod(max(0.0, 1 - 3 * float(share)) for share in left)


RIGHT = {
    "14.1": (axes_by_eigenvalues, axes_in_numpy, axes_by_singular_values, axes_in_closed_form, axes_in_loops,
             axes_by_turning, axes_by_general_eigenvalues),
    "14.2": (merged_by_einsum, merged_in_loops, merged_in_numpy, merged_by_matrix_products, merged_by_average,
             merged_two_at_a_time),
    "14.3": (change_by_einsum, change_in_a_loop, change_in_numpy, change_by_matrix_product, change_picture_by_picture,
             change_by_normalised_energy),
    "14.4": (score_by_passing_all, score_by_the_worst, score_by_ratios, score_in_numpy, score_in_steps,
             score_by_explained_variance),
}  # fmt: skip
