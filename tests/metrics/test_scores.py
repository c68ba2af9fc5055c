"""BetaVAE score, explicitness, every score at once, and the reference's own random streams."""

import numpy as np
import pytest
import torch

from benchmarks import dsprites_table
from benchmarks.replay import beta_vae_replay, draw_factors, draw_points, factor_vae_replay
from wwlib.datasets.shapes3d import SmallRooms
from wwlib.metrics.beta_vae import beta_vae_score
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.information import mig_score, modularity_score
from wwlib.metrics.scores import SCORES, SUPERVISED, Points, score_points, score_representation
from wwlib.metrics.separability import explicitness_score, sap_score

SIZES = (4, 5, 6)


def grid():
    return torch.cartesian_prod(*(torch.arange(s) for s in SIZES))


def beta(codes, factors=None, **options):
    options = dict(train_points=600, test_points=300, batch=16) | options
    factors = grid() if factors is None else factors
    return beta_vae_score(codes, factors, torch.Generator().manual_seed(0), **options)


def test_the_oracle_gets_a_beta_vae_score_of_one_and_noise_gets_chance():
    assert beta(grid().float()).score == 1
    noise = torch.randn(120, 3, generator=torch.Generator().manual_seed(1))
    assert beta(noise, train_points=2000, test_points=2000).score == pytest.approx(1 / 3, abs=0.08)


def test_the_beta_vae_score_is_blind_to_a_rotation():
    """Its classifier is linear: it can turn the axes back, which is why the FactorVAE score was invented."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))[0]
    assert beta(grid().float() @ turn).score > 0.9


def test_a_small_difference_in_a_code_speaks_for_its_factor():
    assert beta(grid().float()).weights.argmin(axis=0).tolist() == [0, 1, 2]


def test_it_agrees_with_the_plain_version_of_the_definition():
    factors = grid()
    codes = factors.float() + torch.randn(len(factors), 3, generator=torch.Generator().manual_seed(3))
    strides = np.array([30, 6, 1])
    slow = beta_vae_replay(lambda f: codes.numpy()[f @ strides], SIZES, 0, 3000, 3000, batch=16)
    fast = beta(codes, factors, train_points=3000, test_points=3000).score
    assert fast == pytest.approx(slow, abs=0.03)


def test_explicitness_is_one_for_the_oracle_and_a_half_for_noise():
    factors = np.tile(grid().numpy(), (6, 1))
    random = np.random.default_rng(0)
    one_hot = np.concatenate([np.eye(size)[factors[:, k]] for k, size in enumerate(SIZES)], axis=1)
    assert explicitness_score(one_hot, factors, one_hot, factors).score == pytest.approx(1)
    noise = random.normal(size=(len(factors), 3))
    fresh = random.normal(size=(len(factors), 3))
    assert explicitness_score(noise, factors, fresh, factors).score == pytest.approx(0.5, abs=0.05)


def test_explicitness_of_a_factor_that_never_varies_does_not_count():
    factors = grid().numpy().copy()
    factors[:, 1] = 0
    result = explicitness_score(grid().numpy() * 1.0, factors, grid().numpy() * 1.0, factors)
    assert np.isnan(result.factors[1])
    assert 0.5 < result.score <= 1


def test_every_score_comes_from_one_call_on_arrays_and_on_a_representation():
    rooms = SmallRooms()
    factors = rooms.sample_factors(900, torch.Generator().manual_seed(0))
    results = score_points(factors.float(), factors)
    assert tuple(results) == SUPERVISED
    assert all(0 <= result.score <= 1 for result in results.values())
    assert results["factor_vae"].score == results["dci"].informativeness == 1
    chosen = score_representation(lambda x: x.mean(dim=(2, 3)), rooms, ("mig", "sap"), n=300, progress=False)
    assert set(chosen) == {"mig", "sap"}
    again = score_representation(lambda x: x.mean(dim=(2, 3)), rooms, ("mig", "sap"), n=300, progress=False)
    assert chosen["sap"].score == again["sap"].score
    with pytest.raises(ValueError, match="names must be among"):
        score_points(factors.float(), factors, ("vibes",))


@pytest.mark.parametrize("name", SCORES)
def test_every_score_says_what_it_asks_and_tells_the_oracle_from_noise(name):
    assert SCORES[name].question.endswith("?")
    factors = SmallRooms().sample_factors(900, torch.Generator().manual_seed(0))
    noise = torch.randn(900, 3, generator=torch.Generator().manual_seed(1))
    oracle, chance = (score_points(codes, factors, (name,))[name].score for codes in (factors.float(), noise))
    assert oracle > chance + 0.1


def test_small_tables_are_split_at_two_thirds_and_large_ones_at_the_definitions_counts():
    codes = torch.arange(20_000)[:, None]
    small, large = Points(codes[:900], codes[:900]), Points(codes, codes)
    assert [len(rows) for rows in small.train_and_test] == [600, 600, 300, 300]
    assert [len(rows) for rows in large.train_and_test] == [10_000, 10_000, 5_000, 5_000]
    assert large.train_and_test[2][0] == 10_000


@pytest.mark.parametrize("name", SUPERVISED)
def test_every_result_draws_itself(name):
    factors = SmallRooms().sample_factors(300, torch.Generator().manual_seed(0))
    picture = score_points(factors.float(), factors, (name,))[name].plot(SmallRooms.factor_names)
    assert picture.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", SUPERVISED)
def test_constant_and_repeated_codes_have_a_score_and_nan_has_none(name):
    factors = SmallRooms().sample_factors(300, torch.Generator().manual_seed(0))
    codes = torch.cat([factors.float(), factors.float(), torch.ones(300, 2)], dim=1)
    assert 0 <= score_points(codes, factors, (name,))[name].score <= 1
    codes[5, 0] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        score_points(codes, factors, (name,))


# the reference's numbers: disentanglement_lib at 86a644d, its own sampling, on this table


@pytest.fixture(scope="module")
def look_up():
    table = dsprites_table.build()
    return lambda factors: table[factors @ dsprites_table.STRIDES]


def test_factors_are_drawn_one_after_the_other_from_one_stream():
    a, b = np.random.RandomState(5), np.random.RandomState(5)
    drawn = draw_factors((3, 7), 4, a)
    assert drawn[:, 0].tolist() == b.randint(3, size=4).tolist()
    assert drawn[:, 1].tolist() == b.randint(7, size=4).tolist()


@pytest.mark.parametrize(("seed", "theirs"), [(0, 0.9196), (1, 0.9282)])
def test_the_factor_vae_score_of_the_reference_to_the_last_digit(look_up, seed, theirs):
    assert factor_vae_replay(look_up, dsprites_table.SIZES, seed) == theirs


@pytest.mark.parametrize(("seed", "theirs"), [(0, 0.9718), (1, 0.9702)])
def test_the_beta_vae_score_of_the_reference_to_the_last_digit(look_up, seed, theirs):
    assert beta_vae_replay(look_up, dsprites_table.SIZES, seed) == theirs


@pytest.mark.parametrize(("seed", "theirs"), [(0, 0.2136732736444583), (1, 0.20846251501753246)])
def test_the_mig_of_the_reference(look_up, seed, theirs):
    points = draw_points(look_up, dsprites_table.SIZES, 10_000, np.random.RandomState(seed))
    assert mig_score(*points).score == pytest.approx(theirs, abs=1e-12)


def test_sap_modularity_and_explicitness_of_the_reference(look_up):
    random = np.random.RandomState(0)
    train = draw_points(look_up, dsprites_table.SIZES, 10_000, random)
    test = draw_points(look_up, dsprites_table.SIZES, 5_000, random)
    assert sap_score(*train, *test).score == pytest.approx(0.0782, abs=1e-12)
    assert modularity_score(*train).score == pytest.approx(0.7913, abs=5e-5)
    assert explicitness_score(*train, *test).score == pytest.approx(0.8154, abs=5e-5)


def test_our_own_draws_give_the_same_scores_within_three_standard_deviations(look_up):
    factors = draw_factors(dsprites_table.SIZES, 100_000, np.random.RandomState(9))
    codes, random = torch.from_numpy(look_up(factors)), torch.Generator().manual_seed(0)
    factors = torch.from_numpy(factors)
    assert factor_vae_score(codes, factors, random).score == pytest.approx(0.9284, abs=0.012)
    assert beta_vae_score(codes, factors, random).score == pytest.approx(0.971, abs=0.005)
