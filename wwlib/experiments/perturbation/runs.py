"""A comparison small enough for a lesson: PS against InfoGAN on tiny rooms, recorded over several seeds."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from wwlib.base.device import choose_compute
from wwlib.base.files import save_json
from wwlib.base.paths import DATA
from wwlib.base.stopping import stop_signal
from wwlib.datasets.shapes3d import SmallRooms
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.points import encode_grid
from wwlib.metrics.what import naming_accuracy
from wwlib.models.config import Config
from wwlib.training.step import Training

RECORD = DATA / "lesson04.json"
KEPT = 3  # pairs, the newest
_kept: dict[str, Training] = {}  # by config


def pair_config(objective: str, images: int, seed: int) -> Config:
    """Return the training of one small pair: "ps", "infogan", or "ps without averaging"; no masks in any of them."""
    return Config(
        modules=("Const-32", "C_global-4", "ResConv-up-1", "C_global-4", "ResConv-up-1", "ResConv-id-1"),
        widths={8: 32, 16: 16},
        discriminator_widths={8: 32, 4: 64},
        recogniser_widths={8: 32, 4: 64},
        features=64,
        resolution=16,
        dataset="small rooms",
        objective="infogan" if objective == "infogan" else "ps",
        average=objective != "ps without averaging",
        C_lambda=0.05,
        batch=8,
        learning_rate=0.004,
        ema_images=1_000,
        images=images,
        seed=seed,
    )


def train_pair(objective: str, images: int, seed: int) -> Training:
    """Train one small pair on the CPU and return its state.

    Interrupted, it stops between two steps; the same call continues there, also if other pairs were trained in between,
    and a pair that has come to its end is returned as it is.
    """
    config = pair_config(objective, images, seed)
    name = json.dumps(config.to_json())
    state = _kept.pop(name, None) or Training(config, SmallRooms(), choose_compute("cpu"))
    if 0 < state.step_number < config.steps:
        print(f"{objective}: continued at step {state.step_number} of {config.steps}", flush=True)
    _kept[name] = state
    while len(_kept) > KEPT:
        _kept.pop(next(iter(_kept)))
    with stop_signal() as stopped:
        while state.step_number < config.steps and not stopped.is_set():
            state.step()
    if state.step_number < config.steps:
        raise KeyboardInterrupt(f"{objective}: stopped at step {state.step_number} of {config.steps}; run it again")
    return state


def compare(images: int = 6_400, seeds: int = 3, path: Path = RECORD) -> None:
    """Train every small pair over several seeds and write the scores that lesson 04 shows."""
    runs = []
    for objective in ("infogan", "ps", "ps without averaging"):
        scores, named = [], []
        for seed in range(seeds):
            state = train_pair(objective, images, seed)
            random = torch.Generator().manual_seed(seed)
            found = encode_grid(state.recogniser, SmallRooms())
            scores.append(factor_vae_score(*found, random, train_votes=2000, test_votes=2000).score)
            named.append(naming_accuracy(state.average, state.recogniser))
            print(f"{objective}, seed {seed}: score {scores[-1]:.3f}, moves named {named[-1]:.3f}", flush=True)
        runs.append(dict(objective=objective, images=images, scores=scores, named=named))
    save_json(path, dict(command="python -m wwlib remake perturbation", runs=runs))
