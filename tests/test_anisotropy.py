"""Mean cosines, dominating dimensions and norms of a layer, against plain loops in float64."""

from itertools import combinations
from math import isnan
from statistics import mean, median, stdev

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.analysis.aligned import Aligned
from repstore.analysis.anisotropy import (
    anisotropy,
    norm_summary,
    outlier_dimensions,
    outlier_share,
)
from repstore.analysis.space import space_of
from repstore.analysis.statistics import statistics

rows16 = st.tuples(st.integers(2, 12), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float16, shape, elements=st.floats(-100, 100, width=16))
)


def words_of(rows, *cuts, frame="none", widened=()):
    vectors = in_parts(rows, *cuts, widened=widened)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, frame))


def measured(rows, *cuts, without=(), widened=()):
    words = words_of(rows, *cuts, widened=widened)
    return anisotropy(words, statistics(words), without)


def mean_cosine(rows):
    return mean(oracles.cosine(a, b) for a, b in combinations(rows.tolist(), 2))


def rotation(d_model, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d_model, d_model)))[0]


def cone(n_words, d_model, angle, seed=0):
    """Words at an angle to the first axis, in random directions about it."""
    around = np.random.default_rng(seed).normal(size=(n_words, d_model))
    around[:, 0] = 0
    around *= np.sin(angle) / np.linalg.norm(around, axis=1, keepdims=True)
    around[:, 0] = np.cos(angle)
    return around.astype(np.float32)


@given(rows16)
def test_anisotropy_is_the_mean_cosine_of_all_pairs(rows):
    assert measured(rows) == pytest.approx(mean_cosine(rows), abs=2e-6)


@given(rows16, st.sets(st.integers(0, 5), min_size=1))
def test_without_some_dimensions_it_is_that_of_the_others(rows, without):
    without = sorted(dimension for dimension in without if dimension < rows.shape[1])
    others = np.delete(rows, without, axis=1)
    assert measured(rows, without=without) == pytest.approx(mean_cosine(others), abs=2e-6)


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_rotating_and_scaling_leave_it_alone(seed, scale):
    rows = np.random.default_rng(seed).normal(0.5, 1, (30, 7))
    turned = (scale * rows @ rotation(7, seed)).astype(np.float32)
    assert measured(turned) == pytest.approx(measured(rows.astype(np.float32)), abs=2e-6)


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0, np.pi / 2])
def test_words_in_a_cone_have_the_squared_cosine_of_its_angle(angle):
    assert measured(cone(4000, 50, angle)) == pytest.approx(np.cos(angle) ** 2, abs=1e-3)


def test_neither_parts_nor_the_stored_type_matter():
    rows = np.random.default_rng(0).normal(0.2, 1, (400, 30)).astype(np.float16)
    assert measured(rows, 13, 200) == measured(rows)
    assert measured(rows, 13, 200, without=[3]) == measured(rows, without=[3])
    assert measured(rows.astype(np.float32)) == pytest.approx(measured(rows), abs=1e-6)
    assert measured(rows, 13, 200, widened=[1]) == pytest.approx(measured(rows), abs=1e-6)


def test_the_same_words_have_one_opposite_words_less_and_zero_vectors_nothing():
    word = np.array([[3.0, -4.0, 12.0]], np.float16)
    assert measured(np.repeat(word, 5, axis=0)) == pytest.approx(1)
    assert measured(np.concatenate([word, -word])) == pytest.approx(-1)
    assert measured(np.concatenate([word, 0 * word, word])) == pytest.approx(1 / 3)
    assert measured(np.zeros((4, 3), np.float16)) == 0
    assert measured(np.repeat(word, 3, axis=0), without=[0, 1, 2]) == 0


def test_one_word_has_no_pairs():
    assert isnan(measured(np.ones((1, 3), np.float16)))
    assert isnan(measured(np.ones((1, 3), np.float16), without=[1]))


def test_a_giant_dimension_makes_words_alike_until_it_is_left_out():
    rows = np.random.default_rng(0).normal(size=(500, 60)).astype(np.float16)
    rows[:, 17] = np.random.default_rng(1).normal(3000, 10, 500)
    assert measured(rows) > 0.99
    assert measured(rows, without=[17]) == pytest.approx(0, abs=1e-3)


def many_normal(n_words=400, d_model=200, seed=0):
    return np.random.default_rng(seed).normal(size=(n_words, d_model)).astype(np.float32)


@given(st.integers(0, 50), st.integers(2, 300), st.integers(30, 200))
def test_no_dimension_is_an_outlier_where_all_are_alike(seed, d_model, n_words):
    known = statistics(words_of(many_normal(n_words, d_model, seed)))
    assert outlier_dimensions(known).tolist() == []
    assert outlier_share(known) == 0


def test_a_giant_dimension_does_not_hide_a_large_one():
    rows = many_normal()
    rows[:, 7] += 3000
    rows[:, 30] *= 12
    rows[:, 90] -= 8
    known = statistics(words_of(rows))
    assert outlier_dimensions(known).tolist() == [7, 30, 90]
    squares = (rows.astype(np.float64) ** 2).mean(axis=0)
    assert outlier_share(known) == pytest.approx(squares[[7, 30, 90]].sum() / squares.sum(), rel=1e-6)


def test_a_few_giant_words_do_not_hide_a_large_dimension_either():
    rows = many_normal()
    rows[:2, 7] = 20_000
    rows[:, 30] += 12
    assert outlier_dimensions(statistics(words_of(rows))).tolist() == [7, 30]


@given(st.floats(0.001, 1000))
def test_scaling_leaves_outliers_alone(scale):
    rows = many_normal(100, 60)
    rows[:, [7, 30]] += [30, -20]
    known = statistics(words_of((scale * rows).astype(np.float32)))
    assert outlier_dimensions(known).tolist() == [7, 30]


def test_where_one_dimension_is_all_there_is_it_is_the_outlier():
    rows = np.zeros((5, 40), np.float16)
    rows[:, 3] = [1, 2, 3, 4, 5]
    known = statistics(words_of(rows))
    assert outlier_dimensions(known).tolist() == [3]
    assert outlier_share(known) == 1


def test_the_share_of_outliers_is_of_the_squared_norms_of_the_words_at_hand():
    rows = many_normal(3, 100)
    rows[:, 3] = [50, -40, 10]
    known = statistics(words_of(rows))
    assert outlier_dimensions(known).tolist() == [3]
    squares = rows.astype(np.float64) ** 2
    assert outlier_share(known) == pytest.approx(squares[:, 3].sum() / squares.sum(), rel=1e-6)


def test_zero_vectors_have_no_outliers():
    known = statistics(words_of(np.zeros((5, 40), np.float16)))
    assert outlier_dimensions(known).tolist() == []
    assert isnan(outlier_share(known))


def test_the_summary_of_norms_equals_the_standard_library():
    rows = many_normal(25, 6)
    norms = [np.sqrt(oracles.dot(row, row)) for row in rows]
    got = norm_summary(statistics(words_of(rows)))
    wanted = [mean(norms), stdev(norms), min(norms), median(norms), max(norms)]
    assert [got.mean, got.std, got.min, got.median, got.max] == pytest.approx(wanted, rel=1e-6)
    assert norm_summary(statistics(words_of(rows[:1]))).std == 0
