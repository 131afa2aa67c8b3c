"""How a layer agrees with similarities of words that come from elsewhere, such as people's ratings.

Source: representational similarity analysis, Kriegeskorte et al. 2008, on the pairs that are given alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis import correlation, kernels
from repstore.analysis.aligned import Aligned
from repstore.errors import ResultError

FEWEST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class External:
    """Correlations of cosines with given similarities: of ranks, where equal ones share the mean rank, and
    of values. NaN if either side is constant, or there are fewer than 3 pairs."""

    spearman: float
    pearson: float


def rsa_with(
    words: Aligned, groups: np.ndarray, pair_a: np.ndarray, pair_b: np.ndarray, similarities: np.ndarray
) -> External:
    """How the cosines of a layer's words agree with given similarities.

    A side of a pair is a group of words: one word, or all uses of a form or a lemma. The mean of its vectors,
    in the space of `words`, stands for it.

    Args:
        words: the words of the layer.
        groups: which group each is in; -1 for none. *Shape:* (n_words,), int64.
        pair_a, pair_b: the groups of each pair. *Shape of each:* (n_pairs,), int64.
        similarities: *Shape:* (n_pairs,), finite.

    Raises:
        ResultError: no word is in a group that a pair names.
    """
    if len(pair_a) < FEWEST_PAIRS:
        return External(float("nan"), float("nan"))
    named, sides = np.unique(np.concatenate([pair_a, pair_b]), return_inverse=True)
    means = _means(words, groups, named)
    a, b = means[sides[: len(pair_a)]], means[sides[len(pair_a) :]]
    dots = np.einsum("pd,pd->p", a, b)
    cosines = kernels.cosines(dots, np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    found, given = correlation.comparable(cosines)[None], np.asarray(similarities, np.float64)
    return External(float(correlation.spearman(found, given)[0]), float(correlation.pearson(found, given)[0]))


def _means(words: Aligned, groups: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Mean vector of every named group. `named`: ascending. *Shape:* (len(named), d_model), float64."""
    mine = np.flatnonzero(np.isin(groups, named))
    places = np.searchsorted(named, groups[mine])
    counts = np.bincount(places, minlength=len(named))
    if (counts == 0).any():
        missing = named[counts == 0][0]
        raise ResultError(f"No word is in group {missing}, which a pair names. Leave such pairs out.")
    sums = np.zeros((len(named), words.d_model))
    step = kernels.block_rows(words.d_model)
    for start in range(0, len(mine), step):
        here = slice(start, start + step)
        np.add.at(sums, places[here], words.space.map(words.vectors.take(words.rows[mine[here]])))
    return sums / counts[:, None]
