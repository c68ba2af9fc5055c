"""Lesson 20's trainings and their record: one image model, its judge, the experts, and a fusion of each over seeds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
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
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs
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


@dataclass(frozen=True)
class FusionCase:
    """A fusion to train: that of an expert, or the same with one change.

    Args:
        expert: one of `CASES`.
        schedule: of the training.
        change: what differs from the expert's fusion, in words; empty for nothing.
        shuffled: learn from the labels of other pictures.
        regression: train the rival, which has no residual.
        heard: number of blocks that hear the condition; all of them if left out.
        layout_steps: training steps of a layout network made for this case; the shipped one if left out.
    """

    expert: str
    schedule: TranslationSchedule
    change: str = ""
    shuffled: bool = False
    regression: bool = False
    heard: int | None = None
    layout_steps: int | None = None

    @property
    def name(self) -> str:
        """The name under which it is recorded."""
        return f"{self.expert}, {self.change}" if self.change else self.expert


def changed(expert: str, change: str, **schedule) -> FusionCase:
    """Return the fusion of an expert with something changed in its schedule."""
    return FusionCase(expert, replace(CASES[expert], **schedule), change)


YOUNG = 150  # steps of the layout network's training, in "young layout"
_WIDE = dict(hidden=192, embedding=192)
_SHUFFLED = replace(changed("domain", "shuffled labels"), shuffled=True)
_REGRESSION = replace(changed("argmax", "regression"), regression=True)
_HEARD = replace(changed("domain", "heard in 2 blocks", steps=3000), heard=2)
SHUFFLED, REGRESSION = _SHUFFLED.name, _REGRESSION.name
HEARD = _HEARD.name  # the remedy that gets every seed; the others get the first
REMEDIES = {
    case.name: case
    for case in (
        # against content that the label alone loses
        changed("domain", "few blocks", blocks=3),
        changed("domain", "wide and long", blocks=8, hidden=128, steps=1600),
        changed("domain", "few slow blocks", blocks=4, hidden=64, rate=5e-4),
        changed("domain", "long", steps=3000),
        _HEARD,
        # against logits that leave almost as much open as their argmax
        *(changed(layout, "long", steps=4000) for layout in ("argmax", "logits")),
        *(changed(layout, "wide", **_WIDE) for layout in ("argmax", "logits")),
        *(changed(layout, "wide and long", **_WIDE, steps=4000) for layout in ("argmax", "logits")),
        *(replace(changed(layout, "young layout"), layout_steps=YOUNG) for layout in ("argmax", "logits")),
    )
}
FUSIONS = {
    **{expert: FusionCase(expert, schedule) for expert, schedule in CASES.items()},
    SHUFFLED: _SHUFFLED,
    REGRESSION: _REGRESSION,
    **REMEDIES,
}


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


def run_case(world: World, case: FusionCase, seed: int, keep: bool = False) -> dict:
    """Train and measure one fusion, one remedy or one ablation; return its run record.

    Args:
        world: everything frozen.
        case: one of `FUSIONS`.
        seed: of the flow, its batches and its measures.
        keep: write it into `data/`.

    Raises:
        RuntimeError: if the image model changed.
    """
    schedule = replace(case.schedule, seed=seed)
    if case.layout_steps is not None:
        world = replace(world, experts=make_experts(train_layout(Domains(), case.layout_steps)))
    before, conditions = tensor_digest(world.image_model.state_dict()), world.conditions(case.expert)
    if case.shuffled:
        conditions = conditions[torch.randperm(len(conditions), generator=torch.Generator().manual_seed(seed))]
    start = time.process_time()
    if case.regression:
        fusion, losses = train_regression(world.latents, conditions, schedule)
    else:
        build = Translation if case.heard is None else partial(ShortTranslation, heard=case.heard)
        fusion, losses = train_translation(world.latents, conditions, schedule, build)
    seconds = round(time.process_time() - start, 1)
    fusion = rounded(fusion)
    if keep:
        SHELF.keep({f"fusion-{case.name}": fusion}, half=True)
    scores = measure(world, case.expert, fusion, seed)
    if tensor_digest(world.image_model.state_dict()) != before:
        raise RuntimeError(f"the image model changed while {case.name!r} was trained or measured")
    return dict(
        case=case.name,
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
        parts: of `PARTS` or `FUSIONS`; all when empty.
        seeds: of the fusions; 0 to 4 if left out, of most remedies 0 alone.

    Raises:
        ValueError: for an unknown part.
    """
    chosen = chosen_parts(parts, (*PARTS, *FUSIONS))
    for part in (part for part in chosen if part in PARTS):
        start = time.process_time()
        SHELF.keep({part: train_part(part)}, half=True)
        SHELF.note_host(part, time.process_time() - start)
        print(f"{part}: {time.process_time() - start:.0f} CPU-seconds", flush=True)
    cases = [part for part in chosen if part not in PARTS]
    world = load_world() if cases else None
    seeds_of = lambda case: seeds or (range(1) if case in REMEDIES and case != HEARD else SEEDS)  # noqa: E731
    runs = lambda case, seed: [run_case(world, FUSIONS[case], seed, keep=seed == 0 and case in CASES)]  # noqa: E731
    record_runs(SHELF, cases, seeds_of, runs, lambda run: f"{run['seconds']:.0f} CPU-seconds")
