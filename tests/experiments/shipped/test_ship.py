"""Shipping: only finished runs, and snapshots at equal ratios of images shown."""

import json

import pytest
import torch

from wwlib.base.device import Compute
from wwlib.base.files import save_json
from wwlib.datasets.shapes3d import SmallRooms
from wwlib.experiments.perturbation.runs import pair_config
from wwlib.experiments.shipped import ship as shipping
from wwlib.training.loop import train

CPU = Compute(torch.device("cpu"))


@pytest.fixture
def finished_run(tmp_path):
    train(pair_config("ps", images=32, seed=0), SmallRooms(), tmp_path, CPU, progress=False)
    return tmp_path


def test_a_run_whose_record_is_of_another_moment_is_refused(finished_run, monkeypatch, tmp_path):
    monkeypatch.setattr(shipping, "DATA", tmp_path / "data")
    record = json.loads((finished_run / "run.json").read_text())
    for change in ({"steps": record["steps"] - 1}, {"finished": False}):
        save_json(finished_run / "run.json", record | change)
        with pytest.raises(ValueError, match="must hold a finished run"):
            shipping.ship(finished_run, "model", "by nobody")
    assert not (tmp_path / "data").exists()


def test_a_filmstrip_of_one_picture_is_refused(tmp_path):
    with pytest.raises(ValueError, match="filmstrip must be 0 or at least 2 snapshots, got 1"):
        shipping.ship(tmp_path, "model", "by nobody", filmstrip=1)


def test_the_filmstrip_shows_the_beginning_more_closely_than_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "DATA", tmp_path / "data")
    for thousands in range(1, 9):
        (tmp_path / f"{thousands * 1000:09d}.png").write_bytes(b"picture")
    shipping._copy_filmstrip(tmp_path, 4)
    assert [int(f.stem) for f in sorted((tmp_path / "data" / "filmstrip").iterdir())] == [1000, 2000, 4000, 8000]
