"""Both methods on portraits, scaled down."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from wwlib.base.shelf import named_run
from wwlib.datasets.portraits import REGIONS
from wwlib.experiments.portrait_parts import runs
from wwlib.experiments.portrait_parts.places import Acting
from wwlib.experiments.portrait_parts.truth import draw_sitters, region_ious


@pytest.mark.parametrize("case", runs.METHODS)
def test_a_method_trains_on_portraits_and_gives_every_pixel_a_slot(case):
    method, images = runs.METHODS[case], draw_sitters(20, seed=1).images
    schedule = replace(method.schedule(3), steps=3)
    model, history = method.train(images, schedule)
    assert schedule.seed == 3
    assert history[-1]["step"] == 2
    slots = method.slots(model, images)
    assert slots.shape == (20, 32, 32)
    assert set(slots.unique().tolist()) <= set(range(method.count(schedule)))
    rebuilt = method.build(schedule)
    rebuilt.load_state_dict(model.state_dict())
    assert torch.equal(method.slots(rebuilt.eval(), images), slots)


def test_a_segmenter_that_knows_the_layers_has_every_overlap(monkeypatch):
    """Its slots are the regions in another order, one of them cut in two; four codes change a region each."""
    order, few = torch.tensor([3, 0, 2, 1]), draw_sitters(8, seed=2)
    acting = Acting(few.images, few.shares, F.one_hot(few.regions, len(REGIONS)).movedim(3, 1).float())
    known, tested = few, {"drawn": few, "warped": few.warped(0)}
    for name, value in (("known_sitters", known), ("tested_sitters", tested), ("acting_codes", acting)):
        monkeypatch.setattr(runs, name, lambda value=value: value)
    answers = [(one.images, one.regions) for one in (few, *tested.values())]

    def slots(images):
        regions = next(regions for pictures, regions in answers if torch.equal(pictures, images))
        found = order[regions]
        found[:, :4][found[:, :4] == 3] = 4  # the upper background
        return found

    measured = runs.measure(slots, 5)
    assert measured["mapping"] == [1, 3, 2, 0, 0]
    assert all(set(view.values()) == {1.0} for view in measured["scores"].values())
    assert sum(measured["shares"]) == pytest.approx(1)
    assert [line["region"]["number"] for line in measured["codes"]] == list(range(len(REGIONS)))
    assert {line["region"]["change"] for line in measured["codes"]} == {1.0}
    background, *others = (line["slot"]["change"] for line in measured["codes"])
    assert background < 1  # no slot holds all of it
    assert set(others) == {1.0}


@pytest.mark.parametrize("case", runs.METHODS)
def test_a_shipped_network_overlaps_with_the_layers_as_recorded(case):
    slots, mapping = runs.load_slots(case)
    sitters = runs.tested_sitters()["drawn"]
    recorded = named_run(runs.load_record(), case)["scores"]["drawn"]
    assert region_ious(mapping[slots(sitters.images)], sitters) == pytest.approx(recorded, abs=0.005)


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="parts must be among"):
        runs.make(["segments"])


def test_a_segmenter_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"^case must be one of \('landmarks', 'slots'\), got 'baselines'$"):
        runs.load_slots("baselines")


def test_a_run_that_is_interrupted_while_it_is_measured_leaves_the_weights_as_they_were(monkeypatch):
    """Else new slots would stand beside the names of the old ones."""

    def interrupted(*_):
        raise KeyboardInterrupt

    kept = []
    monkeypatch.setattr(runs, "train", lambda case, seed: (None, {}))
    monkeypatch.setattr(runs, "measure", interrupted)
    monkeypatch.setattr(runs.Shelf, "keep", lambda *given, **options: kept.append(given))
    with pytest.raises(KeyboardInterrupt):
        runs.run_method("slots", 0)
    assert kept == []
