"""Checkpoints: saving a training so that it continues exactly, and saving only the model of a training."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from wwlib.base.files import (
    Damaged,
    half_floats,
    keep_previous,
    load_tensors,
    prefixed,
    save_tensors,
    tensor_digest,
    unprefixed,
)
from wwlib.models.config import Config
from wwlib.models.shipped import Model
from wwlib.training.step import Training


def save_checkpoint(state: Training, path: Path, previous: Path | None = None) -> None:
    """Write into one safetensors file everything that the run needs to continue bit for bit.

    Args:
        state: of the run.
        path: of the file.
        previous: path under which an existing checkpoint is kept; None to replace it.

    Raises:
        FloatingPointError: if weights are not finite; an existing checkpoint then stays as it is.
    """
    state.check_finite()
    tensors = {"random": state.random.get_state()}
    for name, network in state.networks().items():
        tensors |= prefixed(name, network.state_dict())
    for name, optimiser in state.optimisers().items():
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= prefixed(f"{name}.{index}", moments)
    about = dict(
        kind="training",
        config=state.config.to_json(),
        step=state.step_number,
        seconds=state.seconds,
        log=state.log,
        sessions=state.sessions,
        penalty=state.penalty.item(),
        scaler=state.scaler.state_dict(),
        moments=any(optimiser.state for optimiser in state.optimisers().values()),
        pictures=getattr(state.data, "fingerprint", None),
        digest=tensor_digest(tensors),
    )
    if previous is not None:
        keep_previous(path, previous)
    save_tensors(path, tensors, about)


def load_checkpoint(state: Training, path: str | Path) -> None:
    """Restore the state of a run from a file that `save_checkpoint` wrote.

    Raises:
        ValueError: if the file is damaged or belongs to a run with another config.
    """
    tensors, about = load_tensors(path)
    if about.get("kind") != "training":
        raise ValueError(f"{path} must be the checkpoint of a training, got kind {about.get('kind')!r}")
    stored_config = Config.from_json(about["config"])
    if stored_config != state.config:
        differing = [f.name for f in fields(Config) if getattr(stored_config, f.name) != getattr(state.config, f.name)]
        raise ValueError(f"{path} belongs to a run that differs in {differing}; choose another folder or resume=False")
    here, there = getattr(state.data, "fingerprint", None), about.get("pictures")
    if None not in (here, there) and here != there:
        raise ValueError(f"{path} belongs to a run on other pictures; choose another folder for this run")
    expected = {"random", *(f"{n}.{key}" for n, net in state.networks().items() for key in net.state_dict())}
    # if float16 has overflowed in every step so far, Adam has no moments yet
    if about.get("moments", about["step"] > 0):
        expected |= {f"{name}.0.exp_avg_sq" for name in state.optimisers()}
    if missing := sorted(expected - set(tensors)):
        raise Damaged(f"{path} is no whole checkpoint: it lacks {len(missing)} tensors, such as {missing[:3]}")
    if "digest" in about and about["digest"] != tensor_digest(tensors):
        raise Damaged(f"{path} is damaged: its tensors are not those that were written")
    for name, network in state.networks().items():
        network.load_state_dict(unprefixed(name, tensors))
    for name, optimiser in state.optimisers().items():
        stored = unprefixed(name, tensors)
        indices = sorted({int(key.split(".")[0]) for key in stored})
        optimiser_state = optimiser.state_dict()
        optimiser_state["state"] = {index: unprefixed(str(index), stored) for index in indices}
        optimiser.load_state_dict(optimiser_state)
    if about["scaler"]:
        state.scaler.load_state_dict(about["scaler"])
    state.random.set_state(tensors["random"])
    state.step_number, state.seconds, state.log = about["step"], about["seconds"], about["log"]
    state.sessions = about.get("sessions", [])
    state.penalty = torch.tensor(about["penalty"])
    state.place_data()


def continue_newest(state: Training, checkpoint: Path, previous: Path) -> None:
    """Restore every process of a run from its newest checkpoint, which only the leader needs to have, and print so."""
    path = load_newest(state, checkpoint, previous) if state.team.leads else None
    content = state.team.hear_leader(path.read_bytes() if path and state.team.size > 1 else b"")
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / checkpoint.name
            copy.write_bytes(content)
            load_checkpoint(state, copy)
    else:
        print(f"continued at step {state.step_number} of {state.config.steps} from {checkpoint.parent}", flush=True)


def load_newest(state: Training, checkpoint: Path, previous: Path) -> Path:
    """Restore a run from a checkpoint or, if it is damaged or missing, from the one before; return the file used.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if neither can be read, or they belong to another run.
    """
    try:
        load_checkpoint(state, checkpoint)
        return checkpoint
    except (Damaged, FileNotFoundError) as error:
        if not previous.exists():
            raise
        load_checkpoint(state, previous)
        print(f"{error}; continued from {previous.name}, step {state.step_number}")
        return previous


def save_model(path: str | Path, state: Training, with_discriminator: bool = False, notes: dict | None = None) -> None:
    """Write the averaged G and Q of a run in float16, and with `with_discriminator` also G and D for further training.

    `notes`, JSON-able, are stored in the file's description.
    """
    keep = {"average", "recogniser"} | ({"generator", "discriminator"} if with_discriminator else set())
    tensors: dict[str, Tensor] = {}
    for name, network in state.networks().items():
        if name in keep:
            tensors |= prefixed(name, half_floats(network.state_dict()))
    about = dict(kind="model", config=state.config.to_json(), step=state.step_number)
    save_tensors(path, tensors, about | ({"notes": notes} if notes else {}))


def continue_training(state: Training, model: Model) -> None:
    """Put the networks of a model into a training state with fresh optimisers; the model must have a discriminator.

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
