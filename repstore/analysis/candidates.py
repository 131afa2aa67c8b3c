"""The vectors that may be among the nearest of many queries at once: float32 finds, float64 decides.

Scores come from matrix products, block by block; of each block only what beats the best so far is looked at.
A product carries the bound of its error with it, so what is kept surely holds the nearest. Where that is more
than can be kept, as among vectors that differ by less than float32 shows, the same is done in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Crowd = Literal["leave", "cut"]
"""A query with more candidates than can be kept: it is left without any, or it keeps the best of them."""

STRIP = 1 << 18
"""Scores looked at together: they stay in a core's cache, and take 100 bytes each if all are candidates."""

SPARE = 64
"""Candidates kept for a query beyond those wanted."""

MANY = 4
"""Hits per candidate wanted from which on it pays to select before looking at each."""


def relative_error(d_model: int, dtype: type[np.floating]) -> float:
    """Bound of the error of an inner product, relative to the norms.

    Rounding errors behave as if random, so they grow with the root of the length: Higham & Mary 2019 (SIAM J.
    Sci. Comput. 41, A2815) with lambda = 4; and 8 for the roundings of the factors. About 8e-6 in float32
    for 1,024 dimensions.
    """
    return (4 * math.sqrt(d_model) + 8) * float(np.finfo(dtype).eps) / 2


@dataclass(frozen=True, eq=False)
class Factors:
    """One side of a matrix product of scores, whose error is at most the sum of the slacks of both sides.

    Attributes:
        rows: *Shape:* (n, d_model + 1). The last column of the left side is 1; that of the right side is the
            term of the score that depends on the right alone, plus its slack.
        slack: *Shape:* (n,), the dtype of `rows`.
    """

    rows: np.ndarray
    slack: np.ndarray


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be among the nearest of some queries.

    Attributes:
        query, vector: a pair each, in order of the query, then of the vector. *Shape of each:* (n_pairs,).
        crowded: whether a query had more than could be kept; see `Crowd`. *Shape:* (n_queries,), bool.
    """

    query: np.ndarray
    vector: np.ndarray
    crowded: np.ndarray


def candidates(
    left: Factors, right: Iterable[Factors], n_wanted: int, block_rows: int, crowd: Crowd
) -> Candidates:
    """All vectors of the right side that may be among the `n_wanted` of highest score.

    Args:
        left: the queries.
        right: the vectors, in blocks of up to `block_rows`, each valid until the next is asked for.
        n_wanted: at least 1.
        block_rows: see `right`.
        crowd: what becomes of a query with more than `n_wanted` and `SPARE` of them.
    """
    n_queries = len(left.rows)
    step = max(1, STRIP // block_rows)
    strips = [
        _Strip(left.slack[start : start + step], start, n_wanted, crowd)
        for start in range(0, n_queries, step)
    ]
    scores = np.empty(n_queries * block_rows, left.rows.dtype)
    n_seen = 0
    for block in right:
        width = len(block.rows)
        here = scores[: n_queries * width].reshape(n_queries, width)
        np.matmul(left.rows, block.rows.T, out=here)
        for strip, start in zip(strips, range(0, n_queries, step), strict=True):
            strip.look(here[start : start + step], block.slack, n_seen)
        n_seen += width
    found = [strip.found() for strip in strips]
    return Candidates(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


class _Strip:
    """A few queries and the best seen for each.

    A score counts as high as its error may make it; the best are told by the lowest it may make them. So
    whatever reaches the worst of `best` may be among the nearest, and nothing else can.
    """

    def __init__(self, slack: np.ndarray, first_query: int, n_wanted: int, crowd: Crowd) -> None:
        self._slack = slack
        self._first_query = first_query
        self._n_wanted = n_wanted
        self._crowd = crowd
        self._best = np.full((len(slack), n_wanted), -np.inf, slack.dtype)
        self._cutoff = np.full(len(slack), -np.inf, slack.dtype)
        self._bar = self._cutoff.copy()  # what a crowded query still takes must reach this, too
        self._crowded = np.zeros(len(slack), bool)
        self._seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._n_seen = 0

    def look(self, highest: np.ndarray, slack: np.ndarray, first: int) -> None:
        """Take what may be among the nearest from a block of scores.

        Args:
            highest: the highest each score may be. *Shape:* (n_queries, n), with n vectors from `first` on.
            slack: of the vectors. *Shape:* (n,).
            first: see `highest`.
        """
        n = highest.shape[1]
        hits = self._hits(highest)
        if len(hits) > MANY * self._n_wanted * len(highest) and n > self._n_wanted:
            self._raise(np.partition(highest - 2 * slack, n - self._n_wanted, axis=1)[:, -self._n_wanted :])
            hits = self._hits(highest)
            query, vector = np.divmod(hits, n)
            values = highest.reshape(-1)[hits]
        else:
            query, vector = np.divmod(hits, n)
            values = highest.reshape(-1)[hits]
            self._raise_by(query, values - 2 * slack[vector])
        if len(hits):
            self._seen.append((query, vector + first, values))
            self._n_seen += len(hits)
            if self._n_seen > 2 * len(highest) * (self._n_wanted + SPARE):
                self._tidy()

    def found(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries and vectors of the candidates, and which queries are crowded; see `Candidates`."""
        query, vector, _ = self._tidy()
        order = np.lexsort((vector, query))
        return query[order] + self._first_query, vector[order], self._crowded

    def _hits(self, highest: np.ndarray) -> np.ndarray:
        return np.flatnonzero(highest >= np.maximum(self._cutoff, self._bar)[:, None])

    def _raise_by(self, query: np.ndarray, lowest: np.ndarray) -> None:
        """Let some scores in. *Shape of each:* (n,), in order of the query."""
        if not len(query):
            return
        counts = np.bincount(query, minlength=len(self._best))
        place = np.arange(len(query)) - (np.cumsum(counts) - counts)[query]
        table = np.full((len(self._best), counts.max()), -np.inf, lowest.dtype)
        table[query, place] = lowest
        self._raise(table)

    def _raise(self, lowest: np.ndarray) -> None:
        """Let some scores in. *Shape:* (n_queries, n)."""
        both = np.concatenate([self._best, lowest], axis=1)
        self._best = np.partition(both, lowest.shape[1], axis=1)[:, -self._n_wanted :]
        self._cutoff = self._best.min(axis=1) - 2 * self._slack

    def _tidy(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forget what is beaten by now, and the least of what is more than can be kept."""
        columns = zip(*self._seen, strict=True)
        query, vector, values = (np.concatenate(column) for column in columns)
        kept = values >= self._cutoff[query]
        query, vector, values = query[kept], vector[kept], values[kept]
        counts = np.bincount(query, minlength=len(self._best))
        crowded = counts > self._n_wanted + SPARE
        if crowded.any():
            self._crowded |= crowded
            kept = self._best_of(query, vector, values) if self._crowd == "cut" else ~crowded[query]
            query, vector, values = query[kept], vector[kept], values[kept]
            self._bar[crowded] = np.inf
            if self._crowd == "cut":
                worst = values[np.searchsorted(query, np.flatnonzero(crowded), side="right") - 1]
                self._bar[crowded] = np.nextafter(worst, np.inf)  # of equals the first stay
        self._seen = [(query, vector, values)]
        self._n_seen = len(query)
        return query, vector, values

    def _best_of(self, query: np.ndarray, vector: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which to keep of what was seen, in order of the query, best first. *Shape:* (n_kept,), int64."""
        order = np.lexsort((vector, -values, query))
        counts = np.bincount(query, minlength=len(self._best))
        place = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
        return order[place < self._n_wanted + SPARE]
