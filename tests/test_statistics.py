"""Means, deviations, norms and mean directions of a layer, against plain loops in float64."""

from math import fsum, sqrt

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.analysis import passes
from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.analysis.statistics import statistics

rows16 = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float16, shape, elements=st.floats(-1000, 1000, width=16))
)


def words_of(rows, *cuts, frame="none", order=None, widened=()):
    vectors = in_parts(rows, *cuts, widened=widened)
    chosen = np.arange(len(rows)) if order is None else np.asarray(order)
    return Aligned(vectors, chosen, space_of(vectors, frame))


def assert_same(got, other):
    for field in ("mean", "std", "norms", "mean_unit"):
        np.testing.assert_array_equal(getattr(got, field), getattr(other, field))


def assert_close_to_numpy(got, rows):
    wide = rows.astype(np.float64)
    size = np.sqrt((wide**2).mean(axis=0))
    norms = np.linalg.norm(wide, axis=1)
    units = np.divide(wide, norms[:, None], out=np.zeros_like(wide), where=norms[:, None] > 0)
    assert (np.abs(got.mean - wide.mean(axis=0)) <= 1e-6 * size).all()
    np.testing.assert_allclose(got.std, wide.std(axis=0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(got.norms, norms, rtol=5e-6)
    np.testing.assert_allclose(got.mean_unit, units.mean(axis=0), atol=1e-6)


@settings(deadline=None, max_examples=80)
@given(rows16, st.sampled_from([np.float16, np.float32]))
def test_statistics_equal_plain_loops(rows, dtype):
    got = statistics(words_of(rows.astype(dtype)))
    for dimension, column in enumerate(rows.T):
        mean, std = oracles.mean_and_std(column)
        size = sqrt(fsum(float(x) ** 2 for x in column) / len(column))
        assert got.mean[dimension] == pytest.approx(mean, abs=1e-6 * size)
        assert got.std[dimension] == pytest.approx(std, rel=1e-5, abs=1e-12)
    norms = [sqrt(oracles.dot(row, row)) for row in rows]
    assert got.norms == pytest.approx(np.array(norms), rel=5e-6)
    for dimension, column in enumerate(rows.T):
        directions = [float(x) / norm if norm > 0 else 0.0 for x, norm in zip(column, norms, strict=True)]
        assert got.mean_unit[dimension] == pytest.approx(fsum(directions) / len(rows), abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_statistics_over_many_blocks_equal_numpy(dtype, monkeypatch):
    monkeypatch.setattr(passes, "BLOCK_NUMBERS", 64 * 48)
    rows = np.random.default_rng(0).normal(3, 2, (64 * 9 + 7, 48)).astype(dtype)
    assert_close_to_numpy(statistics(words_of(rows, 70, 200)), rows)


def test_neither_threads_nor_parts_change_a_bit(monkeypatch):
    rows = np.random.default_rng(0).normal(1, 2, (5000, 700)).astype(np.float16)
    found = []
    for threads, cuts in (("1", ()), ("2", (1, 333)), ("5", (2048, 100, 100))):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(statistics(words_of(rows, *cuts)))
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
    assert_close_to_numpy(found[0], rows)


def test_a_part_stored_in_float32_makes_no_difference_to_speak_of():
    rows = np.random.default_rng(0).normal(1, 2, (200, 20)).astype(np.float16)
    got = statistics(words_of(rows.astype(np.float32), 90))
    mixed = statistics(words_of(rows, 90, widened=[1]))
    for field in ("mean", "std", "norms", "mean_unit"):
        np.testing.assert_allclose(getattr(mixed, field), getattr(got, field), rtol=1e-5, atol=1e-6)


def test_only_the_chosen_words_count_in_their_order():
    rows = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float16)
    order = np.random.default_rng(1).permutation(300)[:130]
    assert_same(statistics(words_of(rows, 77, order=order)), statistics(words_of(rows[order])))
    run = np.arange(40, 140)
    assert_same(statistics(words_of(rows, 77, order=run)), statistics(words_of(rows[40:140])))


@pytest.mark.parametrize("frame", ["center", "corpus"])
def test_words_are_measured_in_their_space(frame):
    rows = np.random.default_rng(0).normal(5, 3, (150, 10)).astype(np.float16)
    rows[:, 4] = 2.5
    words = words_of(rows, 60, frame=frame)
    got = statistics(words)
    mapped = words.matrix()
    np.testing.assert_allclose(got.mean, 0, atol=1e-6)
    np.testing.assert_allclose(got.std, mapped.std(axis=0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(got.norms, np.linalg.norm(mapped, axis=1), rtol=1e-5)
    assert got.std[4] == 0


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 60000.0, 6e-8])
@pytest.mark.parametrize("n_rows", [2, 3, 1001])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_constant_dimension_has_a_deviation_of_exactly_zero(value, n_rows, dtype):
    rows = np.random.default_rng(0).normal(size=(n_rows, 3)).astype(dtype)
    rows[:, 1] = value
    got = statistics(words_of(rows))
    assert got.std[1] == 0
    assert got.mean[1] == dtype(value)
    assert got.std[[0, 2]].all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_large_mean_does_not_drown_a_small_deviation(dtype):
    large = dtype(2**10 if dtype is np.float16 else 2**20)
    rows = large + np.random.default_rng(0).integers(-2, 3, (4000, 8)).astype(dtype)
    wide = rows.astype(np.float64)
    got = statistics(words_of(rows, 1000))
    np.testing.assert_allclose(got.std, wide.std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(got.mean, wide.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.9, 4.1, 30.0])
def test_the_deviation_is_as_good_for_any_mean(ratio):
    rows = np.random.default_rng(0).normal(ratio, 1, (6000, 16)).astype(np.float16)
    got = statistics(words_of(rows))
    np.testing.assert_allclose(got.std, rows.astype(np.float64).std(axis=0, ddof=1), rtol=3e-6)


def test_neither_an_unlike_first_word_nor_a_giant_dimension_spoils_the_others():
    rows = np.random.default_rng(0).normal(0, 1e-2, (4000, 8)).astype(np.float16)
    rows[0] = 30_000
    rows[1:, 3] *= 3000
    rows[1:, 5] += 3000
    got = statistics(words_of(rows))
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(got.std, wide.std(axis=0, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(got.mean, wide.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("value", [np.finfo(np.float16).max, np.finfo(np.float16).tiny, 6e-8])
def test_the_extremes_of_float16_neither_overflow_nor_vanish(value):
    signs = np.random.default_rng(0).choice([-1, 1], (70, 600))
    rows = (signs * np.float16(value)).astype(np.float16)
    assert_close_to_numpy(statistics(words_of(rows)), rows)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_numbers_that_float16_cannot_hold_do_not_overflow_either(scale):
    rows = (scale * np.random.default_rng(0).normal(size=(70, 6))).astype(np.float32)
    assert_close_to_numpy(statistics(words_of(rows)), rows)


def test_zero_vectors_have_no_direction():
    rows = np.zeros((4, 3), np.float16)
    rows[1] = [0, 3, 4]
    got = statistics(words_of(rows))
    assert got.norms.tolist() == [0, 5, 0, 0]
    assert got.mean_unit == pytest.approx([0, 0.15, 0.2])
    nothing = statistics(words_of(np.zeros((4, 3), np.float16)))
    assert not nothing.mean_unit.any()
    assert not nothing.std.any()


def test_one_word_has_no_deviation():
    row = np.random.default_rng(0).normal(size=(1, 5)).astype(np.float16)
    got = statistics(words_of(row))
    assert got.mean.tolist() == row[0].tolist()
    assert got.std.tolist() == [0] * 5


def test_no_words_have_no_statistics():
    with pytest.raises(ValueError, match="no words"):
        statistics(words_of(np.ones((3, 2), np.float16), order=np.zeros(0, np.int64)))
