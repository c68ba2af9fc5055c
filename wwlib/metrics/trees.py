"""Gradient-boosted trees that equal scikit-learn's, grown much faster from data that are sorted once; DCI uses them.

`GradientBoostingClassifier()` sorts the points anew for every feature of every node. The features never change
between rounds, so here each is sorted once; a tree only divides the sorted lists between its nodes. Losses, leaf
values, importances and the order in which a node looks at features (which decides ties) are scikit-learn's (version
1.9, tree and ensemble modules; Friedman 2001).

Older versions give these trees with `criterion="squared_error"`. Their default until 1.8, `"friedman_mse"`, is the
same quantity, computed in another order: of two cuts that save exactly as much, rounding may let it take the other.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from scipy.special import logit

RAND_R_MAX = 2**31 - 1  # scikit-learn's bound of the seed of a tree
SAME_VALUE = 1e-7  # values of a feature closer than this are one value
DEPTH = 3


def compiled(**options) -> Callable[[Callable], Callable]:
    """Return a decorator that compiles with numba, kept on disk if there is a place for it, else anew in each process.

    Args:
        options: of `numba.njit`.
    """

    def compile(function: Callable) -> Callable:
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # neither the library's folder nor the user's can be written, as in many containers
            return numba.njit(nogil=True, **options)(function)

    return compile


@dataclass(frozen=True)
class Boosted:
    """Importances `[d]` that sum to 1 (or are all 0), and the predicted class of each training and test point."""

    importances: np.ndarray
    train: np.ndarray
    test: np.ndarray


def boost_many(
    points: np.ndarray,
    labels: np.ndarray,
    test_points: np.ndarray,
    rounds: int = 100,
    rate: float = 0.1,
    seed: int = 0,
    threads: int = 1,
) -> list[Boosted]:
    """Fit one classifier to each column of labels, as `GradientBoostingClassifier(random_state=seed)` would.

    Args:
        points: `[N, d]`; rounded to float32, as scikit-learn does.
        labels: `[N, K]`, each column counting from 0 without gaps and holding at least two values.
        test_points: `[M, d]`.
        rounds, rate: boosting rounds and learning rate.
        seed: every column starts the same random stream.
        threads: columns fitted at a time; the result does not depend on it.
    """
    features = np.ascontiguousarray(points.T, dtype=np.float32)
    test_features = np.ascontiguousarray(test_points.T, dtype=np.float32)
    order = np.argsort(features, axis=1, kind="stable").astype(np.uint32)

    def fit(column: np.ndarray) -> Boosted:
        classes = int(column.max()) + 1
        trees = 1 if classes == 2 else classes
        stream = np.random.RandomState(seed)
        seeds = np.array([stream.randint(0, RAND_R_MAX) for _ in range(rounds * trees)], dtype=np.uint32)
        start = _start(column, classes)
        importances, raw, test_raw = _boost(
            features, order, column.astype(np.int32), test_features, start, seeds.reshape(rounds, trees), rate
        )
        if classes == 2:
            return Boosted(importances, (raw[0] > 0).astype(int), (test_raw[0] > 0).astype(int))
        return Boosted(importances, raw.argmax(axis=0), test_raw.argmax(axis=0))

    # the column with most values first, so that no thread starts it last
    columns = sorted(range(labels.shape[1]), key=lambda k: -labels[:, k].max())
    with ThreadPoolExecutor(max(1, threads)) as pool:
        results = dict(zip(columns, pool.map(lambda k: fit(labels[:, k]), columns), strict=True))
    return [results[k] for k in range(labels.shape[1])]


def _start(column: np.ndarray, classes: int) -> np.ndarray:
    """Return the raw prediction of each tree before the first round: each class's share, on the scale of the loss."""
    shares = np.bincount(column, minlength=classes) / len(column)
    if classes == 2:
        return logit(shares[1:])
    return np.log(shares / np.exp(np.log(shares).mean()))


@compiled()
def _boost(features, order, labels, test_features, start, seeds, rate):
    """Boost for one column of labels; return importances `[d]` and raw predictions of training and test points."""
    d, n = features.shape
    rounds, trees = seeds.shape
    raw, test_raw = np.empty((trees, n)), np.empty((trees, test_features.shape[1]))
    for k in range(trees):
        raw[k], test_raw[k] = start[k], start[k]
    residual, leaf = np.empty((trees, n)), np.empty(n, np.uint32)
    work, spare = np.empty_like(order), np.empty(n + 1, np.uint32)
    split_feature, threshold = np.empty(2 ** (DEPTH + 1) - 1, np.int32), np.empty(2 ** (DEPTH + 1) - 1)
    inverse = 1.0 / np.arange(1, n + 2)
    importances, grown, gains = np.zeros(d), 0, np.empty(d)
    for step in range(rounds):
        _residuals(raw, labels, residual)
        for k in range(trees):
            work[:] = order
            gains[:] = 0.0
            _grow(features, residual[k], work, spare, inverse, seeds[step, k], split_feature, threshold, leaf, gains)
            if split_feature[0] >= 0:
                importances += gains / n
                grown += 1
            values = _leaf_values(residual[k], labels, 1 if trees == 1 else k, trees, leaf, len(threshold))
            for i in range(n):
                raw[k, i] += rate * values[leaf[i]]
            for i in range(test_features.shape[1]):
                node = 0
                while split_feature[node] >= 0:
                    node = 2 * node + (1 if test_features[split_feature[node], i] <= threshold[node] else 2)
                test_raw[k, i] += rate * values[node]
    if grown:
        importances /= grown
    total = importances.sum()
    return importances / total if total > 0 else importances, raw, test_raw


@compiled()
def _residuals(raw, labels, residual):
    """Write the targets of a round's trees, 1 for the true class (else 0) less its probability, `[trees, N]`."""
    trees, n = raw.shape
    for i in range(n):
        if trees == 1:
            small = np.exp(-raw[0, i])
            residual[0, i] = -((1.0 - labels[i]) - labels[i] * small) / (1.0 + small)
            continue
        top = raw[0, i]
        for k in range(1, trees):
            top = max(top, raw[k, i])
        total = 0.0
        for k in range(trees):
            residual[k, i] = np.exp(raw[k, i] - top)
            total += residual[k, i]
        for k in range(trees):
            residual[k, i] = (1.0 if labels[i] == k else 0.0) - residual[k, i] / total


@compiled()
def _leaf_values(residual, labels, k, trees, leaf, nodes):
    """Return one Newton step per leaf, mean residual over mean p (1 - p), times (K - 1) / K for several classes."""
    n, values = len(residual), np.zeros(nodes)
    ends = np.zeros(nodes + 1, np.int64)
    for i in range(n):
        ends[leaf[i] + 1] += 1
    ends = np.cumsum(ends)
    filled = ends[:-1].copy()
    tops, bottoms = np.empty(n), np.empty(n)
    for i in range(n):
        p, at = (1.0 if labels[i] == k else 0.0) - residual[i], filled[leaf[i]]
        tops[at], bottoms[at] = residual[i], p * (1 - p)
        filled[leaf[i]] = at + 1
    for node in range(nodes):
        a, b = ends[node], ends[node + 1]
        if a == b:
            continue
        top, bottom = _pairwise_sum(tops[a:b]) / (b - a), _pairwise_sum(bottoms[a:b]) / (b - a)
        if trees > 1:
            top *= (trees - 1) / trees
        if abs(bottom) > 1e-150:
            values[node] = top / bottom
    return values


@compiled()
def _pairwise_sum(values):
    """Return the sum, added up in numpy's order; with other rounding errors, ties between splits may end otherwise."""
    n = len(values)
    if n > 128:
        half = n // 2 - (n // 2) % 8
        return _pairwise_sum(values[:half]) + _pairwise_sum(values[half:])
    if n < 8:
        total = 0.0
        for value in values:
            total += value
        return total
    parts = values[:8].copy()
    whole = n - n % 8
    for i in range(8, whole, 8):
        for j in range(8):
            parts[j] += values[i + j]
    total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]))
    for i in range(whole, n):
        total += values[i]
    return total


@compiled()
def _grow(features, residual, order, spare, inverse, state, split_feature, threshold, leaf, gains):
    """Grow one regression tree of depth 3, left child first; node i has children 2i + 1 and 2i + 2.

    Args:
        features: `[d, N]`.
        residual: `[N]`, what the tree predicts.
        order: `[d, N]` point numbers sorted by each feature; divided in place as nodes split.
        spare: `[N]` room for the right-hand side of a division.
        inverse: 1, 1/2, 1/3, ...
        state: seed of the order in which nodes look at features.
        split_feature, threshold: filled by node; feature -1 marks a leaf.
        leaf: filled with the node each point ends in.
        gains: squared error saved by each feature, added to.
    """
    d, n = features.shape
    nodes = len(split_feature)
    split_feature[:] = -1
    first, last = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    known = np.zeros(nodes, np.int32)  # features already found constant above a node
    permutation, constants = np.arange(d), np.empty(d, np.int64)
    room = np.empty((2, n))
    samples = np.arange(n).astype(np.uint32)  # in the order in which scikit-learn would add them up
    stack, height = np.empty(nodes, np.int32), 1
    stack[0], last[0] = 0, n
    while height:
        height -= 1
        node = stack[height]
        a, b = first[node], last[node]
        total, squares = 0.0, 0.0
        for p in range(a, b):
            r = residual[samples[p]]
            total += r
            squares += r * r
        best_feature, best_at, last_feature = -1, b, 0
        impurity = squares / (b - a) - (total / (b - a)) ** 2
        if 2 * node + 2 < nodes and b - a > 1 and impurity > 2.220446049250313e-16:
            best_feature, best_at, last_feature, state, known[node] = _best_split(
                features, residual, order, inverse, room, a, b, total, state, permutation, constants, known[node]
            )
        if best_feature < 0:
            leaf[samples[a:b]] = node
            continue
        before, after = order[best_feature, best_at - 1], order[best_feature, best_at]
        cut = features[best_feature, before] / 2.0 + features[best_feature, after] / 2.0
        split_feature[node], threshold[node] = best_feature, cut
        left_total = 0.0
        for p in range(a, best_at):
            left_total += residual[order[best_feature, p]]
        right_total = total - left_total
        saved = left_total**2 / (best_at - a) + right_total**2 / (b - best_at)
        gains[best_feature] += saved - total**2 / (b - a)
        samples[a:b] = order[last_feature, a:b]
        _swap_apart(features[best_feature], cut, samples, a, b)
        if 4 * node + 4 < nodes:  # otherwise its children are leaves, which need no sorted lists
            _divide(features[best_feature], cut, order, spare, a, b)
        left_child, right_child = 2 * node + 1, 2 * node + 2
        first[left_child], last[left_child], known[left_child] = a, best_at, known[node]
        first[right_child], last[right_child], known[right_child] = best_at, b, known[node]
        stack[height], stack[height + 1] = right_child, left_child
        height += 2


@compiled()
def _swap_apart(values, cut, samples, a, b):
    """Move the points with values up to `cut` to the front by swaps with the far end, as scikit-learn does."""
    while a < b:
        if values[samples[a]] <= cut:
            a += 1
        else:
            b -= 1
            samples[a], samples[b] = samples[b], samples[a]


@compiled()
def _divide(values, cut, order, spare, a, b):
    """Move the points with values up to `cut` to the front of each sorted list, both sides staying sorted."""
    left = values <= cut
    for f in range(order.shape[0]):
        front, moved = a, 0
        for p in range(a, b):
            i = order[f, p]
            stays = np.int64(left[i])
            order[f, front], spare[moved] = i, i  # write to both, since a branch would cost more than a write
            front += stays
            moved += 1 - stays
        order[f, front:b] = spare[:moved]


@compiled(fastmath={"nnan", "nsz"})
def _savings(sums, total, inverse, saved):
    """Write into `saved` how much squared error a cut after each point saves, up to rounding; return the largest."""
    n = len(saved)
    backwards = inverse[:n][::-1]
    largest = -np.inf
    for p in range(n):
        right = total - sums[p]
        saved[p] = sums[p] * sums[p] * inverse[p] + right * right * backwards[p]
        largest = max(largest, saved[p])
    return largest


@compiled()
def _best_split(features, residual, order, inverse, room, a, b, total, state, permutation, constants, known):
    """Return the feature and place of the cut that saves most squared error.

    Features are tried in scikit-learn's random order; of equal ones the first is taken.

    Returns:
        feature (-1 for none), position of the first point on the right, last feature looked at, random state, number
        of constant features known now.
    """
    d = len(permutation)
    best, best_feature, best_at, last_feature = -np.inf, -1, b, permutation[0]
    undrawn, new_constants, drawn, constant = d, 0, 0, known
    while undrawn > constant:
        if state == 0:
            state = np.uint32(1)
        state ^= np.uint32(state << np.uint32(13))
        state ^= np.uint32(state >> np.uint32(17))
        state ^= np.uint32(state << np.uint32(5))
        j = drawn + np.int64(state % np.uint32(2**31)) % (undrawn - new_constants - drawn)
        if j < known:
            permutation[drawn], permutation[j] = permutation[j], permutation[drawn]
            drawn += 1
            continue
        j += new_constants
        f = last_feature = permutation[j]
        values, sorted_points = features[f], order[f]
        if values[sorted_points[b - 1]] <= values[sorted_points[a]] + np.float32(SAME_VALUE):
            permutation[j], permutation[constant] = permutation[constant], permutation[j]
            new_constants += 1
            constant += 1
            continue
        undrawn -= 1
        permutation[undrawn], permutation[j] = permutation[j], permutation[undrawn]
        sums, saved = room[0, : b - a], room[1, : b - a - 1]
        left = 0.0
        for p in range(b - a):
            left += residual[sorted_points[a + p]]
            sums[p] = left
        if _savings(sums, total, inverse, saved) <= best * (1 - 1e-12):
            continue
        for p in range(b - a - 1):
            if saved[p] > best * (1 - 1e-12):  # near the best one, so compute it exactly, as the reference does
                if values[sorted_points[a + p + 1]] <= values[sorted_points[a + p]] + np.float32(SAME_VALUE):
                    continue
                right = total - sums[p]
                exact = sums[p] * sums[p] / (p + 1) + right * right / (b - a - 1 - p)
                if exact > best:
                    best, best_feature, best_at = exact, f, a + p + 1
    permutation[:known] = constants[:known]
    constants[known : known + new_constants] = permutation[known : known + new_constants]
    return best_feature, best_at, last_feature, state, constant
