"""How certain a score over pairs is: the bootstrap over pairs.

Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile intervals). A
resample draws as many pairs as there are, with replacement. All scores over the same pairs see the same
resamples, so the difference of two scores is that of paired samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from repstore.analysis.ranks import Values

LEVEL = 0.95
"""Of intervals, unless said otherwise."""

BLOCK = 128
"""Resamples handled at a time."""

KEPT = 1 << 26
"""Most counts of a resampling that are kept for the next question; more are drawn again."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """Which resamples: how many, and the seed that decides them."""

    n: int = 10_000
    seed: int = 0

    def counts(self, n_pairs: int) -> Iterable[np.ndarray]:
        """How often each pair is drawn, in blocks of resamples. *Shape of each:* (n_pairs, up to `BLOCK`)."""
        return _kept(self, n_pairs) if self.n * n_pairs <= KEPT else _drawn(self, n_pairs)


@lru_cache(maxsize=4)
def _kept(resampling: Resampling, n_pairs: int) -> tuple[np.ndarray, ...]:
    return tuple(_drawn(resampling, n_pairs))


def _drawn(resampling: Resampling, n_pairs: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng([resampling.seed, n_pairs])  # other pairs, other draws
    for start in range(0, resampling.n, BLOCK):
        n_here = min(BLOCK, resampling.n - start)
        drawn = random.integers(0, n_pairs, (n_pairs, n_here))
        drawn *= n_here
        drawn += np.arange(n_here)
        counts = np.bincount(drawn.reshape(-1), minlength=n_pairs * n_here)
        yield counts.reshape(n_pairs, n_here).astype(np.uint16)


def of_means(values: np.ndarray, resampling: Resampling) -> np.ndarray:
    """The mean over every resample, such as the accuracy of answers that are right (1) or wrong (0).

    Args:
        values: *Shape:* (n_scores, n_pairs), of small numbers.
        resampling: which resamples.

    *Shape:* (n_scores, n_resamples), float64.
    """
    n_pairs = values.shape[1]
    narrow = values.astype(np.float32)
    means = np.empty((len(values), resampling.n))
    done = 0
    for block in resampling.counts(n_pairs):
        means[:, done : done + block.shape[1]] = narrow @ block.astype(np.float32)
        done += block.shape[1]
    means /= n_pairs
    return means


def of_weighted_means(values: np.ndarray, weights: np.ndarray, resampling: Resampling) -> np.ndarray:
    """The weighted mean over every resample, such as that of scores of lemmas by their numbers of words.

    Args:
        values: *Shape:* (n_scores, n).
        weights: *Shape:* (n,).
        resampling: which resamples.

    *Shape:* (n_scores, n_resamples), float64; NaN for a single value, which says nothing of how others vary.
    """
    if values.shape[1] == 1:
        return np.full((len(values), resampling.n), np.nan)
    means: np.ndarray = of_means(values * weights, resampling) / of_means(weights[None], resampling)
    return means


def of_spearman(x: np.ndarray, y: np.ndarray, resampling: Resampling) -> np.ndarray:
    """Spearman's correlation over every resample; pairs drawn several times share a mean rank.

    Args:
        x: *Shape:* (n_scores, n_pairs).
        y: *Shape:* (n_pairs,).
        resampling: which resamples.

    *Shape:* (n_scores, n_resamples), float64; NaN where a resample holds a single value of `x` or `y`.
    """
    of_y = Values.of(y)
    of_x = [Values.of(row) for row in x]
    result = np.empty((len(x), resampling.n))
    done = 0
    for block in resampling.counts(len(y)):
        counts = block.astype(np.float64)
        ranks_y, spread_y = of_y.ranks(counts)
        weighted = counts * ranks_y
        for n, values in enumerate(of_x):
            ranks_x, spread_x = values.ranks(counts)
            products = np.einsum("nr,nr->r", weighted, ranks_x)
            with np.errstate(invalid="ignore", divide="ignore"):
                result[n, done : done + block.shape[1]] = products / np.sqrt(spread_x * spread_y)
        done += block.shape[1]
    return np.clip(result, -1.0, 1.0)


def interval(resampled: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The middle of resampled scores: lower and upper ends.

    Args:
        resampled: *Shape:* (n_scores, n_resamples). NaN are left out.
        level: the share of them that it holds.

    *Shape of each:* (n_scores,), float64; NaN where no resample has a score.
    """
    ordered = np.sort(resampled, axis=1)  # NaN come last
    n_valid = np.sum(~np.isnan(ordered), axis=1)
    some = np.flatnonzero(n_valid)
    tail = (1 - level) / 2
    ends = np.full((2, len(ordered)), np.nan)
    for end, share in zip(ends, (tail, 1 - tail), strict=True):
        place = share * (n_valid[some] - 1)
        below = place.astype(int)
        above = np.minimum(below + 1, n_valid[some] - 1)
        weight = place - below
        end[some] = ordered[some, below] * (1 - weight) + ordered[some, above] * weight
    return ends[0], ends[1]
