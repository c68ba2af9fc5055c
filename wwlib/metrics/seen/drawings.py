"""Everything that is measured on what a generator of rooms draws, in one call, by a trained judge and the observer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wwlib.base.files import load_about
from wwlib.base.table import Table
from wwlib.metrics.seen.judges import PartOfRooms, Reader, confidence, load_room_judge, readings
from wwlib.metrics.seen.observer import RoomObserver
from wwlib.metrics.seen.predictability import VPScore, vp_score
from wwlib.metrics.seen.quality import PictureQuality, picture_quality
from wwlib.metrics.seen.traversal import TraversalScore, traversal_scores
from wwlib.models.interface import GeneratorLike
from wwlib.models.shipped import load_model
from wwlib.models.vaes import load_vae


@dataclass(frozen=True)
class Trust:
    """Whether drawings can be left to the two: how sure judge and observer are `[K]`, how often they agree `[K]`."""

    confidence: list[float]
    observer_confidence: list[float]
    agreement: list[float]


@dataclass(frozen=True)
class Drawings:
    """All measures of what a generator draws; the traversal score as the judge and as the observer reads it."""

    traversal: TraversalScore
    observed: TraversalScore
    vp: VPScore
    quality: PictureQuality
    trust: Trust

    def record(self) -> dict:
        """Return every number in the form in which the record stores it, rounded to four digits."""
        first, second = self.traversal, self.observed
        numbers = dict(
            purity=first.purity,
            compactness=first.compactness,
            observer_purity=second.purity,
            observer_compactness=second.compactness,
            matrix=first.matrix.tolist(),
            observer_matrix=second.matrix.tolist(),
            shown=first.shown.tolist(),
            vp=self.vp.score,
            vp_runs=self.vp.every,
            distance=self.quality.distance,
            real=self.quality.real,
            **vars(self.trust),
        )
        return {name: _rounded(value) for name, value in numbers.items()} | dict(
            codes=[first.name_of(code) for code in range(len(first.matrix))], pictures=self.quality.pictures
        )

    def table(self) -> Table:
        """Return every score with its value and what it asks."""
        first, second, quality, sure = self.traversal, self.observed, self.quality, self.trust
        rows = [
            ("purity", f"{first.purity:.4f}", "Does each code move one factor only?"),
            ("compactness", f"{first.compactness:.4f}", "Is each factor moved by one code only?"),
            ("  purity by the observer", f"{second.purity:.4f}", "The same, read by distances to all rooms."),
            ("  compactness by the observer", f"{second.compactness:.4f}", ""),
            (
                "VP score",
                f"{self.vp.score:.4f}",
                f"Can a network name the code that moved (chance: {self.vp.chance:.2f})?",
            ),
            ("Frechet distance", f"{quality.distance:.2f}", "How far are drawings from real rooms?"),
            (
                "  between real rooms",
                f"{quality.real:.2f}",
                f"The same of two samples of {quality.pictures:,} real rooms.",
            ),
            (
                "lowest confidence",
                f"{min(sure.confidence):.2f}",
                "How sure is the judge of drawings, of its worst factor?",
            ),
            ("lowest agreement", f"{min(sure.agreement):.2f}", "How often do judge and observer read the same value?"),
        ]
        return Table(("score", "value", "what it asks"), rows)

    def code_table(self) -> Table:
        """Return what each code moves, and how much its position tells of that factor."""
        result = self.traversal
        rows = [(code, result.name_of(code), f"{row.max():.2f}") for code, row in enumerate(result.matrix)]
        return Table(("code", "moves", "tells"), rows)


def load_drawer(name: str) -> tuple[GeneratorLike, int]:
    """Return the generator of a model of rooms and the side of its pictures.

    Args:
        name: of a shipped model, or the file of a GAN or an autoencoder.

    Raises:
        ValueError: for a model of other pictures, an unknown name or a damaged file.
        FileNotFoundError: if there is no such file.
    """
    autoencoder = Path(name).suffix == ".safetensors" and load_about(name).get("kind") == "vae"
    model = load_vae(name) if autoencoder else load_model(name)
    if model.config.dataset != "shapes3d":
        raise ValueError(f"the model must draw rooms (the data set shapes3d), got one of {model.config.dataset!r}")
    return model.generator, model.config.resolution


def score_drawings(generator: GeneratorLike, resolution: int, seed: int = 0) -> Drawings:
    """Measure what a generator of rooms draws, by every measure of this folder with its default settings.

    Args:
        generator: G, or the decoder of an autoencoder.
        resolution: of its pictures, 32 or 64.
        seed: of all measures.

    Raises:
        ValueError: for a resolution without judges.
        FileNotFoundError: where the shipped judges are missing.
    """
    judge, observer = load_room_judge(resolution), RoomObserver(resolution)
    rooms = PartOfRooms(resolution, held_out=True)
    by_judge, by_observer = traversal_scores(generator, (judge, observer), rooms.factor_names, seed=seed)
    return Drawings(
        by_judge,
        by_observer,
        vp_score(generator, seed=seed),
        picture_quality(generator, judge, rooms, seed=seed),
        trust(generator, judge, observer, seed=seed),
    )


@torch.no_grad()
def trust(generator: GeneratorLike, judge: Reader, observer: Reader, n: int = 1_000, seed: int = 0) -> Trust:
    """Return how sure judge and observer are of a generator's drawings, and how often they name the same value.

    Args:
        generator: G.
        judge, observer: the two that read them.
        n: number of drawings.
        seed: of codes and noise.
    """
    random = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, generator.codes, generator=random)
    images = torch.cat([generator(c, generator.sample_noise(len(c), random)) for c in codes.split(50)])
    same = [_same(a, b) for a, b in zip(readings(judge, images), readings(observer, images), strict=True)]
    return Trust(confidence(judge, images), confidence(observer, images), same)


def _same(first: Tensor, second: Tensor) -> float:
    """Return how often two judges' probabilities `[n, size]` name the same value."""
    return float((first.argmax(dim=1) == second.argmax(dim=1)).float().mean())


def _rounded(value):
    """Return a number, or nested lists of numbers, rounded to four digits."""
    return [_rounded(one) for one in value] if isinstance(value, list) else round(value, 4)
