"""`python -m wwlib train`: a training with every setting as an option, alone or under `torchrun`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from wwlib.base.command import Command

if TYPE_CHECKING:
    from wwlib.base.device import Compute
    from wwlib.training.distributed import Team


def meaning(entry: dataclasses.Field) -> str:
    """Return what an entry of `Config` means, in half a sentence."""
    from wwlib.training.recipes import DATASETS, FOLDER

    names = f": one of {', '.join(DATASETS)}, or {FOLDER} (with --pictures)"  # which the models do not know
    return entry.metadata["help"] + names * (entry.name == "dataset")


def _add(parser) -> None:
    from wwlib.models.config import Config
    from wwlib.training.recipes import RECIPES, recipe

    parser.description = (
        "Train a model. Ctrl-C saves and leaves; the same command continues where it stopped. "
        "On several GPUs: torchrun --nproc-per-node 2 -m wwlib train ..., with the same options."
    )
    parser.add_argument("--recipe", default="shapes3d-32", help=f"one of {', '.join(RECIPES)} (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where checkpoint and run record go (default: runs/RECIPE-seedN)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: %(default)s)")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16, float16 (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads of each process (default: measured at the start)")
    parser.add_argument(
        "--micro-batch",
        type=int,
        help="real images that go through the networks at once in each process, a multiple of 4; changes memory and "
        "speed, not what is learnt (default: as many as --memory allows)",
    )
    parser.add_argument(
        "--memory",
        type=float,
        help="gigabytes the training may take on each process's device (default: 6 on CUDA, no limit elsewhere)",
    )
    parser.add_argument("--fresh", action="store_true", help="start over even if the folder has a checkpoint")
    parser.add_argument("--save-seconds", type=float, default=60, help="between checkpoints (default: %(default)s s)")
    parser.add_argument(
        "--snapshot-every", type=int, default=10_000, help="images between pictures and scores (default: %(default)s)"
    )
    parser.add_argument("--pictures", type=Path, help="folder of pictures to train on, as `prepare` makes it")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that read pictures ahead (default: %(default)s)"
    )
    _add_watching(parser)
    shown = recipe("shapes3d-32")
    for entry in dataclasses.fields(Config):
        default = getattr(shown, entry.name)
        text = f"{meaning(entry)} (shapes3d-32: {default})"
        parser.add_argument(f"--{entry.name.replace('_', '-')}", dest=entry.name, help=text)


def _add_watching(parser) -> None:
    from wwlib.metrics.lengths import PRESETS

    parser.add_argument(
        "--tpl",
        choices=("off", "alex", "vgg"),
        default="off",
        help="measure TPL at every snapshot with this network and keep best.safetensors, the model with the lowest "
        "TPL among those with enough active codes (default: %(default)s)",
    )
    parser.add_argument(
        "--tpl-preset", default="tpl_small_0.1", help=f"one of {', '.join(PRESETS)} (default: %(default)s)"
    )
    parser.add_argument("--active", type=int, default=5, help="active codes the best must have (default: %(default)s)")
    parser.add_argument(
        "--fid",
        type=int,
        default=0,
        metavar="N",
        help="images of an FID at every snapshot; 0 for none (needs --pictures and torch-fidelity; "
        "default: %(default)s)",
    )


def _train(options) -> int:
    from wwlib.base.device import choose_compute
    from wwlib.training.distributed import team

    compute = choose_compute(options.device, options.precision)
    with team(compute.device) as together:
        return _train_together(options, compute, together)


def _train_together(options, compute: Compute, together: Team) -> int:
    from wwlib.base.device import choose_threads
    from wwlib.models.config import Config, replace_config
    from wwlib.training.loop import train
    from wwlib.training.recipes import FOLDER, recipe, training_data
    from wwlib.training.watch import BestByTPL, BestRule, watcher

    texts = {f.name: getattr(options, f.name) for f in dataclasses.fields(Config)}
    base = recipe(options.recipe)
    changes = {name: parse(name, text, getattr(base, name)) for name, text in texts.items() if text is not None}
    if options.pictures and options.dataset is None:
        changes["dataset"] = FOLDER
    config = replace_config(base, **changes)
    folder = options.folder or Path("runs") / f"{options.recipe}-seed{config.seed}"
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"--threads must be at least 1, got {options.threads}")
    folder.mkdir(parents=True, exist_ok=True)
    threads = choose_threads(options.threads)
    data = training_data(config, compute.device, options.pictures, options.workers)
    if together.leads:
        where = f"{compute} ({threads} CPU threads)" + f" × {together.size} processes" * (together.size > 1)
        print(f"{options.recipe}: {config.images:,} images of {data}\non {where}, into {folder}", flush=True)
    best = None
    if options.tpl != "off":
        rule = BestRule(options.tpl, options.tpl_preset, options.active)
        best = BestByTPL(folder / "best.safetensors", rule, fresh=options.fresh)
    state = train(
        config,
        data,
        folder,
        compute,
        resume=False if options.fresh else "auto",
        save_seconds=options.save_seconds,
        snapshot_every=options.snapshot_every,
        on_snapshot=watcher(folder, data, best=best, fid_images=options.fid),
        micro_batch=options.micro_batch,
        memory=options.memory,
        team=together,
    )
    done = state.step_number >= config.steps
    rest = "see run.json" if done else f"the same command{', without --fresh,' * options.fresh} continues"
    if together.leads:
        print(f"{'finished' if done else 'stopped'} at step {state.step_number} of {config.steps}; {rest}")
    return 0 if done else 130


def parse(name: str, text: str, example: object) -> object:
    """Turn an option's text into a value of the same kind as `example`; ValueError naming the option if it is none."""
    try:
        if isinstance(example, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(example, dict):
            return {int(k): int(v) for k, v in (pair.split(":") for pair in text.split(","))}
        if isinstance(example, tuple):
            parts = [part for part in text.split(",") if part]
            return tuple(parts) if name == "modules" else tuple(int(part) for part in parts)
        return type(example)(text)
    except (ValueError, KeyError):
        from wwlib.models.config import Config

        expected = meaning(Config.__dataclass_fields__[name])
        raise ValueError(f"--{name.replace('_', '-')} expects {expected}; got {text!r}") from None


COMMANDS = (Command("train", "train a model; Ctrl-C saves, the same command continues", _train, _add),)
