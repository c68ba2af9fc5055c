"""Lesson 15's record and shipped models, and how they are made, scaled down."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.discovery import DiscoveryModel, Schedule, segment
from wwlib.appearance.segments.measures import fit_mapping, mean_iou
from wwlib.base.shelf import Shelf, named_run, runs_of
from wwlib.datasets.puppet import PARTS
from wwlib.experiments.discovery import runs
from wwlib.experiments.discovery.runs import (
    CASES,
    DISCOVERY,
    SEARCHED,
    SHIPPED,
    baselines,
    draw_figures,
    load_discovery,
    load_record,
    make,
    measure,
)
from wwlib.experiments.discovery.tables import criteria_table, discovery_values

MISSED_BY_A_SEED = [
    "warped copies: foreground mIoU",
    "mIoU less that of k-means named by an oracle",
    "no background slot: mIoU lost",
]


@pytest.fixture(scope="module")
def record():
    return load_record()


def test_every_case_was_run_with_the_schedule_that_the_library_has(record):
    for name, case in (CASES | SEARCHED).items():
        runs_there = runs_of(record, name)
        seeds = [run["seed"] for run in runs_there]
        assert seeds == list(range(len(seeds)))
        assert len(seeds) == 5 or name != "full"
        assert [Schedule(**run["schedule"]) for run in runs_there] == [
            replace(case.schedule, seed=seed) for seed in seeds
        ]
    assert record["command"] == "python -m wwlib remake discovery"


def test_the_criteria_that_a_seed_misses_are_those_that_the_lesson_names(record):
    rows = criteria_table(record).rows
    assert len(rows) == 12
    assert [row[0] for row in rows if len(set(row[-1].split(" of "))) == 2] == MISSED_BY_A_SEED


def test_warped_copies_lose_every_slot_in_one_seed_unless_the_penalty_on_area_grows(record):
    assert discovery_values(record, "warped", "miou").min() == 0
    assert discovery_values(record, "warped, area grows", "miou").min() > 0.58


def test_naming_slots_on_the_scored_pictures_changes_next_to_nothing(record):
    assert abs(discovery_values(record, "full", "flattery")).max() < 0.002


def test_no_case_lets_colours_be_read_from_the_shape_code(record):
    assert max(discovery_values(record, name, "colours").max() for name in CASES | SEARCHED) < 0.1


def test_without_a_slot_for_the_background_overlap_is_lost_in_every_seed_and_a_part_in_some(record):
    without, full = (discovery_values(record, name, "miou") for name in ("no background, no area", "full"))
    assert without.max() < full.min()
    assert discovery_values(record, "no background, no area", "worst part").min() == 0


def test_what_is_shipped_is_small(record):
    assert DISCOVERY.weights.stat().st_size < 5e6


@pytest.mark.parametrize("case", SHIPPED)
def test_the_shipped_models_are_the_recorded_ones(record, case):
    """On other pictures than the recorded ones: the same overlap, within what the choice of pictures changes."""
    model, figures = load_discovery(case), draw_figures(300, seed=7_001)
    slots, parts = segment(model, figures.onto.images), figures.onto.parts
    mapping = fit_mapping(slots[:150], parts[:150], model.slots)
    scored = mean_iou(mapping[slots[150:]], parts[150:])
    assert scored == pytest.approx(named_run(record, case)["scores"]["miou"], abs=0.03)


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
