"""RSA, against whole matrices of cosines in float64 and the correlations of scipy."""

import tracemalloc

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from synthetic import in_parts

from repstore.analysis import gram
from repstore.analysis.aligned import Aligned
from repstore.analysis.rsa import _ranks, rsa
from repstore.analysis.space import space_of
from repstore.errors import ResultError
from repstore.storage.vectors import LayerVectors

CORRELATIONS = ["spearman", "pearson"]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def related(n_words: int, d_model: int, n_layers: int, seed: int = 0) -> list[np.ndarray]:
    """Layers that share half of what is in them, and point one way as those of decoders do."""
    common = normal(n_words, d_model, seed=seed)
    return [1 + common + normal(n_words, d_model, seed=seed + 1 + layer) for layer in range(n_layers)]


def aligned(layer: np.ndarray | LayerVectors) -> Aligned:
    vectors = in_parts(layer) if isinstance(layer, np.ndarray) else layer
    return Aligned(vectors, np.arange(len(vectors.word_ids)), space_of(vectors, "none"))


def rsa_of(*layers: np.ndarray | LayerVectors, **options) -> np.ndarray:
    return rsa([aligned(layer) for layer in layers], **options)


def whole_rsa(layers: list[np.ndarray], correlation: str) -> np.ndarray:
    n = len(layers[0])
    cosines = [[oracles.cosine(x[i], x[j]) for i in range(n) for j in range(i)] for x in layers]
    if correlation == "pearson":
        return np.corrcoef(cosines)
    ranked = np.round(cosines, 6)
    return np.array([[spearmanr(a, b).statistic for b in ranked] for a in ranked])


@settings(deadline=None, max_examples=15)
@given(
    n=st.integers(3, 16),
    widths=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    seed=st.integers(0, 999),
    correlation=st.sampled_from(CORRELATIONS),
)
def test_rsa_equals_plain_loops(n, widths, seed, correlation):
    layers = [normal(n, width, seed=seed + side) for side, width in enumerate(widths)]
    expected = whole_rsa(layers, correlation)
    # Where two cosines of a few are as good as equal, which comes first is up to their last digits.
    np.testing.assert_allclose(rsa_of(*layers, correlation=correlation), expected, atol=1e-3)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_equal_vectors_tie_and_zero_vectors_are_like_none(correlation):
    layers = related(40, 6, 3)
    layers[0] = layers[0][np.arange(40) % 7]  # the forms of words, before the first block
    layers[1][::9] = 0
    found = rsa_of(*layers, correlation=correlation)
    np.testing.assert_allclose(found, whole_rsa(layers, correlation), atol=2e-5)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("tile", [1, 7, 39, 40, 41])
def test_rsa_does_not_depend_on_the_tiles(tile, correlation, monkeypatch):
    layers = related(40, 6, 3)
    expected = rsa_of(*layers, correlation=correlation)
    monkeypatch.setattr(gram, "TILE", tile)
    np.testing.assert_allclose(rsa_of(*layers, correlation=correlation), expected, atol=1e-6)


@pytest.mark.parametrize(("correlation", "more"), [("spearman", 4 * 8_000_004), ("pearson", 0)])
def test_memory_does_not_change_the_result(correlation, more):
    layers = related(400, 100, 4)
    expected = rsa_of(*layers, correlation=correlation)
    found = rsa_of(*layers, correlation=correlation, memory=more + 500_000)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_parts_and_stored_dtypes_do_not_change_rsa(correlation):
    a, b = (layer.astype(np.float16) for layer in related(60, 6, 2))
    in_pieces = rsa_of(in_parts(a, 11, 30, widened=(1,)), in_parts(b, 40), correlation=correlation)
    np.testing.assert_array_equal(in_pieces, rsa_of(a, b, correlation=correlation))


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 999), correlation=st.sampled_from(CORRELATIONS))
def test_rotation_and_the_lengths_of_vectors_leave_rsa_alone(seed, correlation):
    a, b = related(40, 8, 2, seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 8)))[0].astype(np.float32)
    lengths = np.exp2(np.random.default_rng(seed).uniform(-8, 8, (40, 1))).astype(np.float32)
    moved = lengths * (b @ rotation)
    expected = rsa_of(a, b, correlation=correlation)[0, 1]
    assert rsa_of(a, moved, correlation=correlation)[0, 1] == pytest.approx(expected, abs=2e-5)
    assert rsa_of(b, moved, correlation=correlation)[0, 1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_two_sets_of_layers_are_a_block_of_their_union(correlation):
    layers = [aligned(layer) for layer in related(40, 6, 5)]
    union = rsa(layers, correlation=correlation)
    across = rsa(layers[:2], layers[2:], correlation=correlation)
    np.testing.assert_allclose(across, union[:2, 2:], atol=1e-6)
    assert np.diag(union) == pytest.approx(1)
    np.testing.assert_array_equal(union, union.T)


def test_cosines_that_hardly_differ_are_still_told_apart():
    a, b = (20 + layer for layer in related(60, 6, 2))  # cosines of 0.99 and more
    for correlation in CORRELATIONS:
        expected = whole_rsa([a, b], correlation)[0, 1]
        assert rsa_of(a, b, correlation=correlation)[0, 1] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize(
    "same",
    [
        np.full((20, 6), 0.1, np.float16),
        np.outer(np.exp(normal(20)), normal(6)).astype(np.float32),
        np.eye(20, dtype=np.float32),
        np.zeros((20, 6), np.float32),
    ],
    ids=["constant", "one direction", "orthogonal", "zero"],
)
def test_a_layer_whose_cosines_are_all_the_same_has_no_rsa(same, correlation):
    values = rsa_of(normal(20, 6), same, normal(20, 6, seed=1), correlation=correlation)
    assert np.isnan(values[1]).all()
    assert np.isnan(values[:, 1]).all()
    others = rsa_of(normal(20, 6), normal(20, 6, seed=1), correlation=correlation)
    np.testing.assert_array_equal(values[np.ix_([0, 2], [0, 2])], others)


def test_two_words_are_refused():
    with pytest.raises(ResultError, match="at least 3 words in common; there are 2"):
        rsa_of(normal(2, 6))


def test_too_little_memory_for_ranks_is_refused_with_a_remedy():
    with pytest.raises(ResultError, match=r'of 2 layers takes at least 16 MiB .* ask for .* "pearson"'):
        rsa_of(*related(20, 6, 2), memory=1 << 20)


def test_ranks_take_no_memory_beyond_the_counts():
    layers = [aligned(layer) for layer in related(300, 6, 6)]
    tracemalloc.start()
    rsa(layers, memory=50 << 20)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50 << 20


@pytest.mark.parametrize("counter", [np.int32, np.int64])
def test_ranks_in_the_room_of_counts_are_mean_ranks(counter):
    counts = np.random.default_rng(0).integers(0, 4, 100_000).astype(counter)
    each = np.repeat(np.arange(len(counts)), counts)
    expected = (rankdata(each) - 0.5) / len(each) - 0.5
    np.testing.assert_allclose(_ranks(counts)[each], expected, atol=1e-7)
