"""Hubs: words that are among the nearest of many others, and words that are among the nearest of none.

Source: Radovanovic et al. 2010 (JMLR 11), who measure hubness by the skewness of the k-occurrence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.graph import NeighborGraph


@dataclass(frozen=True, eq=False)
class Hubness:
    """How unevenly words are neighbors of others.

    Attributes:
        occurrences: of how many others each word is among the k nearest. *Shape:* (n_words,), int64. Their
            mean is k.
        skewness: of the occurrences: third central moment over the cubed standard deviation, both of the
            words themselves (not Bessel-corrected). About 0 without hubs; NaN if all occur equally often.
        largest: the most occurrences of a word.
        anti_hubs: share of words that are never a neighbor.
    """

    occurrences: np.ndarray
    skewness: float
    largest: int
    anti_hubs: float


def hubness(graph: NeighborGraph) -> Hubness:
    """How unevenly the words of a graph are neighbors of others."""
    occurrences = np.bincount(graph.rows.reshape(-1), minlength=graph.n_words)
    return Hubness(
        occurrences, _skewness(occurrences), int(occurrences.max()), float(np.mean(occurrences == 0))
    )


def _skewness(counts: np.ndarray) -> float:
    from_mean = counts - counts.mean()
    if counts.min() == counts.max():  # nothing is skewed, and a mean may be off by a rounding
        return float("nan")
    return float(np.mean(from_mean**3) / np.mean(from_mean**2) ** 1.5)
