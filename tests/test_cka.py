"""Unbiased linear CKA, against Song et al. 2012 on whole Gram matrices and against its invariances."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import cka
from repstore.analysis.cka import linear_cka
from repstore.errors import ResultError
from repstore.storage.vectors import LayerVectors


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def cka_of(*layers: np.ndarray | LayerVectors) -> np.ndarray:
    vectors = [in_parts(layer) if isinstance(layer, np.ndarray) else layer for layer in layers]
    return linear_cka(vectors, [np.arange(len(layer.word_ids)) for layer in vectors])


@settings(deadline=None, max_examples=10)
@given(st.integers(4, 8), st.integers(0, 999))
def test_the_oracle_agrees_with_the_definition_over_tuples(n, seed):
    a, b = (oracles.gram(normal(n, 3, seed=seed + side)) for side in (0, 1))
    assert oracles.unbiased_hsic(a, b) == pytest.approx(
        oracles.unbiased_hsic_by_tuples(a, b), rel=1e-9, abs=1e-9
    )


@settings(deadline=None, max_examples=25)
@given(n=st.integers(4, 24), widths=st.tuples(st.integers(2, 9), st.integers(2, 9)), seed=st.integers(0, 999))
def test_cka_equals_plain_loops(n, widths, seed):
    a, b = (normal(n, width, seed=seed + side) for side, width in enumerate(widths))
    b[:, 0] = a[:, 0]
    expected = [[oracles.cka(x, y) for y in (a, b)] for x in (a, b)]
    np.testing.assert_allclose(cka_of(a, b), expected, atol=1e-4)


@pytest.mark.parametrize("tile", [1, 7, 20, 39, 40, 41, 512])
def test_cka_does_not_depend_on_the_tiles(tile, monkeypatch):
    a = normal(40, 6)
    layers = [a, a + normal(40, 6, seed=1), normal(40, 9, seed=2)]
    expected = [[oracles.cka(x, y) for y in layers] for x in layers]
    monkeypatch.setattr(cka, "TILE", tile)
    np.testing.assert_allclose(cka_of(*layers), expected, atol=1e-5)


def test_parts_and_stored_dtypes_do_not_change_cka():
    a, b = normal(60, 6).astype(np.float16), (normal(60, 6) + normal(60, 6, seed=1)).astype(np.float16)
    in_pieces = cka_of(in_parts(a, 11, 30, widened=(1,)), in_parts(b, 40))
    np.testing.assert_allclose(in_pieces, cka_of(a, b), rtol=1e-6)


def test_only_the_rows_asked_for_are_compared_in_their_order():
    a, b = normal(50, 6), normal(50, 6, seed=1)
    shuffled = np.random.default_rng(2).permutation(50)
    aligned = linear_cka([in_parts(a), in_parts(b[shuffled])], [shuffled[:30], np.arange(30)])
    np.testing.assert_allclose(aligned, cka_of(a[shuffled[:30]], b[shuffled[:30]]), rtol=1e-5, atol=1e-6)


def test_a_layer_is_itself():
    layers = [normal(100, 8), normal(100, 30, seed=1), normal(100, 3, seed=2) * 1000 + 500]
    assert np.diag(cka_of(*layers)) == pytest.approx(1)


def test_cka_is_symmetric():
    values = cka_of(normal(100, 8), normal(100, 8) + normal(100, 8, seed=1), normal(100, 5, seed=2))
    np.testing.assert_allclose(values, values.T, rtol=1e-12)


def test_rotation_scale_and_translation_leave_cka_alone():
    a = normal(100, 8)
    b = a @ np.diag(np.arange(1, 9)).astype(np.float32) + normal(100, 8, seed=1)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(8, 8)))[0].astype(np.float32)
    moved = 37 * (b @ rotation) + 5
    assert cka_of(a, moved)[0, 1] == pytest.approx(cka_of(a, b)[0, 1], abs=1e-5)
    assert cka_of(a, a @ rotation)[0, 1] == pytest.approx(1)


def test_a_large_common_vector_does_not_drown_the_rest():
    a, b = normal(60, 6), normal(60, 6) + normal(60, 6, seed=1)
    assert cka_of(a + 1000, b - 3000)[0, 1] == pytest.approx(oracles.cka(a, b), abs=1e-3)


def test_outlier_words_and_dimensions_do_not_drown_the_rest():
    a = normal(60, 8)
    b = a + normal(60, 8, seed=1)
    a[0] *= 1000  # the first word of a text, in most decoders
    b[:, 3] *= 3000
    assert cka_of(a, b)[0, 1] == pytest.approx(oracles.cka(a, b), abs=1e-3)


@pytest.mark.parametrize("n_words", [20, 50, 1100])  # the last takes several tiles
def test_independent_layers_are_near_zero_even_with_fewer_words_than_dimensions(n_words):
    # The biased estimator gives about d / (n + d) here: 0.98 for 20 words of 1,000 dimensions.
    values = [
        cka_of(normal(n_words, 1000, seed=s), normal(n_words, 1000, seed=s + 1))[0, 1]
        for s in range(0, 10, 2)
    ]
    assert abs(np.mean(values)) < 3 / n_words


def test_a_constant_layer_has_no_cka_and_leaves_the_others_alone():
    a, b = normal(30, 6), normal(30, 6, seed=1)
    constant = np.full((30, 6), 0.1, np.float16)
    values = cka_of(a, constant, b)
    assert np.isnan(values[1]).all()
    assert np.isnan(values[:, 1]).all()
    np.testing.assert_array_equal(values[np.ix_([0, 2], [0, 2])], cka_of(a, b))


def test_four_words_are_enough_and_three_are_refused():
    assert np.isfinite(cka_of(normal(4, 6), normal(4, 6, seed=1))).all()
    with pytest.raises(ResultError, match="at least 4 words in common; there are 3"):
        cka_of(normal(3, 6))
