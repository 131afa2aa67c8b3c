"""Products and conversions of stored vectors, at the speed of memory.

numpy converts float16 at about 1 GB/s; numkong multiplies float16 in place, accumulating in float32 or
wider, at ten to thirty times that (benchmarks/read.py measures both).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numkong
import numpy as np

from repstore.storage.vectors import LayerVectors

BLOCK_BYTES = 1 << 19
"""Rows are handled in blocks that stay in a core's cache."""


PAIRS_AT_ONCE = 64
"""Pairs gathered at a time: two blocks of rows that stay in a core's cache."""

EVEN = 16
"""From this many evenly spaced pairs on, reading in place is worth a call of its own."""


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


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a zero vector stays one. *Shape:* as `rows`, float64."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: np.ndarray = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return directions


def row_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a` with the same row of `b`, in one pass over both.

    Args:
        a, b: *Shape:* (n, d_model), float16, float32 or float64, both alike; rows may be apart in memory.

    *Shape:* (n,), float64; error about 2e-6 for float16, which is summed in float32, and 1e-15 for wider
    numbers, which are summed in float64. With a zero vector the cosine is 0.
    """
    found = np.clip(1.0 - np.asarray(numkong.angular(a, b), np.float64).reshape(-1), -1.0, 1.0)
    doubtful = np.flatnonzero((found == 0.0) | (found == 1.0))  # numkong's answers for zero vectors
    if len(doubtful):
        zero = (norms(a[doubtful]) == 0) | (norms(b[doubtful]) == 0)
        found[doubtful[zero]] = 0.0
    return found


def pair_cosines(a: LayerVectors, rows_a: np.ndarray, b: LayerVectors, rows_b: np.ndarray) -> np.ndarray:
    """Cosine of each row of one layer with a row of another, or of the same. Error about 2e-6.

    Where consecutive pairs are evenly spaced, as words in the order of a file are, they are read where they
    stand; others are gathered first, which costs more than the product.

    Args:
        a, b: the layers, of the same width.
        rows_a, rows_b: *Shape of each:* (n_pairs,), int64.

    *Shape:* (n_pairs,), float64.
    """
    result = np.empty(len(rows_a))
    block_a, block_b = a.block_of(rows_a), b.block_of(rows_b)
    both = block_a * len(b.blocks) + block_b
    for code in np.flatnonzero(np.bincount(both)).tolist():
        n, m = divmod(code, len(b.blocks))
        pairs = np.flatnonzero(both == code)
        at_a, at_b = rows_a[pairs] - a.starts[n], rows_b[pairs] - b.starts[m]
        for here in _even_runs(at_a, at_b):
            left, right = _rows(a.blocks[n], at_a[here]), _rows(b.blocks[m], at_b[here])
            if left.dtype != right.dtype:
                left, right = (to_float32(np.ascontiguousarray(side)) for side in (left, right))
            result[pairs[here]] = row_cosines(left, right)
    return result


def _rows(block: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows: a view if they ascend evenly, else a copy. *Shape:* (len(rows), d_model)."""
    step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
    if step > 0 and (np.diff(rows) == step).all():
        view: np.ndarray = block[rows[0] : rows[-1] + 1 : step]
        return view
    taken = np.empty((len(rows), block.shape[1]), block.dtype)
    return block.take(rows, axis=0, out=taken, mode="clip")  # the only mode that does not buffer


def _even_runs(rows_a: np.ndarray, rows_b: np.ndarray) -> Iterator[slice]:
    """Stretches of pairs: evenly ascending ones of at least `EVEN`, and others of up to `PAIRS_AT_ONCE`."""
    steps = np.stack([np.diff(rows_a), np.diff(rows_b)])
    changes = np.flatnonzero((steps[:, 1:] != steps[:, :-1]).any(axis=0)) + 2
    done = 0
    for start, stop in pairwise([0, *changes.tolist(), len(rows_a)]):
        if stop - start >= EVEN and (steps[:, start] > 0).all():
            yield from _chunks(done, start)
            yield slice(start, stop)
            done = stop
    yield from _chunks(done, len(rows_a))


def _chunks(start: int, stop: int) -> Iterator[slice]:
    return (slice(n, min(n + PAIRS_AT_ONCE, stop)) for n in range(start, stop, PAIRS_AT_ONCE))


def float32_blocks(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive rows of a matrix as float32, in one buffer that every step overwrites.

    *Shape of each:* (up to `block_rows`, d_model).
    """
    step = block_rows(matrix.shape[1])
    buffer = np.empty((min(step, len(matrix)), matrix.shape[1]), np.float32)
    for start in range(0, len(matrix), step):
        rows = matrix[start : start + step]
        yield to_float32(rows, buffer[: len(rows)])
