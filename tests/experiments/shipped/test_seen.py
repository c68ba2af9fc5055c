"""The record of what the shipped models show: judges and models in it, and the tables that are read off it."""

import json
from dataclasses import replace

import pytest

from tests.metrics.seen.small import make_small
from wwlib.base.shelf import Shelf
from wwlib.experiments.shipped import seen
from wwlib.experiments.shipped.seen_tables import (
    judge_table,
    read_against_shown,
    read_and_shown_table,
    scores_by_resolution,
    seen_table,
    shown_matrix,
    shown_table,
)
from wwlib.metrics.seen.judges import PLANS
from wwlib.models.shipped import seed_names, shipped_names, shipped_record


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


def test_every_shipped_model_has_its_three_scores_and_those_without_a_judge_a_dash():
    rows = {row[0]: row[1:] for row in read_and_shown_table().rows}
    assert list(rows) == shipped_names()
    for name, (read, _, shown) in rows.items():
        assert read == f"{shipped_record(name)['scores']['factor_vae']:.3f}"
        assert (shown == "–") == (name not in seen.rooms_models())


def with_purities(*purities):
    """The record with the purities of the seeds of the first recipe changed."""
    record = seen.load_record()
    for name, purity in zip(seed_names("shapes3d-32"), purities, strict=True):
        next(run for run in record["runs"] if run["case"] == name)["scores"]["purity"] = purity
    return record


def test_whether_the_seed_that_is_read_best_is_also_the_purest_is_said():
    names = seed_names("shapes3d-32")
    read = [shipped_record(name)["scores"]["factor_vae"] for name in names]
    best = read.index(max(read))
    both = with_purities(*(0.9 if k == best else 0.1 for k in range(len(names))))
    assert read_against_shown(record=both) == (
        f"{names[best]} has the highest FactorVAE score, {max(read):.3f}, and the highest purity, 0.90."
    )
    apart = with_purities(*(0.1 if k == best else 0.8 - k / 10 for k in range(len(names))))
    purest = next(k for k in range(len(names)) if k != best)
    said = read_against_shown(record=apart)
    assert said.startswith(f"{names[best]} has the highest FactorVAE score, {max(read):.3f}, and purity 0.10. ")
    assert f"{names[purest]} has the highest purity, {0.8 - purest / 10:.2f}" in said


def test_readmes_line_has_every_model_of_rooms():
    line = scores_by_resolution()
    assert line.count(" / ") == 2 * len(seen.rooms_models())
    assert line.startswith("32 px ")
    assert "; 64 px " in line
