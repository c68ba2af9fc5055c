"""`remake` what is shipped of Part I: models from finished runs, their scores, what trainings cost."""

from __future__ import annotations

from pathlib import Path

from wwlib.base.command import Command, parts_command


def _add_shipped(parser) -> None:
    parser.add_argument("folder", type=Path, help="the run's folder")
    parser.add_argument("name", help="name of the shipped model")
    parser.add_argument("--trained-by", required=True, help="the command that trained it, for the record")
    parser.add_argument("--keep-discriminator", action="store_true", help="so that lesson 05 can continue it")
    parser.add_argument("--filmstrip", type=int, default=0, help="snapshots to copy to data/filmstrip (default: 0)")
    parser.add_argument("--record-only", action="store_true", help="ship the run record without weights")


def _shipped(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.shipped.ship import record_only, ship

    choose_threads()
    if options.record_only:
        record_only(options.folder, options.name, options.trained_by)
    else:
        record = ship(options.folder, options.name, options.trained_by, options.keep_discriminator, options.filmstrip)
        print(f"{options.name}: FactorVAE score {record['scores']['factor_vae']:.3f}, IoU {record['scores']['iou']}")


def _add_scores(parser) -> None:
    parser.add_argument("names", nargs="+", help="names of shipped models")


def _scores(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.shipped.ship import rescore

    choose_threads()
    for name in options.names:
        scores = rescore(name)["scores"]
        print(f"{name}: FactorVAE score {scores['factor_vae']:.3f}, where score {scores['where']:.3f}", flush=True)


def _add_costs(parser) -> None:
    from wwlib.training.recipes import RECIPES

    parser.add_argument("recipes", nargs="*", help=f"of {', '.join(RECIPES)} (default: all)")


def _costs(options) -> None:
    from wwlib.experiments.shipped.costs import measure_costs

    measure_costs(options.recipes)


def _memory(_) -> None:
    from wwlib.base.files import save_json
    from wwlib.experiments.shipped.costs import MEMORY, memory_record

    save_json(MEMORY, memory_record())


def _seen(parts: list[str], seeds: list[int] | None) -> None:
    from wwlib.experiments.shipped.seen import remake_seen

    remake_seen(parts, seeds)


REMAKES = (
    Command("shipped", "score a finished run and put its model and record into data/", _shipped, _add_shipped),
    Command("scores", "score shipped models with today's scores and update their records", _scores, _add_scores),
    parts_command(
        "seen",
        "train the judges of rooms, and score what the shipped models of rooms draw",
        _seen,
        parts="judge-32, judge-64, shapes3d-32-seed0",
        seeds="of the measures (default: 0)",
    ),
    Command("costs", "measure what each recipe costs on this CPU", _costs, _add_costs),
    Command("memory", "compute what every recipe needs on its device", _memory),
)
