"""`select` a model without labels; train and score the `population` of lesson 09."""

from __future__ import annotations

from pathlib import Path

from wwlib.base.command import Command
from wwlib.base.paths import require_clone

POPULATION_FOLDER, POPULATION_STORAGE = Path("runs/population"), "sqlite:///runs/population.db"


def _add_population(parser) -> None:
    parser.description = "Train and score the population of lesson 09. Safe to run in several processes and to stop."
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


def _population(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.experiments.population.runs import gather_members, work

    choose_threads(options.threads)
    if options.ship:
        require_clone("data/")
        print(f"{len(gather_members(options.folder, options.folder.name))} members gathered")
        return
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


def _add_select(parser) -> None:
    from wwlib.training.recipes import DATASETS

    parser.description = "Train autoencoders that Optuna proposes, judge them by TPL alone, then show what labels say."
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


def _select(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.base.files import save_json
    from wwlib.experiments.population.search import Budget, chosen_trial, record_of, reveal, search
    from wwlib.experiments.population.tables import SEARCH
    from wwlib.metrics.perceptual import PerceptualDistance
    from wwlib.training.recipes import make_data

    if options.trials < 1 or options.active < 1:
        raise ValueError(f"--trials and --active must be at least 1, got {options.trials} and {options.active}")
    if options.ship:
        require_clone("data/select.json")
    choose_threads(options.threads)
    data, distance = make_data(options.dataset, 32), PerceptualDistance(options.net)
    print(f"{options.trials} trials on {data}\nperceptual distance: {distance.provenance}")
    # settings that make TPLs incomparable make another study
    name = f"{options.dataset}-{options.net}-{options.images}-{options.active}"
    folder, budget = options.folder / name, Budget(images=options.images)
    study = search(options.storage, folder, data, distance, options.trials, options.active, budget, options.seed, name)
    for trial in study.get_trials(deepcopy=False):
        result = f"TPL {trial.value:.2f}" if trial.state.name == "COMPLETE" else trial.state.name.lower()
        codes = trial.user_attrs.get("active_codes", "?")
        strength = trial.params.get("strength", float("nan"))
        print(f"  {trial.number}: {trial.params.get('family')} {strength:.2f}: {result}, {codes} active codes")
    chosen = chosen_trial(study)
    print(f"chosen without labels: trial {chosen.number}, {chosen.params}, TPL {chosen.value:.2f}")
    scores = reveal(folder, chosen, data)
    print("what labels say: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    if options.ship:
        command = (
            f"python -m wwlib select --dataset {options.dataset} --trials {options.trials} --images {options.images}"
        )
        save_json(SEARCH, record_of(study, folder, data, f"{command} --active {options.active} --net {options.net}"))


COMMANDS = (
    Command("select", "search for a disentangled autoencoder without labels", _select, _add_select),
    Command(
        "population",
        "train and score the population of lesson 09; run it again, or several times at once, to go on",
        _population,
        _add_population,
    ),
)
