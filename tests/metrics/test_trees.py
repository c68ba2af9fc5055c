"""The boosted trees are scikit-learn's: same splits, same importances, same predictions."""

import numba
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from wwlib.metrics.trees import boost_many, compiled


def scikit_learns_trees(**options):
    """The installed scikit-learn's, of whatever version: until 1.8 its default criterion settles ties otherwise."""
    older = GradientBoostingClassifier().criterion == "friedman_mse"
    return GradientBoostingClassifier(**options, random_state=0, **({"criterion": "squared_error"} if older else {}))


def points(n, d=6, seed=0):
    random = np.random.default_rng(seed)
    codes = random.normal(size=(n, d)).astype(np.float32)
    labels = np.stack([np.digitize(codes[:, 0] + random.normal(size=n) / 2, [-0.5, 0.5]),
                       (codes[:, 1] * codes[:, 2] > 0).astype(int),
                       np.digitize(codes[:, 3], np.linspace(-1.5, 1.5, 7))], axis=1)  # fmt: skip
    return codes, labels


@pytest.mark.parametrize("column", range(3), ids=["three values", "two values", "eight values"])
def test_a_fit_is_scikit_learns_to_the_last_digits(column):
    codes, labels = points(900)
    train, test = slice(0, 600), slice(600, None)
    ours = boost_many(codes[train], labels[train, column : column + 1], codes[test], rounds=40)[0]
    theirs = scikit_learns_trees(n_estimators=40).fit(codes[train], labels[train, column])
    assert np.abs(ours.importances - theirs.feature_importances_).max() < 1e-12
    assert np.array_equal(ours.train, theirs.predict(codes[train]))
    assert np.array_equal(ours.test, theirs.predict(codes[test]))


def test_constant_and_repeated_features_are_handled_as_there():
    codes, labels = points(400, d=4)
    codes = np.concatenate([codes[:, :3], np.ones((400, 2), np.float32), np.round(codes[:, 3:], 1)], axis=1)
    ours = boost_many(codes, labels[:, :1], codes, rounds=30)[0]
    theirs = scikit_learns_trees(n_estimators=30).fit(codes, labels[:, 0])
    assert ours.importances[3:5].tolist() == [0, 0]
    # equal values leave the order of points, so the rounding of sums, so ties open: close, not equal
    assert np.abs(ours.importances - theirs.feature_importances_).max() < 0.02
    assert (ours.train == theirs.predict(codes)).mean() > 0.99


def test_threads_do_not_change_the_result_and_results_come_in_the_order_of_the_columns():
    codes, labels = points(300)
    one = boost_many(codes, labels, codes, rounds=10, threads=1)
    two = boost_many(codes, labels, codes, rounds=10, threads=2)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.importances, b.importances)
        assert np.array_equal(a.test, b.test)
    assert [result.train.max() for result in one] == labels.max(axis=0).tolist()


def test_importances_sum_to_one_or_are_zero():
    codes, labels = points(300)
    assert boost_many(codes, labels, codes, rounds=5)[0].importances.sum() == pytest.approx(1)
    assert boost_many(np.ones((300, 3)), labels, np.ones((3, 3)), rounds=5)[0].importances.tolist() == [0, 0, 0]


def test_where_compiled_code_has_no_place_on_disk_it_is_compiled_anew(monkeypatch):
    """The report: numba/numba#5566, "cannot cache function: no locator available" ends every command at its import."""
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(cache=True)(lambda x: x + 1)
    assert compiled()(lambda x: x + 1)(2) == 3
