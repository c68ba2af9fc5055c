"""Loading trained models: those shipped in `data/` and those that a learner saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wwlib.base.files import load_json, load_tensors, unprefixed
from wwlib.base.paths import DATA, ROOT, is_clone, missing, needs_clone
from wwlib.models.config import Config, build_networks
from wwlib.models.networks import Discriminator, Generator, Recogniser

FLAGSHIP = "shapes3d-32-seed0"  # the model that lesson 00 and README show first


@dataclass
class Model:
    """A trained generator (the running average), its recogniser, and the config of their training.

    `discriminator` and `raw_generator` (not averaged) are None unless the file stores them for further training.
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
    """Return the path of a shipped model.

    Raises:
        ValueError: for an unknown name; lists the known ones.
        FileNotFoundError: if its weights are missing, or there is no clone of the repository, which holds them.
    """
    path = DATA / f"{name}.safetensors"
    if not path.is_file() and path.with_suffix(".json").is_file():
        raise FileNotFoundError(missing(path))
    if not path.is_file():
        if not is_clone(ROOT):
            raise FileNotFoundError(needs_clone(f"model {name!r} is not here; what is shipped is part of the "
                                                "repository's data/ folder"))  # fmt: skip
        raise ValueError(f"name must be one of {shipped_names()}, got {name!r}")
    return path


def shipped_names() -> list[str]:
    """Return the names of the models in `data/`."""
    return sorted(f.stem for f in DATA.glob("*.safetensors") if f.with_suffix(".json").is_file())


def shipped_record(name: str) -> dict:
    """Return the run record of a shipped model."""
    return load_json(shipped(name).with_suffix(".json"))


def load_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> Model:
    """Load a shipped model by name, or a file that `save_model` or a training checkpoint wrote, ready for use.

    Raises:
        ValueError: for an unknown name or a damaged file.
        FileNotFoundError: if there is no such file, or a name is given where there is no clone of the repository.
    """
    path = Path(name_or_path)
    if path.suffix != ".safetensors":
        path = shipped(str(name_or_path))
    tensors, about = load_tensors(path)
    if about.get("kind") not in ("model", "training"):
        raise ValueError(f"{path} must hold a model or a training, got kind {about.get('kind')!r}")
    config = Config.from_json(about["config"])
    networks: dict[str, torch.nn.Module] = dict(
        zip(("average", "discriminator", "recogniser"), build_networks(config), strict=True)
    )
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


def seed_names(recipe: str) -> list[str]:
    """Return the names of every shipped seed of a recipe."""
    return [name for name in shipped_names() if name.startswith(f"{recipe}-seed")]


def seed_scores(recipe: str) -> list[float]:
    """Return the FactorVAE score of every shipped seed of a recipe."""
    return [shipped_record(name)["scores"]["factor_vae"] for name in seed_names(recipe)]
