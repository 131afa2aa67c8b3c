"""Anisotropy of a layer, the dimensions that dominate it, and a summary of its norms.

Sources: Ethayarajh 2019 (arXiv 1909.00512) for anisotropy; Timkey & van Schijndel 2021 (arXiv 2109.04404) for
few dimensions making up most of it; Kovaleva et al. 2021 (arXiv 2105.06990) and Puccetti et al. 2022
(arXiv 2205.11380) for outlier dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.passes import in_threads, lengths, unit_sum
from repstore.analysis.statistics import Statistics

SHARE = 0.05
"""Of the mean squared norm that larger dimensions leave: an outlier has more."""

TIMES_EVEN = 10.0
"""How many times an equal share an outlier has at least: among few dimensions, a twentieth is little."""


@dataclass(frozen=True)
class NormSummary:
    """Of the L2 norms of the words; `std` is Bessel-corrected, and 0 for a single word."""

    mean: float
    std: float
    min: float
    median: float
    max: float


def norm_summary(statistics: Statistics) -> NormSummary:
    """A summary of the norms."""
    norms = statistics.norms
    std = norms.std(ddof=1) if len(norms) > 1 else 0.0
    return NormSummary(
        *(float(value) for value in (norms.mean(), std, norms.min(), np.median(norms), norms.max()))
    )


def anisotropy(words: Aligned, statistics: Statistics, without: Sequence[int] = ()) -> float:
    """Mean cosine of two different words, over all pairs; exact, where Ethayarajh 2019 samples.

    Over unit vectors u the cosines of all ordered pairs, each word with itself among them, add up to
    ``|sum u|**2``, so all pairs cost no more than the words. With a zero vector the cosine is 0. Error about
    1e-6.

    Args:
        words: what to measure.
        statistics: of these words.
        without: dimensions to leave out, for which the words are read once more.

    Returns:
        NaN for fewer than two words.
    """
    n = words.n_words
    if n < 2:
        return float("nan")
    if len(without):
        total, n_nonzero = np.zeros(words.d_model), 0
        for units, nonzero in in_threads(words, lambda chains: _units_without(chains, without)):
            total += units
            n_nonzero += nonzero
    else:
        total, n_nonzero = n * statistics.mean_unit, int(np.count_nonzero(statistics.norms))
    cosine = (float(total @ total) - n_nonzero) / (n * (n - 1))
    return min(max(cosine, -1.0), 1.0)


def _units_without(chains: np.ndarray, without: Sequence[int]) -> tuple[np.ndarray, int]:
    """Sum of the unit vectors of other dimensions, and how many are not zero. *Shape:* (d_model,)."""
    chains[:, :, list(without)] = 0
    norms = lengths(chains)
    return unit_sum(chains, norms), int(np.count_nonzero(norms))


def outlier_dimensions(statistics: Statistics) -> np.ndarray:
    """The few dimensions that make up most of the vectors, the largest first.

    The literature calls outliers the dimensions whose mean or weight is 3 standard deviations from that of
    all dimensions. One giant dimension hides others from such a rule, and what is left is heavy-tailed enough
    for dozens to pass. So, from the largest down: a dimension is an outlier while it has more than a
    twentieth of the mean squared norm that those before it leave, and more than ten times an equal share of
    that. On SmolLM2 these are 2 to 7, much the same from layer to layer, and none at layer 0.

    *Shape:* (n_outliers,), int64.
    """
    power = _power(statistics)
    order = np.argsort(-power, kind="stable")
    falling = power[order]
    left = np.cumsum(falling[::-1])[::-1]
    among = np.arange(len(power), 0, -1)
    dominates = falling > np.maximum(SHARE, TIMES_EVEN / among) * left
    n_outliers = int(np.argmin(dominates))  # the last never dominates: it is all that is left
    return order[:n_outliers].astype(np.int64)


def outlier_share(statistics: Statistics) -> float:
    """What part of the mean squared norm the outlier dimensions have. NaN if all words are zero."""
    power = _power(statistics)
    whole = float(power.sum())
    return float(power[outlier_dimensions(statistics)].sum()) / whole if whole > 0 else float("nan")


def _power(statistics: Statistics) -> np.ndarray:
    """Mean square of each dimension; they add up to the mean squared norm. *Shape:* (d_model,), float64."""
    n = len(statistics.norms)
    power: np.ndarray = statistics.mean**2 + statistics.std**2 * ((n - 1) / n)
    return power
