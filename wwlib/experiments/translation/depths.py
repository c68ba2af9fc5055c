"""How deep in a classifier a translation begins: what is drawn from its first maps, its last maps and its logits."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.base.shelf import rounded
from wwlib.datasets.captions import STATED
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.hosts import load_host, load_judge
from wwlib.flows.latents import Latents, encode_pictures
from wwlib.flows.regression import Regression, train_regression
from wwlib.flows.text_to_image import at_depth
from wwlib.flows.translation import Translation, TranslationSchedule, train_translation
from wwlib.metrics.frechet import frechet_distance

PICTURES = 8_192  # to learn from, here and from captions
DEPTH_TESTED = 1_000
DEPTH_SCHEDULE = TranslationSchedule(32, embedding=64, steps=1_800)
REGRESSION_STEPS = 1_500
# against a distance that rises with depth: what is changed of the schedule, and the pictures to learn from
REMEDIES = {
    "more pictures": ({}, 18_000),
    "wide": (dict(blocks=12, hidden=256), PICTURES),
    "more, wide and long": (dict(blocks=12, hidden=256, steps=4_000), 18_000),
}


@lru_cache(maxsize=1)
def depth_data(depth: str, pictures: int = PICTURES) -> tuple[Latents, Tensor, Latents, Tensor, Tensor]:
    """Return codes and conditions to learn from, then codes, conditions and factors to test on, at one depth."""
    host, classifier, data = load_host("autoencoder"), load_host("classifier").classifier, Glyphs()
    found, factors = [], None
    for n, seed in ((pictures, 100), (DEPTH_TESTED, 200)):
        latents, factors = encode_pictures(host, data, n, STATED, seed, without=factors)
        conditions = [at_depth(classifier, data.images(part), depth) for part in factors.split(256)]
        found += [latents, torch.cat(conditions)]
    return *found, factors


@torch.no_grad()
def features_of(codes: Tensor) -> Tensor:
    """Return the judge's features `[n, 64]` of the pictures of codes `[n, 32]`."""
    host, judge = load_host("autoencoder"), load_judge("digits")
    return torch.cat([judge.features(host.decode(part)) for part in codes.split(256)])


@torch.no_grad()
def distance_to_pictures(codes: Tensor, factors: Tensor) -> float:
    """Return the Frechet distance of the pictures of codes to real ones in the judge's features.

    Args:
        codes: `[n, 32]`.
        factors: of the real pictures, `[m, 6]`.
    """
    real = [load_judge("digits").features(Glyphs().images(part)) for part in factors.split(256)]
    return frechet_distance(torch.cat(real), features_of(codes))


def run_depth(depth: str, seed: int, remedy: str = "") -> tuple[dict, dict[str, Translation | Regression]]:
    """Train and measure a translation and its rival from one depth of the classifier; return the run record and both.

    Args:
        depth: of `DEPTHS`.
        seed: of weights, batches and measures.
        remedy: of `REMEDIES`, for the translation, which is then trained without the rival; or none.
    """
    change, pictures = REMEDIES[remedy] if remedy else ({}, PICTURES)
    latents, conditions, tested, unseen, factors = depth_data(depth, pictures)
    schedule = dict(asdict(DEPTH_SCHEDULE), shape=tuple(conditions.shape[1:]), seed=seed) | change
    start = time.perf_counter()
    translation, losses = train_translation(latents, conditions, TranslationSchedule(**schedule))
    seconds = round(time.perf_counter() - start, 1)
    found = dict(translation=rounded(translation))
    if not remedy:
        plain = TranslationSchedule(**schedule | dict(steps=REGRESSION_STEPS))
        found["regression"] = rounded(train_regression(latents, conditions, plain)[0])
    g, scores = torch.Generator().manual_seed(seed), {}
    with torch.no_grad():
        z = tested.draw(torch.arange(len(factors)), g)
        spread = float(z.var(dim=0).mean().sqrt())
        for name, network in found.items():
            codes = network.sample(unseen, g) if name == "translation" else network(unseen)
            digits = load_judge("digits").verdict(load_host("autoencoder").decode(codes))
            scores[name] = dict(
                frechet=distance_to_pictures(codes, factors),
                total=float(codes.var(dim=0).mean().sqrt()) / spread,
                right=(digits == factors[:, :3]).float().mean(dim=0).tolist(),
            )
    scores["rebuilt"] = dict(frechet=distance_to_pictures(z, factors))
    case = f"{depth}, {remedy}" if remedy else depth
    record = dict(case=case, seed=seed, schedule=schedule, pictures=pictures, seconds=seconds,
                  losses=[round(x, 3) for x in losses], scores=scores)  # fmt: skip
    return record, found
