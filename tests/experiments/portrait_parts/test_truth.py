"""The truth of drawn portraits, and what needs no training."""

from __future__ import annotations

import pytest
import torch

from wwlib.datasets.portraits import REGIONS
from wwlib.experiments.portrait_parts.truth import (
    ORACLE,
    PLACE,
    SCORED,
    STILL,
    WEIGHTS,
    cluster_scores,
    draw_sitters,
    region_ious,
    static_scores,
)


@pytest.fixture(scope="module")
def known():
    return draw_sitters(120, seed=1)


@pytest.fixture(scope="module")
def tested():
    drawn = draw_sitters(6, seed=2)
    return {"drawn": drawn, "warped": drawn.warped(3)}


def test_the_truth_has_overlap_1_with_itself_and_background_everywhere_has_0(tested):
    for sitters in tested.values():
        assert region_ious(sitters.regions, sitters) == dict.fromkeys(SCORED, 1.0)
        assert region_ious(torch.zeros_like(sitters.regions), sitters) == dict.fromkeys(SCORED, 0.0)


def test_hair_taken_for_a_face_costs_both(tested):
    sitters = tested["drawn"]
    hair, face = (sitters.regions == k for k in (1, 2))
    overlaps = region_ious(torch.where(hair, 2, sitters.regions), sitters)
    assert overlaps["hair"] == 0
    assert overlaps["face"] == pytest.approx(float(face.sum() / (face | hair).sum()))
    assert overlaps["clothes"] == 1


def test_truth_moves_with_the_picture(tested):
    """A pixel that shows only background has the background's colour, before the warp and after it."""
    drawn, warped = tested["drawn"], tested["warped"]
    assert not torch.equal(drawn.regions, warped.regions)
    torch.testing.assert_close(warped.shares.sum(dim=1), torch.ones(6, 32, 32))
    corner = drawn.images[:, :, 0, 0]
    for picture, shares, colour in zip(warped.images, warped.shares, corner, strict=True):
        only = shares[0] > 0.9999
        assert 0.3 < only.float().mean() < 0.8
        assert (picture[:, only] - colour[:, None]).abs().max() < 1e-3


def test_a_static_map_suits_portraits_as_drawn_and_not_warped_ones(known, tested):
    for scores in static_scores(known, tested).values():
        mean = {view: sum(overlaps.values()) / len(SCORED) for view, overlaps in scores.items()}
        assert mean["drawn"] > 0.7
        assert mean["warped"] < mean["drawn"] - 0.1


def test_clusters_named_by_their_answer_overlap_most(known, tested):
    scores = cluster_scores(known, tested, clusters=8, few=3, seed=0)
    assert list(scores) == [PLACE, STILL, ORACLE]
    for view in tested:
        mean = {name: sum(one[view].values()) / len(SCORED) for name, one in scores.items()}
        assert 0.7 < mean[ORACLE] < 1
        assert mean[ORACLE] > max(mean[PLACE], mean[STILL])
    assert all(one["weight"] in WEIGHTS for one in scores.values())
    assert len(REGIONS) == len(SCORED) + 1
