"""Fitted transforms: what they do to the words they were fitted on, and to others."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis.fitting import fit
from repstore.analysis.principal import RANK, covariance, principal_axes
from repstore.storage.made import ROWS_AT_ONCE
from repstore.storage.vectors import LayerVectors

KINDS = ("standardize", "center", "all-but-the-top", "whiten", "pca", "drop-outliers")
K = {"all-but-the-top": 2, "pca": 3}


def matrix(n_words: int = 60, d_model: int = 7, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    """Words whose dimensions are correlated and of different sizes, far from zero."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(n_words, d_model)) @ random.normal(size=(d_model, d_model))
    return (mixed * 2.0 ** np.arange(d_model) + 10).astype(dtype)


def mapped(rows: np.ndarray, kind: str, k: int | None = None) -> np.ndarray:
    """Rows as a transform fitted on all of them maps them, in float64."""
    fitted = fit(in_parts(rows), np.arange(len(rows)), kind, k if k is not None else K.get(kind))
    return fitted.map.apply(rows).astype(np.float64)


def naive_covariance(rows: np.ndarray) -> np.ndarray:
    columns = [[float(value) for value in column] for column in rows.T]
    means = [oracles.mean_and_std(column)[0] for column in columns]
    apart = [[value - mean for value in column] for column, mean in zip(columns, means, strict=True)]
    return np.array([[oracles.dot(a, b) / (len(rows) - 1) for b in apart] for a in apart])


def test_covariance_is_that_of_plain_loops():
    rows = matrix(50, 5)
    found = covariance(np.split(rows, [1, 7, 30]))
    assert found.n_rows == 50
    np.testing.assert_allclose(found.mean, [oracles.mean_and_std(column)[0] for column in rows.T], rtol=1e-13)
    np.testing.assert_allclose(found.matrix, naive_covariance(rows), rtol=1e-12)
    assert found.total == pytest.approx(sum(oracles.mean_and_std(column)[1] ** 2 for column in rows.T))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_covariance_in_any_blocks_is_that_of_all_rows_at_once(sizes, seed):
    rows = matrix(sum(sizes) + 2, 4, seed)
    found = covariance(np.split(rows, np.cumsum(sizes)))
    np.testing.assert_allclose(found.matrix, np.cov(rows.T.astype(np.float64)), rtol=1e-9, atol=1e-9)


def test_a_mean_a_million_times_the_deviation_does_not_drown_it():
    random = np.random.default_rng(0)
    small = random.integers(-8, 9, size=(3000, 3)).astype(np.float32)
    found = covariance(np.split(small + np.float32(2**23), 5))  # exact in float32
    np.testing.assert_allclose(found.matrix, np.cov(small.T.astype(np.float64)), rtol=1e-9, atol=1e-9)


def test_no_rows_have_no_covariance():
    with pytest.raises(ValueError, match="no rows"):
        covariance([])


def test_axes_are_those_of_singular_values():
    rows = matrix(200, 6).astype(np.float64)
    axes = principal_axes(covariance([rows]))
    _, singular, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(axes.variances, singular**2 / 199, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(axes.directions.T * right, axis=1)), 1, rtol=1e-9)
    largest = np.abs(axes.directions).argmax(axis=0)
    assert (axes.directions[largest, np.arange(6)] > 0).all()


def test_standardizing_gives_plain_z_scores():
    rows = matrix()
    np.testing.assert_allclose(mapped(rows, "standardize"), oracles.z_scores(rows, rows), atol=1e-6)


def test_centering_subtracts_the_mean_and_nothing_else():
    rows = matrix()
    np.testing.assert_allclose(
        mapped(rows, "center"), rows - rows.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-5
    )


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    rows = matrix(300, 8)
    theirs = decomposition.PCA(4, svd_solver="full").fit(rows.astype(np.float64))
    ours = fit(in_parts(rows), np.arange(300), "pca", 4)
    expected = theirs.transform(rows.astype(np.float64))
    found = ours.map.apply(rows).astype(np.float64)
    signs = np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, rtol=1e-5, atol=1e-4)
    assert ours.variance == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-9)
    assert (ours.n_kept, ours.map.width) == (4, 4)


def test_whitening_gives_identity_covariance_by_a_symmetric_map():
    rows = matrix(400, 8)
    fitted = fit(in_parts(rows), np.arange(400), "whiten")
    white = fitted.map.apply(rows).astype(np.float64)
    np.testing.assert_allclose(np.cov(white.T), np.eye(8), atol=2e-6)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(fitted.map.matrix, fitted.map.matrix.T, rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh(fitted.map.matrix).min() > 0


def test_all_but_the_top_leaves_no_variance_in_the_first_directions_and_all_in_the_others():
    rows = matrix(300, 6)
    axes = principal_axes(covariance([rows]))
    left = mapped(rows, "all-but-the-top", 2) @ axes.directions
    np.testing.assert_allclose(left[:, :2], 0, atol=1e-4)
    np.testing.assert_allclose(left[:, 2:].var(axis=0, ddof=1), axes.variances[2:], rtol=1e-5)
    fitted = fit(in_parts(rows), np.arange(300), "all-but-the-top", 2)
    assert fitted.variance == pytest.approx(axes.variances[2:].sum() / axes.variances.sum())
    assert fitted.n_kept == 4


def test_outlier_dimensions_become_zero_and_the_others_stay_to_the_bit():
    rows = np.random.default_rng(0).normal(size=(200, 40)).astype(np.float16)
    rows[:, 7] *= 300
    rows[:, 20] += 3000
    fitted = fit(in_parts(rows), np.arange(200), "drop-outliers")
    found = fitted.map.apply(rows)
    dropped = np.isin(np.arange(40), [7, 20])
    assert not found[:, dropped].any()
    assert np.array_equal(found[:, ~dropped], rows[:, ~dropped].astype(np.float32))
    assert fitted.n_kept == 38
    variances = rows.astype(np.float64).var(axis=0)
    assert fitted.variance == pytest.approx(variances[~dropped].sum() / variances.sum(), rel=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_no_more_than_all_of_the_variance_is_left(seed):
    random = np.random.default_rng(seed)
    rows = (random.normal(size=(60, 70)) * random.uniform(0.1, 3, 70)).astype(np.float16)
    rows[:, random.integers(70)] = 200  # dropped, though it does not vary
    fitted = fit(in_parts(rows), np.arange(60), "drop-outliers")
    assert fitted.n_kept == 69
    assert fitted.variance == pytest.approx(1)
    assert fitted.variance <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_neither_parts_nor_their_dtype_change_a_bit_of_a_map(kind):
    rows = matrix(2 * ROWS_AT_ONCE + 50, 5, dtype=np.float16)
    of_all = np.arange(3, len(rows), 2)
    whole = fit(in_parts(rows), of_all, kind, K.get(kind))
    cut = fit(in_parts(rows, 1, 400, 900, widened=[1]), of_all, kind, K.get(kind))
    for name in ("shift", "scale", "removed", "matrix"):
        one, other = getattr(whole.map, name), getattr(cut.map, name)
        assert (one is None and other is None) or np.array_equal(one, other)
    assert (whole.n_kept, whole.variance) == (cut.n_kept, cut.variance)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transform_is_fitted_on_the_rows_given_and_on_no_others(kind):
    rows = matrix(80, 5)
    others = rows.copy()
    others[1::2] = 1e4
    fitted = [fit(in_parts(some), np.arange(0, 80, 2), kind, K.get(kind)) for some in (rows, others)]
    np.testing.assert_array_equal(*(one.map.apply(rows) for one in fitted))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_one_vector_becomes_zero_where_it_is_centered(kind):
    rows = np.tile(matrix(1, 5), (30, 1))
    fitted = fit(in_parts(rows), np.arange(30), kind, K.get(kind))
    assert fitted.variance is None
    assert fitted.n_kept == 0
    found = fitted.map.apply(rows)
    assert np.array_equal(found, rows) if kind == "drop-outliers" else not found.any()


def test_a_word_unlike_those_fitted_on_does_not_explode_along_what_was_constant():
    rows = matrix(30, 6)
    rows[:, 2] = 5
    other = rows[:1].copy()
    other[0, 2] = 6
    for kind in ("standardize", "whiten"):
        to = fit(in_parts(rows), np.arange(30), kind).map
        np.testing.assert_allclose(to.apply(other), to.apply(rows[:1]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_words", [2, 3, 10])
def test_fewer_words_than_dimensions_are_whitened_to_a_simplex(n_words):
    rows = np.random.default_rng(1).normal(size=(n_words, 12)).astype(np.float32)
    fitted = fit(in_parts(rows), np.arange(n_words), "whiten")
    assert fitted.n_kept == n_words - 1
    products = (white := fitted.map.apply(rows).astype(np.float64)) @ white.T
    expected = (n_words - 1) * (np.eye(n_words) - 1 / n_words)
    np.testing.assert_allclose(products, expected, atol=1e-5)


def test_duplicated_words_have_the_rank_of_the_distinct_ones():
    rows = np.repeat(np.random.default_rng(1).normal(size=(4, 9)), 20, axis=0).astype(np.float16)
    assert fit(in_parts(rows), np.arange(80), "whiten").n_kept == 3
    pca = fit(in_parts(rows), np.arange(80), "pca", 5)
    assert (pca.n_kept, pca.map.width) == (3, 5)
    assert not pca.map.apply(rows)[:, 3:].any()
    assert not fit(in_parts(rows), np.arange(80), "all-but-the-top", 3).map.apply(rows).any()


def test_a_dimension_3000_times_the_others_is_whitened_like_them():
    rows = np.random.default_rng(2).normal(size=(500, 20)).astype(np.float32)
    rows[:, 4] = rows[:, 4] * 3000 + 20_000
    white = mapped(rows, "whiten")
    np.testing.assert_allclose(np.cov(white.T), np.eye(20), atol=1e-5)


def test_the_largest_numbers_of_float16_are_mapped_to_finite_ones():
    rows = np.where(np.random.default_rng(3).random((50, 6)) < 0.5, -65504, 65504).astype(np.float16)
    for kind in KINDS:
        assert np.isfinite(mapped(rows, kind)).all()


def test_what_varies_less_than_rounding_does_not_count():
    rows = np.random.default_rng(4).normal(size=(500, 3))
    rows[:, 2] *= np.sqrt(RANK) / 10
    assert fit(LayerVectors(0, np.arange(500), (rows,)), np.arange(500), "whiten").n_kept == 2
