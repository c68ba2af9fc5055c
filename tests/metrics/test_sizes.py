"""How much a score draws is a whole number that suffices; everything else is refused by its name."""

import pytest
import torch

from wwlib.metrics.beta_vae import beta_vae_score
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.frechet import frechet_distance
from wwlib.metrics.information import mig_score, modularity_score
from wwlib.metrics.ranking import rank_correlation
from wwlib.metrics.what import naming_accuracy
from wwlib.metrics.where import mask_iou

FACTORS = torch.cartesian_prod(torch.arange(4), torch.arange(3), torch.arange(2)).repeat(5, 1)
CODES = FACTORS + 0.1 * torch.randn(FACTORS.shape, generator=torch.Generator().manual_seed(0))


def factor_vae(**sizes):
    return factor_vae_score(CODES, FACTORS, torch.Generator().manual_seed(0), **sizes)


def beta_vae(**sizes):
    return beta_vae_score(CODES, FACTORS, torch.Generator().manual_seed(0), **sizes)


REFUSED = {
    "train_votes": (factor_vae, 0),
    "test_votes": (factor_vae, 0),
    "batch": (factor_vae, 1),
    "batch ": (beta_vae, 0),
    "train_points": (beta_vae, 0),
    "train_points ": (beta_vae, 1),
    "test_points": (beta_vae, 0),
    "bins": (lambda **sizes: mig_score(CODES, FACTORS, **sizes), 0),
    "bins ": (lambda **sizes: modularity_score(CODES, FACTORS, **sizes), 2.5),
    "n": (lambda **sizes: naming_accuracy(None, None, **sizes), 0),
    "n ": (lambda **sizes: mask_iou(None, None, **sizes), 1),
    "levels": (lambda **sizes: mask_iou(None, None, **sizes), 0),
    "draws": (lambda **sizes: rank_correlation([1, 2, 3, 4], [1, 2, 4, 3], **sizes), 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sizes_that_give_no_score_are_refused(name):
    """The reports: ZeroDivisionError and NaN from scores of a batch of one or of no points."""
    score, value = REFUSED[name]
    with pytest.raises(ValueError, match=f"{name.strip()} must be .*, got {value}"):
        score(**{name.strip(): value})


def test_a_handful_of_points_that_leaves_factors_out_is_scored():
    assert 0 <= beta_vae(train_points=60, test_points=1).score <= 1


BAD_FEATURES = {
    "NaN": torch.full((5, 3), float("nan")),
    "infinity": torch.full((5, 3), float("inf")),
    "huge": torch.full((5, 3), 1e200, dtype=torch.float64),
    "one vector": torch.zeros(1, 3),
    "no table": torch.zeros(5),
    "no features": torch.zeros(5, 0),
    "another length": torch.zeros(5, 4),
}


@pytest.mark.parametrize("kind", BAD_FEATURES)
def test_features_without_a_frechet_distance_are_refused_by_name(kind):
    """The report: FID of features that are not finite ends in an error of the linear algebra."""
    with pytest.raises(ValueError, match="second must"):
        frechet_distance(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), BAD_FEATURES[kind])


def test_a_single_feature_has_a_frechet_distance():
    assert frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]])) == pytest.approx(9)
