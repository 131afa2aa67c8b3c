"""Cosines of pairs of words at one layer, after standardization.

Source: Liu et al. 2024 (arXiv 2403.01509), section 3, and the code released with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.standardize import Moments, moments, moments_of, z_scores
from repstore.analysis.thresholds import GRID
from repstore.spec import Standardize
from repstore.storage.vectors import LayerVectors

BATCH = 30

MARGIN = 1e-5
"""More than the error of `kernels.pair_cosines`."""

CERTAIN = 12
"""Decimals of a cosine summed in float64. Rounded to them, one that equals a threshold does not exceed it."""


@dataclass(frozen=True)
class Side:
    """One word of every pair, at one layer.

    Attributes:
        vectors: the layer. The words of the other side may be of another run.
        rows: which row of it is the word of each pair, in file order. *Shape:* (n_pairs,), int64.
    """

    vectors: LayerVectors
    rows: np.ndarray

    def take(self, where: slice | np.ndarray) -> np.ndarray:
        """The words of some pairs. *Shape:* (n, d_model), float32."""
        return kernels.to_float32(self.vectors.take(self.rows[where]))


def similarities(first: Side, second: Side, standardize: Standardize) -> np.ndarray:
    """Cosine of every pair, after standardization.

    - ``none``: of the vectors as stored.
    - ``corpus``: by the moments of all words of each side's run.
    - ``side``: by the moments of all first words, or all second words, of the pairs.
    - ``batch30``: the same within each 30 consecutive pairs; the last batch may be short.

    *Shape:* (n_pairs,), float64; error below 2e-6 for ``none``, 1e-12 otherwise and beside a threshold of
    the grid. Cosines with a zero vector are 0.
    """
    match standardize:
        case "none":
            return _as_stored(first, second)
        case "corpus":
            return _standardized(first, second, (moments_of(first.vectors), moments_of(second.vectors)))
        case "side":
            return _standardized(first, second, (_moments_of_side(first), _moments_of_side(second)))
        case "batch30":
            return _standardized_in_batches(first, second)


def _as_stored(first: Side, second: Side) -> np.ndarray:
    """Fast cosines; those beside a threshold of the grid once more, so that no answer hangs on rounding."""
    cosines = kernels.pair_cosines(first.vectors, first.rows, second.vectors, second.rows)
    n_steps = len(GRID)
    close = np.flatnonzero(np.abs(cosines - np.round(cosines * n_steps) / n_steps) < MARGIN)
    for at in (close[here] for here in _blocks(first, len(close))):
        cosines[at] = np.round(kernels.row_cosines(first.take(at), second.take(at)), CERTAIN)
    return cosines


def _standardized(first: Side, second: Side, by: tuple[Moments, Moments]) -> np.ndarray:
    result = np.empty(len(first.rows))
    for here in _blocks(first, len(result)):
        result[here] = kernels.row_cosines(
            by[0].standardize(first.take(here)), by[1].standardize(second.take(here))
        )
    return result


def _standardized_in_batches(first: Side, second: Side) -> np.ndarray:
    """Batches that stay in a core's cache go together; the short one at the end goes alone."""
    n_pairs, d_model = len(first.rows), first.vectors.d_model
    n_whole = n_pairs - n_pairs % BATCH
    result = np.empty(n_pairs)
    for here in (*_blocks(first, n_whole, BATCH), *_blocks(first, n_pairs, BATCH, n_whole)):
        n_rows = min(BATCH, here.stop - here.start)
        a, b = (z_scores(side.take(here).reshape(-1, n_rows, d_model)) for side in (first, second))
        result[here] = kernels.row_cosines(a.reshape(-1, d_model), b.reshape(-1, d_model))
    return result


def _moments_of_side(side: Side) -> Moments:
    return moments(side.take(here) for here in _blocks(side, len(side.rows)))


def _blocks(side: Side, stop: int, multiple: int = 1, start: int = 0) -> Iterator[slice]:
    """Pairs whose vectors, as float64, stay in a core's cache; in a multiple of some number."""
    n_rows = kernels.block_rows(side.vectors.d_model) // 2
    step = max(1, n_rows // multiple) * multiple
    return (slice(n, min(n + step, stop)) for n in range(start, stop, step))
