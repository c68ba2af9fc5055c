"""What is put on a shelf comes back, and nothing else on it is lost."""

import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from wwlib.base import paths
from wwlib.base.shelf import Shelf, named_run, rounded


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "w.safetensors", tmp_path / "runs.json", "python -m wwlib nothing")


def test_networks_come_back_frozen_beside_each_other(shelf):
    first, second = nn.Linear(3, 2), nn.Linear(2, 1)
    shelf.keep({"first": first}, half=False)
    shelf.keep({"second": second}, half=True)
    loaded = shelf.load("first", nn.Linear(3, 2))
    assert torch.equal(loaded.weight, first.weight)
    assert not loaded.weight.requires_grad
    assert (shelf.load("second", nn.Linear(2, 1)).weight - second.weight).abs().max() < 1e-3


def test_a_frozen_network_is_stored_with_the_seconds_it_took(shelf):
    network = nn.Linear(3, 2)

    def train():
        time.sleep(0.2)
        return network

    shelf.keep_host("eye", train)
    assert 0.2 <= shelf.read()["hosts"]["eye"] < 20
    assert (shelf.load("eye", nn.Linear(3, 2)).weight - network.weight).abs().max() < 1e-3


def test_a_rounded_network_is_the_one_that_comes_back(shelf):
    network = nn.Linear(3, 2)
    before = network.weight.clone()
    shelf.keep({"half": rounded(network)}, half=True)
    assert torch.equal(shelf.load("half", nn.Linear(3, 2)).weight, network.weight)
    assert 0 < (before - network.weight).abs().max() < 1e-3


def test_a_run_is_found_by_case_and_seed(shelf):
    for case, seed in (("a", 0), ("b", 0), ("a", 1)):
        shelf.note_run(dict(case=case, seed=seed))
    assert named_run(shelf.read(), "a", 1) == dict(case="a", seed=1)
    with pytest.raises(ValueError, match=r"case must be one of \['a', 'b'\] with seed 0, got 'c'"):
        named_run(shelf.read(), "c")


def test_what_is_not_kept_names_the_command(shelf):
    with pytest.raises(FileNotFoundError, match="python -m wwlib nothing"):
        shelf.load("first", nn.Linear(3, 2))


def test_a_shipped_file_of_weights_that_is_gone_is_to_be_restored_not_made_anew(shelf, monkeypatch):
    shelf.note_run(dict(case="a", seed=0))
    monkeypatch.setattr(paths, "DATA", shelf.weights.parent)
    with pytest.raises(FileNotFoundError, match=r"w\.safetensors is missing: restore it with `git checkout -- data`"):
        shelf.load("a", nn.Linear(3, 2))


def test_two_processes_lose_nothing_of_each_other(shelf):
    """Ten runs and a network from each, all at once."""
    code = """import sys, pathlib, time, torch
from wwlib.base import files, paths
from wwlib.base.shelf import Shelf
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
(folder / name).touch()
while not (folder / "start").exists():
    time.sleep(0.01)
shelf = Shelf(folder / "w.safetensors", folder / "runs.json", "python -m wwlib nothing")
for seed in range(10):
    shelf.note_run(dict(case=name, seed=seed))
    shelf.keep({f"{name}{seed}": torch.nn.Linear(2, 2)}, half=False)"""
    command = [sys.executable, "-c", code, str(shelf.record.parent)]
    workers = [subprocess.Popen([*command, name]) for name in ("first", "second")]
    deadline = time.monotonic() + 60
    while not all((shelf.record.parent / name).exists() for name in ("first", "second")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (shelf.record.parent / "start").touch()
    assert [worker.wait(120) for worker in workers] == [0, 0]
    assert len(shelf.read()["runs"]) == 20
    for name in ("first0", "second9"):
        shelf.load(name, nn.Linear(2, 2))


def test_a_run_replaces_its_earlier_self_only(shelf):
    shelf.note_host("encoder", 1.234)
    for case, seed, score in (("b", 0, 1), ("a", 1, 2), ("a", 0, 3), ("a", 1, 4)):
        shelf.note_run(dict(case=case, seed=seed, score=score))
    record = shelf.read()
    assert [(r["case"], r["seed"], r["score"]) for r in record["runs"]] == [("a", 0, 3), ("a", 1, 4), ("b", 0, 1)]
    assert record["hosts"] == {"encoder": 1.2}
    assert record["command"] == "python -m wwlib nothing"
