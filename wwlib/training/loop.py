"""The loop around the training step: progress bar, log, checkpoints, snapshots, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

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
    checkpoint, previous = folder / "checkpoint.safetensors", folder / "checkpoint.previous.safetensors"
    if micro_batch is None and (memory is not None or compute.device.type == "cuda"):
        from wwlib.training.memory import choose_micro_batch  # imported here, since memory measures a Training

        rows = team.rows(config.batch)
        micro_batch = choose_micro_batch(config, rows.stop - rows.start, memory, compute.dtype, team.size)
    state = Training(config, data, compute, micro_batch, team)
    has_checkpoint = team.leads and (checkpoint.exists() or previous.exists())
    if team.leads:
        for file in (checkpoint, previous, folder / "best.safetensors"):
            remove_unfinished(file)
    if resume is True or (resume == "auto" and team.any(has_checkpoint)[0]):
        continue_newest(state, checkpoint, previous)
    session, clock, saved = TrainingSession.begin(state), time.perf_counter(), time.perf_counter()
    quiet = headless() or not progress or not team.leads
    bar = tqdm(total=config.steps, initial=state.step_number, mininterval=0.5, unit="step", disable=quiet)
    with stop_signal(insist=not under_torchrun()) as stopped, bar:
        stop = False
        while state.step_number < config.steps and not stop:
            losses = state.step()
            bar.update()
            images_shown = state.step_number * config.batch
            if state.step_number % log_every == 0:
                entry = {name: value.item() for name, value in losses.items()}
                if not all(map(math.isfinite, entry.values())):
                    raise FloatingPointError(f"losses are not finite at step {state.step_number}: {entry}")
                clock = state.add_seconds(clock)
                state.log.append({"images": images_shown, "seconds": round(state.seconds, 1), **entry})
                bar.set_postfix({name: f"{value:.2f}" for name, value in entry.items()}, refresh=False)
            due = snapshot_every and images_shown // snapshot_every > (images_shown - config.batch) // snapshot_every
            if due and on_snapshot and team.leads:
                clock = state.add_seconds(clock)
                state.check_finite()
                if measured := on_snapshot(state):
                    numbers = {name: float(value) for name, value in measured.items()}
                    state.log.append({"images": images_shown, "seconds": round(state.seconds, 1), **numbers})
                clock = time.perf_counter()  # the time of a snapshot does not count as training
            stop, save = team.any(stopped.is_set(), team.leads and time.perf_counter() - saved > save_seconds)
            if save:
                clock = state.add_seconds(clock)
                session.note(state)
                if team.leads:
                    _save_or_say(state, checkpoint, previous)
                saved = time.perf_counter()
        # inside `stop_signal`, since a second SIGTERM must not interrupt the last save
        state.add_seconds(clock)
        session.note(state)
        took_steps = state.step_number > session.first_step
        # a finished run that is called again keeps its record; a new one would name this machine
        if team.leads and (took_steps or not is_record(folder / "run.json")):
            save_checkpoint(state, checkpoint)
            save_json(folder / "run.json", run_record(state))
    return state


def _save_or_say(state: Training, checkpoint: Path, previous: Path) -> None:
    """Save a checkpoint; if that fails, as it can on mounted drives, print so and let the run continue."""
    try:
        save_checkpoint(state, checkpoint, previous)
    except OSError as error:
        print(f"not saved at step {state.step_number}: {error}; the next save tries again", flush=True)
