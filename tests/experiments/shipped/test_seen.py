"""The record of what the shipped models show: judges and models in it, and the tables that are read off it."""

import json
from dataclasses import replace

import pytest

from tests.metrics.seen.small import make_small
from wwlib.base.shelf import Shelf
from wwlib.experiments.shipped import seen
from wwlib.experiments.shipped.seen_tables import judge_table, seen_table, shown_matrix, shown_table
from wwlib.metrics.seen.judges import PLANS


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    place = Shelf(tmp_path / "seen-weights.safetensors", tmp_path / "seen.json", "command")
    monkeypatch.setattr(seen, "SHELF", place)
    monkeypatch.setattr(seen, "PLANS", tuple(replace(plan, steps=2, batch=4) for plan in PLANS))
    monkeypatch.setattr(seen, "fitness", lambda judge, rooms: fitness(judge, rooms, n=20))
    make_small(monkeypatch)
    return place


fitness = seen.fitness


def test_the_models_of_rooms_are_those_that_were_trained_on_them():
    names = seen.rooms_models()
    assert {"shapes3d-32-seed0", "shapes3d-64-seed0"} <= set(names)
    assert not [name for name in names if "avatars" in name or "portraits" in name]


def test_judges_and_models_are_recorded_and_tabulated(shelf):
    seen.remake_seen(["judge-32", "judge-64", "shapes3d-32-seed0"])
    record = json.loads(shelf.record.read_text())
    assert {name: judge["steps"] for name, judge in record["judges"].items()} == {"judge-32": 2, "judge-64": 2}
    assert record["judges"]["judge-64"]["seed"] == PLANS[1].seed
    assert set(record["hosts"]) == set(record["judges"])
    (run,) = record["runs"]
    assert (run["case"], run["seed"]) == ("shapes3d-32-seed0", 0)
    record["runs"] = [run | dict(case=name) for name in seen.rooms_models()]  # the others take longer to draw
    table = seen_table(record)
    assert [row[0] for row in table.rows] == seen.rooms_models()
    assert f"{run['scores']['purity']:.2f} / {run['scores']['compactness']:.2f}" in table.rows[0]
    assert [row[0] for row in judge_table(record).rows] == ["32 px", "64 px"]
    assert shown_table(record).rows[0][1:7] == [f"{value:.2f}" for value in run["scores"]["shown"]]
    score = shown_matrix("shapes3d-32-seed0", record)
    assert score.purity == pytest.approx(run["scores"]["purity"], abs=0.01)


def test_an_unknown_part_is_refused(shelf):
    with pytest.raises(ValueError, match="parts must be among"):
        seen.remake_seen(["avatars-32-seed0"])
