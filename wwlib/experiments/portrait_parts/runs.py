"""Landmarks and slots trained anew on drawn portraits, and their record: overlap with the artist's layers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

import torch
from torch import Tensor, nn

from wwlib.appearance import discovery, parts
from wwlib.appearance.robust import Pairs
from wwlib.appearance.segments.measures import fit_mapping
from wwlib.base.device import Compute
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, named_run, rounded
from wwlib.experiments.parts import chosen_parts, record_runs
from wwlib.experiments.portrait_parts.places import Acting, code_scores, draw_acting
from wwlib.experiments.portrait_parts.truth import (
    Sitters,
    cluster_scores,
    draw_sitters,
    region_ious,
    static_scores,
)

PORTRAIT_PARTS = Shelf(DATA / "portrait-parts-weights.safetensors", DATA / "portrait-parts.json",
                       "python -m wwlib remake portrait_parts")  # fmt: skip
SEEDS = range(3)
TRAINED, KNOWN, TESTED, DRAWN = 5_000, 1_000, 400, 60  # portraits learned from, that name slots, scored, generated
TRAIN_SEED, KNOWN_SEED, TEST_SEED, WARP_SEED, DRAWN_SEED = 7_000, 7_001, 7_002, 7_003, 7_004
CLUSTERED = 60  # known portraits on which k-means chooses the weight of the place
COMPUTE = Compute(torch.device("cpu"), torch.bfloat16)


@dataclass(frozen=True)
class Method:
    """One way to find parts.

    Args:
        schedule: its settings for a seed.
        build: an untrained network of a schedule.
        train: a network trained on pictures `[n, 3, 32, 32]`, and its losses.
        slots: the slot of every pixel `[n, 32, 32]` that a network gives pictures.
        count: how many slots a schedule has.
    """

    schedule: Callable[[int], object]
    build: Callable[[object], nn.Module]
    train: Callable[[Tensor, object], tuple[nn.Module, list[dict]]]
    slots: Callable[[nn.Module, Tensor], Tensor]
    count: Callable[[object], int]


def _train_landmarks(images: Tensor, schedule: parts.Schedule) -> tuple[parts.PartModel, list[dict]]:
    def batch_of(schedule: parts.Schedule, generator: torch.Generator) -> Tensor:
        return images[torch.randint(len(images), (schedule.batch,), generator=generator)]

    return parts.train_parts(schedule, batch_of, COMPUTE)


def _train_slots(images: Tensor, schedule: discovery.Schedule) -> tuple[discovery.DiscoveryModel, list[dict]]:
    return discovery.train_discovery(Pairs(images, images), schedule, COMPUTE)  # the second is warped in training


@torch.no_grad()
def landmark_slots(model: parts.PartModel, images: Tensor) -> Tensor:
    """Return the landmark that owns most of every pixel, `[n, 32, 32]`; the last number is the background's."""
    owners = [
        parts.ownership(model.heat(model.shape(some), images.shape[-1])).argmax(dim=1) for some in images.split(100)
    ]
    return torch.cat(owners)


METHODS = {
    "landmarks": Method(
        lambda seed: parts.Schedule(seed=seed),
        parts.PartModel,
        _train_landmarks,
        landmark_slots,
        lambda schedule: schedule.landmarks + 1,
    ),
    "slots": Method(
        lambda seed: discovery.Schedule(warped=True, critic=False, seed=seed),
        discovery.DiscoveryModel,
        _train_slots,
        discovery.segment,
        lambda schedule: schedule.slots,
    ),
}
BASELINES = "baselines"
CASES = (*METHODS, BASELINES)


def load_record() -> dict:
    """Return the record of every run."""
    return PORTRAIT_PARTS.read()


def load_slots(case: str) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return a shipped segmenter (seed 0), pictures `[n, 3, 32, 32]` to slots `[n, 32, 32]`; each slot's region `[P]`.

    Args:
        case: of `METHODS`.

    Raises:
        ValueError: for an unknown case.
    """
    if case not in METHODS:
        raise ValueError(f"case must be one of {tuple(METHODS)}, got {case!r}")
    method = METHODS[case]
    model = PORTRAIT_PARTS.load(case, method.build(method.schedule(0)))
    return lambda images: method.slots(model, images), torch.tensor(named_run(load_record(), case)["mapping"])


@cache
def known_sitters() -> Sitters:
    """Return the portraits on which slots are named and baselines learn; none is trained on or scored."""
    return draw_sitters(KNOWN, KNOWN_SEED)


@cache
def tested_sitters() -> dict[str, Sitters]:
    """Return the scored portraits: as drawn, and the same ones warped."""
    drawn = draw_sitters(TESTED, TEST_SEED)
    return {"drawn": drawn, "warped": drawn.warped(WARP_SEED)}


@cache
def acting_codes() -> Acting:
    """Return generated portraits with the places of all codes, the same for every segmenter."""
    return draw_acting(DRAWN, DRAWN_SEED)


def measure(slots: Callable[[Tensor], Tensor], count: int) -> dict:
    """Return what a segmenter's slots are named, how well they overlap with the layers, and with where codes act.

    Args:
        slots: pictures `[n, 3, 32, 32]` to the slot of every pixel.
        count: how many slots there are.
    """
    known, acting = known_sitters(), acting_codes()
    seen = slots(known.images)
    mapping = fit_mapping(seen, known.regions, count)
    scores = {view: region_ious(mapping[slots(one.images)], one) for view, one in tested_sitters().items()}
    shares = torch.bincount(seen.flatten(), minlength=count) / seen.numel()
    return dict(mapping=mapping.tolist(), shares=shares.tolist(), scores=scores,
                codes=code_scores(acting, slots(acting.images), mapping))  # fmt: skip


def train(case: str, seed: int) -> tuple[nn.Module, dict]:
    """Train one method on portraits; return the network, its weights as they are stored, and the training's record."""
    method, start = METHODS[case], time.perf_counter()
    schedule = method.schedule(seed)
    model, history = method.train(draw_sitters(TRAINED, TRAIN_SEED).images, schedule)
    about = dict(case=case, seed=seed, schedule=asdict(schedule), seconds=round(time.perf_counter() - start, 1))
    return rounded(model), about | dict(history=history[::4] + history[-1:])


def run_method(case: str, seed: int) -> dict:
    """Train one method and measure it; seed 0's network is shipped. Return the run record."""
    model, about = train(case, seed)
    method = METHODS[case]
    scores = measure(lambda images: method.slots(model, images), method.count(method.schedule(seed)))
    if seed == 0:  # after all measures: interrupted before, new slots would stand beside the names of the old ones
        PORTRAIT_PARTS.keep({case: model}, half=True)
    return about | scores


def run_baselines() -> dict:
    """Measure what needs no training: the static map and k-means, on the same portraits. Return the run record."""
    known, tested = known_sitters(), tested_sitters()
    clusters = METHODS["slots"].count(METHODS["slots"].schedule(0))
    scores = static_scores(known, tested) | cluster_scores(known, tested, clusters, CLUSTERED, seed=0)
    return dict(case=BASELINES, seed=0, clusters=clusters, scores=scores)


def make(asked: list[str], seeds: list[int] | None = None) -> None:
    """Make the cases that are named, and bring weights and record up to date.

    Args:
        asked: of `CASES`; all when empty.
        seeds: of the trainings; 0 to 2 if left out. The baselines have one.

    Raises:
        ValueError: for an unknown case.
    """
    seeds_of = lambda case: [0] if case == BASELINES else seeds or SEEDS  # noqa: E731
    runs_of_case = lambda case, seed: [run_baselines() if case == BASELINES else run_method(case, seed)]  # noqa: E731
    record_runs(PORTRAIT_PARTS, chosen_parts(asked, CASES), seeds_of, runs_of_case, _summary)


def _summary(run: dict) -> str:
    return f"{run.get('seconds', 0):.0f} s, {run['scores']}"
