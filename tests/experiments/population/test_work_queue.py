"""The queue of models: who is in it, and how often."""

from pathlib import Path

import optuna
import sqlalchemy

from wwlib.experiments.population.work_queue import enqueue, open_study, waiting


def test_a_member_is_queued_once_however_many_ask(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/s.db")
    enqueue(study, ["a", "b"])
    enqueue(study, ["a", "b", "c"])
    assert len(study.trials) == 3
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    enqueue(study, ["a", "b", "c"])
    assert len(study.trials) == 4, "a failed one is tried again"


def test_what_waits_is_told_from_what_runs(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/s.db")
    assert not waiting(study)
    enqueue(study, ["a"])
    assert waiting(study)
    study.ask()
    assert not waiting(study)
    assert waiting(study, optuna.trial.TrialState.RUNNING)


def test_the_file_of_an_address_is_the_one_that_it_spells(tmp_path):
    """The report: optuna/optuna#395 and others, paths with a per cent sign in a database's address."""
    address = f"sqlite:///{tmp_path}/my%20runs/a.db"
    open_study(address)
    spelt = Path(sqlalchemy.engine.make_url(address).database)  # older versions of SQLAlchemy take %20 as it stands
    assert [file.name for file in tmp_path.rglob("*")] == [spelt.parent.name, "a.db"]
