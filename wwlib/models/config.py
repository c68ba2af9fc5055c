"""The config of a training, a frozen dataclass, and the three networks that are built from it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace

from wwlib.base.checks import check_numbers
from wwlib.base.seeds import drawn_from
from wwlib.models.losses import OBJECTIVES
from wwlib.models.networks import Discriminator, Generator, Recogniser, count_codes

GROUP = 4  # images that D's minibatch deviation compares; a batch and its parts consist of whole groups


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class Config:
    """Everything that decides the result of a training; `wwlib.training.recipes` holds those that the lessons use.

    What an entry means stands beside it, and in `python -m wwlib train --help`.
    """

    modules: tuple[str, ...] = field(
        metadata=_help("generator's module list, comma separated, such as Const-128,C_spgroup-4-3,ResConv-up-1")
    )
    widths: dict[int, int] = field(metadata=_help("generator's channels by resolution, such as 8:64,16:32,32:16"))
    discriminator_widths: dict[int, int] = field(
        metadata=_help("D's channels after each halving, such as 16:32,8:64,4:128")
    )
    recogniser_widths: dict[int, int] = field(metadata=_help("Q's channels after each halving"))
    discriminator_residual: tuple[int, ...] = field(
        default=(), metadata=_help("resolutions at which D has a residual convolution, such as 16,8")
    )
    recogniser_residual: tuple[int, ...] = field(default=(), metadata=_help("resolutions at which Q has one"))
    features: int = field(default=128, metadata=_help("length of the feature vector of D and Q"))
    resolution: int = field(default=32, metadata=_help("image side, pixels"))
    channels: int = field(default=3, metadata=_help("image channels, 1 or 3"))
    dataset: str = field(default="shapes3d", metadata=_help("name of the data set"))
    mirror: bool = field(
        default=False, metadata=_help("show half of a folder's pictures mirrored left to right: true or false")
    )
    objective: str = field(default="ps", metadata=_help(f"one of {', '.join(OBJECTIVES)}"))
    C_lambda: float = field(default=0.1, metadata=_help("weight of the objective's loss"))
    perturbation: float = field(
        default=6.0, metadata=_help("standard deviation of the perturbation p, in units of the prior's")
    )
    average: bool = field(
        default=True, metadata=_help("regress unchanged codes from the average of both answers: true or false")
    )
    recogniser_noise: float = field(
        default=0.0, metadata=_help("standard deviation of noise on the images Q is trained on (images span -1 to 1)")
    )
    share_noise: bool = field(default=False, metadata=_help("same noise maps in both images of a pair: true or false"))
    gamma: float = field(default=1.0, metadata=_help("weight of the R1 penalty"))
    r1_every: int = field(default=16, metadata=_help("steps between two R1 penalties"))
    batch: int = field(default=32, metadata=_help("real images per step"))
    images: int = field(default=200_000, metadata=_help("real images to show in all"))
    learning_rate: float = field(default=0.002, metadata=_help("Adam's, at the start"))
    decay_from: float = field(
        default=0.5, metadata=_help("share of the run after which the learning rate falls linearly to 0")
    )
    ema_images: float = field(default=5_000, metadata=_help("half-life of the generator's running average, images"))
    seed: int = field(default=0, metadata=_help("of weights, data, codes and noise"))

    def __post_init__(self):
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {tuple(OBJECTIVES)}, got {self.objective!r}")
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
        known = {entry.name for entry in fields(cls)}
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
    known = [entry.name for entry in fields(Config)]
    if unknown := sorted(set(changes) - set(known)):
        raise ValueError(f"config has no {unknown}; known are {known}")
    return replace(config, **changes)


def build_networks(config: Config) -> tuple[Generator, Discriminator, Recogniser]:
    """Build G, D and Q with weights drawn from `config.seed`, leaving torch's global random state untouched."""
    with drawn_from(config.seed):
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
