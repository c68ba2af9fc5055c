"""From a finished run to what the course ships: a small model file and a run record with its scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from wwlib.base.device import choose_compute
from wwlib.base.files import load_tensors, save_json
from wwlib.base.paths import DATA
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.points import encode_grid, encode_sample
from wwlib.metrics.where import mask_iou, where_score
from wwlib.models.config import Config
from wwlib.models.shipped import load_model, shipped_record
from wwlib.training.checkpoint import load_checkpoint, save_model
from wwlib.training.recipes import make_data
from wwlib.training.step import Training


def ship(folder: Path, name: str, command: str, with_discriminator: bool = False, filmstrip: int = 0) -> dict:
    """Score a finished run and write `data/<name>.safetensors` and `data/<name>.json`; return the record.

    Args:
        folder: the run's folder.
        name: of the shipped model.
        command: the command that trained it, for the record.
        with_discriminator: keep what lesson 05 needs to continue the training.
        filmstrip: how many snapshots to copy to `data/filmstrip/`, spread over the run.

    Raises:
        FileNotFoundError: if the folder lacks checkpoint or run record.
        ValueError: if the run is not finished, or its record belongs to another moment.
    """
    if filmstrip == 1:
        raise ValueError("filmstrip must be 0 or at least 2 snapshots, got 1")
    _, about = load_tensors(folder / "checkpoint.safetensors")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if not record["finished"] or record["steps"] != about["step"]:
        raise ValueError(f"{folder} must hold a finished run, got one at step {about['step']} of {record['steps']}")
    config = Config.from_json(about["config"])
    data = make_data(config.dataset, config.resolution)
    state = Training(config, data, choose_compute("cpu"))
    load_checkpoint(state, folder / "checkpoint.safetensors")
    save_model(DATA / f"{name}.safetensors", state, with_discriminator)
    record = {"command": command, **record, "scores": scores(load_model(DATA / f"{name}.safetensors"), data)}
    save_json(DATA / f"{name}.json", record)
    if filmstrip:
        _copy_filmstrip(folder / "snapshots", filmstrip)
    return record


def rescore(name: str) -> dict:
    """Score a shipped model anew, with today's scores, and update its record; return it."""
    record = shipped_record(name)
    model = load_model(name)
    record["scores"] = scores(model, make_data(model.config.dataset, model.config.resolution))
    save_json(DATA / f"{name}.json", record)
    return record


def record_only(folder: Path, name: str, command: str) -> None:
    """Ship the run record of a run whose weights no lesson needs."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    save_json(DATA / f"{name}.json", {"command": command, **record})


def scores(model, data) -> dict:
    """Return the FactorVAE score (10,000 + 5,000 votes, batch 64), the where score and every factor's best mask IoU.

    3D Shapes is encoded whole; of a larger grid, 100,000 images drawn uniformly.
    """
    encode = encode_grid if len(data) <= 480_000 else _encode_many
    codes, factors = encode(model.recogniser, data)
    result = factor_vae_score(codes, factors, torch.Generator().manual_seed(0))
    fit = mask_iou(model, data, n=512, seed=0)
    return dict(
        factor_vae=result.score,
        votes=result.votes.tolist(),
        images_encoded=len(codes),
        where=round(where_score(model, data).score, 4),
        iou={factor: round(fit.best(factor)[1], 4) for factor in data.factor_names},
        iou_code={factor: fit.best(factor)[0] for factor in data.factor_names},
    )


def _encode_many(represent: Callable, data):
    return encode_sample(represent, data, 100_000, torch.Generator().manual_seed(1))


def _copy_filmstrip(snapshots: Path, count: int) -> None:
    """Copy snapshots at equal ratios of images shown: most happens early."""
    files = {int(file.stem): file for file in snapshots.glob("*.png")}
    first, last = min(files), max(files)
    goals = [first * (last / first) ** (i / (count - 1)) for i in range(count)]
    target = DATA / "filmstrip"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for images in sorted({min(files, key=lambda shown, goal=goal: abs(shown - goal)) for goal in goals}):
        shutil.copy(files[images], target / files[images].name)
