"""The Word-in-Context probe: two words have the same sense if their cosine exceeds a threshold.

Source: Liu et al. 2024 (arXiv 2403.01509), section 3, and the code released with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.standardize import Moments, moments
from repstore.spec import Standardize
from repstore.storage.vectors import LayerVectors

BATCH = 30
GRID = np.arange(20) / 20
"""Thresholds 0.00, 0.05, ... 0.95."""


@dataclass(frozen=True)
class PairSet:
    """Pairs of one split, as rows of a run, in file order.

    Attributes:
        rows_a, rows_b: *Shape:* (n_pairs,), int64.
        same: whether the pair has the same sense. *Shape:* (n_pairs,), bool.
    """

    rows_a: np.ndarray
    rows_b: np.ndarray
    same: np.ndarray

    def __len__(self) -> int:
        return len(self.same)


def similarities(
    vectors: LayerVectors, pairs: PairSet, standardize: Standardize, over: Moments | None = None
) -> np.ndarray:
    """Cosine of every pair, after standardization.

    - ``none``: of the vectors as stored.
    - ``corpus``: by the moments of all words of the run (`over`; computed if not given).
    - ``side``: by the moments of all first words, or all second words, of the pairs.
    - ``batch30``: the same within each 30 consecutive pairs; the last batch may be short.

    *Shape:* (n_pairs,), float64. Cosines with a zero vector are 0.
    """
    match standardize:
        case "none":
            return kernels.pair_cosines(vectors, pairs.rows_a, pairs.rows_b)
        case "corpus":
            both = (over or moments(vectors.blocks),) * 2
            return _standardized(vectors, pairs, both, slice(None))
        case "side":
            sides = (_side_moments(vectors, pairs.rows_a), _side_moments(vectors, pairs.rows_b))
            return _standardized(vectors, pairs, sides, slice(None))
        case "batch30":
            batches = [
                _standardized(vectors, pairs, _batch_moments(vectors, pairs, here), here)
                for here in _slices(len(pairs), BATCH)
            ]
            return np.concatenate(batches) if batches else np.empty(0)


def best_threshold(cosines: np.ndarray, same: np.ndarray) -> float:
    """The first threshold of the grid with the highest accuracy."""
    correct = (cosines > GRID[:, None]) == same
    return float(GRID[np.argmax(correct.sum(axis=1))])


def accuracy(cosines: np.ndarray, same: np.ndarray, threshold: float) -> float:
    """Share of pairs for which "cosine > threshold" and "same sense" agree."""
    return float(np.mean((cosines > threshold) == same))


def _standardized(
    vectors: LayerVectors, pairs: PairSet, sides: tuple[Moments, Moments], where: slice
) -> np.ndarray:
    rows_a, rows_b = pairs.rows_a[where], pairs.rows_b[where]
    result = np.empty(len(rows_a))
    for here in _slices(len(rows_a), kernels.block_rows(vectors.d_model)):
        z_a, z_b = (
            side.standardize(kernels.to_float32(vectors.take(rows[here])))
            for side, rows in zip(sides, (rows_a, rows_b), strict=True)
        )
        dots, squares_a, squares_b = (
            np.einsum("nd,nd->n", x, y) for x, y in ((z_a, z_b), (z_a, z_a), (z_b, z_b))
        )
        result[here] = kernels.cosines(dots, np.sqrt(squares_a), np.sqrt(squares_b))
    return result


def _batch_moments(vectors: LayerVectors, pairs: PairSet, here: slice) -> tuple[Moments, Moments]:
    return (
        _side_moments(vectors, pairs.rows_a[here]),
        _side_moments(vectors, pairs.rows_b[here]),
    )


def _side_moments(vectors: LayerVectors, rows: np.ndarray) -> Moments:
    step = kernels.block_rows(vectors.d_model)
    return moments(vectors.take(rows[here]) for here in _slices(len(rows), step))


def _slices(n: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
