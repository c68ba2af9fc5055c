"""Lesson 12's trainings and their record: the judge of joints, and Variational U-Nets over cases and seeds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.appearance.judges import JointJudge, joint_error, train_joint_judge
from wwlib.appearance.measures import colour_r2, colour_spread, probe, psnr
from wwlib.appearance.vunet import Schedule, VUNet, train_vunet
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, named_run, rounded
from wwlib.datasets.motions import sample_triplets
from wwlib.datasets.puppet import Drawing, render, skeleton
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs

VUNET = Shelf(DATA / "vunet-weights.safetensors", DATA / "vunet.json", "python -m wwlib remake vunet")
TESTED, TEST_SEED = 600, 5_000  # triplets to score; the probes learn from two thirds of them
_FINE = Schedule(fine=True, fine_weight=10.0)
CASES = {
    "no code": Schedule(coarse=False),
    "coarse": Schedule(),
    "coarse, beta 0": Schedule(beta=0.0),
    "fine": _FINE,
    "fine, beta 0": replace(_FINE, beta=0.0),
    "fine, one beta": replace(_FINE, fine_weight=1.0),
}
BETAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
CURVE = {beta: replace(_FINE, fine_weight=1.0, beta=beta) for beta in BETAS}
# when beta rises; with a strong beta, so that coming too early costs something
TIMES = {
    "from the first step": replace(_FINE, beta=0.3, rise=(0.0, 0.0)),
    "between 20 and 50 %": replace(_FINE, beta=0.3),
    "in the last tenth": replace(_FINE, beta=0.3, rise=(0.9, 1.0)),
}
_PLATEAU = Schedule(clothes=False, pooled=False, modulated=False, weighted=False)
REMEDIES = {
    "none of them": _PLATEAU,
    "three colours, not six": replace(_PLATEAU, clothes=True),
    "pooled colours": replace(_PLATEAU, pooled=True),
    "modulation": replace(_PLATEAU, modulated=True),
    "weighted pixels": replace(_PLATEAU, weighted=True),
    "all of them": Schedule(),
}
# what could close the gap of z alone, which is above 1 dB in some seeds; tried on the one where it is largest
GAP_SEED = 2
GAPS = {
    "as it is": Schedule(seed=GAP_SEED),
    "twice the price": Schedule(beta=0.2, seed=GAP_SEED),
    "four times the price": Schedule(beta=0.4, seed=GAP_SEED),
    "1,000 steps": Schedule(steps=1_000, seed=GAP_SEED),
    "the price from the first step": Schedule(rise=(0.0, 0.0), seed=GAP_SEED),
}
SHIPPED = ("no code", "coarse", "coarse, beta 0", "fine, beta 0")  # what the lesson draws with
PARTS = (*CASES, "curve", "times", "plateau", "gap")


def load_record() -> dict:
    """Return the record of every run."""
    return VUNET.read()


@lru_cache(maxsize=1)
def load_joint_judge() -> JointJudge:
    """Return the shipped judge of joints."""
    return VUNET.load("joints", JointJudge())


def load_vunet(case: str) -> VUNet:
    """Return a shipped Variational U-Net (seed 0): one of `SHIPPED`, or that of the photographs."""
    schedule = named_run(load_record(), case)["schedule"]
    return VUNET.load(case.replace(",", ""), VUNet(Schedule(**dict(schedule, rise=tuple(schedule["rise"])))))


@dataclass(frozen=True)
class Triplets:
    """Pictures to score a transfer on: `given` (pose a, appearance a) with skeletons `y`, `onto` the skeletons of
    pose b, and `answer`, the drawn pictures of (pose b, appearance a)."""

    given: Drawing
    y: Tensor
    onto: Tensor
    answer: Drawing


def draw_triplets(n: int, seed: int, clothes: bool = True) -> Triplets:
    """Return `n` triplets of puppets drawn from a seed.

    Args:
        n: number of triplets.
        seed: of poses and appearances; trainings use others.
        clothes: as `sample_appearance`'s.
    """
    a, b, appearance, _ = sample_triplets(n, torch.Generator().manual_seed(seed), clothes=clothes)
    return Triplets(render(a, appearance), skeleton(a), skeleton(b), render(b, appearance))


@torch.no_grad()
def measure(model: VUNet, triplets: Triplets, judge: JointJudge, seed: int) -> dict:
    """Return every measure of a model: distances in dB, joints in pixels, R^2 of colours and probes.

    Args:
        model: to be measured.
        triplets: that it has not seen.
        judge: reads joints.
        seed: of the noise in codes and samples.
    """
    g, given, answer = torch.Generator().manual_seed(seed), triplets.given, triplets.answer
    parts = list(torch.arange(len(triplets.y)).split(100))
    rebuilt = torch.cat([model.transfer(given.images[i], triplets.y[i], triplets.y[i], g) for i in parts])
    moved = torch.cat([model.transfer(given.images[i], triplets.y[i], triplets.onto[i], g) for i in parts])
    sampled = torch.cat([model.sample(triplets.onto[i], g) for i in parts])
    codes = [code.flatten(1) for code in model.encode(given.images, triplets.y, g) if code is not None]
    return dict(
        rebuilt=psnr(rebuilt, given.images),
        transfer=psnr(moved, answer.images),
        copied=psnr(given.images, answer.images),
        joints=joint_error(judge, moved, answer.joints),
        joints_true=joint_error(judge, answer.images, answer.joints),
        joints_sampled=joint_error(judge, sampled, answer.joints),
        colours=colour_r2(moved, answer.images, answer.footprint),
        spread=colour_spread(sampled, answer.images, answer.footprint),
        pose=None if not codes else list(probe(torch.cat(codes, dim=1), given.joints, len(given.joints) * 2 // 3)),
    )


def run_case(case: str, schedule: Schedule, keep: bool) -> dict:
    """Train and measure one Variational U-Net; return its run record.

    Args:
        case: name in the record.
        schedule: of the training.
        keep: write the network into `data/`.
    """
    start = time.perf_counter()
    model, history = train_vunet(schedule)
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    if keep:
        VUNET.keep({case.replace(",", ""): model}, half=True)
    scores = measure(model, draw_triplets(TESTED, TEST_SEED, schedule.clothes), load_joint_judge(), seed=schedule.seed)
    return dict(case=case, seed=schedule.seed, schedule=asdict(schedule), tested=TESTED, seconds=seconds,
                history=history[::4] + history[-1:], scores=scores)  # fmt: skip


def make(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: of `PARTS`, or "judge"; all when empty.
        seeds: of the trainings; 0 to 4 if left out, 0 for curve, times and plateau, `GAP_SEED` for gap.

    Raises:
        ValueError: for an unknown part.
    """
    chosen = chosen_parts(parts, ("judge", *PARTS))
    if "judge" in chosen:
        VUNET.keep_host("joints", train_joint_judge)
    trainings = [part for part in chosen if part != "judge"]
    once = {"curve": (0,), "times": (0,), "plateau": (0,), "gap": (GAP_SEED,)}
    seeds_of = lambda part: seeds or once.get(part, SEEDS)  # noqa: E731
    record_runs(VUNET, trainings, seeds_of, _runs, lambda run: f"{run['seconds']:.0f} s, {run['scores']}")


def _runs(part: str, seed: int) -> Iterator[dict]:
    if part in CASES:
        yield run_case(part, replace(CASES[part], seed=seed), keep=seed == 0 and part in SHIPPED)
        return
    table = {"curve": CURVE, "times": TIMES, "plateau": REMEDIES, "gap": GAPS}[part]
    for name, schedule in table.items():
        yield run_case(f"{part}: {name}", replace(schedule, seed=seed), keep=False)
