"""The nearest neighbors of every word of a layer, or of many queries at once.

The order is that of scores in float64, which are then rounded to float32: float32 only finds candidates
(`candidates`). The words of equal vectors have equal scores, and equal scores are in order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from repstore.analysis.candidates import SPARE, Candidates, Crowd, candidates
from repstore.analysis.distinct import Distinct
from repstore.analysis.metrics import Nearness, nearness
from repstore.analysis.space import Space
from repstore.spec import Metric, Progress
from repstore.storage.vectors import LayerVectors

BUDGET = 1 << 28
"""Bytes of memory that a search takes at most, beyond the answer and a few numbers for every word. More would
not make it faster. Less may be allowed; up to 100 bytes times `candidates.STRIP` are taken anyway."""

TILE = 4096
"""Queries answered in one pass over the layer, if the budget allows."""

DENSITY_K = 10
"""Neighbors whose mean cosine is r in CSLS (Conneau et al. 2018, arXiv 1710.04087)."""

AT_ONCE = 256
"""Queries whose candidates are weighed together."""


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """The nearest neighbors of every word among the other words of a layer.

    Attributes:
        metric: what near means.
        rows: rows of the layer, nearest first. *Shape:* (n_words, k), int64.
        scores: cosines, distances or CSLS. *Shape:* (n_words, k), float32.
    """

    metric: Metric
    rows: np.ndarray
    scores: np.ndarray

    @property
    def n_words(self) -> int:
        """Words of the layer."""
        return int(self.rows.shape[0])

    @property
    def k(self) -> int:
        """Neighbors of each word."""
        return int(self.rows.shape[1])


def neighbor_graph(
    vectors: LayerVectors,
    space: Space,
    k: int,
    *,
    metric: Metric = "cosine",
    memory: int = BUDGET,
    progress: Callable[[Progress], None] = lambda _: None,
) -> NeighborGraph:
    """The k nearest words of every word, itself left out; all others if there are no more than k.

    Args:
        vectors: the layer.
        space: where its vectors are compared.
        k: at least 0.
        metric: ``cosine``, 0 with a zero vector; ``l2``, the distance; ``csls``, the cosine corrected for
            how near everything is to either word: 2 cos(x, y) - r(x) - r(y), of Conneau et al. 2018, with r
            the mean cosine to the 10 nearest others.
        memory: bytes to search in, of which up to `BUDGET` are used; answers do not depend on it.
        progress: told how many words are done.
    """
    of_words = densities(vectors, space, memory=memory, progress=progress) if metric == "csls" else None
    near = nearness(vectors, space, metric, of_words)
    rows, scores = _graph(near, k, memory, "Finding neighbors", progress)
    if of_words is not None:
        scores -= of_words[:, None]
    return NeighborGraph(metric, rows, _shown(scores, metric))


def densities(
    vectors: LayerVectors,
    space: Space,
    *,
    memory: int = BUDGET,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """Mean cosine of every word to the 10 others nearest to it: r in CSLS. A word alone has 0.

    `memory` is as in `neighbor_graph`. *Shape:* (n_words,), float64.
    """
    near = nearness(vectors, space, "cosine")
    _, cosines = _graph(near, DENSITY_K, memory, "Measuring densities", progress)
    return _mean(cosines)


def batch_neighbors(
    vectors: LayerVectors,
    space: Space,
    queries: np.ndarray,
    k: int,
    *,
    metric: Metric = "cosine",
    exclude: np.ndarray | None = None,
    of_words: np.ndarray | None = None,
    memory: int = BUDGET,
) -> tuple[np.ndarray, np.ndarray]:
    """The k words nearest to each of many queries.

    Args:
        vectors: the layer to search.
        space: where vectors are compared.
        queries: vectors as they are stored, before `space`. *Shape:* (n_queries, d_model), of any float.
        k: fewer come back if the layer has fewer, less one with `exclude`.
        metric: see `neighbor_graph`.
        exclude: the row that each query must not find: its own. *Shape:* (n_queries,), int64.
        of_words: for ``csls``, the `densities` of this layer in this space, which take a search for every
            word; computed if not given.
        memory: as for `neighbor_graph`.

    Returns:
        Rows and scores, nearest first. *Shape of each:* (n_queries, k), int64 and float32.
    """
    if metric != "csls":
        of_words = None
    elif of_words is None:
        of_words = densities(vectors, space, memory=memory)
    rows, scores = _batch(nearness(vectors, space, metric, of_words), queries, k, exclude, memory)
    if of_words is not None:
        _, cosines = _batch(nearness(vectors, space, "cosine"), queries, DENSITY_K, exclude, memory)
        scores -= _mean(cosines)[:, None]
    return rows, _shown(scores, metric)


def _graph(
    near: Nearness, k: int, memory: int, message: str, progress: Callable[[Progress], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbors of every word and their scores. *Shape of each:* (n_words, k), int64 and float64.

    Words of one vector have one list, from which each leaves itself out.
    """
    distinct, n_words = near.distinct, len(near.vectors.word_ids)
    k = min(k, n_words - 1)
    rows, found = np.empty((n_words, k), np.int64), np.empty((n_words, k))
    if k == 0:
        return rows, found
    ends = distinct.starts + distinct.sizes
    step = tile_rows(near.vectors.d_model, k + 1, memory)
    for start in range(0, len(distinct.first), step):
        firsts = distinct.first[start : start + step]
        lists, list_scores = _nearest(near, near.vectors.take(firsts), k + 1, memory)
        first_word, end = distinct.starts[start], ends[start + len(firsts) - 1]
        for at in range(first_word, end, step):
            words = distinct.words[at : min(at + step, end)]
            of = distinct.of_word[words] - start
            rows[words], found[words] = _without(words, lists[of], list_scores[of])
        progress(Progress(message, int(end), n_words))
    return rows, found


def _batch(
    near: Nearness, queries: np.ndarray, k: int, exclude: np.ndarray | None, memory: int
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbors of queries and their scores. *Shape of each:* (n_queries, k), int64 and float64."""
    n_less = 0 if exclude is None else 1
    k = min(k, len(near.vectors.word_ids) - n_less)
    rows, found = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
    if k == 0:
        return rows, found
    step = tile_rows(near.vectors.d_model, k + n_less, memory)
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        lists = _nearest(near, queries[some], k + n_less, memory)
        rows[some], found[some] = lists if exclude is None else _without(exclude[some], *lists)
    return rows, found


def tile_rows(d_model: int, n_wanted: int, memory: int) -> int:
    """Queries to a pass: in float64 they take an eighth of the budget at most, and their candidates too."""
    budget, bytes_of_candidates = min(memory, BUDGET), 48 * (n_wanted + SPARE)
    return max(1, min(TILE, budget // 8 // (8 * d_model), budget // 8 // bytes_of_candidates))


def _nearest(
    near: Nearness, queries: np.ndarray, n_wanted: int, memory: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest words of a tile of queries. *Shape of each:* (n_queries, n_wanted), int64 and float64."""
    mapped = near.map(queries)
    of_query, of_vector = _pairs(near, mapped, n_wanted, memory)
    rows, values = np.empty((len(queries), n_wanted), np.int64), np.empty((len(queries), n_wanted))
    for start in range(0, len(queries), AT_ONCE):
        end = min(start + AT_ONCE, len(queries))
        pairs = slice(*np.searchsorted(of_query, [start, end]))
        query, vector = of_query[pairs], of_vector[pairs]
        exact = near.exact(mapped, query, vector)
        rows[start:end], values[start:end] = _best_words(near.distinct, query, vector, exact, n_wanted)
    return rows, values


def _pairs(near: Nearness, mapped: np.ndarray, n_wanted: int, memory: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries, ascending, each with the distinct vectors that may be its nearest. *Shape of each:* (n,)."""
    found = _candidates(near, mapped, n_wanted, memory, np.float32, "leave")
    again = np.flatnonzero(found.crowded)
    if not len(again):
        return found.query, found.vector
    closer = _candidates(near, mapped[again], n_wanted, memory, np.float64, "cut")
    query = np.concatenate([found.query, again[closer.query]])
    order = np.argsort(query, kind="stable")
    return query[order], np.concatenate([found.vector, closer.vector])[order]


def _candidates(
    near: Nearness,
    mapped: np.ndarray,
    n_wanted: int,
    memory: int,
    dtype: type[np.floating],
    crowd: Crowd,
) -> Candidates:
    """Blocks of vectors take an eighth of the budget at most, scores a quarter."""
    budget, n_bytes = min(memory, BUDGET), np.dtype(dtype).itemsize
    block_rows = min(budget // 8 // (mapped.shape[1] + 1), budget // 4 // len(mapped)) // n_bytes
    block_rows = max(1, min(block_rows, len(near.distinct.first)))
    left, right = near.left(mapped, dtype), near.right(dtype, block_rows)
    return candidates(left, right, n_wanted, block_rows, crowd)


def _best_words(
    distinct: Distinct, query: np.ndarray, vector: np.ndarray, scores: np.ndarray, n_wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    """The words of the best vectors of each query; equal scores in order of the words.

    Args:
        distinct: which words have which vector.
        query, vector, scores: of candidates; vectors enough for `n_wanted` words of every query.
            *Shape of each:* (n_pairs,).
        n_wanted: words of a query.

    *Shape of each:* (n_queries, n_wanted), int64 and float64.
    """
    order = np.lexsort((-scores, query))
    query, vector, scores = query[order], vector[order], scores[order]
    sizes = np.minimum(distinct.sizes[vector], n_wanted)
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    of_query = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(query)))
    before = np.cumsum(sizes) - sizes
    before -= before[starts][of_query]
    worst = np.minimum.reduceat(np.where(before < n_wanted, scores, np.inf), starts)
    kept = scores >= worst[of_query]  # as many as are wanted, and what is as good as the last of them
    vector, sizes = vector[kept], sizes[kept]
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    words = distinct.words[np.repeat(distinct.starts[vector], sizes) + place]
    of_query, scores = np.repeat(of_query[kept], sizes), np.repeat(scores[kept], sizes)
    order = np.lexsort((words, -scores, of_query))
    first = np.searchsorted(of_query, np.arange(len(starts)))
    best = order[first[:, None] + np.arange(n_wanted)]
    return words[best], scores[best]


def _without(excluded: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists without one row each; without their last if they do not have it."""
    dropped = rows == excluded[:, None]
    dropped[~dropped.any(axis=1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return rows[~dropped].reshape(shape), scores[~dropped].reshape(shape)


def _mean(cosines: np.ndarray) -> np.ndarray:
    """Mean of each row; 0 of none."""
    mean: np.ndarray = cosines.sum(axis=1) / max(1, cosines.shape[1])
    return mean


def _shown(scores: np.ndarray, metric: Metric) -> np.ndarray:
    """Scores as the metric has them: distances are not negated. *Shape:* as `scores`, float32."""
    return (np.abs(scores) if metric == "l2" else scores).astype(np.float32)
