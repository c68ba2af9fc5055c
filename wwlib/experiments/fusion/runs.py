"""Lesson 20's trainings and their record: one image model, its judge, the experts, and a fusion of each over seeds."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from functools import partial

import torch
from torch import nn

from wwlib.base.descent import count
from wwlib.base.files import tensor_digest
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, rounded
from wwlib.datasets.domains import Domains
from wwlib.experiments.fusion.measures import measure
from wwlib.experiments.hosts import JUDGES_TILTS
from wwlib.flows.experts import LayoutNetwork, make_experts, train_layout
from wwlib.flows.fusion import ShortTranslation
from wwlib.flows.regression import train_regression
from wwlib.flows.translation import Translation, TranslationSchedule, train_translation
from wwlib.flows.world import JUDGED, PICTURES, TESTED, World, make_world
from wwlib.models.autoencoder import Autoencoder, train_autoencoder
from wwlib.models.judges import Judge, new_judge, train_judge

SHELF = Shelf(DATA / "fusion-weights.safetensors", DATA / "fusion.json", "python -m wwlib remake fusion")
STEPS = 7_000  # of the image model's training
PARTS = ("image-model", "judge", "layout")
_MAPS = dict(blocks=6, hidden=88, embedding=80, steps=2000, rate=3e-3)
CASES = {
    "domain": TranslationSchedule(32, (2,), blocks=12, hidden=64, embedding=10),
    "argmax": TranslationSchedule(32, (2, 32, 32), **_MAPS),
    "logits": TranslationSchedule(32, (2, 32, 32), **_MAPS),
    "edges": TranslationSchedule(32, (1, 32, 32), **_MAPS),
    "attributes": TranslationSchedule(32, (30,), blocks=6, hidden=96),
    "both": TranslationSchedule(32, (4, 32, 32), **_MAPS),
}
HEARD = "domain, heard in 2 blocks"  # the remedy that gets every seed; the others get the first
REMEDIES = {
    # against content that the label alone loses
    "domain, few blocks": replace(CASES["domain"], blocks=3),
    "domain, wide and long": replace(CASES["domain"], blocks=8, hidden=128, steps=1600),
    "domain, few slow blocks": replace(CASES["domain"], blocks=4, hidden=64, rate=5e-4),
    "domain, long": replace(CASES["domain"], steps=3000),
    HEARD: replace(CASES["domain"], steps=3000),
    # against logits that leave almost as much open as their argmax
    "argmax, long": replace(CASES["argmax"], steps=4000),
    "logits, long": replace(CASES["logits"], steps=4000),
    "argmax, wide": replace(CASES["argmax"], hidden=192, embedding=192),
    "logits, wide": replace(CASES["logits"], hidden=192, embedding=192),
    "argmax, wide and long": replace(CASES["argmax"], hidden=192, embedding=192, steps=4000),
    "logits, wide and long": replace(CASES["logits"], hidden=192, embedding=192, steps=4000),
    "argmax, young layout": CASES["argmax"],
    "logits, young layout": CASES["logits"],
}
YOUNG = 150  # steps of the layout network's training, in "young layout"
SHUFFLED, REGRESSION = "domain, shuffled labels", "argmax, regression"


def train_part(name: str) -> nn.Module:
    """Train the image model, the judge or the layout network from nothing."""
    if name == "image-model":
        return train_autoencoder(Domains(), steps=STEPS)
    if name == "layout":
        return train_layout(Domains())
    return train_judge(new_judge(JUDGED, 1234), Domains(JUDGES_TILTS), 1_800, seed=4321)


def load_image_model() -> Autoencoder:
    """Return the shipped image model g, frozen."""
    return SHELF.load("image-model", Autoencoder())


def load_judge() -> Judge:
    """Return the shipped judge of both domains, frozen."""
    return SHELF.load("judge", new_judge(JUDGED, 0))


def load_world(pictures: int = PICTURES, tested: int = TESTED) -> World:
    """Return the shipped image model, judge and experts with freshly encoded pictures."""
    return make_world(load_image_model(), load_judge(), SHELF.load("layout", LayoutNetwork()), pictures, tested)


def load_fusion(name: str, schedule: TranslationSchedule | None = None) -> Translation:
    """Return the shipped fusion of an expert (seed 0).

    Args:
        name: of an expert.
        schedule: its sizes, if other than today's.

    Raises:
        ValueError: for an unknown expert.
    """
    if name not in CASES:
        raise ValueError(f"name must be one of {tuple(CASES)}, got {name!r}")
    return SHELF.load(f"fusion-{name}", Translation(schedule or CASES[name]))


def load_record() -> dict:
    """Return the record of every run."""
    return SHELF.read()


def run_case(world: World, case: str, seed: int, keep: bool = False) -> dict:
    """Train and measure one fusion, one remedy or one ablation; return its run record.

    Args:
        world: everything frozen.
        case: of `CASES`, `REMEDIES`, or an ablation.
        seed: of the flow, its batches and its measures.
        keep: write it into `data/`.

    Raises:
        RuntimeError: if the image model changed.
    """
    expert = case.split(",")[0]
    schedule = replace(CASES.get(case) or REMEDIES.get(case) or CASES[expert], seed=seed)
    if case.endswith("young layout"):
        world = replace(world, experts=make_experts(train_layout(Domains(), YOUNG)))
    before, conditions = tensor_digest(world.image_model.state_dict()), world.conditions(expert)
    if case == SHUFFLED:
        conditions = conditions[torch.randperm(len(conditions), generator=torch.Generator().manual_seed(seed))]
    start = time.process_time()
    if case == REGRESSION:
        fusion, losses = train_regression(world.latents, conditions, schedule)
    else:
        build = partial(ShortTranslation, heard=2) if case == HEARD else Translation
        fusion, losses = train_translation(world.latents, conditions, schedule, build)
    seconds = round(time.process_time() - start, 1)
    fusion = rounded(fusion)
    if keep:
        SHELF.keep({f"fusion-{case}": fusion}, half=True)
    scores = measure(world, expert, fusion, seed)
    if tensor_digest(world.image_model.state_dict()) != before:
        raise RuntimeError(f"the image model changed while {case!r} was trained or measured")
    return dict(
        case=case,
        seed=seed,
        schedule=asdict(schedule),
        seconds=seconds,
        parameters=count(fusion),
        image_model=before,
        losses=[round(loss, 3) for loss in losses],
        scores=scores,
    )


def fuse(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: of `PARTS`, `CASES`, `REMEDIES`, or an ablation; all when empty.
        seeds: of the fusions; 0 to 4 if left out, of most remedies 0 alone.

    Raises:
        ValueError: for an unknown part.
    """
    cases = (*CASES, SHUFFLED, REGRESSION, *REMEDIES)
    if unknown := sorted(set(parts) - {*PARTS, *cases}):
        raise ValueError(f"parts must be among {(*PARTS, *cases)}, got {unknown}")
    for part in PARTS:
        if not parts or part in parts:
            start = time.process_time()
            SHELF.keep({part: train_part(part)}, half=True)
            SHELF.note_host(part, time.process_time() - start)
            print(f"{part}: {time.process_time() - start:.0f} CPU-seconds", flush=True)
    wanted = [case for case in cases if not parts or case in parts]
    world = load_world() if wanted else None
    for seed in seeds or range(5):
        for case in wanted:
            if not seeds and seed and case in REMEDIES and case != HEARD:
                continue
            run = run_case(world, case, seed, keep=seed == 0 and case in CASES)
            SHELF.note_run(run)
            print(f"{case}, seed {seed}: {run['seconds']:.0f} CPU-seconds", flush=True)
