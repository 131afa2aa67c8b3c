"""How many directions the words of a layer vary in: the spectrum of their covariance, and what follows."""

from __future__ import annotations

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.memory import check_fits
from repstore.analysis.statistics import Statistics
from repstore.spec import MEMORY

MOST_ROWS = 4096
"""Rows centered at a time: more do not make the product faster."""

LEAST_ROWS = 256
"""With fewer at a time, adding up products would take longer than making them."""

ROW = 14
"""Bytes for each number of a row while it is centered: as it is stored, in float32, and in float64."""


def covariance(words: Aligned, statistics: Statistics, memory: int = MEMORY) -> np.ndarray:
    """Covariance of the dimensions, Bessel-corrected; 0 for a single word.

    Summed in float64 from centered rows, so neither a large mean nor a giant dimension costs digits: the
    error is about 1e-13 relative to the deviations of both dimensions (float32 in a space other than
    ``none``: 1e-7).

    Args:
        words: what to measure.
        statistics: of these words.
        memory: bytes to use; how many rows are multiplied at once, which changes roundings alone.

    Raises:
        ResultError: `memory` does not hold the covariance, a product of its size, and `LEAST_ROWS`.

    *Shape:* (d_model, d_model), float64.
    """
    n, d = words.n_words, words.d_model
    check_fits(f"The covariance of {d} dimensions", 16 * d * d + ROW * d * min(LEAST_ROWS, n), memory)
    step = min(MOST_ROWS, (memory - 16 * d * d) // (ROW * d))
    total = np.zeros((d, d))
    for start in range(0, n, step):
        total += _products(_centered(words, statistics, start, min(start + step, n)).T)
    total /= max(n - 1, 1)
    return total


def eigenvalues(words: Aligned, statistics: Statistics, memory: int = MEMORY) -> np.ndarray:
    """Eigenvalues of the covariance, descending; the variances along the principal components.

    Of fewer words than dimensions the products of the words are taken instead, which have the same
    eigenvalues but those that are 0: n words vary in n - 1 directions at most. What is as small as the
    rounding of the largest (d_model times 2**-52 of it) is 0.

    Args:
        words: what to measure.
        statistics: of these words.
        memory: bytes to use, as for `covariance`.

    Raises:
        ResultError: too little memory.

    *Shape:* (d_model,), float64.
    """
    n, d = words.n_words, words.d_model
    if n < d:
        # The words, copied, and then their products, or these twice, which is no more.
        check_fits(f"The spectrum of {n:,} words of {d} dimensions", 2 * 8 * n * d, memory)
        symmetric = _products(_centered(words, statistics, 0, n))
        symmetric /= max(n - 1, 1)
    else:
        symmetric = covariance(words, statistics, memory)
    found = np.zeros(d)
    n_directions = min(n - 1, d)
    found[:n_directions] = np.linalg.eigvalsh(symmetric)[::-1][:n_directions]
    found[found <= found[0] * d * np.finfo(float).eps] = 0.0
    return found


def effective_rank(eigenvalues: np.ndarray) -> float:
    """Effective rank of the centered words: exp of the entropy of their normalized singular values.

    Source: Roy & Vetterli 2007 (EUSIPCO), def. 1. Singular values are proportional to the square roots of the
    eigenvalues of the covariance. From 1, for words on a line, to d_model.

    Args:
        eigenvalues: of the covariance. *Shape:* (d_model,), none negative.

    Returns:
        NaN if all are 0: the words do not vary.
    """
    singular = np.sqrt(_scaled(eigenvalues))
    shares = singular[singular != 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def participation_ratio(eigenvalues: np.ndarray) -> float:
    """``sum(l)**2 / sum(l**2)`` of the eigenvalues of the covariance: 1 on a line, d_model if all are equal.

    Of n words of a Gaussian that is the same in d directions it is about ``d * n / (n + d)``.

    Args:
        eigenvalues: of the covariance. *Shape:* (d_model,), none negative.

    Returns:
        NaN if all are 0: the words do not vary.
    """
    scaled = _scaled(eigenvalues)
    return float(scaled.sum() ** 2 / (scaled @ scaled))


def isoscore(eigenvalues: np.ndarray) -> float:
    """IsoScore: 0 for words on a line, 1 for words that vary alike in all directions.

    Source: Rudman et al. 2022 (arXiv 2108.07344), algorithm 1: the diagonal of the covariance in its
    principal components (that is, the eigenvalues l), scaled to length sqrt(d); its distance from ones over
    ``sqrt(2 (d - sqrt(d)))``, the isotropy defect D; and ``((d - D**2 (d - sqrt(d)))**2 - d) / (d (d - 1))``.
    As ``D**2 (d - sqrt(d)) = d - sqrt(d) sum(l) / |l|``, the inner square is d times the participation ratio,
    and the score is that ratio, moved and scaled to [0, 1].

    Args:
        eigenvalues: of the covariance. *Shape:* (d_model,), none negative.

    Returns:
        NaN if all are 0, or there is but one dimension.
    """
    d = len(eigenvalues)
    if d < 2:
        return float("nan")
    return min(max((participation_ratio(eigenvalues) - 1) / (d - 1), 0.0), 1.0)


def _scaled(eigenvalues: np.ndarray) -> np.ndarray:
    """Over the largest, so that no square is too small; NaN if all are 0. *Shape:* (d_model,)."""
    largest = eigenvalues.max()
    return eigenvalues / largest if largest > 0 else np.full_like(eigenvalues, np.nan)


def _products(rows: np.ndarray) -> np.ndarray:
    """Of all pairs of rows, which are not kept. *Shape:* (n_rows, n_rows), float64."""
    products: np.ndarray = rows @ rows.T
    return products


def _centered(words: Aligned, statistics: Statistics, start: int, stop: int) -> np.ndarray:
    """Some words less the mean. *Shape:* (stop - start, d_model), float64."""
    rows = words.block(start, stop).astype(np.float64)
    rows -= statistics.mean
    return rows
