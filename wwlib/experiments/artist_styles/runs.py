"""Content and style on drawings by three artists, and their record: what a judge reads, and how near real ones lie."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cache

import torch
from torch import Tensor

from wwlib.appearance.style import Schedule, StyleModel
from wwlib.appearance.styles.artists import READ, artist_batch, new_artist_judge, train_artist_judge
from wwlib.appearance.styles.measures import painted
from wwlib.appearance.styles.training import train_style
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, rounded
from wwlib.datasets.styles.artists import ARTISTS, ATTRIBUTES, Drawings
from wwlib.experiments.artist_styles.nearest import distance, nearest_drawings
from wwlib.experiments.parts import chosen_parts, record_runs
from wwlib.models.judges import Judge

ARTIST_STYLES = Shelf(DATA / "artist-styles-weights.safetensors", DATA / "artist-styles.json",
                      "python -m wwlib remake artist_styles")  # fmt: skip
TESTED, TEST_SEED, JUDGE_SEED = 600, 6_100, 901
SHIPPED = "contrast"
CONTRAST = Schedule(coloured=True, contrast=1.0, siblings=True)
CASES = {
    SHIPPED: CONTRAST,
    "contrast, strong image loss": replace(CONTRAST, image=100.0),
    "paper": Schedule(coloured=True),
}
SEEDS = range(3)  # of the shipped case; of the others only the first
BASELINES = "baselines"


def load_record() -> dict:
    """Return the record of every run."""
    return ARTIST_STYLES.read()


def load_artist_styles() -> StyleModel:
    """Return the shipped model (seed 0), which draws faces in the hands of three artists."""
    return ARTIST_STYLES.load("model", StyleModel())


def load_artist_judge() -> Judge:
    """Return the shipped judge of drawings; it reads the artist and six attributes."""
    return ARTIST_STYLES.load("judge", new_artist_judge())


@dataclass(frozen=True)
class Gallery:
    """Drawings with held-out attributes, to score a model on.

    Args:
        asked: factors of what should be drawn, `[n, 9]`: the reference's artist, the photo's attributes.
        shown: factors of the references, `[n, 9]`.
        photos: drawings with the attributes, each by another artist than the reference, `[n, 3, 32, 32]`.
        references: drawings with other attributes in the hand that is asked for.
        relatives: further ones in the same hand.
        right: drawings of what is asked.
    """

    asked: Tensor
    shown: Tensor
    photos: Tensor
    references: Tensor
    relatives: Tensor
    right: Tensor


def draw_gallery(n: int, seed: int) -> Gallery:
    """Return n rows of drawings drawn from a seed; none of their attributes are among those that models learn from."""
    drawings, g = Drawings(test=True), torch.Generator().manual_seed(seed)
    photo, shown, further = (drawings.sample_factors(n, g) for _ in range(3))
    shown[:, 0] = (photo[:, 0] + torch.randint(1, len(ARTISTS), (n,), generator=g)) % len(ARTISTS)
    further[:, 0] = shown[:, 0]
    asked = photo.clone()
    asked[:, 0] = shown[:, 0]
    pictures = (drawings.images(factors) for factors in (photo, shown, further, asked))
    return Gallery(asked, shown, *pictures)


@cache
def gallery() -> Gallery:
    """Return the drawings of every score."""
    return draw_gallery(TESTED, TEST_SEED)


def judged(judge: Judge, images: Tensor, pictures: Gallery) -> dict:
    """Return how often a judge reads from pictures what was asked, and how far they lie from real drawings.

    `agreement`: shares of right answers, for the artist and each attribute; `by_artist`: the same for each artist that
    was asked for. `nearest`: mean distance to the nearest drawing by the artist that models learn from; `right`: to the
    right answer in its nearest version.

    Args:
        judge: of drawings.
        images: `[n, 3, 32, 32]`.
        pictures: what was asked, n rows.
    """
    right = judge.verdict(images) == pictures.asked[:, :READ]
    near = Drawings().images(nearest_drawings(images, pictures.asked[:, 0]))
    return dict(
        agreement=right.double().mean(dim=0).tolist(),
        by_artist=[right[pictures.asked[:, 0] == k].double().mean(dim=0).tolist() for k in range(len(ARTISTS))],
        nearest=float(distance(images, near).mean()),
        right=float(nearest_version(images, pictures.asked).mean()),
    )


def nearest_version(images: Tensor, asked: Tensor) -> Tensor:
    """Return the distance `[n]` of pictures from the nearest of all the drawings that answer what was asked."""
    drawings, versions = Drawings(), []
    for hair in range(Drawings.factor_sizes[-2]):
        for mouth in range(Drawings.factor_sizes[-1]):
            factors = torch.cat([asked[:, :READ], torch.tensor([[hair, mouth]]).expand(len(asked), -1)], dim=1)
            versions.append(distance(images, drawings.images(factors)))
    return torch.stack(versions).amin(dim=0)


def leak(judge: Judge, drawn: Tensor, pictures: Gallery) -> list[float]:
    """Return, for each attribute, how often a judge reads the reference's value where the photo has another one."""
    attributes = slice(1, READ)
    read, shown = judge.verdict(drawn)[:, attributes], pictures.shown[:, attributes]
    other = shown != pictures.asked[:, attributes]
    return ((read == shown) & other).sum(dim=0).div(other.sum(dim=0)).tolist()


def measure(model: StyleModel, judge: Judge, pictures: Gallery) -> dict:
    """Return every measure of a model: `judged` of what it draws, `leak`, and two distances of what it draws.

    `moves_reference`: between one photo drawn after two references by one artist; `moves_photo`: between two photos
    that are drawn after one reference, the next row's photo being the second.
    """
    drawn = painted(model, pictures.photos, pictures.references)
    again = painted(model, pictures.photos, pictures.relatives)
    other = painted(model, pictures.photos.roll(1, 0), pictures.references)
    return judged(judge, drawn, pictures) | dict(
        leak=leak(judge, drawn, pictures),
        moves_reference=float(distance(drawn, again).mean()),
        moves_photo=float(distance(drawn, other).mean()),
    )


def baselines(judge: Judge, pictures: Gallery) -> dict[str, dict]:
    """Return the same for pictures that no model draws: right answers, and three ways to answer cheaply."""
    nearest = Drawings().images(nearest_drawings(pictures.photos, pictures.asked[:, 0]))
    answers = {
        "right answer": pictures.right,
        "nearest real drawing to the photo": nearest,
        "the reference itself": pictures.references,
        "the photo itself": pictures.photos,
    }
    return {name: judged(judge, images, pictures) for name, images in answers.items()}


def chance() -> list[float]:
    """Return the share of right answers of blind guesses, for the artist and each attribute."""
    return [1 / len(ARTISTS), *(1 / len(values) for values in ATTRIBUTES.values())]


def run_case(case: str, schedule: Schedule, keep: bool) -> dict:
    """Train and measure one model; return its run record.

    Args:
        case: name in the record.
        schedule: of the training.
        keep: write the networks that draw into `data/`.
    """
    start = time.perf_counter()
    model, history = train_style(schedule, draw=artist_batch)
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    scores = measure(model, load_artist_judge(), gallery())
    if keep:
        ARTIST_STYLES.keep({"model": model}, half=True)
    return dict(case=case, seed=schedule.seed, schedule=asdict(schedule), tested=TESTED, seconds=seconds,
                history=history[::4] + history[-1:], scores=scores)  # fmt: skip


def run_baselines() -> dict:
    """Measure what needs no training; return the run record."""
    return dict(case=BASELINES, seed=0, tested=TESTED, scores=baselines(load_artist_judge(), gallery()))


def make(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: "judge", which measures the baselines too, or of `CASES`; all when empty.
        seeds: of the trainings; 0 to 2 of the shipped case and 0 of the others, if left out.

    Raises:
        ValueError: for an unknown part.
    """
    chosen = chosen_parts(parts, ("judge", *CASES))
    if "judge" in chosen:
        ARTIST_STYLES.keep_host("judge", lambda: train_artist_judge(seed=JUDGE_SEED))
        record_runs(ARTIST_STYLES, [BASELINES], lambda _: [0], lambda *_: [run_baselines()], lambda _: "measured")
    trainings = [part for part in chosen if part != "judge"]
    seeds_of = lambda case: seeds or (SEEDS if case == SHIPPED else [0])  # noqa: E731
    runs_of_case = lambda case, seed: [  # noqa: E731
        run_case(case, replace(CASES[case], seed=seed), seed == 0 and case == SHIPPED)
    ]
    record_runs(ARTIST_STYLES, trainings, seeds_of, runs_of_case, _summary)


def _summary(run: dict) -> str:
    scores = run["scores"]
    read = zip(("artist", *ATTRIBUTES), scores["agreement"], strict=True)
    figures = ", ".join(f"{name} {share:.2f}" for name, share in read)
    return f"{run['seconds']:.0f} s, {figures}, nearest {scores['nearest']:.3f}, right {scores['right']:.3f}"
