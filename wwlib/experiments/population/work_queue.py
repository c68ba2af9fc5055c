"""A queue of models that several processes work on: Optuna's study, in a file or on a database server."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import sqlalchemy


def open_study(storage: str, name: str = "population", heartbeat: int = 30) -> optuna.Study:
    """Open or create a study: one trial for each member of a population, or for each model of a search.

    Args:
        storage: a database URL, such as `sqlite:///runs/population.db` or `postgresql://user@host/database`.
        name: of the study.
        heartbeat: seconds between two signs of life; a worker that gives none four times is taken for dead, and its
            trial goes back into the queue.

    Raises:
        ValueError: for what is no database URL, or one whose driver is not installed.
        ConnectionError: if the database does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in storage:
        raise ValueError(f"storage must be a database URL such as sqlite:///runs/population.db, got {storage!r}")
    # a server may have closed a connection that slept through an hour of training
    engine = dict(connect_args={"timeout": 60}) if storage.startswith("sqlite") else dict(pool_pre_ping=True)
    try:
        # which driver `postgresql://` alone means depends on the version of SQLAlchemy
        url = sqlalchemy.make_url(storage.replace("postgresql://", "postgresql+psycopg://", 1))
        if url.get_backend_name() == "sqlite" and url.database:  # the file, as the URL spells it: %20 is a space
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            database = optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs=engine,
                heartbeat_interval=heartbeat,
                grace_period=4 * heartbeat,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
            )
    except (ImportError, sqlalchemy.exc.ArgumentError) as error:
        raise ValueError(
            f"storage must be a database URL whose driver is installed (PostgreSQL: psycopg, psycopg-binary): {error}"
        ) from None
    except sqlalchemy.exc.OperationalError as error:
        raise ConnectionError(f"no database answers at {url!r}: {str(error.orig).splitlines()[0]}") from None
    return optuna.create_study(storage=database, study_name=name, load_if_exists=True)


def enqueue(study: optuna.Study, names: list[str]) -> None:
    """Put members into the study that are not in it yet, or whose trial failed."""
    trials = study.get_trials(deepcopy=False)
    gone = (optuna.trial.TrialState.FAIL, optuna.trial.TrialState.PRUNED)
    there = {t.user_attrs.get("member") for t in trials if t.state not in gone}
    for name in names:
        if name not in there:
            study.enqueue_trial({}, user_attrs={"member": name})


def run_trials(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    trials: int | None,
    callbacks: Sequence[Callable],
) -> None:
    """Run trials as `study.optimize` does; return early where another process took this one for dead meanwhile.

    That happens to a computer that slept for longer than four heartbeats: the trial is in the queue again or with
    somebody else, Optuna refuses this process's result, and everything else can go on.

    Args:
        study: the queue.
        objective: the work of one trial.
        trials: at most so many; None for no limit.
        callbacks: as for `study.optimize`.
    """
    number, failed = -1, False

    def watched(trial: optuna.Trial) -> float:
        nonlocal number, failed
        number = trial.number
        try:
            return objective(trial)
        except (optuna.TrialPruned, optuna.exceptions.UpdateFinishedTrialError):
            raise
        except BaseException:
            failed = True
            raise

    try:
        study.optimize(watched, trials, callbacks=callbacks)
    except Exception:
        if failed or number < 0 or study.get_trials(deepcopy=False)[number].state != optuna.trial.TrialState.FAIL:
            raise
        print(f"trial {number} was given to another process while this one slept", flush=True)


def requeue_dead(study: optuna.Study) -> None:
    """Put the trials of workers that give no sign of life any more back into the queue."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def taken(study: optuna.Study, trial: optuna.Trial, name: str) -> bool:
    """Say whether an earlier trial has this member: two processes may have queued it in the same moment."""
    busy = (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.COMPLETE)
    return any(
        t.number < trial.number and t.state in busy and t.user_attrs.get("member") == name
        for t in study.get_trials(deepcopy=False)
    )


def waiting(study: optuna.Study, state: optuna.trial.TrialState = optuna.trial.TrialState.WAITING) -> bool:
    """Say whether a trial waits for a worker (or is in another `state`)."""
    return any(t.state == state for t in study.get_trials(deepcopy=False))
