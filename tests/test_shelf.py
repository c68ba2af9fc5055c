"""What is put on a shelf comes back, and nothing else on it is lost."""

import pytest
import torch
from torch import nn

from wwlib.shelf import Shelf


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


def test_what_is_not_kept_names_the_command(shelf):
    with pytest.raises(FileNotFoundError, match="python -m wwlib nothing"):
        shelf.load("first", nn.Linear(3, 2))


def test_a_run_replaces_its_earlier_self_only(shelf):
    shelf.note_host("encoder", 1.234)
    for case, seed, score in (("b", 0, 1), ("a", 1, 2), ("a", 0, 3), ("a", 1, 4)):
        shelf.note_run(dict(case=case, seed=seed, score=score))
    record = shelf.read()
    assert [(r["case"], r["seed"], r["score"]) for r in record["runs"]] == [("a", 0, 3), ("a", 1, 4), ("b", 0, 1)]
    assert record["hosts"] == {"encoder": 1.2}
    assert record["command"] == "python -m wwlib nothing"
