"""Nearest neighbors by exact search of the stored vectors, or among candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels, scan
from repstore.analysis.scan import Scores
from repstore.analysis.space import Space
from repstore.errors import ArgumentError
from repstore.spec import Metric
from repstore.storage.vectors import LayerVectors

GROUP = 64
"""Words of which only the best is looked at while the k-th best is found."""

AT_ONCE = 4096
"""Most words weighed in float64 at a time."""


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest words, best first.

    *Shape of each:* (k,); rows int64, scores float64: cosines, L2 distances or CSLS.
    """

    rows: np.ndarray
    scores: np.ndarray


def nearest(
    vectors: LayerVectors,
    space: Space,
    query: np.ndarray,
    k: int,
    *,
    metric: Metric = "cosine",
    allowed: np.ndarray | None = None,
    hubs: np.ndarray | None = None,
) -> Found:
    """The k words nearest to a query; what is equal comes in the order of the words.

    The order is that of scores in float64. All words are scanned (`analysis.scan`), and whatever the scan
    cannot tell from the k-th is weighed.

    Args:
        vectors: the layer to search.
        space: what is compared.
        query: in the coordinates of the stored vectors. *Shape:* (d_model,).
        k: how many; fewer come back if fewer are allowed.
        metric: cosine or csls, the highest; l2, the lowest.
        allowed: which words may be found; all, if not given. *Shape:* (n_words,), bool.
        hubs: for csls: mean cosine of every word to its nearest. *Shape:* (n_words,), float64.
    """
    found = _scanned(vectors, space, query, metric, hubs)
    n_allowed = len(found.values) if allowed is None else int(allowed.sum())
    k = min(k, n_allowed)
    if k == 0:
        return Found(np.empty(0, np.int64), np.empty(0))
    values = found.values if allowed is None else np.where(allowed, found.values, -np.inf)
    close = np.flatnonzero(values + found.margins >= _kth_largest(values - found.margins, k))
    return among(vectors, space, query, k, close, metric=metric, hubs=hubs)


def among(
    vectors: LayerVectors,
    space: Space,
    query: np.ndarray,
    k: int,
    candidates: np.ndarray,
    *,
    metric: Metric = "cosine",
    hubs: np.ndarray | None = None,
) -> Found:
    """The k nearest of some words, weighed in float64; arguments as for `nearest`.

    Args:
        candidates: rows to choose from. *Shape:* (n,), int64, ascending.
    """
    target = space.map(query)
    pieces = [candidates[n : n + AT_ONCE] for n in range(0, len(candidates), AT_ONCE)]
    scores = np.concatenate([_exact(space.map(vectors.take(some)), target, metric) for some in pieces])
    if metric == "csls":
        scores = 2 * scores - _hubs(hubs)[candidates]
    best = np.argsort(scores if metric == "l2" else -scores, kind="stable")[:k]
    return Found(candidates[best], scores[best])


def _scanned(
    vectors: LayerVectors, space: Space, query: np.ndarray, metric: Metric, hubs: np.ndarray | None
) -> Scores:
    match metric:
        case "l2":
            return scan.negative_squares(vectors, space, query)
        case "cosine":
            return scan.cosines(vectors, space, query)
        case "csls":
            found = scan.cosines(vectors, space, query)
            return Scores(2 * found.values - _hubs(hubs), 2 * found.margins)


def _hubs(hubs: np.ndarray | None) -> np.ndarray:
    if hubs is None:
        raise ArgumentError("CSLS needs the mean cosine of every word to its nearest. Give hubs.")
    return hubs


def _exact(rows: np.ndarray, target: np.ndarray, metric: Metric) -> np.ndarray:
    """Scores in float64. *Shape:* (n_rows,)."""
    if metric == "l2":
        away = rows - target
        distances: np.ndarray = np.sqrt(np.einsum("nd,nd->n", away, away))
        return distances
    dots = np.einsum("nd,d->n", rows, target)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return kernels.cosines(dots, lengths, float(np.sqrt(target @ target)))


def _kth_largest(values: np.ndarray, k: int) -> float:
    """A bound that at least k values reach, and few more than the k largest."""
    n_groups = len(values) // GROUP
    if n_groups <= k:
        return float(np.partition(values, -k)[-k])
    heads = values[: n_groups * GROUP].reshape(n_groups, GROUP).max(axis=1)
    bound = np.partition(heads, -k)[-k]
    reaching = values[values >= bound]
    return float(np.partition(reaching, -k)[-k])
