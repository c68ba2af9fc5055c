"""The loop around the training step: progress bar, log, checkpoints, snapshots, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor
from tqdm.auto import tqdm

from wwlib.base.device import Compute, headless
from wwlib.base.files import remove_unfinished, save_json
from wwlib.base.stopping import stop_signal
from wwlib.datasets.factors import FactorData
from wwlib.models.config import Config
from wwlib.training.checkpoint import continue_newest, save_checkpoint
from wwlib.training.distributed import ALONE, Team, under_torchrun
from wwlib.training.run_record import TrainingSession, is_record, run_record
from wwlib.training.step import Training


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
    micro_batch: int | None = None,
    memory: float | None = None,
    team: Team = ALONE,
) -> Training:
    """Train until `config.images` have been shown, or until the user interrupts; return the run's state.

    Ctrl-C (or the notebook's stop button) lets the step in progress end, saves and returns; calling again continues,
    also with another micro-batch or number of processes.

    Args:
        config: what to train.
        data: where real images come from.
        folder: receives `checkpoint.safetensors`, the one before it, and the run record `run.json`.
        compute: device and number format.
        resume: "auto" continues from the folder's checkpoint if there is one; False starts over; True demands one.
        log_every: steps between two lines of the log.
        save_seconds: seconds between two checkpoints.
        snapshot_every: images between two calls of `on_snapshot`; 0 for none.
        on_snapshot: called with the state, in the leading process; the numbers it returns are added to the log.
        progress: show a progress bar (never when headless).
        micro_batch: real images that go through the networks at once, a multiple of 4; None lets `memory` choose.
        memory: gigabytes the training may take on the device, for every process; None for 6 on CUDA, else no limit.
        team: the processes that share each batch, as `wwlib.training.distributed.team` gives it.

    Raises:
        FileNotFoundError: for `resume=True` without a checkpoint.
        FloatingPointError: if losses or weights stop being finite; the last good checkpoint stays.
        ConnectionError: if another process of the team is gone.
    """
    folder = Path(folder)
    if micro_batch is None:
        micro_batch = _fitting_micro_batch(config, compute, memory, team)
    state = Training(config, data, compute, micro_batch, team)
    _continue(state, folder, resume)
    records = _Records(state, folder)
    quiet = headless() or not progress or not team.leads
    bar = tqdm(total=config.steps, initial=state.step_number, mininterval=0.5, unit="step", disable=quiet)
    with stop_signal(insist=not under_torchrun()) as stopped, bar:
        stop = False
        while state.step_number < config.steps and not stop:
            losses = state.step()
            bar.update()
            if state.step_number % log_every == 0:
                entry = records.log(losses)
                bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()}, refresh=False)
            if on_snapshot and team.leads and _passed_multiple(state, snapshot_every):
                records.snapshot(on_snapshot)
            stop, save = team.any(stopped.is_set(), records.save_is_due(save_seconds))
            if save:
                records.save()
        records.finish()  # inside `stop_signal`, since a second SIGTERM must not interrupt the last save
    return state


def _fitting_micro_batch(config: Config, compute: Compute, memory: float | None, team: Team) -> int | None:
    """Return the micro-batch that fits `memory`; None, for the whole batch, where nothing limits it."""
    if memory is None and compute.device.type != "cuda":
        return None
    from wwlib.training.memory import choose_micro_batch  # imported here: it brings fake tensors, which few runs need

    rows = team.rows(config.batch)
    return choose_micro_batch(config, rows.stop - rows.start, memory, compute.dtype, team.size)


def progress(steps: int) -> Iterable[int]:
    """Count the steps 0, 1, ... of a short training, with a bar that says how far it is; no bar when headless."""
    return tqdm(range(steps), mininterval=0.5, unit="step", disable=headless())


def _paths(folder: Path) -> tuple[Path, Path]:
    """The newest checkpoint of a run and the one before it."""
    return folder / "checkpoint.safetensors", folder / "checkpoint.previous.safetensors"


def _continue(state: Training, folder: Path, resume: bool | str) -> None:
    """Remove what an interrupted save left behind, and restore the newest checkpoint as `resume` of `train` asks."""
    team, (checkpoint, previous) = state.team, _paths(folder)
    has_checkpoint = team.leads and (checkpoint.exists() or previous.exists())
    if team.leads:
        for file in (checkpoint, previous, folder / "best.safetensors"):
            remove_unfinished(file)
    if resume is True or (resume == "auto" and team.any(has_checkpoint)[0]):
        continue_newest(state, checkpoint, previous)


def _passed_multiple(state: Training, images: int) -> bool:
    """Say whether the last step showed an image whose number is a multiple of `images`; never for 0."""
    if not images:
        return False
    batch = state.config.batch
    return state.step_number * batch // images > (state.step_number - 1) * batch // images


class _Records:
    """What is written beside the steps of a run: log, checkpoints, the run record, and the seconds it took."""

    def __init__(self, state: Training, folder: Path):
        self.state, self.folder = state, folder
        self.session = TrainingSession.begin(state)
        self.clock = self.saved = time.perf_counter()

    def log(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Append losses to the log and return them as numbers; FloatingPointError if one is not finite."""
        entry = {name: value.item() for name, value in losses.items()}
        if not all(map(math.isfinite, entry.values())):
            raise FloatingPointError(f"losses are not finite at step {self.state.step_number}: {entry}")
        self._count_time()
        self._append(entry)
        return entry

    def snapshot(self, measure: Callable[[Training], dict | None]) -> None:
        """Append what `measure` returns to the log; the time that it takes does not count as training."""
        self._count_time()
        self.state.check_finite()
        if measured := measure(self.state):
            self._append({name: float(value) for name, value in measured.items()})
        self.clock = time.perf_counter()

    def save_is_due(self, seconds: float) -> bool:
        """Say whether this process leads and saved more than `seconds` ago."""
        return self.state.team.leads and time.perf_counter() - self.saved > seconds

    def save(self) -> None:
        """Save a checkpoint, and go on without one if that fails."""
        self._count_time()
        self.session.note(self.state)
        if self.state.team.leads:
            _save_or_say(self.state, *_paths(self.folder))
        self.saved = time.perf_counter()

    def finish(self) -> None:
        """Save the last checkpoint and the run record."""
        self._count_time()
        self.session.note(self.state)
        took_steps = self.state.step_number > self.session.first_step
        record = self.folder / "run.json"
        # a finished run that is called again keeps its record; a new one would name this machine
        if self.state.team.leads and (took_steps or not is_record(record)):
            save_checkpoint(self.state, _paths(self.folder)[0])
            save_json(record, run_record(self.state))

    def _count_time(self) -> None:
        self.clock = self.state.add_seconds(self.clock)

    def _append(self, numbers: dict[str, float]) -> None:
        images = self.state.step_number * self.state.config.batch
        self.state.log.append({"images": images, "seconds": round(self.state.seconds, 1), **numbers})


def _save_or_say(state: Training, checkpoint: Path, previous: Path) -> None:
    """Save a checkpoint; if that fails, as it can on mounted drives, print so and let the run continue."""
    try:
        save_checkpoint(state, checkpoint, previous)
    except OSError as error:
        print(f"not saved at step {state.step_number}: {error}; the next save tries again", flush=True)
