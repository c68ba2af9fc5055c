"""A population shared by several processes through a real database server, one of them killed."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import torch

import wwlib.experiments.population.runs as population
from tests.tiny import PRELOAD
from wwlib.__main__ import main
from wwlib.experiments.population.work_queue import open_study
from wwlib.models.vaes import VAEConfig

HEARTBEAT = 3


def join(role, storage, folder, log):
    """What a worker does: the population's command with eight tiny members and scores that cost nothing.

    A victim stops in its first member.
    """
    sys.stdout = sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    os.environ["WW_THREADS"] = "1"
    torch.set_num_threads(1)

    def stuck(config, path, data):
        (folder / "victim.txt").write_text(path.stem)
        time.sleep(600)

    def scores(model, data, distance, images):
        time.sleep(0.5)
        found = dict(factor_vae=0.5, dci=0.5, where=0.5, tpl=model.config.strength, active_codes=6)
        return found, {"codes": torch.zeros(1)}

    strengths = (1.0, 2.0, 3.0, 4.0)
    population.members = lambda seeds=2: {
        f"beta-vae-{s}-seed{k}": VAEConfig("beta-vae", s, images=64, seed=k) for s in strengths for k in (0, 1)
    }
    population.PerceptualDistance = lambda net: SimpleNamespace(provenance="none")
    population.score_member, population.other_lengths = scores, lambda *_, **__: {}
    if role == "victim":
        population.train_member = stuck
    sys.exit(main(["population", "--storage", storage, "--folder", str(folder), "--heartbeat", str(HEARTBEAT)]))


def programs():
    """The folder of PostgreSQL's programs, or None."""
    found = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="module")
def server():
    """The URL of a fresh PostgreSQL server that listens on a socket in its own folder."""
    pytest.importorskip("psycopg", reason="talking to PostgreSQL needs psycopg")
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="ww-postgres-"))
    as_user = []
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["runuser", "-u", "nobody", "--"]
    log, options = folder / "log", f"-k {folder} -c listen_addresses='' -c fsync=off"

    def run(program, *arguments):
        done = subprocess.run([*as_user, binaries / program, *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

    run("initdb", "-D", folder / "data", "-U", "learner", "--auth=trust", "--no-locale", "-E", "UTF8")
    # its output goes to files: a pipe that the server inherits would stay open for ever
    started = [*as_user, binaries / "pg_ctl", "-D", folder / "data", "-l", log, "-w", "-o", options, "start"]
    assert subprocess.run(started, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    yield f"postgresql://learner@/postgres?host={folder}"
    run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def start(role, storage, folder, log):
    """Start a worker, forked from a process that imported torch once for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, "wwlib.experiments.population.runs"])
    process = context.Process(target=join, args=(role, storage, folder, log))
    process.start()
    return process


@pytest.mark.slow
def test_when_a_worker_is_killed_no_member_is_lost_and_none_is_done_twice(server, tmp_path, eventually):
    victim = start("victim", server, tmp_path, tmp_path / "log-victim")
    name = eventually(lambda: (tmp_path / "victim.txt").is_file() and (tmp_path / "victim.txt").read_text())
    logs = [tmp_path / "log-0", tmp_path / "log-1"]
    others = [start("honest", server, tmp_path, log) for log in logs]
    eventually(lambda: list(tmp_path.glob("*.json")) or any(process.exitcode for process in others))  # one may fail
    assert victim.is_alive()
    victim.kill()
    for process in (victim, *others):
        process.join(300)
    said = [log.read_text() for log in logs]
    assert [process.exitcode for process in others] == [0, 0], said

    wanted = [f"beta-vae-{strength}-seed{seed}" for strength in (1.0, 2.0, 3.0, 4.0) for seed in (0, 1)]
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == wanted
    states = optuna.trial.TrialState
    trials = open_study(server, heartbeat=HEARTBEAT).get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == states.COMPLETE]
    assert sorted(trial.user_attrs["member"] for trial in complete) == wanted
    assert all(trial.user_attrs["tpl"] == trial.value for trial in complete)
    failed = [trial.user_attrs["member"] for trial in trials if trial.state == states.FAIL]
    assert failed == [name], "the victim's trial is marked, and another trial did its member"
    assert Counter(t.state for t in trials)[states.RUNNING] == Counter(t.state for t in trials)[states.WAITING] == 0
    assert sum(text.count("FactorVAE score") for text in said) == len(wanted)


def test_a_database_that_does_not_answer_is_named_without_its_password(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"no database answers at postgresql\+psycopg://me:\*\*\*@/x") as caught:
        open_study(f"postgresql://me:secret@/x?host={tmp_path}")
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="storage must be a database URL whose driver is installed"):
        open_study("oracle9i://somewhere/x")
