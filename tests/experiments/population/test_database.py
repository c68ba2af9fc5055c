"""A population shared by several processes through a real database server, one of them killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import optuna
import pytest

from wwlib.base.paths import ROOT
from wwlib.experiments.population.work_queue import open_study

HEARTBEAT = 3
# the population's command with eight tiny members and scores that cost nothing; a victim stops in its first member
WORKER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
import torch
import wwlib.experiments.population.runs as population
from wwlib.__main__ import main
from wwlib.models.vaes import VAEConfig

role, storage, folder, heartbeat = sys.argv[1:]

def stuck(config, path, data):
    (Path(folder) / "victim.txt").write_text(path.stem)
    time.sleep(600)

def scores(model, data, distance, images):
    time.sleep(0.5)
    found = dict(factor_vae=0.5, dci=0.5, where=0.5, tpl=model.config.strength, active_codes=6)
    return found, {"codes": torch.zeros(1)}

population.members = lambda seeds=2: {
    f"beta-vae-{s}-seed{k}": VAEConfig("beta-vae", s, images=64, seed=k) for s in (1.0, 2.0, 3.0, 4.0) for k in (0, 1)
}
population.PerceptualDistance = lambda net: SimpleNamespace(provenance="none")
population.score_member, population.other_lengths = scores, lambda *_, **__: {}
if role == "victim":
    population.train_member = stuck
sys.exit(main(["population", "--storage", storage, "--folder", folder, "--heartbeat", heartbeat]))
"""


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


def worker(role, storage, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WW_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, role, storage, str(folder), str(HEARTBEAT)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_when_a_worker_is_killed_no_member_is_lost_and_none_is_done_twice(server, tmp_path, eventually):
    victim = worker("victim", server, tmp_path)
    name = eventually(lambda: (tmp_path / "victim.txt").is_file() and (tmp_path / "victim.txt").read_text())
    others = [worker("honest", server, tmp_path) for _ in range(2)]
    eventually(lambda: list(tmp_path.glob("*.json")) or any(process.poll() for process in others))  # one may fail
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    said = [process.communicate(timeout=300)[0] for process in others]
    assert [process.returncode for process in others] == [0, 0], said

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
