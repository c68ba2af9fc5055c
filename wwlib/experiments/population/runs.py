"""A population of models on one data set: trained and scored by as many processes as there are, kept by Optuna.

A study holds one trial per member; each process asks for the next one that nobody works on. A process that dies lets
its trial go back into the queue after a while, and no process leaves before that is settled. The default study is an
SQLite file; a database server that Optuna knows, such as PostgreSQL, takes its place when several machines share the
work.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna
import torch
from torch import Tensor

from wwlib.base.device import choose_compute
from wwlib.base.files import load_about, load_tensors, remove_unfinished, save_json, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.factors import FactorData
from wwlib.experiments.population.work_queue import enqueue, open_study, requeue_dead, run_trials, taken, waiting
from wwlib.metrics.lengths import PRESETS, tpl
from wwlib.metrics.perceptual import Enlarged, PerceptualDistance
from wwlib.metrics.points import encode_sample
from wwlib.metrics.ranking import is_autoencoder, without_seed
from wwlib.metrics.scores import SUPERVISED, score_points
from wwlib.metrics.udr import udr
from wwlib.metrics.where import where_score
from wwlib.models.config import Config
from wwlib.models.shipped import load_model
from wwlib.models.traversals import has_masks
from wwlib.models.vae_losses import kl_divergence
from wwlib.models.vaes import VAEConfig, load_vae
from wwlib.training.checkpoint import save_model
from wwlib.training.recipes import make_data, recipe
from wwlib.training.step import Training
from wwlib.training.vae import train_vae

STRENGTHS = {
    "beta-vae": (0.5, 1, 2, 3, 4, 6),
    "factor-vae": (2, 5, 10, 20, 30, 50),
    "beta-tcvae": (1, 2, 3, 4, 6, 8),
    "dip-vae-i": (1, 2, 5, 10, 20, 50),
    "dip-vae-ii": (1, 2, 5, 10, 20, 50),
}
# members whose weights lesson 10 loads
SHIPPED = tuple(f"{kind}-seed0" for kind in ("gan", "infogan", "ps", "sc", "ps-sc", "ps-sc-no-average",
                                             "ps-sc-small-steps", "ps-sc-one-rectangle"))  # fmt: skip
GAN_IMAGES = 10_000
IMAGES = 20_000  # that the supervised scores of a member read
SHARED = 2_000  # images whose codes every member's record keeps, the same for all
TRAVERSALS = 4
POINTS, _, THRESHOLD = PRESETS["tpl_0.1"]


def members(seeds: int = 2) -> dict[str, VAEConfig | Config]:
    """Return every member of the population by name.

    Five families of autoencoders at six strengths, `seeds` times; GAN, InfoGAN, PS, SC and PS-SC three times; PS-SC
    with other weights of its loss, and with a part taken away, once.
    """
    found: dict[str, VAEConfig | Config] = {
        f"{family}-{strength:g}-seed{seed}": VAEConfig(family, float(strength), seed=seed)
        for seed in range(seeds)
        for family, strengths in STRENGTHS.items()
        for strength in strengths
    }
    masks = replace(recipe("shapes3d-32"), images=GAN_IMAGES, decay_from=1.0)
    no_masks = replace(masks, modules=recipe("no-masks").modules)
    kinds = {
        "ps-sc": masks,
        "ps": no_masks,
        "gan": replace(no_masks, objective="gan"),
        "sc": replace(masks, objective="gan"),
        "infogan": replace(no_masks, objective="infogan"),
    }
    found |= {f"{kind}-seed{seed}": replace(config, seed=seed) for seed in range(3) for kind, config in kinds.items()}
    one_rectangle = tuple(token.replace("spgroup-4", "spgroup-1") for token in masks.modules)
    found |= {
        "ps-sc-lambda0.02-seed0": replace(masks, C_lambda=0.02),
        "ps-sc-lambda0.5-seed0": replace(masks, C_lambda=0.5),
        "ps-sc-no-average-seed0": replace(masks, average=False),
        "ps-sc-small-steps-seed0": replace(masks, perturbation=0.2),
        "ps-sc-one-rectangle-seed0": replace(masks, modules=one_rectangle),
    }
    return found


def family_of(name: str) -> str:
    """Return the family in a member's name: the name without seed, strength and change."""
    stem = without_seed(name)
    known = (*STRENGTHS, "ps-sc", "ps", "gan", "sc", "infogan")
    return next(family for family in known if stem == family or stem.startswith(family + "-"))


def train_member(config: VAEConfig | Config, path: Path, data: FactorData) -> None:
    """Train one member on the CPU and write its weights to `path`."""
    compute = choose_compute("cpu")
    if isinstance(config, VAEConfig):
        train_vae(config, data, compute, path)
        return
    state = Training(config, data, compute)
    while state.step_number < config.steps:
        state.step()
        if state.step_number % 250 == 0:
            state.check_finite()
    state.check_finite()
    save_model(path, state)


def load_member(path: str | Path):
    """Load a member that `train_member` wrote; autoencoder or GAN, it has `generator` and `recogniser`."""
    return load_vae(path) if load_about(path).get("kind") == "vae" else load_model(path)


def score_member(
    model, data: FactorData, distance: PerceptualDistance, images: int = IMAGES
) -> tuple[dict, dict[str, Tensor]]:
    """Return every score of a member as JSON-able numbers, and arrays: shared codes, divergences, importances, lengths.

    The supervised scores come from `images` images, the same for all members, TPL from 4 traversals of 25 points.
    """
    codes, factors = encode_sample(model.recogniser, data, images, torch.Generator().manual_seed(0))
    results = score_points(codes, factors, SUPERVISED)
    lengths = tpl(model.generator, distance, TRAVERSALS, POINTS, THRESHOLD)
    places = where_score(model, data)
    scores = {name: results[name].score for name in SUPERVISED}
    scores |= dict(
        completeness=results["dci"].completeness,
        informativeness=results["dci"].informativeness,
        where=places.score,
        tpl=lengths.score,
        tpl_root=lengths.root_score,
        active_codes=lengths.active_codes,
    )
    arrays = dict(
        codes=codes[:SHARED].half(),
        divergences=_divergences(model, data),
        importances=torch.from_numpy(results["dci"].importances).float(),
        lengths=lengths.every,
        roots=lengths.roots,
        where=torch.from_numpy(places.factors).float(),
    )
    if has_masks(model.generator):
        scores["where_masks"] = where_score(model, data, place="mask").score
    return scores, arrays


def other_lengths(model, alex: Enlarged, vgg: Enlarged) -> dict[str, float]:
    """Return TPL by 13 points a traversal and other distances, each also by roots: distances in place of their squares.

    `tpl_fast` is by AlexNet at 64 px, 6 traversals, over codes from -4 to 4 and (narrow) from -2 to 2; `tpl_64` by
    VGG16 at 64 px, 4 traversals.
    """
    found = {
        "tpl_fast": tpl(model.generator, alex, 6, 13, THRESHOLD, 4.0, seed=1),
        "tpl_fast_narrow": tpl(model.generator, alex, 6, 13, THRESHOLD, 2.0, seed=1),
        "tpl_64": tpl(model.generator, vgg, TRAVERSALS, 13, THRESHOLD, 4.0, seed=1),
    }
    return {name: score.score for name, score in found.items()} | {
        f"{name}_root": score.root_score for name, score in found.items()
    }


@torch.no_grad()
def _divergences(model, data: FactorData) -> Tensor:
    """Each code's KL from the prior in nats; a GAN's recogniser gives points, not clouds: none of them is unused."""
    if not hasattr(model, "encoder"):
        return torch.ones(model.codes)
    images = data.sample_images(SHARED, torch.Generator().manual_seed(0))
    return kl_divergence(*model.encoder(images))


def work(
    storage: str,
    folder: Path,
    seeds: int = 2,
    only: str = "",
    limit: int | None = None,
    images: int = IMAGES,
    heartbeat: int = 30,
    training_images: int | None = None,
    gan_images: int | None = None,
) -> int:
    """Train and score members until none is left; return how many this process did. Safe to run several times at once.

    A member whose weights are in `folder` already is only scored. A process that finds nothing to do waits for those
    that still work: should one of them die, its member is done here.

    Args:
        storage: the study's database URL.
        folder: receives `<member>.safetensors` and `<member>.json`.
        seeds: of every autoencoder; raising it extends the population.
        only: queue members whose name starts with this; what is queued already is done as well.
        limit: stop after so many.
        images: that the supervised scores read.
        heartbeat: as for `open_study`.
        training_images, gan_images: shown to every autoencoder in place of `VAEConfig`'s, and to every GAN in place
            of `GAN_IMAGES`; a population of its own, so give it a `folder` and a study of its own.
    """
    population = members(99)  # a queue that another process filled may hold more seeds than ours
    names = [name for name in members(seeds) if name.startswith(only)]
    if not names:
        raise ValueError(f"only must begin a member's name, such as 'beta-vae'; got {only!r}")
    study = open_study(storage, heartbeat=heartbeat)
    requeue_dead(study)
    enqueue(study, names)
    data, done = make_data("shapes3d", 32), []
    distance = PerceptualDistance("vgg")
    others = dict(alex=Enlarged(PerceptualDistance("alex")), vgg=Enlarged(distance))

    def objective(trial: optuna.Trial) -> float:
        name = trial.user_attrs.get("member")
        if name is None or taken(study, trial, name):  # another process was quicker
            raise optuna.TrialPruned
        start, weights = time.perf_counter(), folder / f"{name}.safetensors"
        config = population[name]
        if shown := training_images if isinstance(config, VAEConfig) else gan_images:
            config = replace(config, images=shown)
        for file in (weights, folder / f"{name}.arrays.safetensors"):
            remove_unfinished(file)
        if not weights.exists():
            train_member(config, weights, data)
        trained, model = time.perf_counter(), load_member(weights)
        if model.config.images != config.images:
            raise ValueError(f"{weights} must hold a training of {config.images} images, got {model.config.images}")
        scores, arrays = score_member(model, data, distance, images)
        scores |= other_lengths(model, **others)
        save_tensors(folder / f"{name}.arrays.safetensors", arrays, dict(kind="member", name=name))
        earlier = load_about(weights).get("seconds")  # the weights may be older than this process
        seconds = dict(train=earlier or round(trained - start, 1), score=round(time.perf_counter() - trained, 1))
        about = dict(name=name, family=family_of(name), config=asdict(config), scores=scores, seconds=seconds)
        save_json(folder / f"{name}.json", {**about, "perceptual": distance.provenance, "torch": torch.__version__})
        for key, value in scores.items():
            trial.set_user_attr(key, value)
        done.append(name)
        print(f"{name}: FactorVAE score {scores['factor_vae']:.3f}, DCI {scores['dci']:.3f}, TPL {scores['tpl']:.2f} "
              f"with {scores['active_codes']} codes, where {scores['where']:.2f}", flush=True)  # fmt: skip
        return scores["tpl"]

    def stop_when_none_waits(study: optuna.Study, _) -> None:
        if not waiting(study):
            study.stop()

    told = False
    while limit is None or len(done) < limit:
        if waiting(study):
            run_trials(study, objective, limit and limit - len(done), [stop_when_none_waits])
        elif waiting(study, optuna.trial.TrialState.RUNNING):
            if not told:
                print("nothing left to begin; waiting for other processes to end theirs", flush=True)
            told = True
            time.sleep(heartbeat / 2)
            requeue_dead(study)
        else:
            break
    return len(done)


def gather_members(folder: Path, name: str = "population", data: Path = DATA) -> list[dict]:
    """Gather every finished member of a population's folder, add UDR, and write what the course ships.

    That is `<name>.json`, `<name>-arrays.safetensors`, and for the population that lesson 10 draws with, the weights
    of its `SHIPPED` members in `population/`. UDR compares the seeds of one autoencoder; a member without a twin has
    none.

    Args:
        folder: where `work` wrote the members.
        name: of the files; begins with "population", so that no other record is overwritten.
        data: where they go.

    Raises:
        ValueError: for another name, if the folder holds no finished member, or members of several ages.
    """
    if not name.startswith("population"):
        raise ValueError(f"the folder's name must begin with 'population', got {name!r}")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ValueError(f"folder must hold finished members, got none in {folder}")
    command = _command(found, name)
    order = {member: position for position, member in enumerate(members(seeds=99))}
    found.sort(key=lambda record: order.get(record["name"], len(order)))
    twins: dict[str, list[dict]] = {}
    for record in found:
        twins.setdefault(without_seed(record["name"]), []).append(record)
    for group in twins.values():
        agreement = [None] * len(group)
        if len(group) > 1 and is_autoencoder(group[0]):
            agreement = udr(*load_codes(folder, [record["name"] for record in group])).tolist()
        for record, value in zip(group, agreement, strict=True):
            record["scores"]["udr"] = value
    tensors = {}
    for record in found:
        loaded, _ = load_tensors(folder / f"{record['name']}.arrays.safetensors")
        tensors |= {f"{record['name']}/{key}": value for key, value in loaded.items()}
    for member in SHIPPED if name == "population" else ():
        if (weights := folder / f"{member}.safetensors").exists():
            (data / name).mkdir(exist_ok=True)
            shutil.copy(weights, data / name / weights.name)
    about = dict(kind="population", members=[record["name"] for record in found])
    save_tensors(data / f"{name}-arrays.safetensors", tensors, about)
    save_json(data / f"{name}.json", dict(command=command, members=found))
    return found


def _command(found: list[dict], name: str) -> str:
    """The command that makes a population like this one, or goes on with it."""
    options = []
    for option, usual, autoencoder in (("--images", VAEConfig.images, True), ("--gan-images", GAN_IMAGES, False)):
        shown = {record["config"]["images"] for record in found if is_autoencoder(record) == autoencoder}
        if len(shown) > 1:
            raise ValueError(f"members must all have been shown as many images, got {sorted(shown)}")
        options += [f"{option} {images}" for images in shown - {usual}]
    if options:
        options += [f"--folder runs/{name}", f"--storage sqlite:///runs/{name}.db"]
    return " ".join(["python -m wwlib population", *options])


def load_codes(folder: Path, names: list[str]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the shared codes and divergences of members, for UDR."""
    loaded = [load_tensors(folder / f"{name}.arrays.safetensors")[0] for name in names]
    return [t["codes"].float().numpy() for t in loaded], [t["divergences"].numpy() for t in loaded]
