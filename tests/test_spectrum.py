"""Covariances and the ranks that follow from their eigenvalues, against naive float64 and closed forms."""

import tracemalloc
from math import exp, isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.analysis.spectrum import (
    covariance,
    effective_rank,
    eigenvalues,
    isoscore,
    participation_ratio,
)
from repstore.analysis.statistics import statistics
from repstore.errors import ResultError

MEASURES = (effective_rank, participation_ratio, isoscore)


def words_of(rows, *cuts):
    vectors = in_parts(rows, *cuts)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, "none"))


def spectrum_of(rows, *cuts, memory=2 << 30):
    words = words_of(rows, *cuts)
    return eigenvalues(words, statistics(words), memory)


def covariance_of(rows, *cuts, memory=2 << 30):
    words = words_of(rows, *cuts)
    return covariance(words, statistics(words), memory)


def naive_effective_rank(rows):
    centered = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    singular = [float(s) for s in np.linalg.svd(centered, compute_uv=False)]
    whole = sum(singular)
    return exp(-sum(s / whole * log(s / whole) for s in singular if s > 0))


def naive_isoscore(rows):
    """Step by step as the paper has it."""
    n, d = rows.shape
    centered = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    reoriented = centered @ axes
    diagonal = [float(reoriented[:, k] @ reoriented[:, k]) / (n - 1) for k in range(d)]
    length = sqrt(sum(v**2 for v in diagonal))
    normalized = [v * sqrt(d) / length for v in diagonal]
    defect = sqrt(sum((v - 1) ** 2 for v in normalized)) / sqrt(2 * (d - sqrt(d)))
    used = (d - defect**2 * (d - sqrt(d))) ** 2 / d
    return (used - 1) / (d - 1)


def rotation(d_model, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d_model, d_model)))[0]


def uneven(n_words, d_model, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n_words, d_model)) * random.uniform(0.2, 3, d_model) + random.normal(
        size=d_model
    )


shapes = st.tuples(st.integers(3, 40), st.integers(2, 12), st.integers(0, 1000))


@given(shapes)
def test_the_covariance_equals_numpys(shape):
    rows = uneven(*shape).astype(np.float16)
    np.testing.assert_allclose(covariance_of(rows), np.cov(rows.T.astype(np.float64)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_neither_memory_nor_parts_nor_the_stored_type_matter(dtype):
    rows = uneven(900, 20).astype(np.float16)
    whole, least = covariance_of(rows), 16 * 20 * 20 + 14 * 20 * 256
    for memory in (least, least + 14 * 20 * 7, 1 << 20):
        got = covariance_of(rows.astype(dtype), 13, 120, memory=memory)
        np.testing.assert_allclose(got, whole, rtol=1e-10, atol=1e-12)
        again = spectrum_of(rows.astype(dtype), 13, memory=memory)
        np.testing.assert_allclose(again, spectrum_of(rows), rtol=1e-10)


@pytest.mark.parametrize("n_words", [200, 2000])
@pytest.mark.parametrize("frame", ["none", "corpus"])
def test_memory_is_kept(n_words, frame):
    vectors = in_parts(uneven(n_words, 500).astype(np.float16), 100)
    words = Aligned(vectors, np.arange(n_words), space_of(vectors, frame))
    known, memory = statistics(words), 16 * 500 * min(n_words, 500) + 14 * 500 * min(n_words, 256)
    tracemalloc.start()
    try:
        eigenvalues(words, known, memory)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < memory + (1 << 16)


@pytest.mark.parametrize("memory", [-1, 0, 64 << 20])
def test_too_little_memory_is_refused(memory):
    words = words_of(np.ones((300, 2048), np.float16))
    known = statistics(words)
    message = rf"covariance of 2048 dimensions takes at least 71 MiB of memory; {max(memory, 0) >> 20} are"
    with pytest.raises(ResultError, match=message):
        covariance(words, known, memory)
    with pytest.raises(ResultError, match="300 words of 2048 dimensions takes at least 10 MiB"):
        eigenvalues(words, known, min(memory, 9 << 20))


def test_neither_a_large_mean_nor_a_giant_dimension_costs_digits():
    rows = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float16)
    rows[:, 2] *= 3000
    rows[:, 4] += 3000
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(np.diag(covariance_of(rows)), wide.var(axis=0, ddof=1), rtol=1e-9)
    wanted = np.linalg.eigvalsh(np.cov(wide.T))[::-1]
    np.testing.assert_allclose(spectrum_of(rows), wanted, rtol=1e-8)


@given(shapes)
def test_eigenvalues_are_the_variances_of_the_principal_components(shape):
    rows = uneven(*shape).astype(np.float16)
    centered = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    singular = np.linalg.svd(centered, compute_uv=False)
    wanted = np.zeros(rows.shape[1])
    wanted[: len(singular)] = singular**2 / (len(rows) - 1)
    got = spectrum_of(rows)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-10 * wanted[0])
    assert (np.diff(got) <= 0).all()


@pytest.mark.parametrize(("n_words", "d_model"), [(2, 5), (7, 8), (8, 8), (30, 100)])
def test_n_words_vary_in_n_less_one_directions(n_words, d_model):
    got = spectrum_of(np.random.default_rng(0).normal(size=(n_words, d_model)).astype(np.float16))
    assert np.count_nonzero(got) == n_words - 1
    assert len(got) == d_model


@given(shapes)
def test_the_measures_equal_naive_ones(shape):
    rows = uneven(*shape).astype(np.float32)
    found = spectrum_of(rows)
    assert effective_rank(found) == pytest.approx(naive_effective_rank(rows), rel=1e-5)
    assert isoscore(found) == pytest.approx(naive_isoscore(rows), rel=1e-6, abs=1e-9)
    own = [float(v) for v in np.linalg.eigvalsh(np.cov(rows.T.astype(np.float64)))]
    wanted = sum(own) ** 2 / sum(v**2 for v in own)
    assert participation_ratio(found) == pytest.approx(wanted, rel=1e-6)


@given(shapes, st.floats(0.01, 100))
def test_rotating_scaling_and_moving_leave_the_measures_alone(shape, scale):
    rows = uneven(*shape)
    turned = scale * rows @ rotation(rows.shape[1], shape[2]) + scale * 5
    before, after = spectrum_of(rows.astype(np.float32)), spectrum_of(turned.astype(np.float32))
    for measure in MEASURES:
        assert measure(after) == pytest.approx(measure(before), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(("n_words", "d_model"), [(4000, 40), (400, 40), (100, 200)])
def test_a_gaussian_alike_in_all_directions_has_the_known_participation_ratio(n_words, d_model):
    found = spectrum_of(np.random.default_rng(0).normal(size=(n_words, d_model)).astype(np.float16))
    assert participation_ratio(found) == pytest.approx(d_model * n_words / (n_words + d_model), rel=0.02)


def test_a_gaussian_alike_in_all_directions_has_a_score_near_one():
    found = spectrum_of(np.random.default_rng(0).normal(size=(20_000, 20)).astype(np.float16))
    assert isoscore(found) > 0.99
    assert effective_rank(found) == pytest.approx(20, rel=1e-3)


def test_equal_eigenvalues_are_the_one_end_and_a_single_one_the_other():
    for measure, whole in zip(MEASURES, (8, 8, 1), strict=True):
        assert measure(np.full(8, 0.3)) == pytest.approx(whole)
    for measure, least in zip(MEASURES, (1, 1, 0), strict=True):
        assert measure(np.eye(8)[0] * 1e-200) == pytest.approx(least)


@pytest.mark.parametrize("n_words", [3, 200])
def test_words_on_a_line_have_rank_one_and_score_zero(n_words):
    along = np.random.default_rng(0).integers(-20, 20, (n_words, 1))
    rows = (along * np.arange(1, 31) + 7).astype(np.float16)
    found = spectrum_of(rows)
    assert effective_rank(found) == pytest.approx(1)
    assert participation_ratio(found) == pytest.approx(1)
    assert isoscore(found) == pytest.approx(0, abs=1e-12)


def test_the_rank_of_a_subspace_is_found():
    random = np.random.default_rng(0)
    rows = random.integers(-3, 4, (2000, 5)) @ random.integers(-3, 4, (5, 60))
    assert np.count_nonzero(spectrum_of(rows.astype(np.float16))) == 5


@pytest.mark.parametrize("rows", [np.full((6, 3), 0.1), np.zeros((2, 5)), np.ones((1, 4))])
def test_words_that_do_not_vary_have_no_rank(rows):
    found = spectrum_of(rows.astype(np.float16))
    assert not found.any()
    assert all(isnan(measure(found)) for measure in MEASURES)


def test_two_words_vary_in_one_direction():
    found = spectrum_of(np.array([[1, 2, 3], [4, 6, 3]], np.float16))
    assert found == pytest.approx([12.5, 0, 0])
    assert [measure(found) for measure in MEASURES] == pytest.approx([1, 1, 0])


def test_one_dimension_has_no_isoscore():
    assert isnan(isoscore(spectrum_of(np.arange(5, dtype=np.float16)[:, None])))


@pytest.mark.parametrize("value", [6e-8, 60_000])
def test_the_extremes_of_float16_have_the_ranks_of_any_other_scale(value):
    signs = np.random.default_rng(0).choice([-1, 1], (50, 10))
    found, plain = spectrum_of((signs * value).astype(np.float16)), spectrum_of(signs.astype(np.float16))
    for measure in MEASURES:
        assert measure(found) == pytest.approx(measure(plain), rel=1e-9)
