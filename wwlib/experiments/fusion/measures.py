"""How a fusion of lesson 20 is measured: whose factors a drawing shows, and what v still tells of the label."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.datasets.domains import STYLE, Domains, other_domain
from wwlib.flows.experts import other_label
from wwlib.flows.fusion import guessing, within_variance
from wwlib.flows.regression import Regression
from wwlib.flows.translation import Translation, carry
from wwlib.flows.world import JUDGED, World
from wwlib.metrics.frechet import frechet_distance


def shares(read: Tensor, target: Tensor, among: Tensor) -> list[float]:
    """Return for each factor how often it is the value in `target`, among the pairs that count.

    Args:
        read, target: factors `[n, K]`.
        among: which pairs count, bool `[n, K]`.
    """
    return (((read == target) & among).sum(dim=0) / among.sum(dim=0).clamp(min=1)).tolist()


def guidance(read: Tensor, own: Tensor) -> dict[str, list[float]]:
    """Return whose factors drawings show: the content picture's (row i) or the exemplar's (row i - 1).

    Args:
        read: factors that the judge read from the drawings, `[n, K]`.
        own: factors of the content pictures, `[n, K]`.
    """
    exemplar = own.roll(1, dims=0)
    differ = own != exemplar
    return dict(content=shares(read, own, differ), exemplar=shares(read, exemplar, differ))


@torch.no_grad()
def target_error(world: World, codes: Tensor, factors: Tensor) -> float:
    """Return the mean absolute difference per colour value, in [0, 2], between drawings and their true targets.

    Args:
        world: everything frozen.
        codes: of the drawings, `[n, 32]`.
        factors: of the targets, `[n, 7]`.
    """
    parts = zip(codes.split(256), factors.split(256), strict=True)
    errors = [(world.image_model.decode(z) - Domains().images(f)).abs().mean(dim=(1, 2, 3)) for z, f in parts]
    return float(torch.cat(errors).mean())


def measure_domain(world: World, fusion: Translation, conditions: Tensor, noisy: Tensor, seed: int) -> dict:
    """Return how well the label's fusion turns the domain and back, and what v still tells of the label.

    Args:
        world: everything frozen.
        fusion: of the label.
        conditions: the expert's answers for the pictures to test on `[n, ...]`, the true label first.
        noisy: their codes with noise `[n, 32]`.
        seed: of the classifier on v.
    """
    z, truth, other = world.tested.mean, world.tested_factors, other_label(conditions)
    turned = carry(fusion, z, conditions, other)
    read, everywhere = world.verdict(turned), torch.ones(len(z), len(JUDGED), dtype=torch.bool)
    target = other_domain(truth)
    data = Domains()
    counterpart = torch.cat([world.image_model.encode(data.images(part))[0] for part in target.split(256)])
    return dict(
        rebuilt=shares(world.verdict(counterpart), target[:, : len(JUDGED)], everywhere),
        turned=shares(read, target[:, : len(JUDGED)], everywhere),
        round_trip=float((carry(fusion, turned, other, conditions) - z).abs().max()),
        target_error=target_error(world, turned, target),
        target_floor=target_error(world, counterpart, target),
        unturned_error=target_error(world, z, target),
        guessing=guessing(fusion(noisy, conditions)[0], truth[:, STYLE], seed),
    )


@torch.no_grad()
def measure(
    world: World, name: str, fusion: Translation | Regression, seed: int, conditions: int = 100, draws: int = 16
) -> dict:
    """Return every measure of one fusion on pictures that it has not seen.

    Args:
        world: everything frozen.
        name: of the expert.
        fusion: trained; the regression has no residual, and so draws the same code again and again.
        seed: of noise and draws.
        conditions, draws: how many for the variance within a condition.
    """
    random = torch.Generator().manual_seed(seed)
    answers, z = world.conditions(name, unseen=True), world.tested.mean
    own = world.tested_factors[:, : len(JUDGED)]
    sample = (lambda x: fusion.sample(x, random)) if isinstance(fusion, Translation) else fusion
    many = sample(answers[:conditions].repeat_interleave(draws, dim=0))
    fresh = sample(answers)
    read = world.verdict(fresh)
    scores = dict(
        within=within_variance(world.features(many).unflatten(0, (-1, draws))),
        fresh=guidance(read, own),
        frechet=frechet_distance(world.features(z), world.features(fresh)),
        sampled=shares(read, own, torch.ones_like(own, dtype=torch.bool)),
    )
    if isinstance(fusion, Translation):
        noisy = world.tested.draw(torch.arange(len(z)), random)
        v, guided = fusion(noisy, answers)[0], carry(fusion, z.roll(1, 0), answers.roll(1, 0), answers)
        scores |= dict(
            nll=float(fusion.nll(noisy, answers).mean()),
            inverse_error=float((fusion.inverse(fusion(z, answers)[0], answers) - z).abs().max()),
            std=[float(v.std(dim=0).min()), float(v.std(dim=0).max())],
            guided=guidance(world.verdict(guided), own),
        )
        if name in ("domain", "both"):
            with torch.enable_grad():
                scores |= measure_domain(world, fusion, answers, noisy, seed)
    return scores
