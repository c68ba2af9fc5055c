"""Codes of frozen networks: those of some pictures, and those of pictures that are not among them."""

from dataclasses import replace

import pytest
import torch

from wwlib.datasets.domains import Domains
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.fusion.runs import load_world
from wwlib.experiments.hosts import load_host
from wwlib.experiments.interpretation import runs as interpret
from wwlib.experiments.invariances import runs as invariance_runs
from wwlib.experiments.translation import depths
from wwlib.experiments.translation import runs as translate
from wwlib.flows.latents import encode_pictures
from wwlib.flows.world import PICTURES


def rows(factors):
    return set(map(tuple, factors.tolist()))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_collected_codes_are_those_of_the_pictures():
    host, data = load_host("autoencoder"), Glyphs()
    latents, factors = encode_pictures(host, data, 300, ("paper", "digit"), seed=3)
    mean, spread = host.encode(data.images(factors[250:]))
    assert torch.allclose(latents.mean[250:], mean, atol=1e-5)
    assert torch.allclose(latents.std[250:], spread, atol=1e-5)
    assert torch.equal(latents.factors, factors[:, [2, 0]])


# what every lesson of the flows is tested on is not what it learned from; few pictures of many, to be quick


def interpreted(monkeypatch):
    case = replace(interpret.CASES["autoencoder"], pictures=6_000, tested=100)
    monkeypatch.setitem(interpret.CASES, "autoencoder", case)
    interpret.case_latents.cache_clear()
    try:
        tested, factors = interpret.case_latents("autoencoder")[1:]
    finally:
        interpret.case_latents.cache_clear()
    assert torch.equal(tested.factors, factors[:, :3])
    return Glyphs().sample_factors(6_000, seeded(100)), factors


def invariances(monkeypatch):
    monkeypatch.setattr(invariance_runs, "PICTURES", 6_000)
    monkeypatch.setattr(invariance_runs, "TESTED", 100)
    for cached in (invariance_runs.learned_codes, invariance_runs.unseen_codes):
        cached.cache_clear()
    try:
        learned, tested = invariance_runs.learned_codes()[1], invariance_runs.unseen_codes(2)[1]
    finally:
        for cached in (invariance_runs.learned_codes, invariance_runs.unseen_codes):
            cached.cache_clear()
    taught = Glyphs().sample_factors(invariance_runs.EXAMPLES, seeded(2))
    return torch.cat([learned, taught]), tested


def translated(monkeypatch):
    monkeypatch.setattr(translate, "PICTURES", 6_000)
    monkeypatch.setattr(translate, "TESTED", 100)
    cleared = (translate.captioned, translate.captioned_fully)
    for cached in cleared:
        cached.cache_clear()
    try:
        learned, tested = translate.captioned()
        full = translate.captioned_fully()
    finally:
        for cached in cleared:
            cached.cache_clear()
    return learned.factors, torch.cat([tested.factors, full.factors])


def from_depths(monkeypatch):
    monkeypatch.setattr(depths, "DEPTH_TESTED", 100)
    depths.depth_data.cache_clear()
    try:
        factors = depths.depth_data("logits", 6_000)[-1]
    finally:
        depths.depth_data.cache_clear()
    return Glyphs().sample_factors(6_000, seeded(100)), factors


def fused(monkeypatch):
    world = load_world(pictures=6_000, tested=100)
    shipped = Domains().sample_factors(PICTURES, seeded(100))  # what the recorded fusions learned from
    return torch.cat([world.factors, shipped]), world.tested_factors


@pytest.mark.parametrize("lesson", [interpreted, invariances, translated, from_depths, fused], ids=lambda f: f.__name__)
def test_nothing_is_tested_on_what_was_learned_from(lesson, monkeypatch):
    learned, tested = lesson(monkeypatch)
    assert len(tested) >= 100
    assert len(rows(learned)) > 5_000
    assert not rows(learned) & rows(tested)


def test_a_classifier_is_judged_by_digits_that_it_was_not_taught(monkeypatch):
    shown = []
    victim = invariance_runs.load_classifiers()[400]
    monkeypatch.setattr(
        Glyphs, "images", lambda self, factors: shown.append(factors) or torch.zeros(len(factors), 3, 32, 32)
    )
    invariance_runs.accuracy(victim, 0, n=500)
    assert not rows(shown[0]) & rows(Glyphs().sample_factors(invariance_runs.EXAMPLES, seeded(0)))
