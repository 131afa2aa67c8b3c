"""Means, deviations and z-scores of dimensions, against plain loops in float64."""

import gc
import weakref

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.standardize import moments, moments_of, z_scores

rows16 = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float16, shape, elements=st.floats(-1000, 1000, width=16))
)


@settings(deadline=None, max_examples=60)
@given(rows16, st.sampled_from([np.float16, np.float32]), st.integers(0, 40))
def test_moments_equal_plain_loops_however_the_rows_are_cut(rows, dtype, cut):
    got = moments([part for part in (rows[:cut].astype(dtype), rows[cut:].astype(dtype)) if len(part)])
    for dimension, column in enumerate(rows.T):
        mean, std = oracles.mean_and_std(column)
        assert got.mean[dimension] == pytest.approx(mean, rel=1e-12, abs=1e-12)
        assert got.std[dimension] == pytest.approx(std, rel=1e-9, abs=1e-6)


def test_moments_over_many_blocks_equal_numpy():
    rows = np.random.default_rng(0).normal(3, 2, (5 * kernels.block_rows(4096) + 7, 4096)).astype(np.float16)
    got = moments([rows[:20], rows[20:]])
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(got.mean, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(got.std, wide.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 60000.0, 6e-8])
@pytest.mark.parametrize("n_rows", [2, 3, 1001])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_constant_dimension_has_a_deviation_of_exactly_zero(value, n_rows, dtype):
    rows = np.random.default_rng(0).normal(size=(n_rows, 3)).astype(dtype)
    rows[:, 1] = value
    got = moments([rows])
    assert got.std[1] == 0
    assert got.mean[1] == dtype(value)
    assert not got.standardize(rows)[:, 1].any()
    assert got.std[[0, 2]].all()


def test_a_large_mean_does_not_drown_a_small_deviation():
    rows = np.float32(2**20) + np.random.default_rng(0).integers(-2, 3, (4000, 8)).astype(np.float32) / 16
    got = moments([rows])
    np.testing.assert_allclose(got.std, rows.astype(np.float64).std(axis=0, ddof=1), rtol=1e-9)


def test_an_unlike_first_row_does_not_spoil_the_deviation():
    rows = np.random.default_rng(0).normal(0, 1e-3, (4000, 8)).astype(np.float32)
    rows[0] = 30_000
    got = moments([rows])
    np.testing.assert_allclose(got.std, rows.astype(np.float64).std(axis=0, ddof=1), rtol=1e-9)


def test_one_row_has_no_deviation_and_becomes_zero():
    row = np.random.default_rng(0).normal(size=(1, 5)).astype(np.float16)
    got = moments([row])
    assert got.mean.tolist() == row[0].tolist()
    assert got.std.tolist() == [0] * 5
    assert not got.standardize(row).any()


def test_standardized_rows_equal_plain_loops():
    rows = np.random.default_rng(0).normal(5, 3, (50, 4)).astype(np.float16)
    rows[:, 2] = 1.5
    np.testing.assert_allclose(moments([rows]).standardize(rows), oracles.z_scores(rows, rows), rtol=1e-9)


def test_no_rows_have_no_moments():
    with pytest.raises(ValueError, match="no rows"):
        moments([])


@settings(deadline=None, max_examples=60)
@given(rows16, st.integers(1, 3))
def test_sets_are_standardized_each_by_its_own_moments(rows, n_sets):
    sets = np.stack([rows.astype(np.float32) * (n + 1) for n in range(n_sets)])
    got = z_scores(sets)
    for n in range(n_sets):
        assert got[n] == pytest.approx(np.array(oracles.z_scores(sets[n], sets[n])), rel=1e-6, abs=1e-6)
        assert got[n] == pytest.approx(moments([sets[n]]).standardize(sets[n]), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 60000.0])
def test_a_constant_dimension_of_a_set_becomes_exactly_zero(value):
    rows = np.random.default_rng(0).normal(size=(2, 30, 3)).astype(np.float32)
    rows[..., 1] = value
    assert not z_scores(rows)[..., 1].any()
    assert not z_scores(rows[:, :1]).any()


def test_moments_of_a_layer_are_remembered_as_long_as_the_layer_is():
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float16)
    layer, other = in_parts(rows, 13), in_parts(rows * 2)
    assert moments_of(layer) is moments_of(layer)
    assert moments_of(layer).mean == pytest.approx(moments([rows]).mean)
    assert moments_of(other).mean == pytest.approx(2 * moments([rows]).mean, rel=1e-3)
    remembered = weakref.ref(moments_of(layer))
    del layer
    gc.collect()
    assert remembered() is None
