"""Right answers to the exercises of lesson 20."""

import numpy as np
import torch
import torch.nn.functional as F


def sure_by_one_hot(logits, least):
    classes = F.one_hot(logits.argmax(dim=1), logits.shape[1]).movedim(-1, 1).float()
    return classes * (logits.softmax(dim=1) >= least)


def sure_by_comparison(logits, least):
    p = logits.softmax(1)
    return ((p == p.amax(dim=1, keepdim=True)) & (p >= least)).float()


def sure_by_scatter(logits, least):
    p, winner = torch.softmax(logits, dim=1).max(dim=1, keepdim=True)
    return torch.zeros_like(logits).scatter_(1, winner, (p >= least).to(logits.dtype))


def sure_in_numpy(logits, least):
    e = np.exp(logits.numpy() - logits.numpy().max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    maps = np.moveaxis(np.eye(p.shape[1])[p.argmax(axis=1)], -1, 1)
    return maps * (p.max(axis=1) >= least)[:, None]


def sure_class_by_class(logits, least):
    p, winner = logits.softmax(dim=1).max(dim=1)
    return torch.stack([((winner == c) & (p >= least)).to(logits.dtype) for c in range(logits.shape[1])], dim=1)


def sure_in_loops(logits, least):
    out = torch.zeros(logits.shape)
    for b in range(logits.shape[0]):
        for y in range(logits.shape[2]):
            for x in range(logits.shape[3]):
                p = logits[b, :, y, x].softmax(dim=0)
                if p.max() >= least:
                    out[b, p.argmax(), y, x] = 1
    return out


def sure_in_place_on_zeros(logits, least):
    p = torch.exp(logits - logits.logsumexp(dim=1, keepdim=True))
    maps = torch.eye(logits.size(1))[torch.argmax(p, dim=1)].permute(0, 3, 1, 2).clone()
    maps[p < least] = 0
    return maps


def maps_short(z, mean, spread, common):
    u = (z - mean) / spread
    return u @ common.T, torch.linalg.slogdet(common).logabsdet - spread.log().sum(1)


def maps_by_einsum(z, mean, spread, common):
    u = torch.div(z - mean, spread)
    return torch.einsum("ij,nj->ni", common, u), common.det().abs().log() - torch.log(spread).sum(dim=-1)


def maps_in_numpy(z, mean, spread, common):
    u = (z.numpy() - mean.numpy()) / spread.numpy()
    return u @ common.numpy().T, np.linalg.slogdet(common.numpy())[1] - np.log(spread.numpy()).sum(axis=1)


def maps_by_linear(z, mean, spread, common):
    _, volume = torch.slogdet(common)
    return F.linear((z - mean) / spread, common), volume - spread.prod(dim=1).log()


def maps_code_by_code(z, mean, spread, common):
    v, logs = [], []
    for code, m, s in zip(z, mean, spread):
        v.append(common @ ((code - m) / s))
        logs.append(torch.linalg.slogdet(common @ torch.diag(1 / s)).logabsdet)
    return torch.stack(v), torch.stack(logs)


def maps_by_batched_matrices(z, mean, spread, common):
    jacobian = common[None] / spread[:, None, :]
    return (jacobian @ (z - mean)[:, :, None]).squeeze(-1), torch.linalg.slogdet(jacobian)[1]


def between_short(features):
    within = features.var(dim=1).sum(dim=1).mean()
    return (features.mean(dim=1).var(dim=0).sum() - within / features.shape[1]).item()


def between_in_numpy(features):
    x = features.numpy()
    return x.mean(axis=1).var(axis=0, ddof=1).sum() - x.var(axis=1, ddof=1).mean(axis=0).sum() / x.shape[1]


def between_in_loops(features):
    n, draws, f = features.shape
    total = 0.0
    for k in range(f):
        means, within = [], 0.0
        for condition in features[:, :, k].tolist():
            mean = sum(condition) / draws
            means.append(mean)
            within += sum((value - mean) ** 2 for value in condition) / (draws - 1)
        middle = sum(means) / n
        total += sum((mean - middle) ** 2 for mean in means) / (n - 1) - within / n / draws
    return total


def between_by_squares(features):
    n, draws, _ = features.shape
    means = features.mean(dim=1, keepdim=True)
    within = (features - means).pow(2).sum() / (n * (draws - 1))
    return (means - means.mean(dim=0)).pow(2).sum() / (n - 1) - within / draws


def between_by_covariance(features):
    trace = lambda x: torch.trace(torch.atleast_2d(torch.cov(x.T)))  # noqa: E731
    within = torch.stack([trace(condition) for condition in features]).mean()
    return trace(features.mean(dim=1)) - within / features.size(1)


def _variance(x, dim):
    return torch.std(x, dim=dim, unbiased=True).square()


def between_with_a_helper(features):
    chance = _variance(features, 1).mean(dim=0) / features.shape[1]
    return float((_variance(features.mean(1), 0) - chance).sum())


def colours_median_and_farthest(images):
    pixels = images.flatten(2)
    paper = pixels.median(dim=2).values
    farthest = (pixels - paper[:, :, None]).square().sum(dim=1).argmax(dim=1)
    return torch.cat([paper, pixels[torch.arange(len(pixels)), :, farthest]], dim=1)


def colours_in_numpy(images):
    x = images.numpy().reshape(len(images), 3, -1)
    paper = np.median(x, axis=2)
    distance = ((x - paper[:, :, None]) ** 2).sum(axis=1)
    ink = x[np.arange(len(x)), :, distance.argmax(axis=1)]
    return np.concatenate([paper, ink], axis=1)


def colours_in_a_loop(images):
    answers = []
    for image in images:
        pixels = image.reshape(3, -1).T
        paper = pixels.median(dim=0).values
        distances = (pixels - paper).norm(dim=1)
        answers.append(torch.cat([paper, pixels[distances.argmax()]]))
    return torch.stack(answers)


def colours_of_the_corner(images):
    paper = images[:, :, 0, 0]
    distance = (images - paper[:, :, None, None]).abs().sum(1).flatten(1)
    ink = images.flatten(2).gather(2, distance.argmax(1)[:, None, None].expand(-1, 3, 1))[..., 0]
    return torch.hstack([paper, ink])


def colours_of_the_farthest_few(images):
    pixels = images.flatten(2).transpose(1, 2)
    paper = torch.quantile(pixels, 0.5, dim=1)
    distance = torch.cdist(pixels, paper[:, None])[..., 0]
    best = distance.topk(5, dim=1).indices
    ink = torch.take_along_dim(pixels, best[..., None], dim=1).mean(dim=1)
    return torch.cat([paper, ink], dim=-1)


def _ink(image, paper):
    distance = (image - paper[:, None, None]).square().sum(dim=0)
    y, x = divmod(int(distance.argmax()), image.shape[-1])
    return image[:, y, x]


def colours_with_a_helper(images):
    papers = torch.cat([images[:, :, :2].flatten(2), images[:, :, -2:].flatten(2)], dim=2).median(dim=2).values
    return torch.stack([torch.cat([p, _ink(image, p)]) for image, p in zip(images, papers)])


RIGHT = {
    "20.1": (sure_by_one_hot, sure_by_comparison, sure_by_scatter, sure_in_numpy, sure_class_by_class, sure_in_loops,
             sure_in_place_on_zeros),
    "20.2": (maps_short, maps_by_einsum, maps_in_numpy, maps_by_linear, maps_code_by_code, maps_by_batched_matrices),
    "20.3": (between_short, between_in_numpy, between_in_loops, between_by_squares, between_by_covariance,
             between_with_a_helper),
    "20.4": (colours_median_and_farthest, colours_in_numpy, colours_in_a_loop, colours_of_the_corner,
             colours_of_the_farthest_few, colours_with_a_helper),
}  # fmt: skip
