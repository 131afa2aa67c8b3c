"""Predictivity, against ridge regressions fitted anew without each word, and against scikit-learn."""

from itertools import product

import numpy as np
import pytest
from aligning import aligned, normal, rotation
from budgets import MIB, check_budget, most_taken, with_room_for
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeCV
from synthetic import in_parts

from repstore.analysis import directions, ridge
from repstore.analysis.ridge import predictivity
from repstore.errors import ResultError

GRID = [10.0**power for power in range(-4, 5)]


def value_of(a: np.ndarray, b: np.ndarray, seed: int = 0) -> float:
    return float(predictivity([aligned(a)], [aligned(b)], seed=seed)[0, 0])


def fitted(x: np.ndarray, y: np.ndarray, penalty: float, new: np.ndarray) -> np.ndarray:
    """Ridge by the normal equations, the intercept free."""
    centered = x - x.mean(axis=0)
    weights = np.linalg.solve(
        centered.T @ centered + penalty * np.eye(x.shape[1]), centered.T @ (y - y.mean(axis=0))
    )
    return (new - x.mean(axis=0)) @ weights + y.mean(axis=0)


def folds(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    shuffled = np.random.default_rng(seed).permutation(n)
    return [(np.setdiff1d(shuffled, test), test) for test in np.array_split(shuffled, 5)]


def mean_eigenvalue(x: np.ndarray, rank: int) -> float:
    return float(np.square(x - x.mean(axis=0)).sum()) / rank


def plainly(a: np.ndarray, b: np.ndarray, seed: int) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    rank = min(len(a) - 1, a.shape[1])
    sse = sst = 0.0
    for train, test in folds(len(a), seed):
        x, y = a[train], b[train]
        best = (np.inf, 0.0)
        for penalty in mean_eigenvalue(x, rank) * np.array(GRID):
            error = 0.0
            for n in range(len(x)):
                others = np.arange(len(x)) != n
                error += np.square(y[n] - fitted(x[others], y[others], penalty, x[n])).sum()
            best = min(best, (error, penalty))
        sse += np.square(b[test] - fitted(x, y, best[1], a[test])).sum()
        sst += np.square(b[test] - y.mean(axis=0)).sum()
    return float(1 - sse / sst)


@settings(max_examples=12)
@given(
    n=st.integers(10, 18), widths=st.tuples(st.integers(1, 24), st.integers(1, 6)), seed=st.integers(0, 99)
)
def test_predictivity_equals_regressions_fitted_anew_without_each_word(n, widths, seed):
    a, b = (normal(n, width, seed=seed + side) for side, width in enumerate(widths))
    b[:, 0] += 2 * a[:, 0]
    assert value_of(a, b, seed) == pytest.approx(plainly(a, b, seed), abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(150, 20), (60, 100)])
def test_predictivity_equals_that_of_scikit_learn(n, d):
    a = normal(n, d)
    b = (a[:, :10] @ normal(10, 30, seed=1) + 3 * normal(n, 30, seed=2)).astype(np.float32)
    sse = sst = 0.0
    for train, test in folds(n, 0):
        alphas = mean_eigenvalue(a[train].astype(np.float64), min(n - 1, d)) * np.array(GRID)
        model = RidgeCV(alphas).fit(a[train].astype(np.float64), b[train].astype(np.float64))
        sse += np.square(b[test] - model.predict(a[test].astype(np.float64))).sum()
        sst += np.square(b[test] - b[train].mean(axis=0)).sum()
    assert value_of(a, b) == pytest.approx(1 - sse / sst, abs=1e-6)


def test_choosing_on_random_combinations_comes_close_to_choosing_on_all_dimensions(monkeypatch):
    a = normal(120, 90)
    b = (a[:, :30] @ normal(30, 200, seed=1) + 6 * normal(120, 200, seed=2)).astype(np.float32)
    sketched = value_of(a, b)
    monkeypatch.setattr(ridge, "SKETCH", 200)
    assert sketched == pytest.approx(value_of(a, b), abs=0.01)
    assert 0.1 < sketched < 0.9


def test_a_linear_function_is_predicted_and_its_argument_only_as_far_as_it_is_kept():
    a = normal(300, 8)
    b = (a[:, :4] @ normal(4, 5, seed=1) + 7).astype(np.float32)
    values = predictivity([aligned(a), aligned(b)])
    assert values[0] == pytest.approx(1, abs=1e-6)
    assert values[1, 1] == pytest.approx(1, abs=1e-6)
    assert values[1, 0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("d", [5, 200])
def test_independent_layers_predict_nothing(d):
    assert -0.1 < value_of(normal(100, d), normal(100, 20, seed=1)) < 0.02


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_rotation_scale_and_translation_of_either_change_nothing(seed):
    a, b = normal(40, 6, seed=seed), normal(40, 9, seed=seed + 1)
    b[:, :6] += 2 * a
    moved_a = (30 * a @ rotation(6, seed) + 2).astype(np.float32)
    moved_b = (-0.1 * b @ rotation(9, seed) - 1).astype(np.float32)
    assert value_of(moved_a, moved_b) == pytest.approx(value_of(a, b), abs=1e-4)


def test_the_seed_decides_the_folds():
    a, b = normal(40, 6), normal(40, 6) + normal(40, 6, seed=1)
    assert value_of(a, b, seed=1) == value_of(a, b, seed=1) != value_of(a, b, seed=2)


def test_a_budget_changes_nothing():
    firsts = [aligned(normal(40, 5 + n, seed=n)) for n in range(4)]
    seconds = [aligned(normal(40, 70, seed=n)) for n in range(3)]
    for layers, widest in (((firsts,), 8), ((firsts, seconds), 70)):
        amply = predictivity(*layers)
        needs = {"beside": ridge.SKETCH, "work": ridge._work([*firsts, *layers[-1]])}
        for n_held in (1, 2):
            memory = with_room_for(n_held, 40, widest, **needs)
            assert next(directions.within(memory, layers[-1], firsts, **needs)) == slice(0, n_held)
            np.testing.assert_array_equal(predictivity(*layers, memory=memory), amply)


@pytest.mark.parametrize("shape", [(1000, 200), (300, 1000), (500, 500)])
def test_memory_stays_within_the_budget_and_too_little_is_refused(shape):
    check_budget(predictivity, [aligned(normal(*shape, seed=n).astype(np.float16)) for n in range(3)])


def test_many_words_take_no_matrix_of_words_by_words():
    a, b = aligned(normal(4000, 8)), aligned(normal(4000, 8, seed=1))
    assert most_taken(lambda: predictivity([a], [b])) < 8 * MIB  # words to test by words to train: 20 MiB


def test_each_layer_is_read_once_if_all_fit(monkeypatch):
    seen = []
    read = ridge.centered_words
    monkeypatch.setattr(ridge, "centered_words", lambda words: seen.append(words) or read(words))
    monkeypatch.setattr(directions, "centered_words", lambda words: seen.append(words) or read(words))
    layers = [aligned(normal(20, 5, seed=n)) for n in range(3)]
    predictivity(layers)
    assert seen == layers


def test_against_others_is_a_block_of_all_against_all():
    layers = [aligned(normal(40, 5 + n) + normal(40, 5 + n, seed=1 + n)) for n in range(4)]
    np.testing.assert_allclose(
        predictivity(layers[:2], layers[2:]), predictivity(layers)[:2, 2:], rtol=1e-9, atol=1e-12
    )


def test_progress_counts_pairs():
    told = []
    layers = [aligned(normal(20, 5, seed=n)) for n in range(2)]
    predictivity(layers, progress=told.append)
    assert [(at.n_done, at.n_total) for at in told] == [(2, 4), (4, 4)]


def test_parts_rows_and_stored_dtypes_do_not_matter():
    a, b = normal(60, 6).astype(np.float16), normal(60, 70, seed=1).astype(np.float16)
    shuffled = np.random.default_rng(2).permutation(60)[:50]
    in_pieces = aligned(in_parts(b, 11, 30, widened=(1,)), shuffled)
    expected = predictivity([aligned(a[shuffled])], [aligned(b[shuffled])])
    np.testing.assert_array_equal(predictivity([aligned(a, shuffled)], [in_pieces]), expected)


def test_a_constant_layer_has_none_and_leaves_the_others_alone():
    layers = [normal(30, 6), np.full((30, 6), 0.1, np.float16), normal(30, 6, seed=1)]
    values = predictivity([aligned(layer) for layer in layers])
    assert np.isnan(values[1]).all()
    assert np.isnan(values[:, 1]).all()
    others = [aligned(layers[0]), aligned(layers[2])]
    np.testing.assert_array_equal(values[np.ix_([0, 2], [0, 2])], predictivity(others))


def test_degenerate_layers_have_values_of_at_most_1():
    n = 25
    outlying, extremes = normal(n, 40), normal(n, 6).astype(np.float16)
    outlying[:, 3] *= 3000
    extremes[0], extremes[1], extremes[2] = 65504, -65504, 6e-8
    deviant = np.full((n, 5), 0.1, np.float32)  # constant in training, wherever the one word is tested
    deviant[5] = 65504
    layers = [normal(n, 4)[:5].repeat(5, axis=0), outlying, deviant, extremes, np.eye(n, dtype=np.float32)]
    values = predictivity([aligned(layer) for layer in layers])
    assert (values <= 1).all()
    for n_a, n_b in product((0, 1, 3), (0, 1, 3)):
        assert values[n_a, n_b] == pytest.approx(plainly(layers[n_a], layers[n_b], 0), abs=1e-5)
    assert values[2, 0] == pytest.approx(0, abs=0.5)
    assert values[0, 0] == pytest.approx(1, abs=1e-5)


def test_ten_words_are_enough_and_nine_are_refused():
    assert np.isfinite(value_of(normal(10, 6), normal(10, 6, seed=1)))
    with pytest.raises(ResultError, match="Predictivity needs at least 10 words in common; there are 9"):
        value_of(normal(9, 6), normal(9, 6))
