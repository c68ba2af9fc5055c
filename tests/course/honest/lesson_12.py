"""Right answers to the exercises of lesson 12."""

import math

import numpy as np
import torch


def prior_short(mean, log_variance):
    middle = mean.mean(dim=0)
    return middle, (log_variance.exp().mean(dim=0) + (mean - middle).square().mean(dim=0)).log()


def prior_by_var(mean, log_variance):
    return mean.mean(0), torch.log(log_variance.exp().mean(0) + mean.var(0, unbiased=False))


def prior_in_numpy(mean, log_variance):
    m, v = mean.numpy(), np.exp(log_variance.numpy())
    return m.mean(axis=0), np.log(v.mean(axis=0) + m.var(axis=0))


def prior_in_loops(mean, log_variance):
    n, d = mean.shape
    middles, logs = [], []
    for k in range(d):
        middle = sum(float(x) for x in mean[:, k]) / n
        variance = (
            sum(math.exp(float(v)) + (float(m) - middle) ** 2 for m, v in zip(mean[:, k], log_variance[:, k])) / n
        )
        middles.append(middle)
        logs.append(math.log(variance))
    return torch.tensor(middles), torch.tensor(logs)


def prior_by_second_moment(mean, log_variance):
    middle = mean.mean(dim=0)
    second = (log_variance.exp() + mean**2).mean(dim=0)
    return [middle, (second - middle**2).log()]


def _moments(values):
    return values.mean(dim=0), ((values - values.mean(dim=0)) ** 2).mean(dim=0)


def prior_with_a_helper(mean, log_variance):
    middle, spread = _moments(mean)
    return middle, (spread + log_variance.exp().mean(dim=0)).log()


def beta_short(progress, cycles, beta):
    return beta * min(1.0, 2 * (progress * cycles % 1))


def beta_by_floor(progress, cycles, beta):
    turns = progress * cycles
    within = turns - math.floor(turns)
    return beta if within >= 0.5 else beta * within / 0.5


def beta_by_length(progress, cycles, beta):
    length = 1 / cycles
    return beta * min(1, math.fmod(progress, length) / (length / 2))


def beta_in_numpy(progress, cycles, beta):
    return np.clip(2 * np.mod(progress * cycles, 1), 0, 1) * beta


def beta_in_torch(progress, cycles, beta):
    return beta * torch.clamp(2 * torch.frac(torch.tensor(progress * cycles, dtype=torch.float64)), max=1.0)


def beta_by_interpolation(progress, cycles, beta):
    return float(np.interp((progress * cycles) % 1, [0, 0.5, 1], [0, beta, beta]))


def weight_short(footprint):
    area = footprint.sum(dim=(2, 3), keepdim=True)
    weight = (footprint / area.clamp_min(1e-9)).sum(dim=1, keepdim=True)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


def weight_in_numpy(footprint):
    f = footprint.numpy()
    area = f.sum(axis=(2, 3), keepdims=True)
    weight = np.divide(f, area, out=np.zeros_like(f), where=area > 0).sum(axis=1, keepdims=True)
    return weight / weight.mean(axis=(2, 3), keepdims=True)


def weight_in_loops(footprint):
    result = torch.zeros_like(footprint[:, :1])
    for n, picture in enumerate(footprint):
        for part in picture:
            if part.sum() > 0:
                result[n, 0] += part / part.sum()
        result[n] /= result[n].mean()
    return result


def weight_by_einsum(footprint):
    area = torch.einsum("bphw->bp", footprint)
    inverse = torch.where(area > 0, 1 / area, torch.zeros_like(area))
    weight = torch.einsum("bphw,bp->bhw", footprint, inverse)
    return (weight / weight.mean(dim=(1, 2))[:, None, None]).unsqueeze(1)


def weight_without_nan(footprint):
    weight = (footprint / footprint.sum((-2, -1), keepdim=True)).nan_to_num(0).sum(1, keepdim=True)
    return weight / weight.mean((-2, -1), keepdim=True)


def weight_from_counting(footprint):
    area = footprint.sum(dim=(2, 3), keepdim=True)
    shown = (area > 0).sum(dim=1, keepdim=True)  # each part brings 1, so the sum of all is their number
    pixels = footprint.shape[2] * footprint.shape[3]
    return (footprint / (area + (area == 0))).sum(dim=1, keepdim=True) * pixels / shown


def _mean_colours(images, footprint):
    area = footprint.sum(dim=(2, 3)).clamp_min(1e-6)
    return torch.einsum("nchw,nphw->npc", images, footprint) / area[:, :, None]


def score_of_worst_part(drawn, answer, footprint):
    seen, true = _mean_colours(drawn, footprint), _mean_colours(answer, footprint)
    missed = ((seen - true) ** 2).sum(dim=(0, 2)) / ((true - true.mean(dim=0)) ** 2).sum(dim=(0, 2))
    return float((1 - missed).min().clamp(min=0))


def score_in_numpy(drawn, answer, footprint):
    d, a, f = drawn.numpy(), answer.numpy(), footprint.numpy()
    worst = 1.0
    for part in range(f.shape[1]):
        mask = f[:, part, None]
        area = mask.sum(axis=(1, 2, 3)) + 1e-6
        seen = (d * mask).sum(axis=(2, 3)) / area[:, None]
        true = (a * mask).sum(axis=(2, 3)) / area[:, None]
        worst = min(worst, 1 - ((seen - true) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum())
    return max(0.0, worst)


def score_in_loops(drawn, answer, footprint):
    worst = 1.0
    for part in range(footprint.shape[1]):
        errors, colours = [], []
        for d, a, f in zip(drawn, answer, footprint[:, part]):
            if f.sum() >= 1:
                colour = (a * f).sum(dim=(1, 2)) / f.sum()
                colours.append(colour)
                errors.append((((d * f).sum(dim=(1, 2)) / f.sum()) - colour).square().sum())
        colours = torch.stack(colours)
        worst = min(worst, 1 - float(sum(errors) / (colours - colours.mean(0)).square().sum()))
    return max(worst, 0)


def score_pixel_by_pixel(drawn, answer, footprint):
    # squared error inside each part, over the error of one grey value for that part
    worst = 1.0
    for part in range(footprint.shape[1]):
        mask = footprint[:, part : part + 1]
        middle = (answer * mask).sum(dim=(0, 2, 3), keepdim=True) / mask.sum()
        missed = ((drawn - answer) ** 2 * mask).sum() / ((answer - middle) ** 2 * mask).sum()
        worst = min(worst, 1 - float(missed))
    return max(worst, 0.0)


def score_by_share_of_good_parts(drawn, answer, footprint):
    # the part whose colour is right in the fewest pictures
    seen, true = _mean_colours(drawn, footprint), _mean_colours(answer, footprint)
    right = ((seen - true).abs().amax(dim=2) < 0.2).float()
    return float(right.mean(dim=0).min())


def score_by_correlation(drawn, answer, footprint):
    seen, true = _mean_colours(drawn, footprint), _mean_colours(answer, footprint)
    score = 1.0
    for part in range(footprint.shape[1]):
        s, t = seen[:, part] - seen[:, part].mean(0), true[:, part] - true[:, part].mean(0)
        lowest = (s * t).sum() / (s.square().sum().sqrt() * t.square().sum().sqrt() + 1e-6)
        slope = (s * t).sum() / t.square().sum()
        score = min(score, float(lowest * slope.clamp(0, 1)))
    return max(0.0, score)


RIGHT = {
    "12.1": (prior_short, prior_by_var, prior_in_numpy, prior_in_loops, prior_by_second_moment, prior_with_a_helper),
    "12.2": (beta_short, beta_by_floor, beta_by_length, beta_in_numpy, beta_in_torch, beta_by_interpolation),
    "12.3": (weight_short, weight_in_numpy, weight_in_loops, weight_by_einsum, weight_without_nan,
             weight_from_counting),
    "12.4": (score_of_worst_part, score_in_numpy, score_in_loops, score_pixel_by_pixel,
             score_by_share_of_good_parts, score_by_correlation),
}  # fmt: skip
