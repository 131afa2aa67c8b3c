"""Transforms fitted on some words of a layer, in one pass over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.anisotropy import outlier_dimensions
from repstore.analysis.one_thread import one_thread
from repstore.analysis.principal import covariance, principal_axes
from repstore.analysis.space import space_of
from repstore.analysis.standardize import Moments, moments_of_rows
from repstore.analysis.statistics import statistics
from repstore.spec import TransformKind
from repstore.storage.made import ROWS_AT_ONCE
from repstore.storage.transforms import LayerMap
from repstore.storage.vectors import LayerVectors

COUNTING: tuple[TransformKind, ...] = ("all-but-the-top", "pca")
"""Kinds that take a number of directions."""

OWN_AXES: tuple[TransformKind, ...] = ("pca",)
"""Kinds whose result has coordinates of its own: no cosine of it with another layer's vectors is defined."""

OVERHEAD = 1 << 25
"""Bytes that fitting takes beside its matrices."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A map, and what it leaves of a layer.

    Attributes:
        map: the map.
        n_kept: dimensions or directions that vary over the words fitted on, and still do when mapped.
        variance: share of the variance over these words that lies in them; None if there is none.
    """

    map: LayerMap
    n_kept: int
    variance: float | None


def fit(vectors: LayerVectors, rows: np.ndarray, kind: TransformKind, k: int | None = None) -> Fitted:
    """Fit a transform on some words of a layer.

    - ``center``: less the mean.
    - ``standardize``: z-scores, (x - mean) / (std + 1e-6), as `analysis.standardize`; a dimension that is
      constant over these words becomes 0 for any word.
    - ``all-but-the-top``: less the mean and the `k` first principal components (Mu & Viswanath 2018,
      arXiv 1702.01417; of the centered vectors).
    - ``whiten``: to identity covariance by the symmetric map (ZCA), of all whitenings the one that moves
      vectors least (Kessy et al. 2018); directions without variance (`analysis.principal.RANK`) become 0.
    - ``pca``: coordinates along the `k` first principal components; 0 beyond the rank of the layer.
    - ``drop-outliers``: outlier dimensions (`analysis.anisotropy.outlier_dimensions`) become 0, so that
      cosines and distances are those without them, and the coordinates stay those of the layer.

    Sums are in float64; the result depends on the values of the rows and their order, not on parts or dtype.

    Args:
        vectors: the layer.
        rows: at least 2, and more than `k`. *Shape:* (n_words,), int64.
        kind: which transform.
        k: how many directions, for ``all-but-the-top`` and ``pca``.
    """
    if kind == "drop-outliers":
        return _without_outliers(vectors, rows)
    if kind in ("center", "standardize"):
        return _scaled(moments_of_rows(vectors, rows), kind)
    return _turned(vectors, rows, kind, k or 0)


def bytes_to_fit(kind: TransformKind, d_model: int) -> int:
    """About how much memory it takes to fit a layer; where directions are sought, six matrices more."""
    matrices = 48 * d_model**2 if kind in ("whiten", *COUNTING) else 0
    return OVERHEAD + 24 * ROWS_AT_ONCE * d_model + matrices


def _blocks(vectors: LayerVectors, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Some rows, always the same together, whatever the parts. *Shape of each:* (n, d_model)."""
    return (vectors.take(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE))


def _scaled(of: Moments, kind: TransformKind) -> Fitted:
    varies = of.std > 0
    scale = np.ones(len(varies)) if kind == "center" else of.scale
    return Fitted(LayerMap(of.mean, scale), int(varies.sum()), 1.0 if varies.any() else None)


def _without_outliers(vectors: LayerVectors, rows: np.ndarray) -> Fitted:
    found = statistics(Aligned(vectors, rows, space_of(vectors, "none")))
    scale = np.ones(vectors.d_model)
    scale[outlier_dimensions(found)] = 0.0
    variances = found.std**2
    kept = variances[scale > 0]
    to = LayerMap(np.zeros(vectors.d_model), scale)
    return Fitted(to, int((kept > 0).sum()), _share(kept, variances))


def _turned(vectors: LayerVectors, rows: np.ndarray, kind: TransformKind, k: int) -> Fitted:
    with one_thread():  # several threads turn a matrix in another order each time
        found = covariance(_blocks(vectors, rows))
        axes = principal_axes(found)
    rank, directions = len(axes.variances), axes.directions
    ones = np.ones(vectors.d_model)
    if kind == "whiten":
        kept = slice(0, rank)
        to = LayerMap(found.mean, ones, matrix=(directions / np.sqrt(axes.variances)) @ directions.T)
    elif kind == "pca":
        kept = slice(0, k)
        matrix = np.zeros((vectors.d_model, k))
        matrix[:, : min(k, rank)] = directions[:, kept]
        to = LayerMap(found.mean, ones, matrix=matrix)
    elif k < rank:
        kept = slice(k, rank)
        to = LayerMap(found.mean, ones, removed=directions[:, :k])
    else:  # nothing is left but rounding
        kept = slice(rank, rank)
        to = LayerMap(found.mean, np.zeros(vectors.d_model))
    return Fitted(to, len(axes.variances[kept]), _share(axes.variances[kept], axes.variances))


def _share(kept: np.ndarray, variances: np.ndarray) -> float | None:
    """The share of some variances in all; None if all are 0. Sums in another order may differ: at most 1."""
    return min(float(kept.sum() / variances.sum()), 1.0) if variances.any() else None
