"""Mean, deviation and norms of the words of a layer, in one pass over what is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.passes import blocks, in_threads, lengths, unit_sum
from repstore.analysis.standardize import moments

DROWNED = 16.0
"""Where a squared mean is this many times the variance, the variance is taken again from differences."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """What sums over the words of a layer tell. All float64.

    Attributes:
        mean: of each dimension. *Shape:* (d_model,).
        std: standard deviation of each dimension, Bessel-corrected; 0 for a single word, and exactly 0
            where all words are the same. *Shape:* (d_model,).
        norms: L2 norm of each word. *Shape:* (n_words,).
        mean_unit: mean of the words scaled to length 1; zero vectors stay zero. *Shape:* (d_model,).
    """

    mean: np.ndarray
    std: np.ndarray
    norms: np.ndarray
    mean_unit: np.ndarray


def statistics(words: Aligned) -> Statistics:
    """Statistics of some words, in their space.

    Few rows of float16 are added up in float32, the sums of few in float64: relative to the root mean square
    of a dimension the error is about 1e-7 (std and norms: 1e-6). Dimensions that vary little about a large
    mean are taken again, in float64. The same words give the same bits on any number of threads.

    Raises:
        ValueError: no words.
    """
    n = words.n_words
    if n == 0:
        raise ValueError("no words")
    total, squares, units = np.zeros((3, words.d_model))
    norms = []
    for sums in in_threads(words, _sums):
        total += sums.total
        squares += sums.squares
        units += sums.units
        norms.append(sums.norms)
    mean = total / n
    variance = (squares - total * mean) / max(n - 1, 1)
    std = np.sqrt(np.maximum(variance, 0.0))
    drowned = np.flatnonzero(mean**2 >= DROWNED * variance)  # also all that never vary
    if len(drowned):
        again = moments(block.take(drowned, axis=1) for block in blocks(words))
        mean[drowned], std[drowned] = again.mean, again.std
    return Statistics(mean, std, np.concatenate(norms)[:n], units / n)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of the words of a block, their squares, and the words at length 1. *Shape of each:* (d_model,)."""

    total: np.ndarray
    squares: np.ndarray
    units: np.ndarray
    norms: np.ndarray


def _sums(chains: np.ndarray) -> _Sums:
    norms = lengths(chains)
    return _Sums(
        total=chains.sum(axis=1).sum(axis=0, dtype=np.float64),
        squares=np.einsum("knd,knd->kd", chains, chains).sum(axis=0, dtype=np.float64),
        units=unit_sum(chains, norms),
        norms=norms.reshape(-1),
    )
