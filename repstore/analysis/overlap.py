"""How far two layers agree on which words are near each other.

Source: mutual k-nearest-neighbor alignment, Huh et al. 2024 (arXiv 2405.07987, appendix A).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.graph import NeighborGraph
from repstore.errors import ResultError

WORDS_AT_ONCE = 4096
"""Words whose neighbors are compared together."""


@dataclass(frozen=True, eq=False)
class Overlap:
    """The neighbors that words have in common in two graphs.

    Attributes:
        of_word: share of each word's neighbors. *Shape:* (n_words,), float64; NaN for a word without any.
        mean: over the words; NaN if they have no neighbors.
        chance: what it would be, on average, if neighbors were drawn at random: k / (n_words - 1); NaN for a
            word alone.
    """

    of_word: np.ndarray
    mean: float
    chance: float


def overlap(a: NeighborGraph, b: NeighborGraph) -> Overlap:
    """The neighbors that words have in common in two graphs over the same words, in the same order.

    Raises:
        ResultError: the graphs differ in words or in neighbors per word.
    """
    if a.rows.shape != b.rows.shape:
        raise ResultError(
            f"These graphs are over {a.n_words:,} words with {a.k} neighbors and {b.n_words:,} with {b.k}. "
            "Make both over the same words with the same k."
        )
    n_words, k = a.rows.shape
    if k == 0:
        return Overlap(np.full(n_words, np.nan), float("nan"), float("nan"))
    of_word = np.concatenate(
        [
            _n_common(a.rows[start : start + WORDS_AT_ONCE], b.rows[start : start + WORDS_AT_ONCE]) / k
            for start in range(0, n_words, WORDS_AT_ONCE)
        ]
    )
    return Overlap(of_word, float(of_word.mean()), k / (n_words - 1))


def _n_common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many numbers two lists share; none is twice in either. *Shape:* (n_words,)."""
    both = np.sort(np.concatenate([a, b], axis=1), axis=1)
    n_common: np.ndarray = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    return n_common
