"""Nearest neighbors by exact search of the stored vectors."""

from __future__ import annotations

import numpy as np

from repstore.analysis import kernels
from repstore.storage.vectors import LayerVectors

MARGIN = 1e-5
"""More than the error of `kernels.query_cosines`; what is this close to the k-th is weighed in float64."""


def nearest(
    vectors: LayerVectors, query: np.ndarray, k: int, exclude: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k stored vectors of highest cosine with a query; equal cosines in the order of the words.

    The order is that of cosines in float64.

    Args:
        vectors: the layer to search.
        query: *Shape:* (d_model,), float16 or float32.
        k: how many; fewer come back if the layer has fewer.
        exclude: rows to leave out. *Shape:* (n,), int64.

    Returns:
        Rows and cosines, best first. *Shape:* (k,), int64, and (k,), float64.
    """
    cosines = kernels.query_cosines(vectors, query)
    left_out = np.zeros(len(cosines), bool)
    if exclude is not None:
        left_out[exclude] = True
    n_found = min(k, int((~left_out).sum()))
    if n_found == 0:
        return np.empty(0, np.int64), np.empty(0)
    cosines[left_out] = -np.inf
    worst = np.partition(cosines, -n_found)[-n_found]
    close = np.flatnonzero(cosines >= worst - MARGIN)
    exact = _exact_cosines(vectors.take(close), query)
    best = np.argsort(-exact, kind="stable")[:n_found]
    return close[best], exact[best]


def _exact_cosines(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosines in float64. *Shape:* (n_rows,)."""
    wide, of_query = rows.astype(np.float64), query.astype(np.float64)
    dots = np.einsum("nd,d->n", wide, of_query)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return kernels.cosines(dots, lengths, float(np.sqrt(of_query @ of_query)))
