"""Centered kernel alignment between layers, all pairs at once.

Source: Kornblith et al. 2019 (arXiv 1905.00414) for linear CKA; the unbiased estimator of HSIC is that of
Song et al. 2012 (JMLR 13, eq. 5), which is near 0 for independent data where the biased one is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repstore.analysis import kernels
from repstore.errors import ResultError
from repstore.storage.vectors import LayerVectors

TILE = 512
"""Rows and columns of the Gram matrices held at once, for every layer."""


def linear_cka(layers: Sequence[LayerVectors], rows: Sequence[np.ndarray]) -> np.ndarray:
    """Unbiased linear CKA of every layer with every other.

    Gram matrices are formed tile by tile for all layers together, so each layer is read a few times however
    many pairs there are, and memory is ``n_layers * (TILE**2 + 2 * TILE * d_model)`` floats.

    Args:
        layers: what to compare; widths may differ.
        rows: rows of each layer that stand for the same words, in the same order. *Shape of each:*
            (n_words,), int64, with n_words of at least 4.

    Returns:
        *Shape:* (n_layers, n_layers), float64; NaN for a layer whose vectors are all the same.

    Raises:
        ResultError: fewer than 4 words.
    """
    n = len(rows[0])
    if n < 4:
        raise ResultError(f"CKA needs at least 4 words in common; there are {n}.")
    centered = [_origin(layer, index) for layer, index in zip(layers, rows, strict=True)]
    products = np.zeros((len(layers), len(layers)))
    row_sums = np.zeros((len(layers), n))
    for i in range(0, n, TILE):
        left = [_tile(*args, i) for args in zip(layers, rows, centered, strict=True)]
        for j in range(i, n, TILE):
            right = left if i == j else [_tile(*args, j) for args in zip(layers, rows, centered, strict=True)]
            grams = np.stack([a @ b.T for a, b in zip(left, right, strict=True)])
            if i == j:
                np.einsum("lii->li", grams)[:] = 0  # the unbiased estimator leaves the diagonal out
            flat = grams.reshape(len(layers), -1)
            products += (1 if i == j else 2) * (flat @ flat.T)
            row_sums[:, i : i + TILE] += grams.sum(axis=2)
            if i != j:
                row_sums[:, j : j + TILE] += grams.sum(axis=1)
    return _cka(products, row_sums)


def _cka(products: np.ndarray, row_sums: np.ndarray) -> np.ndarray:
    """CKA from sums over Gram matrices K without diagonal: of K * L for each pair, and of K's rows."""
    n = row_sums.shape[1]
    totals = row_sums.sum(axis=1)
    hsic = (
        products + np.outer(totals, totals) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (row_sums @ row_sums.T)
    ) / (n * (n - 3))
    own = np.diag(hsic)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(np.outer(own, own))
        return np.where(scale > 0, hsic / scale, np.nan)


def _origin(layer: LayerVectors, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean and largest value of the rows. CKA is the same without centering and scaling; the sums of float32
    lose fewer digits with the one, and do not overflow with the other."""
    total, largest = np.zeros(layer.d_model), 0.0
    for start in range(0, len(rows), TILE):
        block = kernels.to_float32(layer.take(rows[start : start + TILE]))
        total += block.sum(axis=0, dtype=np.float64)
        largest = max(largest, float(np.abs(block).max()))
    return (total / len(rows)).astype(np.float32), largest or 1.0


def _tile(layer: LayerVectors, rows: np.ndarray, origin: tuple[np.ndarray, float], start: int) -> np.ndarray:
    mean, largest = origin
    tile: np.ndarray = (kernels.to_float32(layer.take(rows[start : start + TILE])) - mean) / largest
    return tile
