"""Right answers to the exercises of lesson 19."""

import math
import re

import numpy as np
import torch


def retell_in_two_steps(z, old_mean, old_spread, new_mean, new_spread):
    v = (z - old_mean) / old_spread
    return v * new_spread + new_mean


def retell_in_numpy(z, old_mean, old_spread, new_mean, new_spread):
    v = (z.numpy() - old_mean.numpy()) / old_spread.numpy()
    return new_mean.numpy() + new_spread.numpy() * v


def retell_by_ratio(z, old_mean, old_spread, new_mean, new_spread):
    ratio = new_spread / old_spread
    return ratio * z + (new_mean - ratio * old_mean)


def retell_in_loops(z, old_mean, old_spread, new_mean, new_spread):
    told = torch.zeros(z.shape)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            told[i, j] = (z[i, j] - old_mean[i, j]) / old_spread[i, j] * new_spread[i, j] + new_mean[i, j]
    return told


def retell_by_addcmul(z, old_mean, old_spread, new_mean, new_spread):
    return torch.addcmul(new_mean, torch.div(z - old_mean, old_spread), new_spread)


def _forward(z, mean, spread):
    return (z - mean) / spread


def _backward(v, mean, spread):
    return mean + v * spread


def retell_with_helpers(z, old_mean, old_spread, new_mean, new_spread):
    return _backward(_forward(z, mean=old_mean, spread=old_spread), mean=new_mean, spread=new_spread)


def retell_row_by_row(z, old_mean, old_spread, new_mean, new_spread):
    rows = zip(z, old_mean, old_spread, new_mean, new_spread)
    return torch.stack([(x - m) / s * t + n for x, m, s, n, t in rows])


def kl_short(means, spreads):
    return (0.5 * (means**2 + spreads**2 - 1) - spreads.log()).sum(dim=1).mean()


def kl_as_a_float(means, spreads):
    return float((means.square() + spreads.square() - 1 - 2 * torch.log(spreads)).sum() / 2 / len(means))


def kl_in_numpy(means, spreads):
    m, s = means.numpy(), spreads.numpy()
    return (0.5 * (m**2 + s**2 - 1) - np.log(s)).sum(axis=1).mean()


def kl_in_loops(means, spreads):
    total = 0.0
    for m, s in zip(means.tolist(), spreads.tolist()):
        total += sum(0.5 * (a * a + b * b - 1) - math.log(b) for a, b in zip(m, s))
    return total / len(means)


def kl_by_distributions(means, spreads):
    ours = torch.distributions.Normal(means, spreads)
    standard = torch.distributions.Normal(torch.zeros_like(means), torch.ones_like(spreads))
    return torch.distributions.kl_divergence(ours, standard).sum(1).mean()


def kl_of_log_variance(means, spreads):
    log_variance = 2 * spreads.log()
    return -0.5 * torch.mean(torch.sum(1 + log_variance - means.pow(2) - log_variance.exp(), dim=1), dim=0)


def kl_in_one_mean(means, spreads):
    return means.shape[1] * ((means * means + spreads * spreads - 1) / 2 - torch.log(spreads)).mean()


def spreads_short(codes):
    within = codes.var(dim=1, correction=0).mean().sqrt()
    return within.item(), codes.flatten(0, 1).var(dim=0, correction=0).mean().sqrt().item()


def spreads_in_numpy(codes):
    c = codes.numpy()
    return np.sqrt(c.var(axis=1).mean()), np.sqrt(c.reshape(-1, c.shape[2]).var(axis=0).mean())


def spreads_as_tensors(codes):
    within = torch.sqrt(torch.var(codes, dim=1, unbiased=False).mean())
    total = torch.sqrt(torch.var(codes.reshape(-1, codes.shape[-1]), dim=0, unbiased=False).mean())
    return within, total


def spreads_in_a_loop(codes):
    inside = [float(((c - c.mean(0)) ** 2).mean()) for c in codes]
    everything = torch.cat(list(codes))
    return (sum(inside) / len(inside)) ** 0.5, float(((everything - everything.mean(0)) ** 2).mean()) ** 0.5


def spreads_by_two_axes(codes):
    return [codes.std(dim=1, correction=0).square().mean().sqrt(), codes.var(dim=(0, 1), correction=0).mean().sqrt()]


def spreads_by_total_variance(codes):
    within = codes.var(dim=1, correction=0).mean()
    between = codes.mean(dim=1).var(dim=0, correction=0).mean()
    return float(within) ** 0.5, float(within + between) ** 0.5


INKS = ("red", "orange", "lime", "green", "mint", "cyan", "blue", "violet", "purple", "pink")


def ink_by_position(caption, ink):
    words = caption.split()
    for k, word in enumerate(words):
        if word in INKS and (k == 0 or words[k - 1] != "dark"):
            words[k] = ink
    return " ".join(words)


def ink_by_pattern(caption, ink):
    return re.sub(r"(?<!dark )\b(?:" + "|".join(INKS) + r")\b", ink, caption)


def ink_by_recursion(caption, ink):
    first, _, rest = caption.partition(" ")
    if not rest:
        return ink if first in INKS else first
    if first == "dark":
        second, _, tail = rest.partition(" ")
        return f"dark {second} {ink_by_recursion(tail, ink)}" if tail else caption
    return f"{ink if first in INKS else first} {ink_by_recursion(rest, ink)}"


def ink_by_comprehension(caption, ink):
    words = caption.split(" ")
    before = ["", *words]
    return " ".join([ink if w in INKS and b != "dark" else w for b, w in zip(before, words)])


def ink_by_hiding_the_paper(caption, ink):
    for hue in INKS:
        caption = caption.replace(f"dark {hue}", f"dark#{hue}")
    words = [ink if word in INKS else word for word in caption.split()]
    return " ".join(words).replace("dark#", "dark ")


def ink_with_its_article(caption, ink):
    words = caption.split()
    found = [k for k in range(len(words)) if words[k] in INKS and words[max(k - 1, 0)] != "dark"]
    if not found:
        return caption
    k = found[0]
    article = {"a", "an"} & {words[k - 1]} if k else set()
    head = words[: k - 1] + ["an" if ink[0] in "aeiou" else "a"] if article else words[:k]
    return " ".join(head + [ink] + words[k + 1 :])


RIGHT = {
    "19.1": (retell_in_two_steps, retell_in_numpy, retell_by_ratio, retell_in_loops, retell_by_addcmul,
             retell_with_helpers, retell_row_by_row),
    "19.2": (kl_short, kl_as_a_float, kl_in_numpy, kl_in_loops, kl_by_distributions, kl_of_log_variance,
             kl_in_one_mean),
    "19.3": (spreads_short, spreads_in_numpy, spreads_as_tensors, spreads_in_a_loop, spreads_by_two_axes,
             spreads_by_total_variance),
    "19.4": (ink_by_position, ink_by_pattern, ink_by_recursion, ink_by_comprehension, ink_by_hiding_the_paper,
             ink_with_its_article),
}  # fmt: skip
