"""Watching a training: at intervals, score the recogniser and keep a picture of every code and its mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from wwlib.factors import FactorData
from wwlib.files import write_whole
from wwlib.metrics import encode_sample, factor_vae_score
from wwlib.training import Training
from wwlib.viz import code_masks, mask_images, to_pixels, traversal


def watcher(folder: str | Path, data, sample: int = 6_000) -> Callable[[Training], dict]:
    """Return an `on_snapshot` that writes `snapshots/<images>.png` and, with known factors, estimates the score.

    The estimate draws 800 + 400 votes from `sample` images: good for a curve, while `metrics.encode_grid` gives the
    score of the definition.
    """
    folder = Path(folder)

    def on_snapshot(state: Training) -> dict:
        shown = state.step_number * state.config.batch
        write_whole(folder / "snapshots" / f"{shown:09d}.png", lambda file: snapshot(state).save(file, format="PNG"))
        if not isinstance(data, FactorData):
            return {}
        random = torch.Generator().manual_seed(0)  # not the run's own: watching must not change the run
        codes, factors = encode_sample(lambda x: state.recogniser(x.to(state.compute.device)), data, sample, random)
        score = factor_vae_score(codes, factors, random, train_votes=800, test_votes=400)
        return {"factor_vae_estimate": score.score}

    return on_snapshot


@torch.no_grad()
def snapshot(state: Training, steps: int = 8) -> Image.Image:
    """Draw the traversal of every code with its mask, and below them a row of samples, without labels."""
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
