"""Lesson 15's measures, baselines and cases, scaled down; no record is there yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.discovery import DiscoveryModel, Schedule
from wwlib.base.shelf import Shelf
from wwlib.datasets.puppet import PARTS
from wwlib.experiments.discovery import runs
from wwlib.experiments.discovery.runs import CASES, SEARCHED, SHIPPED, baselines, draw_figures, make, measure


def test_figures_share_pose_and_look_as_their_names_say():
    figures = draw_figures(6, seed=1)
    assert torch.equal(figures.answer.joints, figures.onto.joints)
    assert torch.equal(figures.answer.footprint, figures.onto.footprint)
    assert not torch.equal(figures.answer.images, figures.onto.images)
    assert not torch.equal(figures.given.joints, figures.onto.joints)
    some = figures.rows(slice(2, 4))
    assert torch.equal(some.onto.images, figures.onto.images[2:4])
    assert torch.equal(some.looks.colours, figures.looks.colours[2:4])


def test_every_measure_of_an_untrained_model_is_there_and_finite():
    scores = measure(DiscoveryModel(Schedule()).eval(), draw_figures(60, seed=1), 40, seed=0)
    assert list(scores["ious"]) == list(PARTS[1:])
    assert sum(scores["shares"]) == pytest.approx(1)
    assert len(scores["mapping"]) == 8
    for slot in scores["repainted"].values():
        assert 0 <= slot["inside"] <= slot["near"] <= 1
    for name in ("miou", "optimistic", "transfer", "copied", "colours", "pose"):
        assert torch.tensor(scores[name]).isfinite()
    assert scores["optimistic"] >= 0


class Oracle:
    """Knows the parts of the figures: its slots are the parts in another order, its code is the joints."""

    slots = 7
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])

    def __init__(self, figures):
        self.figures = figures

    def _rows(self, images):
        known = self.figures.onto.images
        return torch.tensor([int((known - image).square().sum(dim=(1, 2, 3)).argmin()) for image in images])

    def masks(self, images):
        slots = self.order[self.figures.onto.parts[self._rows(images)]]
        return torch.nn.functional.one_hot(slots, 7).movedim(-1, 1).float()

    def shape(self, images):
        joints = self.figures.onto.joints[self._rows(images)]

        class Code:
            def sample(self, generator):
                return joints

        return Code()

    def transfer(self, x, onto, slots=None):
        rows = self._rows(onto)
        if slots is None:
            return self.figures.answer.images[rows]
        return onto + torch.stack([self.masks(onto)[:, slot] for slot in slots]).sum(dim=0)[:, None] if slots else onto


def test_a_model_that_knows_the_parts_has_the_best_scores():
    figures = draw_figures(80, seed=1)
    scores = measure(Oracle(figures), figures, 50, seed=0)
    assert scores["miou"] == scores["optimistic"] == 1
    assert scores["mapping"] == [PARTS[part] for part in Oracle.order.argsort()]
    assert scores["foreground_slots"] == 6
    assert scores["pose"] > 0.99
    assert scores["colours"] < 0.1
    assert scores["transfer"] > 100


def test_what_learns_nothing_is_scored_alike():
    scores = baselines(draw_figures(80, seed=1), 60)
    assert scores["static"] <= scores["static_tuned"] + 0.05
    assert scores["place"] < scores["oracle"] < 1
    assert {scores["place_weight"], scores["oracle_weight"]} <= set(runs.WEIGHTS)


def test_baselines_are_recorded_for_both_backgrounds_whatever_the_seeds(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path / "weights.safetensors", tmp_path / "discovery.json", "remake")
    monkeypatch.setattr(runs, "DISCOVERY", shelf)
    for name, value in (("VALIDATION", 20), ("TESTED", 10), ("TUNED", 5), ("WEIGHTS", (0.0, 0.25))):
        monkeypatch.setattr(runs, name, value)
    make(["baselines"], [0, 1])
    assert [(run["case"], run["seed"]) for run in shelf.read()["runs"]] == [
        ("baselines", 0),
        ("baselines, textured", 0),
    ]


def test_a_short_training_is_recorded_and_its_network_comes_back(tmp_path, monkeypatch, capsys):
    shelf = Shelf(tmp_path / "discovery-weights.safetensors", tmp_path / "discovery.json", "remake")
    short = replace(CASES["full"], schedule=Schedule(steps=30, batch=4))
    monkeypatch.setattr(runs, "DISCOVERY", shelf)
    monkeypatch.setitem(CASES, "full", short)
    for name, value in (("PAIRS", 40), ("VALIDATION", 60), ("TESTED", 30)):
        monkeypatch.setattr(runs, name, value)
    make(["full"], [0])
    assert "full, seed 0: " in capsys.readouterr().out
    (run,) = shelf.read()["runs"]
    assert run["schedule"]["steps"] == 30
    assert run["history"][-1]["rebuilt"] < run["history"][0]["rebuilt"]
    model = runs.load_discovery("full")
    figures = draw_figures(90, runs.TEST_SEED)
    assert measure(model, figures, 60, seed=0)["miou"] == run["scores"]["miou"]


def test_each_case_differs_from_the_full_one_as_its_name_says():
    full = Schedule()
    assert [case for case, c in CASES.items() if c.schedule.warped] == ["warped", "warped, area grows"]
    assert [case for case, c in CASES.items() if not c.schedule.background] == ["no background, no area"]
    assert [case for case, c in CASES.items() if c.schedule.area == 0] == ["no area", "no background, no area"]
    assert [case for case, c in CASES.items() if c.schedule.area_rise] == ["warped, area grows"]
    assert [case for case, c in CASES.items() if c.schedule.slots != full.slots] == ["four slots"]
    assert [case for case, c in CASES.items() if c.schedule.channels == 0] == ["global code"]
    assert set(SHIPPED) <= set(CASES)


def test_every_searched_setting_comes_with_and_without_the_critic():
    free = [name for name in SEARCHED if name.endswith(", no critic")]
    assert len(free) == 4
    for name in free:
        with_it, without = (CASES | SEARCHED)[name.removesuffix(", no critic")], SEARCHED[name]
        assert with_it.world == without.world
        assert replace(with_it.schedule, critic=False, beta=0.0) == without.schedule
        assert with_it != CASES["full"]


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="parts must be among"):
        make(["fully"])


@pytest.mark.parametrize("case", ["four slots", "ful"])
def test_a_model_that_is_not_shipped_is_refused(case):
    with pytest.raises(ValueError, match=rf"^case must be one of \('full', .* got '{case}'$"):
        runs.load_discovery(case)


def test_a_run_that_is_interrupted_while_it_is_measured_leaves_the_weights_as_they_were(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path / "discovery-weights.safetensors", tmp_path / "discovery.json", "remake")
    monkeypatch.setattr(runs, "DISCOVERY", shelf)
    monkeypatch.setattr(runs, "PAIRS", 4)

    def interrupted(*_):
        assert not shelf.weights.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "draw_figures", lambda *_: None)
    monkeypatch.setattr(runs, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.run_case("full", runs.Case(Schedule(steps=1, batch=2)), keep=True)
    assert not shelf.weights.exists()
