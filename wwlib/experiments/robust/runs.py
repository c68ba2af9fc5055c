"""Lesson 13's trainings and their record: six variants over seeds, and what a fresh judge finds in their codes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.appearance.information_critic import STRONG, WEAK, information, train_critic
from wwlib.appearance.judges import JointJudge, joint_error, train_joint_judge
from wwlib.appearance.measures import probe, psnr
from wwlib.appearance.robust import Pairs, RobustModel, RobustSchedule, codes_of, train_robust, transfer
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, rounded
from wwlib.datasets.motions import sample_pairs, sample_triplets
from wwlib.datasets.poses import Pose
from wwlib.datasets.puppet import Appearance, render
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs

ROBUST = Shelf(DATA / "robust-weights.safetensors", DATA / "robust.json", "python -m wwlib remake robust")
LEARNED, TESTED, PROBED = 6_000, 600, 1_400  # pairs to learn from; to score on; for probes to learn from
CLOTHES = [0, 1, 2, 5]  # the columns of colours that differ: background, head, torso with arms, legs
JUDGE_STEPS = 500
NOTED = 10  # the record holds the mean of this many steps

CASES = {
    "none": RobustSchedule(constrained=False, adaptive=False),
    "noise alone": RobustSchedule(constrained=False, adaptive=False, gamma=0.1),
    "strong adversary": RobustSchedule(adaptive=False),
    "weak adversary": RobustSchedule(WEAK, adaptive=False),
    "strong full": RobustSchedule(),
    "weak full": RobustSchedule(WEAK, tolerance=0.1, gamma_rate=0.0015),
}
# against what a judge still finds, or against what noise costs: what is changed
REMEDIES = {
    "strong full, noise grows three times as fast": replace(CASES["strong full"], gamma_rate=0.009),
    "strong full, T' learns once a step": replace(CASES["strong full"], watcher_steps=1),
    "strong full, T' learns from other figures too": replace(CASES["strong full"], other_figures=True),
    "strong full, other figures, noise grows a third as fast": replace(
        CASES["strong full"], other_figures=True, gamma_rate=0.001
    ),
    "weak full, noise grows three times as fast": replace(CASES["weak full"], gamma_rate=0.0045),
}


@dataclass(frozen=True)
class Unseen:
    """Pictures that no model learned from.

    Args:
        given: pictures that give the appearance.
        target: the same figures in other poses: what every transfer should look like.
        others: other figures in the poses of `target`.
        joints: of `target`, `[n, 9, 2]`.
        colours: of `target`, `[n, 12]`.
    """

    given: Tensor
    target: Tensor
    others: Tensor
    joints: Tensor
    colours: Tensor

    def rows(self, rows: slice) -> Unseen:
        """Return some of the pictures."""
        return Unseen(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def draw_pairs(n: int, seed: int) -> Pairs:
    """Return n pairs of pictures that share an appearance."""
    first, second, appearance = sample_pairs(n, torch.Generator().manual_seed(seed), clothes=True)
    return Pairs(_images(first, appearance), _images(second, appearance))


def _images(pose: Pose, appearance: Appearance) -> Tensor:
    """Pictures of figures, drawn 500 at a time: all at once would take gigabytes."""
    return torch.cat([render(pose[rows], appearance[rows]).images for rows in torch.arange(len(pose)).split(500)])


def draw_unseen(n: int, seed: int) -> Unseen:
    """Return n triplets to test on: the appearance is given, the pose comes from another figure."""
    given, pose, appearance, other = sample_triplets(n, torch.Generator().manual_seed(seed), clothes=True)
    target = render(pose, appearance)
    colours = appearance.colours[:, CLOTHES].flatten(1)
    return Unseen(_images(given, appearance), target.images, _images(pose, other), target.joints, colours)


@lru_cache(maxsize=1)
def learned() -> Pairs:
    """Return the pairs that every model learns from."""
    return draw_pairs(LEARNED, seed=100)


@lru_cache(maxsize=1)
def unseen() -> Unseen:
    """Return the pictures for probes and scores: probes learn from the first, everything is scored on the last."""
    return draw_unseen(PROBED + TESTED, seed=200)


def tested_part() -> Unseen:
    """Return the pictures that everything is scored on."""
    return unseen().rows(slice(PROBED, None))


def load_record() -> dict:
    """Return the record of every run."""
    return ROBUST.read()


def load_robust(case: str) -> RobustModel:
    """Return a shipped model (seed 0) of one of `CASES`."""
    return ROBUST.load(f"model-{case}", RobustModel())


def load_joint_judge() -> JointJudge:
    """Return the shipped judge of joints."""
    return ROBUST.load("joints", JointJudge())


def judged_information(
    model: RobustModel, pairs: Pairs, tested: Unseen, seed: int = 0, steps: int = JUDGE_STEPS
) -> float:
    """Return what a fresh strong critic finds in a model's codes, nats.

    Args:
        model: whose codes are drawn once, with their noise, and then stay as they are.
        pairs: the judge learns from their codes.
        tested: pictures that neither the model nor the judge learned from.
        seed: of noise and judge.
        steps: of the judge's training.
    """
    generator = torch.Generator().manual_seed(7_000 + seed)
    both = torch.stack([pairs.first, pairs.second], 1), torch.stack([pairs.second, pairs.first], 1)
    both = [pictures.flatten(0, 1) for pictures in both]  # a figure's two rows are neighbours: held out together
    learned_codes = codes_of(model, *both, generator)
    own_codes = codes_of(model, tested.target, tested.given, generator)
    scales = [(codes.mean(dim=0), codes.std(dim=0) + 1e-4) for codes in learned_codes]
    learned_codes, own_codes = (
        [(codes - middle) / spread for codes, (middle, spread) in zip(pair, scales, strict=True)]
        for pair in (learned_codes, own_codes)
    )
    judge = train_critic(*learned_codes, STRONG, steps, seed=7_000 + seed, held_out=len(both[0]) // 10)
    return float(information(judge(*own_codes)))


@torch.no_grad()
def measure(model: RobustModel, judge: JointJudge, seed: int) -> dict:
    """Return every measure of one model, on pictures that it has not seen; codes are drawn with their noise."""
    everything, tested, generator = unseen(), tested_part(), torch.Generator().manual_seed(seed)
    rebuilt = transfer(model, tested.target, tested.given, generator)
    carried = transfer(model, tested.others, tested.given, generator)
    still = transfer(model, tested.others, tested.given)
    pose, appearance = codes_of(model, everything.target, everything.target, generator)
    error = {name: float((images - tested.target).square().mean()) for name, images in
             (("rebuilt", rebuilt), ("transfer", carried))}  # fmt: skip
    return dict(
        rebuilt=psnr(rebuilt, tested.target),
        transfer=psnr(carried, tested.target),
        transfer_without_noise=psnr(still, tested.target),
        copied=psnr(tested.given, tested.target),
        ratio=error["transfer"] / error["rebuilt"],
        joints=joint_error(judge, carried, tested.joints),
        joints_of_truth=joint_error(judge, tested.target, tested.joints),
        appearance_from_pose=probe(pose, everything.colours, PROBED),
        pose_from_pose=probe(pose, everything.joints, PROBED),
        pose_from_appearance=probe(appearance, everything.joints, PROBED),
        appearance_from_appearance=probe(appearance, everything.colours, PROBED),
    )


def noted(history: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return the history of a training in short: the mean of every ten steps, three digits."""
    blocks = [history[k : k + NOTED] for k in range(0, len(history), NOTED)]
    return {
        name: [float(f"{sum(step[name] for step in block) / len(block):.3g}") for block in blocks]
        for name in history[0]
    }


def run_case(case: str, seed: int, keep: bool) -> dict:
    """Train and measure one variant; return its run record.

    Args:
        case: of `CASES` or `REMEDIES`.
        seed: of weights, batches, noise and judges.
        keep: write the model into `data/`.
    """
    schedule, start = replace((CASES | REMEDIES)[case], seed=seed), time.perf_counter()
    model, history = train_robust(learned(), schedule)
    seconds = round(time.perf_counter() - start, 1)
    model = rounded(model)
    if keep:
        ROBUST.keep({f"model-{case}": model}, half=True)
    last = history[-len(history) // 10 :]
    scores = measure(model, load_joint_judge(), seed)
    scores |= {name: sum(step[name] for step in last) / len(last) for name in ("reported", "watched")}
    scores |= dict(gamma=history[-1]["gamma"], judged=judged_information(model, learned(), tested_part(), seed))
    return dict(case=case, seed=seed, schedule=asdict(schedule), seconds=seconds, history=noted(history), scores=scores)


def disentangle(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: of `CASES`, "remedies" or "judge"; all when empty. Seed 0 of every case is stored.
        seeds: of the trainings; 0 to 4 if left out, of remedies 0 alone.

    Raises:
        ValueError: for an unknown part.
    """
    chosen = chosen_parts(parts, ("judge", *CASES, "remedies"))
    if "judge" in chosen:
        ROBUST.keep_host("joints", lambda: train_joint_judge(seed=901))
    trainings = [part for part in chosen if part != "judge"]
    seeds_of = lambda part: seeds or (range(1) if part == "remedies" else SEEDS)  # noqa: E731
    record_runs(ROBUST, trainings, seeds_of, _runs, _text)


def _runs(part: str, seed: int) -> Iterator[dict]:
    if part in CASES:
        yield run_case(part, seed, keep=seed == 0)
        return
    for remedy in REMEDIES:
        yield run_case(remedy, seed, keep=False)


def _text(run: dict) -> str:
    scores = run["scores"]
    figures = ("rebuilt", "transfer", "ratio", "joints", "reported", "watched", "judged", "gamma")
    probes = f"R² {scores['appearance_from_pose']}, pose {scores['pose_from_pose']}"
    return f"{run['seconds']:.0f} s, " + ", ".join(f"{name} {scores[name]:.3f}" for name in figures) + f", {probes}"
