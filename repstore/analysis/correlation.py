"""Scores that need no threshold: AUC, Spearman's and Pearson's correlation, for all layers at once."""

from __future__ import annotations

import numpy as np

from repstore.analysis.ranks import ranks
from repstore.analysis.thresholds import DECIMALS


def comparable(cosines: np.ndarray) -> np.ndarray:
    """Cosines to the decimals that mean something, so that identical vectors tie. *Shape:* as `cosines`."""
    return np.round(cosines, DECIMALS)


def auc(cosines: np.ndarray, same: np.ndarray) -> np.ndarray:
    """How often a pair of the same sense has a higher cosine than one of different senses; ties count half.

    By ranks, as Mann and Whitney 1947.

    Args:
        cosines: *Shape:* (n_layers, n_pairs).
        same: *Shape:* (n_pairs,), bool.

    *Shape:* (n_layers,), float64; NaN if all pairs have the same answer.
    """
    n_same, n_different = int(same.sum()), int((~same).sum())
    if not n_same or not n_different:
        return np.full(len(cosines), np.nan)
    of_same: np.ndarray = ranks(comparable(cosines))[:, same].sum(axis=1)
    return 0.5 + of_same / (n_same * n_different)


def spearman(cosines: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Rank correlation of cosines with ratings (or labels). Ties have their mean rank.

    Args:
        cosines: *Shape:* (n_layers, n_pairs).
        scores: *Shape:* (n_pairs,).

    *Shape:* (n_layers,), float64; NaN where all cosines, or all ratings, are equal.
    """
    return pearson(ranks(comparable(cosines)), ranks(scores[None])[0])


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linear correlation of each row of `x` with `y`.

    Args:
        x: *Shape:* (n_rows, n).
        y: *Shape:* (n,).

    *Shape:* (n_rows,), float64; NaN where all values of either are equal.
    """
    varied = (np.ptp(x, axis=1) > 0) & (np.ptp(y) > 0)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = (x @ y) / np.sqrt(np.einsum("rn,rn->r", x, x) * (y @ y))
    return np.where(varied, np.clip(correlations, -1.0, 1.0), np.nan)
