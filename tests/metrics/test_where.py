"""The where score: 1 for an oracle; 0 for a code that acts everywhere, elsewhere or nowhere; masks are optional."""

import numpy as np
import pytest
import torch

from wwlib.datasets.factors import FactorData
from wwlib.metrics.where import where_score
from wwlib.models.shipped import load_model


class Tiles(FactorData):
    """Two tiles, left and right, each of four brightnesses: a data set small enough to invert by eye."""

    factor_names, factor_sizes = ("left", "right"), (4, 4)
    channels, resolution = 1, 8

    def images(self, factors):
        factors = self.check_factors(factors)
        levels = factors.float() / 3 * 2 - 1
        return levels[:, None, None].repeat_interleave(4, dim=3).expand(-1, 1, 8, 8)


class Toy:
    """A model of the tiles: the recogniser reads both levels, the generator paints codes where `paint` says."""

    def __init__(self, paint, turn=None):
        self.paint, self.turn = paint, torch.eye(2) if turn is None else turn
        self.generator = self

    def recogniser(self, images):
        return torch.stack([images[:, 0, 0, 0], images[:, 0, 0, 7]], dim=1) @ self.turn

    def sample_noise(self, batch, generator=None, device=None):
        return []

    def __call__(self, codes, noise=None):
        return self.paint(codes @ self.turn.t())


def each_on_its_own(levels):
    return levels[:, None, None].repeat_interleave(4, dim=3).expand(-1, 1, 8, 8)


def test_the_oracle_scores_one():
    score = where_score(Toy(each_on_its_own), Tiles(), n=16)
    assert score.score == 1
    assert score.codes.tolist() == [0, 1]
    assert np.array_equal(score.overlaps, np.eye(2))


def test_a_code_that_acts_everywhere_elsewhere_or_nowhere_scores_zero():
    everywhere = Toy(lambda c: c.sum(dim=1)[:, None, None, None].expand(-1, 1, 8, 8))
    elsewhere = Toy(lambda c: each_on_its_own(c.flip(1)))
    nowhere = Toy(lambda c: each_on_its_own(c * 0))
    for toy in (everywhere, elsewhere, nowhere):
        assert where_score(toy, Tiles(), n=16).score == 0


def test_a_rotation_of_the_codes_costs_it_all_though_pictures_stay_the_same():
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    assert where_score(Toy(each_on_its_own, turn), Tiles(), n=16).score < 0.1


def test_half_of_the_place_is_half_of_the_score():
    def upper_half(codes):
        images = each_on_its_own(codes).clone()
        images[:, :, 4:] = 0
        return images

    # IoU 1/2, and a code that acts everywhere has 1/2 as well: exactly nothing above it
    assert where_score(Toy(upper_half), Tiles(), n=16).score == pytest.approx(0, abs=1e-6)


def test_a_factor_that_no_code_tells_counts_zero():
    class Half(Toy):
        def recogniser(self, images):
            return super().recogniser(images) * torch.tensor([1.0, 0.0])

    score = where_score(Half(each_on_its_own), Tiles(), n=16)
    assert score.codes.tolist() == [0, -1]
    assert score.score == pytest.approx(0.5)


def test_models_with_masks_have_a_score_by_mask_and_one_by_change(shapes):
    model = load_model("shapes3d-32-seed0")
    by_mask, by_change = (where_score(model, shapes, n=16, place=place).score for place in ("mask", "change"))
    assert 0 < by_change <= 1
    assert 0 < by_mask <= 1
    with pytest.raises(ValueError, match="place must be"):
        where_score(model, shapes, place="somewhere")
