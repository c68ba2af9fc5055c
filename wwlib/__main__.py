"""`python -m wwlib`: what the lessons do, from the command line."""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
from pathlib import Path

from wwlib.base.device import choose_compute, choose_threads
from wwlib.course.grading import commands as grade_command
from wwlib.datasets.prepare import FORMS, prepare_pictures
from wwlib.training import commands as train_command
from wwlib.training.recipes import DATASETS, RECIPES, make_data

# commands that make what a lesson of Part II ships: the module with a function of that name, and words of help
PART_TWO = {
    "interpret": (
        "interpret",
        "train what lesson 17 interprets, and the interpretations; record all",
        "host-autoencoder, autoencoder, ablations",
        "of the interpretations (default: 0 to 4)",
    ),
    "invariances": (
        "invariance_runs",
        "train lesson 18's classifiers, and what explains each of their layers; record all",
        "layers, time, ablations, first, attack",
        "of classifiers and flows (default: 0 to 4)",
    ),
    "translate": (
        "translate",
        "train what lesson 19 translates between, and the translations",
        "host-encoder, captions, logits",
        "of the trainings (default: 0 to 4, of remedies 0)",
    ),
    "fuse": (
        "fuse",
        "train lesson 20's image model, experts and fusions; record all",
        "image-model, domain, argmax",
        "of the fusions (default: 0 to 4, of most remedies 0)",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m wwlib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train_command.add(commands)
    _add_prepare(commands)
    _add_population(commands)
    _add_select(commands)
    grade_command.add(commands)
    _add_small_commands(commands)
    # `grade` ends with 2 when submissions are unreadable, so a wrong option must not: 64 is sysexits' EX_USAGE
    for one in (parser, *commands.choices.values()):
        one.error = functools.partial(_usage, one)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _usage(parser: argparse.ArgumentParser, message: str) -> None:
    parser.print_usage(sys.stderr)
    parser.exit(64, f"{parser.prog}: error: {message}\n")


def _add_prepare(commands) -> None:
    parser = commands.add_parser(
        "prepare",
        help="turn CelebA, FFHQ, UT-Zappos shoes, CLEVR or any pictures into a folder to train on",
        description="Crop and shrink a published picture folder; run again to continue. " + "; ".join(
            f"{name}: {form.crop}" for name, form in FORMS.items()
        ),
    )  # fmt: skip
    parser.add_argument("set", choices=FORMS, help="whose pictures these are; folder for any others")
    parser.add_argument("source", type=Path, help="the folder as published")
    parser.add_argument("out", type=Path, help="receives the PNGs and about.json")
    parser.add_argument("--resolution", type=int, default=64, help="side of the result, pixels (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="that work side by side (default: %(default)s)")
    parser.set_defaults(run=_prepare)


def _prepare(options) -> int:
    about = prepare_pictures(options.set, options.source, options.out, options.resolution, options.processes)
    published = f" of {about['published']:,} published ones" if about["published"] else ""
    print(f"{about['count']:,} pictures{published} of {about['resolution']} px in {options.out}")
    for name in about["damaged"]:
        print(f"damaged, left out: {name}")
    return 0


POPULATION_FOLDER, POPULATION_STORAGE = Path("runs/population"), "sqlite:///runs/population.db"


def _add_population(commands) -> None:
    parser = commands.add_parser(
        "population",
        help="train and score the population of lesson 09; run it again, or several times at once, to go on",
        description="Train and score the population of lesson 09. Safe to run in several processes and to stop.",
    )
    parser.add_argument("--folder", type=Path, default=POPULATION_FOLDER, help="of weights and records")
    parser.add_argument(
        "--storage",
        default=POPULATION_STORAGE,
        help="database, or postgresql://user@host/name (%(default)s)",
    )
    parser.add_argument(
        "--heartbeat", type=int, default=30, help="seconds; a worker silent four times as long is dead (%(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=2, help="of every autoencoder (default: %(default)s)")
    parser.add_argument("--only", default="", help="members whose name starts with this")
    parser.add_argument("--limit", type=int, help="members this process does at most")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of this process (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, help="shown to every autoencoder (96000); needs a folder and storage apart"
    )
    parser.add_argument("--gan-images", type=int, help="the same for every GAN (10000)")
    parser.add_argument(
        "--ship",
        action="store_true",
        help="only gather what is done into data/, under the folder's name (population...)",
    )
    parser.set_defaults(run=_population)


def _population(options) -> int:
    from wwlib.experiments.population.runs import gather_members, work

    choose_threads(options.threads)
    if options.ship:
        print(f"{len(gather_members(options.folder, options.folder.name))} members gathered")
        return 0
    if options.heartbeat < 1:
        raise ValueError(f"--heartbeat must be at least 1, got {options.heartbeat}")
    for option, images in (("--images", options.images), ("--gan-images", options.gan_images)):
        if images is None:
            continue
        if images < 1:
            raise ValueError(f"{option} must be at least 1, got {images}")
        if options.folder == POPULATION_FOLDER or options.storage == POPULATION_STORAGE:
            raise ValueError(f"{option} makes another population: give it a --folder and a --storage of its own")
    done = work(
        options.storage,
        options.folder,
        options.seeds,
        options.only,
        options.limit,
        heartbeat=options.heartbeat,
        training_images=options.images,
        gan_images=options.gan_images,
    )
    print(f"{done} members done by this process")
    return 0


def _add_select(commands) -> None:
    parser = commands.add_parser(
        "select",
        help="search for a disentangled autoencoder without labels",
        description="Train autoencoders that Optuna proposes, judge them by TPL alone, then show what labels say.",
    )
    parser.add_argument("--dataset", default="shapes3d", help=f"one of {', '.join(DATASETS)} (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=20, help="models to try in all (default: %(default)s)")
    parser.add_argument("--active", type=int, default=5, help="active codes a model must have (default: %(default)s)")
    parser.add_argument("--images", type=int, default=96_000, help="shown to each model (default: %(default)s)")
    parser.add_argument("--net", default="vgg", help="network of the perceptual distance: vgg or alex (%(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/select"), help="of the weights (default: %(default)s)"
    )
    parser.add_argument("--storage", default="sqlite:///runs/select.db", help="Optuna's database (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the search and every training (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: measured at the start)")
    parser.add_argument("--ship", action="store_true", help="also score every finished trial into data/select.json")
    parser.set_defaults(run=_select)


def _select(options) -> int:
    from wwlib.base.files import save_json
    from wwlib.experiments.population.search import Budget, chosen_trial, record_of, reveal, search
    from wwlib.experiments.population.tables import SEARCH
    from wwlib.metrics.perceptual import PerceptualDistance

    if options.trials < 1 or options.active < 1:
        raise ValueError(f"--trials and --active must be at least 1, got {options.trials} and {options.active}")
    choose_threads(options.threads)
    data, distance = make_data(options.dataset, 32), PerceptualDistance(options.net)
    print(f"{options.trials} trials on {data}\nperceptual distance: {distance.provenance}")
    # settings that make TPLs incomparable make another study
    name = f"{options.dataset}-{options.net}-{options.images}-{options.active}"
    folder, budget = options.folder / name, Budget(images=options.images)
    study = search(options.storage, folder, data, distance, options.trials, options.active, budget, options.seed, name)
    for trial in study.get_trials(deepcopy=False):
        found = f"TPL {trial.value:.2f}" if trial.state.name == "COMPLETE" else trial.state.name.lower()
        codes = trial.user_attrs.get("active_codes", "?")
        strength = trial.params.get("strength", float("nan"))
        print(f"  {trial.number}: {trial.params.get('family')} {strength:.2f}: {found}, {codes} active codes")
    chosen = chosen_trial(study)
    print(f"chosen without labels: trial {chosen.number}, {chosen.params}, TPL {chosen.value:.2f}")
    scores = reveal(folder, chosen, data)
    print("what labels say: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    if options.ship:
        command = (
            f"python -m wwlib select --dataset {options.dataset} --trials {options.trials} --images {options.images}"
        )
        save_json(SEARCH, record_of(study, folder, data, f"{command} --active {options.active} --net {options.net}"))
    return 0


def _add_small_commands(commands) -> None:
    parser = commands.add_parser("fid", help="FID of a model against a folder of pictures (needs torch-fidelity)")
    parser.add_argument("model", help="a shipped model's name, or a file such as runs/NAME/checkpoint.safetensors")
    parser.add_argument("--pictures", type=Path, required=True, help="the folder that it was trained on")
    parser.add_argument("--images", type=int, default=50_000, help="to draw (default: %(default)s, as FID-50k)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: %(default)s)")
    parser.set_defaults(run=_fid)
    parser = commands.add_parser("lessons", help="execute lessons at quick and store their outputs, cleaned")
    parser.add_argument("lessons", nargs="*", help="numbers such as 00 03 (default: all)")
    parser.set_defaults(run=_lessons)
    parser = commands.add_parser("release", help="write student, instructor, nbgrader and Gradescope copies")
    parser.add_argument("lessons", nargs="*", help="numbers such as 00 03 (default: all)")
    parser.add_argument("--out", type=Path, default=Path("release"), help="folder (default: %(default)s)")
    parser.set_defaults(run=_release)
    parser = commands.add_parser(
        "tables", help="write the generated tables of README.md, docs/ and data/README.md anew"
    )
    parser.set_defaults(run=_tables)
    parser = commands.add_parser(
        "costs", help="measure what each recipe costs on this CPU, for the tables of docs/full_size.md"
    )
    parser.add_argument("recipes", nargs="*", help=f"of {', '.join(RECIPES)} (default: all)")
    parser.set_defaults(run=_costs)
    parser = commands.add_parser("memory", help="compute what every recipe needs on its device into data/memory.json")
    parser.set_defaults(run=_memory)
    parser = commands.add_parser("compare", help="train lesson 04's small pairs over three seeds and record the scores")
    parser.set_defaults(run=_compare)
    for name, (module, what, parts, seeds) in PART_TWO.items():
        parser = commands.add_parser(name, help=what)
        parser.add_argument("parts", nargs="*", help=f"such as {parts} (default: all)")
        parser.add_argument("--seeds", type=int, nargs="+", help=seeds)
        parser.set_defaults(run=functools.partial(_make_parts, f"wwlib.{module}", name))
    parser = commands.add_parser("avatars", help="draw the layers of the avatars anew (needs dicebear-core, resvg-py)")
    parser.set_defaults(run=_avatars)
    parser = commands.add_parser("portraits", help="draw the layers of the portraits anew (needs the same)")
    parser.set_defaults(run=_portraits)
    parser = commands.add_parser("ship", help="score a finished run and put its model and record into data/")
    parser.add_argument("folder", type=Path, help="the run's folder")
    parser.add_argument("name", help="name of the shipped model")
    parser.add_argument("--trained-by", required=True, help="the command that trained it, for the record")
    parser.add_argument("--keep-discriminator", action="store_true", help="so that lesson 05 can continue it")
    parser.add_argument("--filmstrip", type=int, default=0, help="snapshots to copy to data/filmstrip (default: 0)")
    parser.add_argument("--record-only", action="store_true", help="ship the run record without weights")
    parser.set_defaults(run=_ship)
    parser = commands.add_parser("examine", help="measure a shipped model on unseen pictures, for lesson 11")
    parser.add_argument("name", help="name of a shipped model")
    parser.set_defaults(run=_examine)
    parser = commands.add_parser("rescore", help="score shipped models anew and update their records")
    parser.add_argument("names", nargs="+", help="names of shipped models")
    parser.set_defaults(run=_rescore)


def _fid(options) -> int:
    from wwlib.datasets.pictures import ImageFolder
    from wwlib.metrics.frechet import fid
    from wwlib.models.shipped import load_model

    choose_threads()
    device = choose_compute(options.device).device
    model = load_model(options.model, device)
    pictures = ImageFolder(options.pictures, model.config.resolution, cache_bytes=0)
    found = fid(model.generator, pictures, options.images, device)
    print(f"FID {found:.2f} of {options.images:,} drawings and {min(options.images, len(pictures)):,} pictures")
    return 0


def _lessons(options) -> int:
    from wwlib.course.lessons.notebooks import run_all

    run_all(options.lessons)
    return 0


def _release(options) -> int:
    from wwlib.course.lessons.release import release

    print(f"{len(release(options.out, options.lessons))} files in {options.out}")
    return 0


def _tables(options) -> int:
    from wwlib.course.lessons.readme import write_tables

    write_tables()
    return 0


def _costs(options) -> int:
    from wwlib.experiments.shipped.costs import measure_costs

    measure_costs(options.recipes)
    return 0


def _memory(options) -> int:
    from wwlib.base.files import save_json
    from wwlib.experiments.shipped.costs import MEMORY, memory_record

    save_json(MEMORY, memory_record())
    return 0


def _compare(options) -> int:
    from wwlib.experiments.perturbation.runs import compare

    choose_threads()
    compare()
    return 0


def _make_parts(module: str, function: str, options) -> int:
    """Call what makes a lesson's networks and record; imported here, since it takes a second."""
    choose_threads()
    getattr(importlib.import_module(module), function)(options.parts, options.seeds)
    return 0


def _avatars(options) -> int:
    from wwlib.datasets.avatars import ARCHIVE, make_archive

    make_archive()
    print(f"wrote {ARCHIVE}")
    return 0


def _portraits(options) -> int:
    from wwlib.datasets.portraits import ARCHIVE, make_archive

    make_archive()
    print(f"wrote {ARCHIVE}")
    return 0


def _examine(options) -> int:
    from wwlib.experiments.examination.runs import examine

    choose_threads()
    found = examine(options.name)
    print(f"TPL {found['tpl']['score']:.2f}; projection {found['projection']['errors']['search']}")
    return 0


def _rescore(options) -> int:
    from wwlib.experiments.shipped.ship import rescore

    choose_threads()
    for name in options.names:
        found = rescore(name)["scores"]
        print(f"{name}: FactorVAE score {found['factor_vae']:.3f}, where score {found['where']:.3f}", flush=True)
    return 0


def _ship(options) -> int:
    from wwlib.experiments.shipped.ship import record_only, ship

    choose_threads()
    if options.record_only:
        record_only(options.folder, options.name, options.trained_by)
    else:
        record = ship(options.folder, options.name, options.trained_by, options.keep_discriminator, options.filmstrip)
        print(f"{options.name}: FactorVAE score {record['scores']['factor_vae']:.3f}, IoU {record['scores']['iou']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
