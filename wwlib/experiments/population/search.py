"""A search without labels: Optuna proposes autoencoders, TPL judges them, labels are looked at when all is over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import optuna

from wwlib.base.device import choose_compute
from wwlib.base.files import remove_unfinished
from wwlib.datasets.factors import FactorData
from wwlib.experiments.population.work_queue import open_study, requeue_dead, run_trials
from wwlib.metrics.lengths import tpl
from wwlib.metrics.perceptual import PerceptualDistance
from wwlib.metrics.scores import score_representation
from wwlib.models.vaes import FAMILIES, VAEConfig, load_vae
from wwlib.training.vae import VAETraining, save_vae

RUNNING = optuna.trial.TrialState.RUNNING
ENDED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


@dataclass(frozen=True)
class Budget:
    """How much one trial may cost: images in all, looks on the way at which it may be pruned, TPL's size."""

    images: int = 96_000
    looks: int = 4
    traversals: int = 4
    points: int = 25
    threshold: float = 0.1


def search(
    storage: str,
    folder: Path,
    data: FactorData,
    distance: PerceptualDistance,
    trials: int,
    least: int = 5,
    budget: Budget | None = None,
    seed: int = 0,
    name: str = "select",
    heartbeat: int = 30,
) -> optuna.Study:
    """Let Optuna look for the autoencoder with the shortest TPL among those with enough active codes.

    No label is used. A trial is pruned when, from the second look on, even its shortest TPL so far is longer than the
    median of earlier trials at that look (Optuna's median pruner); a model with fewer than `least` active codes at the
    end is out of the running, whatever its TPL. Several processes may run the same study. Trials that came to an end
    count, in this call or an earlier one; a trial that was stopped does not, and another takes its place.

    Args:
        storage: database URL of the study.
        folder: receives the weights of every finished trial.
        data: images; their factors are not asked for.
        distance: what TPL measures with.
        trials: to have in all.
        least: active codes a model must have.
        budget: of each trial.
        seed: of the sampler and of every training.
        name: of the study.
        heartbeat: as for `open_study`: how soon a process that was killed is noticed.
    """
    budget = budget or Budget()
    study = open_study(storage, name, heartbeat)
    begun = len(study.get_trials(deepcopy=False))  # a second process must not repeat the first one's proposals
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + begun, n_startup_trials=max(4, trials // 3), constant_liar=True
    )
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)

    def objective(trial: optuna.Trial) -> float:
        family = trial.suggest_categorical("family", FAMILIES)
        strength = trial.suggest_float("strength", 0.5, 50.0, log=True)
        shape = dict(resolution=data.resolution, channels=data.channels, dataset=type(data).__name__.lower())
        config = VAEConfig(family, strength, **shape, images=budget.images, seed=seed + trial.number)
        state = VAETraining(config, data, choose_compute("cpu"))
        for look in range(1, budget.looks + 1):
            while state.step_number < config.steps * look // budget.looks:
                state.step()
            found = tpl(state.model.decoder, distance, budget.traversals, budget.points, budget.threshold)
            trial.set_user_attr("active_codes", found.active_codes)
            if found.active_codes >= least:
                trial.report(found.score, look)
                if trial.should_prune():
                    raise optuna.TrialPruned
        save_vae(folder / f"trial{trial.number}.safetensors", state, 0.0, [])
        if found.active_codes < least:
            raise optuna.TrialPruned(f"{found.active_codes} active codes, {least} are asked for")
        return found.score

    told = False
    requeue_dead(study)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.FAIL,)):
        remove_unfinished(folder / f"trial{trial.number}.safetensors")
    while len(ended(study)) < trials:
        others = sum(trial.state == RUNNING for trial in study.get_trials(deepcopy=False))
        if (missing := trials - len(ended(study)) - others) > 0:
            run_trials(study, objective, missing, [optuna.study.MaxTrialsCallback(trials, states=ENDED)])
        else:
            if not told:
                print(f"waiting for {others} trials of other processes, or of ones that were killed", flush=True)
            told = True
            time.sleep(heartbeat / 2)
            requeue_dead(study)
    return study


def ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that came to an end, finished or pruned; one stopped by hand or by a crash did not."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state in ENDED]


def chosen_trial(study: optuna.Study) -> optuna.trial.FrozenTrial:
    """Return the finished trial with the shortest TPL.

    Raises:
        ValueError: if no trial came to an end with enough active codes.
    """
    complete = [trial for trial in ended(study) if trial.state == optuna.trial.TrialState.COMPLETE]
    if not complete:
        raise ValueError(
            f"none of {len(ended(study))} trials ended with enough active codes; ask for more trials or fewer codes"
        )
    return min(complete, key=lambda trial: trial.value)


def record_of(study: optuna.Study, folder: Path, data: FactorData, command: str) -> dict:
    """Return a finished search as a record: every trial, and what labels say of each whose weights were kept.

    Args:
        study: of the search.
        folder: that it wrote weights to.
        data: with labels.
        command: that ran it.
    """
    trials = []
    for trial in ended(study):
        one = dict(
            number=trial.number, state=trial.state.name.lower(), **trial.params,
            tpl=trial.value if trial.state == optuna.trial.TrialState.COMPLETE else None,
            active_codes=trial.user_attrs.get("active_codes"),
        )  # fmt: skip
        if (folder / f"trial{trial.number}.safetensors").exists():
            scores = reveal(folder, trial, data, ("factor_vae", "mig", "dci"))
            one["scores"] = {score: round(value, 4) for score, value in scores.items()}
        trials.append(one)
    return dict(command=command, chosen=chosen_trial(study).number, trials=trials)


def reveal(folder: Path, trial: optuna.trial.FrozenTrial, data: FactorData, names=("factor_vae", "mig")) -> dict:
    """Return supervised scores of a finished trial: the first moment at which labels are looked at."""
    model = load_vae(folder / f"trial{trial.number}.safetensors")
    return {name: result.score for name, result in score_representation(model.recogniser, data, names).items()}
