"""The one door to the scores: what never varies does not count, whole numbers of any kind do, the rest is refused."""

import numpy as np
import pytest
import torch

from wwlib.metrics.points import as_points
from wwlib.metrics.scores import SUPERVISED, score_points
from wwlib.metrics.separability import sap_score


def points(n=900, seed=0, sizes=(2, 3, 4)):
    """Codes that mix three factors a little, and the factors."""
    random = np.random.default_rng(seed)
    factors = np.stack([random.integers(size, size=n) for size in sizes], axis=1)
    codes = factors + 0.3 * factors[:, [1, 2, 0]] + random.normal(size=(n, 3)) / 4
    return codes, factors


def scores(codes, factors, names=SUPERVISED):
    return {name: result.score for name, result in score_points(codes, factors, names).items()}


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_factor_that_never_varies_changes_no_score(place):
    codes, factors = points()
    with_colour = np.insert(factors, place, 7, axis=1)
    assert scores(codes, with_colour) == scores(codes, factors)


def test_three_factors_that_never_vary_change_no_score_and_have_an_empty_column():
    codes, factors = points(600)
    wide = np.concatenate([np.zeros((600, 2), int), factors, np.full((600, 1), -3)], axis=1)
    names = ("factor_vae", "beta_vae", "dci", "modularity")
    assert scores(codes, wide, names) == scores(codes, factors, names)
    results = score_points(codes, wide, names)
    for table in (results["factor_vae"].votes.numpy().T, results["beta_vae"].weights, results["dci"].importances):
        assert table.shape == (3, 6)
        assert not table[:, [0, 1, 5]].any()
        assert table[:, 2:5].any(axis=0).all()


def test_the_continuous_sap_does_not_count_it_either():
    codes, factors = points()
    colour = np.insert(factors.astype(float), 0, 0.5, axis=1)
    assert sap_score(codes, colour, None, None, continuous=True).score == sap_score(
        codes, factors, None, None, continuous=True
    ).score  # fmt: skip
    with pytest.raises(ValueError, match="factors must vary"):
        sap_score(codes, colour[:, :1], None, None, continuous=True)


WHOLE = {
    "whole floats": lambda f: f.astype(np.float64),
    "whole half floats": lambda f: f.astype(np.float16),
    "negative": lambda f: f - 2,
    "bytes": lambda f: f.astype(np.uint8),
    "unsigned": lambda f: f.astype(np.uint64),
    "large": lambda f: f + 2**60,
    "far apart": lambda f: f * 10**17,
    "other byte order": lambda f: f.astype(">i4"),
    "lists": lambda f: f.tolist(),
    "a tensor": torch.from_numpy,
    "a tensor of bfloat16": lambda f: torch.from_numpy(f).bfloat16(),
    "a mirrored view": lambda f: np.ascontiguousarray(f[::-1])[::-1],
}


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_of_any_kind_give_the_same_scores(kind):
    codes, factors = points(300)
    assert scores(codes, WHOLE[kind](factors)) == scores(codes, factors)


@pytest.mark.parametrize("pair", [(-1, 1), (-1.0, 1.0), (False, True), (np.uint8(7), np.uint8(255)), (0, 2**63 - 1)])
def test_two_values_of_any_kind_are_a_factor(pair):
    codes, factors = points(600, sizes=(2, 2, 2))
    assert scores(codes, np.array(pair)[factors]) == scores(codes, factors)


CODES = {
    "whole": lambda z: np.round(z * 100).astype(np.int64),
    "bytes": lambda z: np.round(z * 20 + 60).astype(np.uint8),
    "booleans": lambda z: z > 1,
    "half": lambda z: z.astype(np.float16),
    "bfloat16": lambda z: torch.from_numpy(z).bfloat16(),
    "tensors that learn": lambda z: torch.from_numpy(z).requires_grad_(),
    "long doubles": lambda z: z.astype(np.longdouble),
}


@pytest.mark.parametrize("kind", CODES)
def test_codes_of_any_kind_of_number_are_scored(kind):
    codes, factors = points(300)
    found = scores(CODES[kind](codes), factors)
    assert all(np.isfinite(value) for value in found.values())
    assert found["factor_vae"] > 0.5


REFUSED = {
    "halves": (lambda f: f / 2, "whole numbers"),
    "names": (lambda f: np.array(["cube", "ball", "cone", "egg"])[f], "real numbers"),
    "objects": (lambda f: f.astype(object), "real numbers"),
    "complex numbers": (lambda f: f * 1j, "real numbers"),
    "lists of different lengths": (lambda f: [[0], *f.tolist()[1:]], "array of numbers"),
    "NaN": (lambda f: np.where(f == 1, np.nan, f), "finite"),
    "too large to tell apart": (lambda f: f * 1e300, "below 2"),
    "too large and unsigned": (lambda f: f.astype(np.uint64) + np.uint64(2**63), "below 2"),
    "masked values": (lambda f: np.ma.masked_array(f, mask=f == 1), "are masked"),
    "one column": (lambda f: f[:, 0], "must share N"),
    "one value": (lambda f: f * 0, "factors must vary"),
}


@pytest.mark.parametrize("name", SUPERVISED)
@pytest.mark.parametrize("kind", REFUSED)
def test_anything_else_is_refused_in_one_sentence_by_every_score(kind, name):
    codes, factors = points(60)
    change, words = REFUSED[kind]
    with pytest.raises(ValueError, match=words) as told:
        score_points(codes, change(factors), (name,))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["beta_vae", "modularity"])
def test_scores_that_compare_factors_need_two_that_vary(name):
    codes, factors = points(60)
    factors[:, 1:] = 0
    with pytest.raises(ValueError, match="at least 2 of them"):
        score_points(codes, factors, (name,))


@pytest.mark.parametrize("name", SUPERVISED)
@pytest.mark.parametrize("size", [1e30, 1e200])
def test_codes_too_large_to_be_squared_are_refused_by_every_score(size, name):
    codes, factors = points(60)
    with pytest.raises(ValueError, match=r"codes must be at most 1e\+15 in size"):
        score_points(codes * size, factors, (name,))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", SUPERVISED)
@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_handful_of_points_gives_a_number_or_one_sentence(n, name):
    codes, factors = points(60)
    try:
        assert 0 <= score_points(codes[:n], factors[:n], (name,))[name].score <= 1
    except ValueError as error:
        if "\n" in str(error):
            raise


def test_counting_and_sorting_rank_alike():
    random = np.random.default_rng(0)
    column = random.integers(-50, 50, size=(400, 1))
    apart = as_points(np.zeros((400, 1)), column * 10**9)[1]
    close = as_points(np.zeros((400, 1)), column)[1]
    assert np.array_equal(apart, close)
    assert sorted(set(close[:, 0])) == list(range(len(np.unique(column))))
