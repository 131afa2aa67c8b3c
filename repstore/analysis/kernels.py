"""Products and conversions of stored vectors, at the speed of memory.

numpy converts float16 at about 1 GB/s; numkong multiplies float16 in place, accumulating in float32 or
wider, at ten to thirty times that (benchmarks/read.py measures both).
"""

from __future__ import annotations

from collections.abc import Iterator

import numkong
import numpy as np

from repstore.storage.vectors import LayerVectors

BLOCK_BYTES = 1 << 19
"""Rows are handled in blocks that stay in a core's cache."""


def block_rows(d_model: int) -> int:
    """Rows of float32 in a block."""
    return max(1, BLOCK_BYTES // (4 * d_model))


def to_float32(matrix: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Convert vectors to float32, exactly. *Shape:* as `matrix`."""
    if matrix.dtype == np.float32:
        return matrix
    if out is None:
        out = np.empty(matrix.shape, np.float32)
    numkong.astype(matrix, "float32", out=out)
    return out


def row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Inner product of each row of `a` with the same row of `b`.

    Args:
        a, b: *Shape:* (n, d_model), float16 or float32, both alike.

    *Shape:* (n,), float64; relative error about 1e-6 (float32 accumulation).
    """
    return np.asarray(numkong.dot(a, b), np.float64)


def norms(matrix: np.ndarray) -> np.ndarray:
    """L2 norm of each row. *Shape:* (n,), float64."""
    roots: np.ndarray = np.sqrt(row_dots(matrix, matrix))
    return roots


def cosines(dots: np.ndarray, norms_a: np.ndarray, norms_b: np.ndarray | float) -> np.ndarray:
    """Cosines from products and norms, within [-1, 1]. With a zero vector the cosine is 0, never NaN."""
    scale = norms_a * norms_b
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(scale > 0, dots / scale, 0.0)
    return np.clip(cosine, -1.0, 1.0)


def pair_cosines(vectors: LayerVectors, rows_a: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows. *Shape:* (n_pairs,), float64; error about 1e-6."""
    result = np.empty(len(rows_a))
    step = 2 * block_rows(vectors.d_model)
    for start in range(0, len(rows_a), step):
        here = slice(start, start + step)
        a, b = vectors.take(rows_a[here]), vectors.take(rows_b[here])
        result[here] = cosines(row_dots(a, b), norms(a), norms(b))
    return result


def query_cosines(vectors: LayerVectors, query: np.ndarray) -> np.ndarray:
    """Cosine of every stored vector with one query.

    Args:
        vectors: the layer to search.
        query: *Shape:* (d_model,), float16 or float32.

    *Shape:* (n_words,), float64; error about 1e-6.
    """
    query_norm = float(norms(to_float32(query[None]))[0])
    found = []
    for block in vectors.blocks:
        if query.dtype == block.dtype:
            dots = np.asarray(numkong.cdist(query[None], block, "dot"), np.float64)[0]
        else:
            wide = to_float32(query[None])[0]
            dots = np.concatenate([part @ wide for part in float32_blocks(block)]).astype(np.float64)
        found.append(cosines(dots, norms(block), query_norm))
    return np.concatenate(found)


def float32_blocks(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive rows of a matrix as float32, in one buffer that every step overwrites.

    *Shape of each:* (up to `block_rows`, d_model).
    """
    step = block_rows(matrix.shape[1])
    buffer = np.empty((min(step, len(matrix)), matrix.shape[1]), np.float32)
    for start in range(0, len(matrix), step):
        rows = matrix[start : start + step]
        yield to_float32(rows, buffer[: len(rows)])
