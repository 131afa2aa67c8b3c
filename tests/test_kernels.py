"""Products of stored vectors by SIMD kernels, against plain loops in float64."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.storage.vectors import LayerVectors

ERROR = 1e-6  # what the docstrings promise
DTYPES = (np.float16, np.float32)
finite16 = st.floats(-60000, 60000, width=16)


def matrices(dtype: type, n_rows: int, d_model: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float16, (n_rows, d_model), elements=finite16).map(lambda a: a.astype(dtype))


def normal(*shape: int, dtype: type = np.float16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def with_outliers(rows: np.ndarray) -> np.ndarray:
    """A few dimensions thousands of times larger than the rest, as in the middle of every large decoder."""
    rows = rows.copy()
    rows[:, [1, 7]] *= 6000
    return rows


def cosines_of(layer: LayerVectors, rows_a: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
    """Of pairs within one layer."""
    return kernels.pair_cosines(layer, rows_a, layer, rows_b)


def test_every_float16_becomes_the_float32_of_the_same_value():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    assert np.array_equal(kernels.to_float32(every), every.astype(np.float32), equal_nan=True)


def test_float32_is_passed_on_without_a_copy():
    rows = normal(3, 4, dtype=np.float32)
    assert kernels.to_float32(rows) is rows


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_rows", [1, 2, 100])
@pytest.mark.parametrize("d_model", [1, 3, 16, 576, 577])
def test_row_dots_and_norms_equal_plain_loops(dtype, n_rows, d_model):
    a, b = (
        with_outliers(normal(n_rows, max(d_model, 8), dtype=dtype)),
        normal(n_rows, d_model, dtype=dtype, seed=1),
    )
    a = np.ascontiguousarray(a[:, :d_model])
    dots, norms = kernels.row_dots(a, b), kernels.norms(a)
    assert dots.shape == norms.shape == (n_rows,)
    assert dots.dtype == norms.dtype == np.float64
    for row in range(n_rows):
        size = oracles.dot(np.abs(a[row]), np.abs(b[row]))
        assert dots[row] == pytest.approx(oracles.dot(a[row], b[row]), abs=ERROR * size)
        assert norms[row] == pytest.approx(oracles.dot(a[row], a[row]) ** 0.5, rel=ERROR)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_float16_values_do_not_overflow(dtype):
    rows = np.full((2, 4096), 65504, dtype)
    assert kernels.norms(rows) == pytest.approx([65504 * 64.0] * 2)
    assert cosines_of(in_parts(rows), np.array([0]), np.array([1])) == pytest.approx([1.0])


def test_cosine_with_a_zero_vector_is_zero():
    rows = normal(5, 16)
    rows[2] = 0
    layer = in_parts(rows)
    assert cosines_of(layer, np.array([2, 2, 0]), np.array([2, 1, 2])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cosines_never_leave_their_range(dtype):
    rows = with_outliers(normal(200, 24, dtype=dtype))
    both = in_parts(np.concatenate([rows, -rows]))
    here, there = np.arange(200), np.arange(200, 400)
    same, opposite = cosines_of(both, here, here), cosines_of(both, here, there)
    assert same.max() <= 1
    assert opposite.min() >= -1
    assert same == pytest.approx(1, abs=ERROR)
    assert opposite == pytest.approx(-1, abs=ERROR)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 6), st.integers(1, 33))
def test_pair_cosines_equal_plain_loops(data, dtype, n_rows, d_model):
    rows = data.draw(matrices(dtype, n_rows, d_model))
    pairs = [(a, b) for a in range(n_rows) for b in range(n_rows)]
    got = cosines_of(in_parts(rows), *np.array(pairs).T)
    assert got == pytest.approx([oracles.cosine(rows[a], rows[b]) for a, b in pairs], abs=ERROR)


@pytest.mark.parametrize("sizes", [(), (1,), (10, 1, 20), (30, 9)])
@pytest.mark.parametrize("widened", [(), (0,), (0, 1)])
def test_parts_and_mixed_dtypes_do_not_change_cosines(sizes, widened):
    rows = with_outliers(normal(40, 12))
    a, b = np.random.default_rng(1).integers(0, 40, (2, 100))
    layer = in_parts(rows, *sizes, widened=widened)
    expected = [oracles.cosine(rows[x], rows[y]) for x, y in zip(a, b, strict=True)]
    assert cosines_of(layer, a, b) == pytest.approx(expected, abs=ERROR)


def test_blocks_cover_every_row_once_at_any_width():
    for d_model in (1, 576, 4096, kernels.BLOCK_BYTES):  # the last: a row is larger than a block
        rows = normal(70 if d_model < 10_000 else 3, d_model)
        seen = np.concatenate([block.copy() for block in kernels.float32_blocks(rows)])
        assert np.array_equal(seen, rows.astype(np.float32))


def test_pairs_beyond_one_block_keep_their_order():
    rows = normal(50, 4096)
    n_pairs = 5 * kernels.block_rows(4096) + 1
    a, b = np.random.default_rng(2).integers(0, 50, (2, n_pairs))
    wide = rows.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    expected = (unit @ unit.T)[a, b]
    assert cosines_of(in_parts(rows, 20), a, b) == pytest.approx(expected, abs=ERROR)


def test_no_pairs_have_no_cosines():
    none = np.array([], np.int64)
    assert cosines_of(in_parts(normal(3, 4)), none, none).shape == (0,)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from(DTYPES), st.integers(1, 33))
def test_cosines_between_two_layers_equal_plain_loops(data, dtype_a, dtype_b, d_model):
    """Of different lengths, cut and widened differently."""
    a, b = (data.draw(matrices(np.float16, n_rows, d_model)) for n_rows in (5, 40))
    first = in_parts(a.astype(dtype_a), 2, widened=(1,))
    second = in_parts(b.astype(dtype_b), 17, 3, widened=(0,))
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 39)), min_size=1, max_size=40))
    rows_a, rows_b = np.array(pairs).T
    got = kernels.pair_cosines(first, rows_a, second, rows_b)
    assert got == pytest.approx([oracles.cosine(a[x], b[y]) for x, y in pairs], abs=ERROR)


def test_evenly_spaced_pairs_of_two_layers_equal_plain_loops():
    """These are read where they stand."""
    a, b = normal(64, 12), normal(99, 12, dtype=np.float32, seed=1)
    rows_a, rows_b = np.arange(0, 60, 2), np.arange(5, 95, 3)
    got = kernels.pair_cosines(in_parts(a), rows_a, in_parts(b), rows_b)
    expected = [oracles.cosine(a[x], b[y]) for x, y in zip(rows_a, rows_b, strict=True)]
    assert got == pytest.approx(expected, abs=ERROR)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d_model", [1, 3, 576, 4096])
def test_cosines_of_wide_numbers_are_summed_in_float64(dtype, d_model):
    a, b = (
        with_outliers(normal(20, max(d_model, 8), dtype=dtype, seed=seed))[:, :d_model] for seed in (0, 1)
    )
    got = kernels.row_cosines(np.ascontiguousarray(a), np.ascontiguousarray(b))
    expected = [oracles.cosine(x, y) for x, y in zip(a, b, strict=True)]
    assert got == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_vectors_have_the_cosines_of_others(dtype, scale):
    rows = (normal(20, 16, dtype=dtype) * dtype(scale)).astype(dtype)
    pairs = [(n, n) for n in range(20)] + [(n, 19 - n) for n in range(20)]
    a, b = (rows[list(side)] for side in zip(*pairs, strict=True))
    expected = [oracles.cosine(rows[x] / dtype(scale), rows[y] / dtype(scale)) for x, y in pairs]
    assert kernels.row_cosines(a, b) == pytest.approx(expected, abs=ERROR)
