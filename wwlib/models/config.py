"""The config of a training, a frozen dataclass, and the three networks that are built from it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace

import torch

from wwlib.models.networks import Discriminator, Generator, Recogniser, count_codes

OBJECTIVES = ("ps", "infogan", "gan")
GROUP = 4  # images that D's minibatch deviation compares; a batch and its parts consist of whole groups


def check_numbers(config: object, positive: tuple[str, ...], from_zero: tuple[str, ...]) -> None:
    """Raise ValueError, naming the entry, unless all of `positive` are above 0 and all of `from_zero` 0 or more."""
    for name in positive:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)!r}")
    for name in from_zero:
        if not 0 <= getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be 0 or more, got {getattr(config, name)!r}")


@dataclass(frozen=True)
class Config:
    """Everything that decides the result of a training; `wwlib.training.recipes` holds those that the lessons use."""

    modules: tuple[str, ...]
    widths: dict[int, int]
    discriminator_widths: dict[int, int]
    recogniser_widths: dict[int, int]
    discriminator_residual: tuple[int, ...] = ()
    recogniser_residual: tuple[int, ...] = ()
    features: int = 128
    resolution: int = 32
    channels: int = 3
    dataset: str = "shapes3d"
    mirror: bool = False
    objective: str = "ps"
    C_lambda: float = 0.1
    perturbation: float = 6.0
    average: bool = True
    recogniser_noise: float = 0.0
    share_noise: bool = False
    gamma: float = 1.0
    r1_every: int = 16
    batch: int = 32
    images: int = 200_000
    learning_rate: float = 0.002
    decay_from: float = 0.5
    ema_images: float = 5_000
    seed: int = 0

    def __post_init__(self):
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {OBJECTIVES}, got {self.objective!r}")
        check_numbers(
            self,
            positive=("batch", "images", "learning_rate", "ema_images", "r1_every", "features", "perturbation"),
            from_zero=("gamma", "C_lambda", "recogniser_noise"),
        )
        if self.batch % GROUP:
            raise ValueError(
                f"batch must be a multiple of {GROUP}, the groups of the minibatch deviation, got {self.batch}"
            )
        if not 0 <= self.decay_from <= 1:
            raise ValueError(f"decay_from must be in [0, 1], got {self.decay_from!r}")
        if not 0 <= self.seed < 2**63 - 1:
            raise ValueError(f"seed must be from 0 to 2^63 - 2, got {self.seed}")
        if not count_codes(self.modules):
            raise ValueError(f"modules must hold codes (C_spgroup-J-n or C_global-n), got {self.modules}")

    @property
    def steps(self) -> int:
        """Steps needed to show `images` real images to D."""
        return math.ceil(self.images / self.batch)

    def to_json(self) -> dict:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, values: dict) -> Config:
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"config has unknown entries {unknown}; known are {sorted(known)}")
        values = dict(values)
        for name in ("widths", "discriminator_widths", "recogniser_widths"):
            values[name] = {int(side): width for side, width in values[name].items()}
        for name in ("modules", "discriminator_residual", "recogniser_residual"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


def replace_config(config: Config, **changes) -> Config:
    """Return `config` with some values changed; unknown names are a ValueError that lists the known ones."""
    known = [field.name for field in fields(Config)]
    if unknown := sorted(set(changes) - set(known)):
        raise ValueError(f"config has no {unknown}; known are {known}")
    return replace(config, **changes)


def build_networks(config: Config) -> tuple[Generator, Discriminator, Recogniser]:
    """Build G, D and Q with weights drawn from `config.seed`, leaving torch's global random state untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator = Generator(config.modules, config.widths, config.channels)
        if generator.resolution != config.resolution:
            raise ValueError(f"modules end at {generator.resolution} px, but resolution is {config.resolution}")
        shape = dict(features=config.features, channels=config.channels)
        discriminator = Discriminator(
            config.resolution, config.discriminator_widths, config.discriminator_residual, **shape
        )
        recogniser = Recogniser(
            generator.codes, config.resolution, config.recogniser_widths, config.recogniser_residual, **shape
        )
    return generator, discriminator, recogniser
