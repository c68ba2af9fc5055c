"""Trained models: the ones shipped in `data/`, and any a learner saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wwlib.config import Config, build_networks
from wwlib.files import half_floats, load_tensors, prefixed, save_tensors, unprefixed
from wwlib.networks import Discriminator, Generator, Recogniser
from wwlib.paths import DATA
from wwlib.training import Training


@dataclass
class Model:
    """A trained generator (the running average), its recogniser, and what they were trained with.

    `discriminator` and `raw_generator` (not averaged) are there only where the file keeps them for more training.
    """

    generator: Generator
    recogniser: Recogniser
    config: Config
    step: int
    discriminator: Discriminator | None = None
    raw_generator: Generator | None = None

    @property
    def codes(self) -> int:
        """Length d of the code vector."""
        return self.generator.codes

    def sample_codes(self, n: int, seed: int = 0) -> Tensor:
        """Draw `n` code vectors `[n, d]` from the prior N(0, I)."""
        return torch.randn(n, self.codes, generator=torch.Generator().manual_seed(seed))


def shipped(name: str) -> Path:
    """Return the path of a shipped model; raise ValueError listing the known ones for an unknown name."""
    path = DATA / f"{name}.safetensors"
    if not path.is_file():
        raise ValueError(f"name must be one of {shipped_names()}, got {name!r}")
    return path


def shipped_names() -> list[str]:
    """Return the names of the models in `data/`."""
    return sorted(f.stem for f in DATA.glob("*.safetensors") if f.with_suffix(".json").is_file())


def shipped_record(name: str) -> dict:
    """Return the run record of a shipped model."""
    return json.loads(shipped(name).with_suffix(".json").read_text(encoding="utf-8"))


def save_model(path: str | Path, state: Training, with_discriminator: bool = False, notes: dict | None = None) -> None:
    """Write what a lesson needs of a run, in float16: the averaged G, Q, and for continued training also G and D.

    `notes`, JSON-able, stay in the file's description.
    """
    keep = {"average", "recogniser"} | ({"generator", "discriminator"} if with_discriminator else set())
    tensors: dict[str, Tensor] = {}
    for name, network in state.networks().items():
        if name in keep:
            tensors |= prefixed(name, half_floats(network.state_dict()))
    about = dict(kind="model", config=state.config.to_json(), step=state.step_number)
    save_tensors(path, tensors, about | ({"notes": notes} if notes else {}))


def load_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> Model:
    """Load a shipped model by name, or a file that `save_model` or a training checkpoint wrote, ready for use.

    Raises:
        ValueError: for an unknown name or a damaged file.
    """
    path = Path(name_or_path)
    if path.suffix != ".safetensors":
        path = shipped(str(name_or_path))
    tensors, about = load_tensors(path)
    if about.get("kind") not in ("model", "training"):
        raise ValueError(f"{path} must hold a model or a training, got kind {about.get('kind')!r}")
    config = Config.from_json(about["config"])
    networks = dict(zip(("average", "discriminator", "recogniser"), build_networks(config), strict=True))
    networks["generator"] = build_networks(config)[0]
    loaded = {}
    for name, network in networks.items():
        if weights := unprefixed(name, tensors):
            network.load_state_dict(weights)
            loaded[name] = network.to(device).eval().requires_grad_(False)
    return Model(
        loaded["average"],
        loaded["recogniser"],
        config,
        about["step"],
        loaded.get("discriminator"),
        loaded.get("generator"),
    )


def continue_training(state: Training, model: Model) -> None:
    """Start a training state from a model file that kept its discriminator, with fresh optimisers.

    Raises:
        ValueError: if the model was saved without its discriminator.
    """
    if model.discriminator is None or model.raw_generator is None:
        raise ValueError(
            "model must keep its discriminator (save_model(..., with_discriminator=True)), got one without"
        )
    state.generator.load_state_dict(model.raw_generator.state_dict())
    state.average.load_state_dict(model.generator.state_dict())
    state.discriminator.load_state_dict(model.discriminator.state_dict())
    state.recogniser.load_state_dict(model.recogniser.state_dict())
