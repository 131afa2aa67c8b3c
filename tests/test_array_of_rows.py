"""Vectors in several parts are indexed as numpy indexes one matrix, whatever their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.storage.vectors import LayerVectors

N, WIDTH = 23, 5
MATRIX = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float16)
CUT: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "whole": ((), ()),
    "parts": ((7, 1, 10), ()),
    "widened": ((7, 1, 10), (1,)),
}

rows = (
    st.integers(-N, N - 1)
    | st.slices(N)
    | st.just(...)
    | st.lists(st.integers(-N, N - 1), max_size=9)
    | arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(0, 4)), elements=st.integers(-N, N - 1))
    | arrays(bool, N)
)
columns = st.integers(-WIDTH, WIDTH - 1) | st.slices(WIDTH) | st.just(...) | arrays(bool, WIDTH)


def layer_of(cut: str) -> tuple[LayerVectors, np.ndarray]:
    """A layer, and the same numbers as one matrix."""
    sizes, widened = CUT[cut]
    return in_parts(MATRIX, *sizes, widened=widened), MATRIX.astype(np.float32 if widened else np.float16)


def agree(found: Any, expected: Any) -> None:
    assert (np.shape(found), found.dtype) == (np.shape(expected), expected.dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cut", CUT)
@given(rows)
def test_rows_are_those_of_numpy(cut, index):
    layer, matrix = layer_of(cut)
    agree(layer[index], matrix[index])


@pytest.mark.parametrize("cut", CUT)
@given(rows, columns)
def test_columns_of_rows_are_those_of_numpy(cut, row, column):
    layer, matrix = layer_of(cut)
    if isinstance(row, list | np.ndarray) and isinstance(column, np.ndarray):
        row, column = [0, -1], 2  # numpy pairs them up, if it can
    if row is ... and column is ...:
        column = 0
    agree(layer[row, column], matrix[row, column])


@pytest.mark.parametrize("cut", CUT)
def test_rows_and_columns_in_lists_are_paired_up_as_in_numpy(cut):
    layer, matrix = layer_of(cut)
    agree(layer[[1, 20, -1], [4, 0, 2]], matrix[[1, 20, -1], [4, 0, 2]])
    agree(layer[matrix[:, 0] > 0, 1], matrix[matrix[:, 0] > 0, 1])


@pytest.mark.parametrize("index", [N, -N - 1, [0, N], "8", 1.5, [1.0], None, (0, 0, 0), [True], (0, WIDTH)])
def test_what_is_no_index_is_refused(index):
    for cut in CUT:
        with pytest.raises(IndexError):
            layer_of(cut)[0][index]


@pytest.mark.parametrize("cut", CUT)
def test_numpy_takes_a_layer_for_an_array(cut):
    layer, matrix = layer_of(cut)
    assert (layer.shape, layer.ndim, len(layer), layer.dtype) == (matrix.shape, 2, N, matrix.dtype)
    agree(np.asarray(layer), matrix)
    agree(np.asarray(layer, np.float64), matrix.astype(np.float64))
    agree(np.stack(list(layer)), matrix)
    weights = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    agree(layer @ weights, matrix @ weights)
    agree(layer - matrix[0], matrix - matrix[0])
    agree(layer[()], matrix)
    agree(np.linalg.norm(layer, axis=1), np.linalg.norm(matrix, axis=1))


def test_one_matrix_is_not_copied_for_numpy_and_several_have_to_be():
    whole, parts = (layer_of(cut)[0] for cut in ("whole", "parts"))
    assert np.shares_memory(np.asarray(whole), MATRIX)
    assert np.shares_memory(np.array(whole, copy=False), MATRIX)
    assert not np.shares_memory(np.array(whole), MATRIX)
    with pytest.raises(ValueError, match="copy"):
        np.array(parts, copy=False)
    with pytest.raises(ValueError, match="copy"):
        np.array(whole, np.float32, copy=False)


@pytest.mark.parametrize("cut", CUT)
@pytest.mark.parametrize("dtype", [None, np.float32, "float64"])
def test_to_numpy_gives_numbers_that_are_ones_own(cut, dtype):
    layer, matrix = layer_of(cut)
    mine = layer.to_numpy(dtype)
    agree(mine, matrix.astype(dtype or matrix.dtype))
    mine[:] = 0
    agree(np.asarray(layer), matrix)


def test_slices_within_a_part_are_views_and_across_parts_copies():
    parts, _ = layer_of("parts")
    assert np.shares_memory(parts[8:18], parts.blocks[2])
    assert not any(np.shares_memory(parts[6:18], block) for block in parts.blocks)
    assert not np.shares_memory(parts[9], parts.blocks[2])
