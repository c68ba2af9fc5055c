"""Lesson 15's trainings and their record: segments over cases and seeds, and what cuts pictures without learning."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace

import torch

from wwlib.appearance.discovery import DiscoveryModel, Schedule, segment, train_discovery
from wwlib.appearance.measures import in_batches, probe, psnr
from wwlib.appearance.segments.measures import (
    colour_clusters,
    fit_mapping,
    foreground_slots,
    mean_iou,
    mean_places,
    named_by_oracle,
    named_by_place,
    part_ious,
    repainting,
    static_map,
    tuned_static_map,
)
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, named_run, rounded
from wwlib.datasets.motions import sample_triplets
from wwlib.datasets.puppet import PARTS, Appearance, Drawing, render
from wwlib.experiments.discovery.worlds import World, draw_pairs, waves
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs

DISCOVERY = Shelf(DATA / "discovery-weights.safetensors", DATA / "discovery.json", "python -m wwlib remake discovery")
PAIRS, VALIDATION, TESTED, TEST_SEED = 5_000, 1_500, 600, 7_000
WEIGHTS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the coordinates in k-means
REPAINTED = 200  # test pictures whose slots are repainted
TUNED = 150  # validation pictures on which k-means' weight is chosen
_NO_CRITIC = Schedule(critic=False, beta=0.0)
_WIDE = Schedule(channels=64)
# with its whole weight from the start, the penalty on area empties every slot in some seeds
_GROWING = Schedule(warped=True, area_rise=0.1)


@dataclass(frozen=True)
class Case:
    """What is trained, and in which world."""

    schedule: Schedule = field(default_factory=Schedule)
    world: World = field(default_factory=World)


CASES = {
    "full": Case(),
    "warped": Case(Schedule(warped=True)),
    "warped, area grows": Case(_GROWING),
    "no critic, no KL": Case(_NO_CRITIC),
    "global code": Case(Schedule(channels=0)),
    "no shape penalties": Case(Schedule(entropy=0.0, trace=0.0, separation=0.0, variation=0.0)),
    "no area": Case(Schedule(area=0.0)),
    "no background, no area": Case(Schedule(background=False, area=0.0)),
    "four slots": Case(Schedule(slots=4)),
}
# settings in which the critic may have something to do, each with and without critic and divergence
SEARCHED = {
    "warped, area grows, no critic": Case(replace(_GROWING, critic=False, beta=0.0)),
    "textured": Case(world=World(textured=True)),
    "textured, no critic": Case(_NO_CRITIC, World(textured=True)),
    "correlated": Case(world=World(correlated=True)),
    "correlated, no critic": Case(_NO_CRITIC, World(correlated=True)),
    "wide code": Case(_WIDE),
    "wide code, no critic": Case(replace(_WIDE, critic=False, beta=0.0)),
}
SHIPPED = ("full", "warped", "warped, area grows", "no background, no area")  # what the lesson draws with


def load_record() -> dict:
    """Return the record of every run."""
    return DISCOVERY.read()


def load_discovery(case: str) -> DiscoveryModel:
    """Return a shipped model (seed 0): one of `SHIPPED`.

    Raises:
        ValueError: for a case that is not shipped.
    """
    if case not in SHIPPED:
        raise ValueError(f"case must be one of {SHIPPED}, got {case!r}")
    schedule = Schedule(**named_run(load_record(), case)["schedule"])
    return DISCOVERY.load(case.replace(",", ""), DiscoveryModel(schedule))


@dataclass(frozen=True)
class Figures:
    """Puppets to score a model on: `given` shows (pose a, look a), `onto` (pose b, look b), `answer` (pose b, look a).

    `looks` are those of `onto`.
    """

    looks: Appearance
    given: Drawing
    onto: Drawing
    answer: Drawing

    def rows(self, which: slice) -> Figures:
        """Return some of these figures."""
        cut = lambda d: Drawing(d.images[which], d.footprint[which], d.joints[which])  # noqa: E731
        return Figures(self.looks[which], cut(self.given), cut(self.onto), cut(self.answer))


def draw_figures(n: int, seed: int, textured: bool = False) -> Figures:
    """Return `n` triplets of puppets drawn from a seed; trainings use others. Looks do not depend on poses here."""
    a, b, looks, other = sample_triplets(n, torch.Generator().manual_seed(seed), textured=textured)
    return Figures(other, render(a, looks), render(b, other), render(b, looks))


@torch.no_grad()
def measure(model: DiscoveryModel, figures: Figures, known: int, seed: int) -> dict:
    """Return every measure of a model: overlap, slots, transfer, and what its shape code tells (R^2).

    Args:
        model: to be measured.
        figures: that it has not seen.
        known: how many of them slots are named on and probes learn from; the rest are scored.
        seed: of the noise on shape codes.
    """
    images, parts = figures.onto.images, figures.onto.parts
    tested, n = figures.rows(slice(known, None)), model.slots
    slots = segment(model, images)
    mapping = fit_mapping(slots[:known], parts[:known], n)
    flattering = fit_mapping(slots[known:], parts[known:], n)
    named = mapping[slots[known:]]
    active = foreground_slots(slots[known:], mapping)
    g = torch.Generator().manual_seed(seed)
    codes = torch.cat([model.shape(some).sample(g).flatten(1) for some in images.split(100)])
    transferred = in_batches(model.transfer, tested.given.images, tested.onto.images)
    some = tested.rows(slice(REPAINTED))
    part_of = {slot: int(mapping[slot]) for slot in active}
    repainted = repainting(model, some.onto.images, some.given.images, some.onto.parts, part_of)
    targets = {"colours": figures.looks.colours[:, 1:], "pose": figures.onto.joints}
    if figures.looks.texture.any():
        targets["texture"] = waves(figures.looks)
    return dict(
        miou=mean_iou(named, parts[known:]),
        ious=dict(zip(PARTS[1:], part_ious(named, parts[known:]), strict=True)),
        optimistic=mean_iou(flattering[slots[known:]], parts[known:]),
        mapping=[PARTS[part] for part in mapping.tolist()],
        shares=(torch.bincount(slots[known:].flatten(), minlength=n) / slots[known:].numel()).tolist(),
        foreground_slots=len(active),
        transfer=psnr(transferred, tested.answer.images),
        copied=psnr(tested.onto.images, tested.answer.images),
        repainted={str(slot): asdict(scores) for slot, scores in repainted.items()},
        **{name: max(probe(codes, target, known)) for name, target in targets.items()},
    )


def baselines(figures: Figures, known: int, clusters: int = 8) -> dict:
    """Return the mIoU of one map for all pictures, and of k-means on each picture's colours and coordinates.

    Args:
        figures: to be cut.
        known: how many of them threshold, weight and places are chosen on; the rest are scored.
        clusters: of k-means.
    """
    footprint, parts, images = figures.onto.footprint[:known], figures.onto.parts, figures.onto.images
    scored = parts[known:]
    first, tuned = static_map(footprint), tuned_static_map(footprint, parts[:known])
    places = mean_places(parts[:known], len(PARTS))

    def clustered(which: slice, weight: float) -> dict[str, float]:
        labels = [colour_clusters(image, weight, clusters) for image in images[which]]
        by_place = [named_by_place(each, clusters, places) for each in labels]
        by_oracle = [named_by_oracle(each, true, clusters) for each, true in zip(labels, parts[which], strict=True)]
        return {name: mean_iou(torch.stack(named), parts[which])
                for name, named in (("place", by_place), ("oracle", by_oracle))}  # fmt: skip

    validated = {weight: clustered(slice(TUNED), weight) for weight in WEIGHTS}
    scores = dict(
        static=mean_iou(first.expand_as(scored), scored), static_tuned=mean_iou(tuned.expand_as(scored), scored)
    )
    for name in ("place", "oracle"):
        best = max(WEIGHTS, key=lambda weight: validated[weight][name])
        scores |= {name: clustered(slice(known, None), best)[name], f"{name}_weight": best}
    return scores


def run_case(name: str, case: Case, keep: bool) -> dict:
    """Train and measure one model; return its run record.

    Args:
        name: in the record.
        case: schedule and world of the training.
        keep: write the network into `data/`.
    """
    schedule = case.schedule
    pairs = draw_pairs(PAIRS, 100 + schedule.seed, case.world)
    start = time.perf_counter()
    model, history = train_discovery(pairs, schedule)
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    figures = draw_figures(VALIDATION + TESTED, TEST_SEED, case.world.textured)
    scores = measure(model, figures, VALIDATION, schedule.seed)
    if keep:  # after all measures: whoever interrupts them leaves weights and record as they were
        DISCOVERY.keep({name.replace(",", ""): model}, half=True)
    return dict(case=name, seed=schedule.seed, schedule=asdict(schedule), world=asdict(case.world), tested=TESTED,
                seconds=seconds, history=history[::4] + history[-1:],
                scores=scores)  # fmt: skip


def make(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the cases that are named, and bring weights and record up to date.

    Args:
        parts: "baselines", of `CASES` and of `SEARCHED`; all when empty.
        seeds: of the trainings; if left out, 0 to 4 for `CASES` and 0 for the others. Baselines know no seed.

    Raises:
        ValueError: for an unknown part.
    """
    cases = CASES | SEARCHED

    def seeds_of(part: str) -> list[int]:
        return [0] if part == "baselines" else seeds or (list(SEEDS) if part in CASES else [0])

    def runs_of_part(part: str, seed: int) -> list[dict]:
        if part == "baselines":
            figures = {name: draw_figures(VALIDATION + TESTED, TEST_SEED, textured)
                       for name, textured in (("baselines", False), ("baselines, textured", True))}  # fmt: skip
            return [dict(case=name, seed=0, tested=TESTED, scores=baselines(some, VALIDATION))
                    for name, some in figures.items()]  # fmt: skip
        case = replace(cases[part], schedule=replace(cases[part].schedule, seed=seed))
        return [run_case(part, case, keep=seed == 0 and part in SHIPPED)]

    record_runs(DISCOVERY, chosen_parts(parts, ("baselines", *cases)), seeds_of, runs_of_part, _summary)


def _summary(run: dict) -> str:
    scores = run["scores"]
    if "static" in scores:
        return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return (
        f"{run['seconds']:.0f} s, mIoU {scores['miou']:.3f} (optimistic {scores['optimistic']:.3f}, worst part "
        f"{min(scores['ious'].values()):.2f}), {scores['foreground_slots']} slots, {scores['transfer']:.1f} dB, "
        f"colours {scores['colours']:.2f}, pose {scores['pose']:.2f}"
    )
