"""The judges of rooms: the rooms held out of their training."""

import pytest
import torch

from wwlib.base.shelf import Shelf, rounded
from wwlib.metrics.seen import judges
from wwlib.metrics.seen.judges import (
    PLANS,
    JudgePlan,
    PartOfRooms,
    StridedJudge,
    confidence,
    fitness,
    load_room_judge,
    new_room_judge,
    readings,
    train_room_judge,
)


def test_a_tenth_of_the_rooms_is_held_out_and_every_value_is_as_frequent_in_both_parts(generator):
    for held_out in (True, False):
        factors = PartOfRooms(32, held_out).sample_factors(20_000, generator)
        assert ((factors.sum(dim=1) % 10 == 0) == held_out).all()
        for k, size in enumerate(PartOfRooms.factor_sizes):
            counts = factors[:, k].bincount(minlength=size)
            assert counts.min() > 0.85 * 20_000 / size
        pairs = (factors[:, 0] * 10 + factors[:, 1]).bincount(minlength=100)
        assert pairs.min() > 0.6 * 200


def test_the_seed_decides_a_judge_and_its_readings_are_probabilities_of_clipped_pictures(generator):
    plan = JudgePlan(32, seed=3, steps=2, batch=4)
    first, again = (train_room_judge(plan).hidden.weight for _ in range(2))
    assert torch.equal(first, again)
    judge, images = new_room_judge(64), 3 * torch.randn(2, 3, 64, 64, generator=generator)
    for reading, clipped, size in zip(
        readings(judge, images), readings(judge, images.clamp(-1, 1)), PartOfRooms.factor_sizes, strict=True
    ):
        assert reading.shape == (2, size)
        assert torch.allclose(reading.sum(dim=1), torch.ones(2))
        assert torch.equal(reading, clipped)
    with pytest.raises(ValueError, match=r"resolution must be one of \(32, 64\), got 16"):
        new_room_judge(16)
    with pytest.raises(ValueError, match="resolution must be a multiple of 32, got 48"):
        StridedJudge((2,), resolution=48)


def test_confidence_is_the_probability_of_what_is_named():
    judge = lambda images: [torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log()]  # noqa: E731
    assert confidence(judge, torch.zeros(2, 3, 4, 4)) == [pytest.approx(0.8)]


def test_a_stored_judge_comes_back_as_it_was_stored_and_a_missing_one_is_named(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path / "weights.safetensors", tmp_path / "record.json", "python -m wwlib remake seen")
    monkeypatch.setattr(judges, "SHELF", shelf)
    judge = rounded(new_room_judge(32, seed=5))
    shelf.keep({"judge-32": judge}, half=True)
    images = torch.zeros(1, 3, 32, 32)
    for stored, original in zip(readings(load_room_judge(32), images), readings(judge, images), strict=True):
        assert torch.equal(stored, original)
    with pytest.raises(FileNotFoundError, match="'judge-64'; make it with: python -m wwlib remake seen"):
        load_room_judge(64)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_shipped_judge_names_all_factors_of_rooms_that_it_never_saw(plan):
    read = fitness(load_room_judge(plan.resolution), PartOfRooms(plan.resolution, held_out=True), n=300, seed=5)
    assert min(read.accuracy) > 0.97
    assert min(read.soft_accuracy) > 0.8
    assert min(read.confidence) > 0.9
