"""Picture quality: 1 for real pictures, large for other ones; the floor is that of two halves of the real pictures."""

import pytest
import torch

from tests.metrics.seen.worlds import Drawn, rooms_of
from wwlib.metrics.frechet import frechet_distance
from wwlib.metrics.seen.judges import PartOfRooms, new_room_judge
from wwlib.metrics.seen.quality import picture_quality

ROOMS = PartOfRooms(32, held_out=True)
JUDGE = new_room_judge(32, seed=1)  # untrained features do for what is true of any judge


def quality(draw, pictures=300):
    return picture_quality(Drawn(6, draw), JUDGE, ROOMS, pictures=pictures)


def test_a_generator_that_draws_real_rooms_is_as_near_as_real_pictures_are():
    result = quality(rooms_of)
    assert result.ratio == pytest.approx(1, abs=0.35)
    assert result.pictures == 300


def test_blurred_and_grey_rooms_are_further_away():
    blurred = quality(lambda codes: torch.nn.functional.avg_pool2d(rooms_of(codes), 9, stride=1, padding=4))
    grey = quality(lambda codes: rooms_of(codes) * 0)
    assert 2 < blurred.ratio < grey.ratio


def test_distances_are_those_of_the_judges_features_from_equally_many_pictures():
    random = torch.Generator().manual_seed(0)
    codes = torch.randn(50, 6, generator=random)
    first, second = JUDGE.features(ROOMS.images(ROOMS.sample_factors(100, random))).detach().split(50)
    result = quality(lambda codes: 2 * rooms_of(codes), pictures=50)
    assert result.real == pytest.approx(frechet_distance(second, first), rel=1e-4)
    drawn = JUDGE.features((2 * rooms_of(codes)).clamp(-1, 1)).detach()
    assert result.distance == pytest.approx(frechet_distance(drawn, first), rel=1e-4)
    with pytest.raises(ValueError, match="pictures must be a whole number of at least 2, got 1"):
        quality(rooms_of, pictures=1)
