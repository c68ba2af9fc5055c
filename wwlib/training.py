"""One training loop for every model of Part I: GAN, InfoGAN, PS, SC and PS-SC, on any device, resumable to the bit."""

from __future__ import annotations

import copy
import json
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from wwlib.device import Compute, headless
from wwlib.factors import FactorData
from wwlib.files import (
    Damaged,
    digest,
    keep_previous,
    load_tensors,
    prefixed,
    save_json,
    save_tensors,
    unprefixed,
)
from wwlib.losses import (
    discriminator_loss,
    generator_loss,
    infogan_loss,
    perceptual_simplicity_loss,
    perturb,
    r1_penalty,
)
from wwlib.networks import Discriminator, Generator, Recogniser, count_codes

OBJECTIVES = ("ps", "infogan", "gan")


def check_numbers(config: object, positive: tuple[str, ...], from_zero: tuple[str, ...]) -> None:
    """Raise ValueError, naming entry and value, for one of `positive` that is not above 0, of `from_zero` below it."""
    for name in positive:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)!r}")
    for name in from_zero:
        if not 0 <= getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be 0 or more, got {getattr(config, name)!r}")


@dataclass(frozen=True)
class Config:
    """Everything that decides a training, and nothing else. `wwlib.recipes` holds the ones the lessons use."""

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
        if self.batch % 4:
            raise ValueError(f"batch must be a multiple of 4, the groups of the minibatch deviation, got {self.batch}")
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


def ema_decay(batch: int, half_life: float) -> float:
    """Return the decay per step of a running average whose memory halves every `half_life` images."""
    return 0.5 ** (batch / half_life)


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the running average of a network's parameters a little towards their current values, in place."""
    for averaged, parameter in zip(average.parameters(), current.parameters(), strict=True):
        averaged.lerp_(parameter, 1 - decay)


def learning_rate_share(progress: float, decay_from: float) -> float:
    """Return the share of the learning rate in force at `progress` in [0, 1] of a run: 1, then a line down to 0."""
    if progress < decay_from or decay_from == 1:
        return 1.0
    return max(0.0, (1 - progress) / (1 - decay_from))


class Training:
    """The state of one run: three networks, the running average of G, two optimisers, one random stream, a log.

    Args:
        config: what to train.
        data: anything with `sample_images(n, generator) -> [n, C, H, W] in [-1, 1]`; one with `seek(images)` is told
            how many images the run has shown.
        compute: device and number format.
    """

    def __init__(self, config: Config, data: FactorData, compute: Compute):
        channels = getattr(data, "channels", config.channels)
        if channels != config.channels:
            raise ValueError(f"channels of the config must be those of the images, {channels}, got {config.channels}")
        self.config, self.data, self.compute = config, data, compute
        networks = [network.to(compute.device) for network in build_networks(config)]
        self.generator, self.discriminator, self.recogniser = networks
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        adam = dict(lr=config.learning_rate, betas=(0.0, 0.99), eps=1e-8, fused=compute.device.type != "mps")
        self.g_optimiser = torch.optim.Adam([*self.generator.parameters(), *self.recogniser.parameters()], **adam)
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), **adam)
        self.scaler = compute.scaler()
        self.random = torch.Generator().manual_seed(config.seed + 1)
        self.step_number = 0
        self.seconds = 0.0
        self.log: list[dict] = []
        self.penalty = torch.zeros(())
        self._place_data()

    def _place_data(self) -> None:
        """Tell a data set that is a stream how far this run has come; one that draws from `random` needs no telling."""
        if hasattr(self.data, "seek"):
            self.data.seek(self.step_number * self.config.batch)

    def step(self) -> dict[str, Tensor]:
        """Take one G + Q step and one D step; return the losses as tensors on the device."""
        config = self.config
        self._set_learning_rate()
        self.discriminator.requires_grad_(False)
        with self.compute.autocast():
            loss, fake, losses = self._generator_step_loss()
        self._update(self.g_optimiser, loss)

        self.discriminator.requires_grad_(True)
        real = self.data.sample_images(config.batch, self.random).to(self.compute.device)
        real = real.contiguous(memory_format=torch.channels_last)
        with self.compute.autocast():
            logits = self.discriminator(torch.cat([real, fake.detach().to(real.dtype)]))
            loss = discriminator_loss(*logits.float().split(config.batch))
        losses["D"] = loss.detach()
        if self.step_number % config.r1_every == 0:
            penalty = r1_penalty(self.discriminator, real, config.gamma)
            self.penalty = penalty.detach()
            loss = loss + config.r1_every * penalty
        losses["R1"] = self.penalty  # the latest one: it is due only now and then
        self._update(self.d_optimiser, loss)

        update_average(self.average, self.generator, ema_decay(config.batch, config.ema_images))
        self.step_number += 1
        return losses

    def _generator_step_loss(self) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The loss of G and Q, the images D saw, and the parts of the loss."""
        config, device = self.config, self.compute.device
        codes = torch.randn(config.batch, self.generator.codes, generator=self.random).to(device)
        if config.objective != "ps":
            fake = self.generator(codes, self.generator.sample_noise(config.batch, self.random, device))
            adversarial = generator_loss(self.discriminator(fake).float())
            # of a plain GAN Q is a bystander: it learns to read the codes, G never hears of it
            what = infogan_loss(codes, self._recognise(fake.detach() if config.objective == "gan" else fake))
        else:
            perturbed, k = perturb(codes, config.perturbation, self.random)
            images = self.generator(torch.cat([codes, perturbed]), self._pair_noise())
            fake = images[: config.batch]  # D judges only c: the far-away c' are no sample of the prior
            adversarial = generator_loss(self.discriminator(fake).float())
            answers = self._recognise(images).split(config.batch)
            what = perceptual_simplicity_loss(codes, perturbed, k, *answers, average=config.average)
        return adversarial + config.C_lambda * what, fake, {"G": adversarial.detach(), "what": what.detach()}

    def _recognise(self, images: Tensor) -> Tensor:
        """Let Q read drawings through noise, so that a code cannot hide in texture too faint to see."""
        if self.config.recogniser_noise:
            noise = torch.randn(images.shape, generator=self.random).to(images)
            images = images + self.config.recogniser_noise * noise
        return self.recogniser(images).float()

    def _pair_noise(self) -> list[Tensor]:
        batch, device = self.config.batch, self.compute.device
        if not self.config.share_noise:
            return self.generator.sample_noise(2 * batch, self.random, device)
        return [torch.cat([noise, noise]) for noise in self.generator.sample_noise(batch, self.random, device)]

    def _update(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        self.scaler.update()

    def _set_learning_rate(self) -> None:
        share = learning_rate_share(self.step_number / self.config.steps, self.config.decay_from)
        for optimiser in (self.g_optimiser, self.d_optimiser):
            optimiser.param_groups[0]["lr"] = self.config.learning_rate * share

    def networks(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "recogniser": self.recogniser,
            "average": self.average,
        }

    def check_finite(self) -> None:
        """Raise FloatingPointError, naming the network, if any weight is NaN or infinite."""
        for name, network in self.networks().items():
            if not all(parameter.isfinite().all() for parameter in network.parameters()):
                raise FloatingPointError(f"weights of the {name} are not finite at step {self.step_number}")

    def save(self, path: Path, previous: Path | None = None) -> None:
        """Write everything needed to continue to the bit into one safetensors file.

        Args:
            path: of the file.
            previous: where the file that is there already is kept.

        Raises:
            FloatingPointError: if weights are not finite; the file that is there stays as it is.
        """
        self.check_finite()
        tensors = {"random": self.random.get_state()}
        for name, network in self.networks().items():
            tensors |= prefixed(name, network.state_dict())
        for name, optimiser in (("g_optimiser", self.g_optimiser), ("d_optimiser", self.d_optimiser)):
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= prefixed(f"{name}.{index}", state)
        about = dict(
            kind="training",
            config=self.config.to_json(),
            step=self.step_number,
            seconds=self.seconds,
            log=self.log,
            penalty=self.penalty.item(),
            scaler=self.scaler.state_dict(),
            digest=digest(tensors),
        )
        if previous is not None:
            keep_previous(path, previous)
        save_tensors(path, tensors, about)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote.

        Raises:
            ValueError: if the file is damaged or belongs to a run with another config.
        """
        tensors, about = load_tensors(path)
        if about.get("kind") != "training":
            raise ValueError(f"{path} must be the checkpoint of a training, got kind {about.get('kind')!r}")
        theirs = Config.from_json(about["config"])
        if theirs != self.config:
            differing = [f.name for f in fields(Config) if getattr(theirs, f.name) != getattr(self.config, f.name)]
            raise ValueError(
                f"{path} belongs to a run that differs in {differing}; choose another folder or resume=False"
            )
        expected = {"random", *(f"{n}.{key}" for n, net in self.networks().items() for key in net.state_dict())}
        if about["step"]:
            expected |= {f"{name}.0.exp_avg_sq" for name in ("g_optimiser", "d_optimiser")}
        if missing := sorted(expected - set(tensors)):
            raise Damaged(f"{path} is no whole checkpoint: it lacks {len(missing)} tensors, such as {missing[:3]}")
        if "digest" in about and about["digest"] != digest(tensors):
            raise Damaged(f"{path} is damaged: its tensors are not those that were written")
        for name, network in self.networks().items():
            network.load_state_dict(unprefixed(name, tensors))
        for name, optimiser in (("g_optimiser", self.g_optimiser), ("d_optimiser", self.d_optimiser)):
            state = optimiser.state_dict()
            mine = unprefixed(name, tensors)
            indices = sorted({int(key.split(".")[0]) for key in mine})
            state["state"] = {index: unprefixed(str(index), mine) for index in indices}
            optimiser.load_state_dict(state)
        if about["scaler"]:
            self.scaler.load_state_dict(about["scaler"])
        self.random.set_state(tensors["random"])
        self.step_number, self.seconds, self.log = about["step"], about["seconds"], about["log"]
        self.penalty = torch.tensor(about["penalty"])
        self._place_data()


def train(
    config: Config,
    data: FactorData,
    folder: str | Path,
    compute: Compute,
    resume: bool | str = "auto",
    log_every: int = 50,
    save_seconds: float = 60,
    snapshot_every: int = 0,
    on_snapshot: Callable[[Training], dict | None] | None = None,
    progress: bool = True,
) -> Training:
    """Train until `config.images` have been shown, or until the user interrupts; return the run's state.

    Ctrl-C (or the notebook's stop button) lets the step in progress end, saves and returns; calling again continues.

    Args:
        config: what to train.
        data: where real images come from.
        folder: receives `checkpoint.safetensors`, the one before it, and the run record `run.json`.
        compute: device and number format.
        resume: "auto" continues from the folder's checkpoint if there is one; False starts over; True demands one.
        log_every: steps between two lines of the log.
        save_seconds: seconds between two checkpoints.
        snapshot_every: images between two calls of `on_snapshot`; 0 for none.
        on_snapshot: called with the state; what it returns (scores, say) joins the log.
        progress: show a progress bar (never when headless).

    Raises:
        FileNotFoundError: for `resume=True` without a checkpoint.
        FloatingPointError: if losses or weights stop being finite; the last good checkpoint stays.
    """
    folder = Path(folder)
    checkpoint = folder / "checkpoint.safetensors"
    state = Training(config, data, compute)
    previous = folder / "checkpoint.previous.safetensors"
    if resume is True or (resume == "auto" and (checkpoint.exists() or previous.exists())):
        load_newest(state, checkpoint, previous)
        print(f"continued at step {state.step_number:,} of {config.steps:,}")
    clock, saved = time.perf_counter(), time.perf_counter()
    bar = tqdm(
        total=config.steps, initial=state.step_number, mininterval=0.5, unit="step", disable=headless() or not progress
    )
    with _stop_signal() as stopped, bar:
        while state.step_number < config.steps and not stopped.is_set():
            losses = state.step()
            bar.update()
            shown = state.step_number * config.batch
            if state.step_number % log_every == 0:
                entry = {name: value.item() for name, value in losses.items()}
                if not all(map(math.isfinite, entry.values())):
                    raise FloatingPointError(f"losses are not finite at step {state.step_number}: {entry}")
                now = time.perf_counter()
                state.seconds, clock = state.seconds + now - clock, now
                state.log.append({"images": shown, "seconds": round(state.seconds, 1), **entry})
                bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()}, refresh=False)
            due = snapshot_every and shown // snapshot_every > (shown - config.batch) // snapshot_every
            if due and on_snapshot:
                state.seconds += time.perf_counter() - clock
                state.check_finite()
                if noted := on_snapshot(state):
                    numbers = {name: float(value) for name, value in noted.items()}
                    state.log.append({"images": shown, "seconds": round(state.seconds, 1), **numbers})
                clock = time.perf_counter()  # measuring is not training
            if time.perf_counter() - saved > save_seconds:
                state.save(checkpoint, previous)
                saved = time.perf_counter()
        state.seconds += time.perf_counter() - clock
    state.save(checkpoint)
    save_json(folder / "run.json", run_record(state))
    return state


def load_newest(state: Training, checkpoint: Path, previous: Path) -> None:
    """Continue from a checkpoint, or, where it is damaged or gone, from the one before it, and say so.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if neither can be read, or they belong to another run.
    """
    try:
        return state.load(checkpoint)
    except (Damaged, FileNotFoundError) as error:
        if not previous.exists():
            raise
        state.load(previous)
        print(f"{error}; continued from {previous.name}, step {state.step_number}")


def run_record(state: Training) -> dict:
    """Return the run record: config, versions, device, steps, wall time, images/s and the whole log."""
    shown = state.step_number * state.config.batch
    return dict(
        config=state.config.to_json(),
        finished=state.step_number >= state.config.steps,
        steps=state.step_number,
        images=shown,
        seconds=round(state.seconds, 1),
        images_per_second=round(shown / state.seconds, 1) if state.seconds else None,
        device=str(state.compute),
        versions=dict(torch=torch.__version__, python=platform.python_version(), machine=platform.machine()),
        log=state.log,
    )


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event looked at between steps, so that no step is left half done; a second one interrupts."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.getsignal(signal.SIGINT)

    def handler(number, frame):
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def replace_config(config: Config, **changes) -> Config:
    """Return `config` with some values changed; unknown names are a ValueError that lists the known ones."""
    known = [field.name for field in fields(Config)]
    if unknown := sorted(set(changes) - set(known)):
        raise ValueError(f"config has no {unknown}; known are {known}")
    return replace(config, **changes)
