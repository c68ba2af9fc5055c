"""Lesson 16's trainings and their record: content and style over cases and seeds, read by a judge from outside."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.appearance.style import Schedule, StyleModel
from wwlib.appearance.styles.judges import STRIPES, mean_hue, new_style_judge, train_style_judge, verdict
from wwlib.appearance.styles.losses import fixpoint_triplet_loss, image_loss
from wwlib.appearance.styles.measures import (
    agreement,
    code_distance,
    nearest_neighbour,
    painted,
    readable,
    style_codes,
    variety,
)
from wwlib.appearance.styles.training import train_style
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, rounded
from wwlib.datasets.styles.paintings import FAMILIES, Style, paintings, sample_styles
from wwlib.datasets.styles.scenes import Scene, photographs, sample_scenes
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs
from wwlib.models.judges import Judge

STYLE = Shelf(DATA / "style-weights.safetensors", DATA / "style.json", "python -m wwlib remake style")
LEARNED, TESTED, TEST_SEED, JUDGE_SEED = 1_400, 600, 6_000, 902  # rows that readers learn from, rows that are scored
CONTRAST = Schedule(contrast=1.0)
TWO = replace(CONTRAST, siblings=True)
CASES = {
    "paper": Schedule(),
    "contrast": CONTRAST,
    "contrast of small crops": replace(CONTRAST, crop=16),
    "contrast of two paintings": TWO,
    "no triplet": replace(CONTRAST, triplet=0.0),
    "no disentanglement": replace(CONTRAST, disentangle=0.0),
}
# further variants, with fewer seeds: what the critic is good for; against the shape that leaks into the style code; a
# second parameter
VARIANTS = {
    "critic features": replace(CONTRAST, features=1.0),
    "family alone": replace(CONTRAST, adversarial=0.0),
    "contrast, disentanglement eight times": replace(CONTRAST, disentangle=16.0),
    "angles vary": replace(TWO, angles=True),
    "angles vary, steered waves": replace(TWO, angles=True, steered=4),
    "angles vary, wide margin": replace(TWO, angles=True, margin=2.0),
    "angles vary, steered waves, wide margin": replace(TWO, angles=True, steered=4, margin=2.0),
    "angles vary, more paintings": replace(TWO, angles=True, more=32),
    "angles vary, more paintings, steered waves": replace(TWO, angles=True, more=32, steered=4),
    "angles vary, more paintings, encoder apart": replace(TWO, angles=True, more=32, apart=True),
    "angles vary, more paintings, encoder apart, twice the steps": replace(
        TWO, angles=True, more=32, apart=True, steps=2_400
    ),
}
# what the lesson draws with: case and seed; two seeds of the paper's losses, since one of them copies hues and one not
SHIPPED = (
    ("paper", 0),
    ("paper", 1),
    ("contrast", 0),
    ("contrast of small crops", 0),
    ("contrast of two paintings", 0),
    ("no triplet", 0),
)


def load_record() -> dict:
    """Return the record of every run."""
    return STYLE.read()


def load_style(case: str, seed: int = 0) -> StyleModel:
    """Return a shipped model: case and seed are one of `SHIPPED`."""
    return STYLE.load(f"{case}-seed{seed}", StyleModel())


def load_style_judge() -> Judge:
    """Return the shipped judge of paintings."""
    return STYLE.load("judge", new_style_judge())


@dataclass(frozen=True)
class Gallery:
    """Pictures to score a model on, all `[n, 3, 32, 32]`.

    Args:
        scene, style: what the photos show, and how the references are painted.
        relative: styles of the same families with another hue and phase.
        photos, other_photos: two that have nothing in common.
        references, relatives: paintings of further scenes, in `style` and in `relative`.
        right, right_relative: the photos' scenes in both styles.
        reference_shape: of the references' scenes, `[n]`.
    """

    scene: Scene
    style: Style
    relative: Style
    photos: Tensor
    other_photos: Tensor
    references: Tensor
    relatives: Tensor
    right: Tensor
    right_relative: Tensor
    reference_shape: Tensor


def draw_gallery(n: int, seed: int, angles: bool = False) -> Gallery:
    """Return n rows of pictures drawn from a seed; trainings use others.

    Args:
        n: how many.
        seed: of all of them.
        angles: whether the stripes' angle varies.
    """
    g = torch.Generator().manual_seed(seed)
    scene, further, last, other = (sample_scenes(n, g) for _ in range(4))
    style = sample_styles(n, g, angles=angles)
    relative = sample_styles(n, g, style.family, angles)
    return Gallery(
        scene, style, relative, photographs(scene, g), photographs(other, g),
        paintings(further, style), paintings(last, relative),
        paintings(scene, style), paintings(scene, relative), further.shape,
    )  # fmt: skip


@lru_cache(maxsize=2)
def gallery(angles: bool) -> Gallery:
    """Return the pictures of every score: readers of codes learn from the first rows, all is scored on the last."""
    return draw_gallery(LEARNED + TESTED, TEST_SEED, angles)


def judged(judge: Judge, images: Tensor, scene: Scene, style: Style) -> dict:
    """Return what a judge from outside finds in pictures that should show scenes in styles.

    Shares of right families and shapes; the agreement of hues, also by family and by the mean colour; that of the
    stripes' angles.

    Args:
        judge: of paintings.
        images: `[n, 3, 32, 32]`.
        scene, style: that they should show, n of each.
    """
    seen, striped = verdict(judge, images), style.family == STRIPES
    of_family = [style.family == family for family in range(len(FAMILIES))]
    return dict(
        family=float((seen.family == style.family).double().mean()),
        shape=float((seen.shape == scene.shape).double().mean()),
        hue=agreement(seen.hue, style.hue),
        hue_by_family=[agreement(seen.hue[rows], style.hue[rows]) for rows in of_family],
        mean_hue=agreement(mean_hue(images), style.hue),
        angle=agreement(seen.angle[striped], style.angle[striped] / torch.pi),
    )


@torch.no_grad()
def measure(model: StyleModel, judge: Judge, pictures: Gallery, learned: int, margin: float) -> dict:
    """Return every measure of a model.

    `judged` of what it draws; `variety` within a family; `tone`, the root of the image loss; the triplet loss and the
    fixpoint's distance by its own encoder, and the hue that this encoder reads from references (`known`) and from drawn
    pictures (`believed`); drifts of the code with photo and reference; shapes and families that codes give away.

    Args:
        model: to be measured.
        judge: of paintings.
        pictures: that it has not seen.
        learned: rows that readers of codes learn from; the rest are scored.
        margin: of the triplet loss.
    """
    tested = slice(learned, None)
    drawn = painted(model, pictures.photos, pictures.references)
    related = painted(model, pictures.photos[tested], pictures.relatives[tested])
    elsewhere = painted(model, pictures.other_photos[tested], pictures.references[tested])
    codes, read = style_codes(model, pictures.references), style_codes(model, drawn)
    shown, hue = drawn[tested], pictures.style.hue
    own = style_codes(model, pictures.relatives[tested]), style_codes(model, related)
    drift = code_distance(model, shown, elsewhere), code_distance(model, shown, related)
    nearest = lambda seen: nearest_neighbour(seen[tested], codes[:learned], hue[:learned])  # noqa: E731
    return judged(judge, shown, pictures.scene[tested], pictures.style[tested]) | dict(
        variety=variety(shown, related, pictures.right[tested], pictures.right_relative[tested]),
        tone=float(image_loss(shown, pictures.photos[tested]).sqrt()),
        triplet=float(fixpoint_triplet_loss(codes[tested], own[0], read[tested], own[1], margin)),
        fixpoint=code_distance(model, pictures.references[tested], shown),
        known=agreement(nearest(codes), hue[tested]),
        believed=agreement(nearest(read), hue[tested]),
        drift_photo=drift[0],
        drift_reference=drift[1],
        shape_from_style=readable(codes, pictures.reference_shape, learned),
        shape_from_drawn=readable(read, pictures.scene.shape, learned),
        family_from_style=readable(codes, pictures.style.family, learned),
    )


def baselines(judge: Judge, pictures: Gallery, learned: int) -> dict[str, dict]:
    """Return what the judge finds in pictures that no model draws: right answers, and three ways to answer cheaply."""
    tested = slice(learned, None)
    answers = {
        "right answer": pictures.right,
        "right answer of a relative": pictures.right_relative,
        "the reference itself": pictures.references,
        "the photo itself": pictures.photos,
    }
    scene, style = pictures.scene[tested], pictures.style[tested]
    return {name: judged(judge, images[tested], scene, style) for name, images in answers.items()}


def run_case(case: str, schedule: Schedule, keep: bool) -> dict:
    """Train and measure one model; return its run record.

    Args:
        case: name in the record.
        schedule: of the training.
        keep: write the networks that draw into `data/`.
    """
    start = time.perf_counter()
    model, history = train_style(schedule)
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    if keep:
        STYLE.keep({f"{case}-seed{schedule.seed}": model}, half=True)
    judge, pictures = load_style_judge(), gallery(schedule.angles)
    scores = measure(model, judge, pictures, LEARNED, schedule.margin)
    scores["baselines"] = baselines(judge, pictures, LEARNED)
    return dict(case=case, seed=schedule.seed, schedule=asdict(schedule), tested=TESTED, seconds=seconds,
                history=history[::4] + history[-1:], scores=scores)  # fmt: skip


def make(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: "judge", of `CASES` or of `VARIANTS`; all when empty.
        seeds: of the trainings; 0 to 4 if left out, of variants 0 alone.

    Raises:
        ValueError: for an unknown part.
    """
    chosen = chosen_parts(parts, ("judge", *CASES, *VARIANTS))
    if "judge" in chosen:
        STYLE.keep_host("judge", lambda: train_style_judge(seed=JUDGE_SEED))
    trainings = [part for part in chosen if part != "judge"]
    seeds_of = lambda part: seeds or (SEEDS if part in CASES else range(1))  # noqa: E731
    schedules = CASES | VARIANTS
    runs_of_part = lambda case, seed: [  # noqa: E731
        run_case(case, replace(schedules[case], seed=seed), (case, seed) in SHIPPED)
    ]
    record_runs(STYLE, trainings, seeds_of, runs_of_part, _summary)


def _summary(run: dict) -> str:
    scores = run["scores"]
    figures = ("family", "hue", "shape", "variety", "triplet", "known", "believed", "drift_photo", "drift_reference")
    figures = ", ".join(f"{name} {scores[name]:.2f}" for name in figures)
    return f"{run['seconds']:.0f} s, {figures}, shape from style {scores['shape_from_style'][0]:.2f}"
