"""Right answers to the exercises of lesson 20."""

import numpy as np
import torch
import torch.nn.functional as F


def hard_by_one_hot(logits):
    return F.one_hot(logits.argmax(dim=1), logits.shape[1]).movedim(-1, 1).float()


def hard_by_comparison(logits):
    return (logits == logits.amax(dim=1, keepdim=True)).float()


def hard_by_scatter(logits):
    return torch.zeros_like(logits).scatter_(1, logits.argmax(dim=1, keepdim=True), 1.0)


def hard_in_numpy(logits):
    x = logits.numpy()
    return np.moveaxis(np.eye(x.shape[1])[x.argmax(axis=1)], -1, 1)


def hard_class_by_class(logits):
    winner = logits.max(dim=1).indices
    return torch.stack([(winner == c).to(logits.dtype) for c in range(logits.shape[1])], dim=1)


def hard_in_loops(logits):
    out = torch.zeros(logits.shape)
    for b in range(logits.shape[0]):
        for y in range(logits.shape[2]):
            for x in range(logits.shape[3]):
                out[b, logits[b, :, y, x].argmax(), y, x] = 1
    return out


def hard_by_permute(logits):
    classes = torch.argmax(logits, dim=1)
    return torch.eye(logits.size(1))[classes].permute(0, 3, 1, 2)


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


def within_short(features):
    return features.var(dim=1).sum(dim=1).mean().item()


def within_in_numpy(features):
    return features.numpy().var(axis=1, ddof=1).sum(axis=1).mean()


def within_in_loops(features):
    total = 0.0
    for condition in features:
        for feature in condition.T:
            total += float(((feature - feature.mean()) ** 2).sum()) / (len(feature) - 1)
    return total / len(features)


def within_by_squares(features):
    n, draws, _ = features.shape
    centred = features - features.mean(dim=1, keepdim=True)
    return centred.pow(2).sum() / (n * (draws - 1))


def within_by_covariance(features):
    return torch.stack([torch.trace(torch.atleast_2d(torch.cov(c.T))) for c in features]).mean()


def _spread(x):
    return torch.std(x, dim=0, unbiased=True).square().sum()


def within_with_a_helper(features):
    return sum(_spread(condition) for condition in features) / features.size(0)


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
    "20.1": (hard_by_one_hot, hard_by_comparison, hard_by_scatter, hard_in_numpy, hard_class_by_class, hard_in_loops,
             hard_by_permute),
    "20.2": (maps_short, maps_by_einsum, maps_in_numpy, maps_by_linear, maps_code_by_code, maps_by_batched_matrices),
    "20.3": (within_short, within_in_numpy, within_in_loops, within_by_squares, within_by_covariance,
             within_with_a_helper),
    "20.4": (colours_median_and_farthest, colours_in_numpy, colours_in_a_loop, colours_of_the_corner,
             colours_of_the_farthest_few, colours_with_a_helper),
}  # fmt: skip
