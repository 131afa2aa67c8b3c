"""Means and standard deviations of dimensions, and vectors standardized by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from repstore.analysis.kernels import float32_blocks
from repstore.storage.vectors import LayerVectors

EPSILON = 1e-6
"""Added to the standard deviation, as the code of Liu et al. 2024 does."""

ROWS_AT_ONCE = 1024
"""Rows of which moments are taken together."""


class Rows(Protocol):
    """What has rows: a layer, or what a probe reads."""

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some of them, copied."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation (Bessel-corrected) of each dimension. *Shape:* (d_model,), float64."""

    mean: np.ndarray
    std: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """What z-scores are multiplied by: 1 / (std + 1e-6), and 0 without variance. *Shape:* (d_model,)."""
        scale: np.ndarray = (self.std > 0) / (self.std + EPSILON)
        return scale

    def standardize(self, rows: np.ndarray) -> np.ndarray:
        """z-scores: (x - mean) / (std + 1e-6). *Shape:* as `rows`, float64.

        A dimension without variance becomes exactly 0.
        """
        scores = rows.astype(np.float64)  # and in place: faster than mixing types
        scores -= self.mean
        scores *= 1 / (self.std + EPSILON)
        return scores


def moments_of(vectors: LayerVectors) -> Moments:
    """Moments over all words of a layer, remembered as long as the layer is."""
    return vectors.remembered("moments", lambda: moments(vectors.blocks))


def moments_of_rows(of: Rows, rows: np.ndarray) -> Moments:
    """Moments over some rows, always the same together, wherever they stand. `rows`: *Shape:* (n,), int64."""
    starts = range(0, len(rows), ROWS_AT_ONCE)
    return moments(of.take(rows[start : start + ROWS_AT_ONCE]) for start in starts)


def z_scores(rows: np.ndarray) -> np.ndarray:
    """Rows standardized by their own moments, set by set; the same as `moments` and `standardize`.

    The sum of equal numbers of 24 bits is exact in float64, so here, too, a constant dimension becomes 0.

    Args:
        rows: *Shape:* (..., n_rows, d_model), float32.

    *Shape:* as `rows`, float64.
    """
    scores = rows.astype(np.float64)
    scores -= scores.mean(axis=-2, keepdims=True)
    squares = np.einsum("...nd,...nd->...d", scores, scores)
    std = np.sqrt(squares / max(rows.shape[-2] - 1, 1))
    scores *= 1 / (std[..., None, :] + EPSILON)
    return scores


def moments(matrices: Iterable[np.ndarray]) -> Moments:
    """Moments over the rows of all matrices, in one pass.

    Sums are of differences from the first row, in float64: a constant dimension has a deviation of exactly
    0, and a large mean does not drown a small deviation. The deviation of a single row is 0.

    Args:
        matrices: *Shape of each:* (n_rows, d_model), float16 or float32.
    """
    origin: np.ndarray | None = None
    n_rows = 0
    total = squares = np.zeros(())
    for matrix in matrices:
        for block in float32_blocks(matrix):
            if origin is None:
                origin = block[0].astype(np.float64)
                total, squares = np.zeros_like(origin), np.zeros_like(origin)
            difference = block - origin
            n_rows += len(block)
            total += difference.sum(axis=0)
            squares += np.einsum("nd,nd->d", difference, difference)
    if origin is None:
        raise ValueError("no rows")
    variance = (squares - total**2 / n_rows) / max(n_rows - 1, 1)
    return Moments(origin + total / n_rows, np.sqrt(np.maximum(variance, 0.0)))
