"""Lesson 14's trainings and their record: landmarks and their looks over cases and seeds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from statistics import mean

import torch
from torch import Tensor

from wwlib.appearance.landmarks.measures import (
    change_inside,
    change_size,
    equivariance_error,
    joint_regression,
    landmark_parts,
    landmark_spread,
    mean_pose_error,
    recolour_shift,
)
from wwlib.appearance.measures import in_batches, probe, psnr
from wwlib.appearance.parts import PartModel, Schedule, train_parts
from wwlib.appearance.warps import moments, sample_jitter, sample_warp
from wwlib.base.device import Compute
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, named_run, rounded
from wwlib.datasets.motions import sample_triplets
from wwlib.datasets.poses import Pose
from wwlib.datasets.puppet import PARTS, Appearance, Drawing, render
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs

LANDMARKS = Shelf(DATA / "landmarks-weights.safetensors", DATA / "landmarks.json", "python -m wwlib remake landmarks")
LEARNED, TESTED, TEST_SEED = 1_200, 400, 6_000  # triplets that regressions learn from, and those that are scored
_RAW = Schedule(raw=True, separation=0.0, trace=0.0)
CASES = {
    "full": Schedule(),
    "twelve landmarks": Schedule(landmarks=12, reach=0.18),
    "no equivariance": Schedule(mean_weight=0.0, covariance_weight=0.0),
    "coordinates": Schedule(coordinates=True),
    "coordinates, no equivariance": Schedule(coordinates=True, mean_weight=0.0, covariance_weight=0.0),
    "no jitter": Schedule(jitter=False),
    "raw maps, no jitter": replace(_RAW, jitter=False),
    "raw maps, jitter": _RAW,
    "no separation, no trace": Schedule(separation=0.0, trace=0.0),
}
# what the lesson draws with
SHIPPED = ("full", "coordinates, no equivariance", "raw maps, no jitter", "raw maps, jitter")


def load_record() -> dict:
    """Return the record of every run."""
    return LANDMARKS.read()


def load_landmarks(case: str) -> PartModel:
    """Return a shipped model (seed 0): one of `SHIPPED`.

    Raises:
        ValueError: for a case that is not shipped.
    """
    if case not in SHIPPED:
        raise ValueError(f"case must be one of {SHIPPED}, got {case!r}")
    schedule = Schedule(**named_run(load_record(), case)["schedule"])
    return LANDMARKS.load(case.replace(",", ""), PartModel(schedule))


@dataclass(frozen=True)
class Figures:
    """Puppets to score a model on: `given` shows (pose a, appearance a), `onto` (pose b, appearance b), and `answer`
    (pose b, appearance a)."""

    pose: Pose
    looks: Appearance
    other_looks: Appearance
    given: Drawing
    onto: Drawing
    answer: Drawing


def draw_figures(n: int, seed: int) -> Figures:
    """Return `n` triplets of puppets drawn from a seed; trainings use others."""
    a, b, looks, other = sample_triplets(n, torch.Generator().manual_seed(seed))
    return Figures(b, looks, other, render(a, looks), render(b, other), render(b, looks))


@torch.no_grad()
def measure(model: PartModel, figures: Figures, learned: int, seed: int) -> dict:
    """Return every measure of a model: distances in pixels and dB, R^2 of colours, and exchanged parts.

    Args:
        model: to be measured.
        figures: that it has not seen.
        learned: how many of them the regressions learn from; the rest are scored.
        seed: of warps and colours.
    """
    onto, tested = figures.onto, slice(learned, None)
    read = lambda x: in_batches(lambda some: model.shape(some).landmarks.mean, x)  # noqa: E731
    landmarks = read(onto.images)
    g = torch.Generator().manual_seed(seed)
    images = onto.images[tested]
    warp, jitter = sample_warp(len(images), g), sample_jitter(len(images), g)
    still = landmarks.mean(dim=0)
    codes = in_batches(lambda some: _code(model, some), onto.images)
    given = figures.given.images[tested]
    rebuilt, moved = in_batches(model.transfer, images, images), in_batches(model.transfer, given, images)
    colours = figures.other_looks.colours[:, 1:]
    return dict(
        joints=joint_regression(landmarks, onto.joints, learned),
        equivariance=equivariance_error(read, images, warp),
        equivariance_still=equivariance_error(lambda x: still.expand(len(x), -1, -1), images, warp),
        recolour=recolour_shift(read, images, jitter),
        spread=landmark_spread(landmarks),
        rebuilt=psnr(rebuilt, images),
        transfer=psnr(moved, figures.answer.images[tested]),
        copied=psnr(images, figures.answer.images[tested]),
        colours=max(probe(codes, colours, learned)),
        parts=exchanged_parts(model, figures, tested, landmark_parts(landmarks[:learned], onto.footprint[:learned])),
    )


def _code(model: PartModel, images: Tensor) -> Tensor:
    """What the decoder is told about the shape: maps, or mean and covariance of every landmark."""
    maps, (means, covariances) = model.shape(images)
    return maps.flatten(1) if model.raw else torch.cat([means.flatten(1), covariances.flatten(1)], dim=1)


def exchanged_parts(model: PartModel, figures: Figures, rows: slice, part_of: list[int]) -> dict[str, dict]:
    """Return, for every part that some landmark lies on, where and how much the picture changes with its look.

    `inside` and `near` are the shares of the change inside the part, and with one pixel more; `size` is the size of the
    change over the right one's; `inside_true` is the right change's share.

    Args:
        model: to be measured.
        figures: puppets; the look of one part comes from `given`.
        rows: of the figures.
        part_of: the part that each landmark lies on, positions in `PARTS`.
    """
    pose, looks, onto = figures.pose[rows], figures.other_looks[rows], figures.onto.images[rows]
    given, parts = figures.given.images[rows], figures.onto.parts[rows]
    before, scores = in_batches(model.transfer, onto, onto), {}
    for part in sorted(set(part_of)):
        own = [k for k, one in enumerate(part_of) if one == part]
        colours = looks.colours.clone()
        colours[:, part] = figures.looks.colours[rows, part]
        right = render(pose, replace(looks, colours=colours)).images
        after = in_batches(lambda x, y, own=own: model.transfer(x, y, own), given, onto)
        mask = parts == part
        scores[PARTS[part]] = dict(
            inside=change_inside(before, after, mask),
            near=change_inside(before, after, mask, margin=1),
            size=change_size(before, after, onto, right),
            inside_true=change_inside(onto, right, mask),
        )
    return scores


def baselines(figures: Figures, learned: int) -> dict:
    """Return the errors of joints of the mean pose, and of a regression on the foreground's mean and covariance."""
    foreground = moments(1 - figures.onto.footprint[:, :1])
    features = torch.cat([foreground.mean.flatten(1), foreground.covariance.flatten(1)], dim=1)
    joints = figures.onto.joints
    return dict(mean_pose=mean_pose_error(joints, learned), foreground=joint_regression(features, joints, learned))


def run_case(case: str, schedule: Schedule, keep: bool) -> dict:
    """Train and measure one model; return its run record.

    Args:
        case: name in the record.
        schedule: of the training.
        keep: write the network into `data/`.
    """
    start = time.perf_counter()
    model, history = train_parts(schedule, compute=Compute(torch.device("cpu"), torch.bfloat16))
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    figures = draw_figures(LEARNED + TESTED, TEST_SEED)
    untrained = PartModel(schedule).eval()
    scores = measure(model, figures, LEARNED, schedule.seed) | baselines(figures, LEARNED)
    scores["untrained"] = measure(untrained, figures, LEARNED, schedule.seed)
    if keep:  # after all measures: whoever interrupts them leaves weights and record as they were
        LANDMARKS.keep({case.replace(",", ""): model}, half=True)
    return dict(case=case, seed=schedule.seed, schedule=asdict(schedule), tested=TESTED, seconds=seconds,
                history=history[::4] + history[-1:], scores=scores)  # fmt: skip


def make(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the cases that are named, and bring weights and record up to date.

    Args:
        parts: of `CASES`; all when empty.
        seeds: of the trainings; 0 to 4 if left out.

    Raises:
        ValueError: for an unknown case.
    """
    runs_of_part = lambda case, seed: [run_case(case, replace(CASES[case], seed=seed), seed == 0 and case in SHIPPED)]  # noqa: E731
    record_runs(LANDMARKS, chosen_parts(parts, tuple(CASES)), lambda _: seeds or SEEDS, runs_of_part, _summary)


def _summary(run: dict) -> str:
    scores = run["scores"]
    inside = mean(part["inside"] for part in scores["parts"].values())
    return (
        f"{run['seconds']:.0f} s, joints {scores['joints']:.2f} px, equivariance {scores['equivariance']:.2f} px, "
        f"{scores['rebuilt']:.1f} / {scores['transfer']:.1f} dB, {len(scores['parts'])} parts, inside {inside:.2f}"
    )
