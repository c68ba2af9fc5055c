"""Snapshots of a training: at intervals a picture of every code and its mask, scores, and the best model so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from wwlib.base.files import Damaged, load_about, write_whole
from wwlib.base.viz import mask_images, to_pixels
from wwlib.datasets.factors import FactorData
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.frechet import check_ready, fid
from wwlib.metrics.lengths import PRESETS, TPLScore, tpl
from wwlib.metrics.perceptual import Enlarged, PerceptualDistance
from wwlib.metrics.points import encode_sample
from wwlib.models.traversals import code_masks, traversal
from wwlib.training.checkpoint import save_model
from wwlib.training.step import Training


@dataclass(frozen=True)
class BestRule:
    """The rule by which a run stores its best model: the lowest TPL among models with at least `active` active codes.

    TPL is a sum over active codes, so a model whose codes do nothing has TPL 0, the lowest. Therefore a number of
    active codes is required.

    Args:
        net: of the perceptual distance, "alex" or "vgg".
        preset: of `wwlib.metrics.lengths.PRESETS`: points, traversals, and the length from which a code is active.
        active: active codes a model must have.
    """

    net: str = "alex"
    preset: str = "tpl_small_0.1"
    active: int = 5

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {tuple(PRESETS)}, got {self.preset!r}")
        if self.active < 1:
            raise ValueError(f"active must be at least 1 (a model without active codes has TPL 0), got {self.active}")


class BestByTPL:
    """Measures the TPL of a run and stores its best model by a rule, also when the run is resumed.

    Args:
        path: of the best model's file.
        rule: how TPL is measured, and how many codes must be active.
        distance: the perceptual distance; by default the rule's, of pictures enlarged to 64 px.
        fresh: ignore a file that is there already, since it belongs to an earlier run.
    """

    def __init__(self, path: str | Path, rule: BestRule, distance=None, fresh: bool = False):
        self.path, self.rule, self.fresh = Path(path), rule, fresh
        self.distance = distance or Enlarged(PerceptualDistance(rule.net))

    def __call__(self, state: Training) -> dict[str, float]:
        """Measure the running average of G; write it if it is the best so far."""
        tpl_score = self.measure(state)
        if tpl_score.active_codes >= self.rule.active and tpl_score.score < self.best(state):
            notes = dict(tpl=tpl_score.score, active_codes=tpl_score.active_codes, rule=asdict(self.rule))
            save_model(self.path, state, notes=notes)
            self.fresh = False
        return {"tpl": tpl_score.score, "active_codes": tpl_score.active_codes}

    def measure(self, state: Training) -> TPLScore:
        points, traversals, threshold = PRESETS[self.rule.preset]
        device = state.compute.device
        if isinstance(self.distance, Enlarged):
            self.distance.distance.to(device)
        return tpl(state.average, self.distance, traversals, points, threshold, device=device)

    def best(self, state: Training) -> float:
        """Return the TPL of the stored model; infinity if there is none, or it belongs to another run or rule."""
        if self.fresh or not self.path.is_file():
            return float("inf")
        try:
            about = load_about(self.path)
        except Damaged:
            return float("inf")
        notes = about.get("notes", {})
        same_run = about.get("config") == state.config.to_json() and notes.get("rule") == asdict(self.rule)
        return notes["tpl"] if same_run else float("inf")


def watcher(
    folder: str | Path,
    data,
    sample: int = 6_000,
    best: BestByTPL | None = None,
    fid_images: int = 0,
) -> Callable[[Training], dict]:
    """Return an `on_snapshot` that writes `snapshots/<images>.png` and, with known factors, estimates the score.

    The estimate draws 800 + 400 votes from `sample` images, which is enough for a curve; `metrics.points.encode_grid`
    gives the points for the score of the definition. The numbers that it returns are added to the run's log.

    Args:
        folder: of the run.
        data: of the run.
        sample: images of the estimate.
        best: measures TPL and keeps the best model.
        fid_images: to draw for an FID; 0 for none. For a stream of pictures only.

    Raises:
        ValueError: for an FID of data that are no pictures in a folder.
    """
    folder = Path(folder)
    if fid_images and not hasattr(data, "pictures"):
        raise ValueError(f"FID during training needs a folder of pictures (--pictures), got {data}")
    if fid_images:
        check_ready()  # so that a missing package is noticed now, not at the first snapshot

    def on_snapshot(state: Training) -> dict:
        images_shown = state.step_number * state.config.batch
        write_whole(
            folder / "snapshots" / f"{images_shown:09d}.png", lambda file: snapshot(state).save(file, format="PNG")
        )
        measured = best(state) if best else {}
        if fid_images:
            measured["fid"] = fid(state.average, data.pictures, fid_images, state.compute.device)
        if isinstance(data, FactorData):
            random = torch.Generator().manual_seed(
                0
            )  # not the run's generator, since a snapshot must not change the run
            codes, factors = encode_sample(lambda x: state.recogniser(x.to(state.compute.device)), data, sample, random)
            score = factor_vae_score(codes, factors, random, train_votes=800, test_votes=400)
            measured["factor_vae_estimate"] = score.score
        return measured

    return on_snapshot


@torch.no_grad()
def snapshot(state: Training, steps: int = 8) -> Image.Image:
    """Return a picture of every code's traversal with its mask, and below them a row of samples, without labels."""
    generator = state.average
    random = torch.Generator().manual_seed(0)
    base = torch.randn(generator.codes, generator=random).to(state.compute.device)
    frames = traversal(generator, base, steps=steps)
    masks = mask_images(code_masks(generator, base[None])[0], frames.shape[-1], stretch=True)
    masks = masks.expand(-1, frames.shape[2], -1, -1)[:, None]
    samples = generator(torch.randn(steps + 1, generator.codes, generator=random).to(state.compute.device))
    return Image.fromarray(_tile(torch.cat([torch.cat([frames, masks], dim=1), samples[None]])))


def _tile(images: Tensor):
    rows = to_pixels(images)
    return rows.transpose(0, 2, 1, 3, 4).reshape(rows.shape[0] * rows.shape[2], -1, 3)
