"""The record of a run: its config, its log, and each session with the measurements of every process."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from wwlib.base.device import peak_memory

if TYPE_CHECKING:
    from wwlib.training.step import Training


@dataclass
class TrainingSession:
    """The part of a run from its start, or from where it was continued, to where it stopped."""

    first_step: int
    first_seconds: float
    started: str

    @classmethod
    def begin(cls, state: Training) -> TrainingSession:
        return cls(state.step_number, state.seconds, datetime.now(UTC).isoformat(timespec="seconds"))

    def note(self, state: Training) -> None:
        """Write this session into `state.sessions` as the last one; all processes must call this at the same step.

        Speeds are images shown to D per second; each process reports that of its share of the batch.
        """
        steps, seconds = state.step_number - self.first_step, state.seconds - self.first_seconds
        if not steps:
            return
        peak = peak_memory(state.compute.device)
        own = dict(
            device=str(state.compute),
            images_per_second=_rate(steps * (state.rows.stop - state.rows.start), seconds),
            peak_gigabytes=None if peak is None else round(peak / 1e9, 3),
        )
        processes = state.team.gather(own)
        earlier = [session for session in state.sessions if session["from_step"] < self.first_step]
        session = dict(
            started=self.started,
            from_step=self.first_step,
            to_step=state.step_number,
            seconds=round(seconds, 1),
            images_per_second=_rate(steps * state.config.batch, seconds),
            micro_batch=state.micro_batch,
            processes=processes,
        )
        state.sessions = [*earlier, session]


def _rate(images: int, seconds: float) -> float | None:
    return round(images / seconds, 1) if seconds > 0 else None


def run_record(state: Training) -> dict:
    """Return the run record: config, versions, device, steps, wall time, images/s, sessions and the whole log."""
    images_shown = state.step_number * state.config.batch
    return dict(
        config=state.config.to_json(),
        finished=state.step_number >= state.config.steps,
        steps=state.step_number,
        images=images_shown,
        seconds=round(state.seconds, 1),
        images_per_second=_rate(images_shown, state.seconds),
        device=str(state.compute),
        versions=dict(torch=torch.__version__, python=platform.python_version(), machine=platform.machine()),
        sessions=state.sessions,
        log=state.log,
    )


def is_record(path: Path) -> bool:
    """Return whether there is a run record that can be read."""
    try:
        return "config" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
