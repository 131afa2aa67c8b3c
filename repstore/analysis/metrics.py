"""What near means: each metric as a product that finds candidates, and as the exact scores of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.candidates import Factors, relative_error
from repstore.analysis.distinct import Distinct, distinct_of
from repstore.analysis.space import Space
from repstore.spec import Metric
from repstore.storage.vectors import LayerVectors

SAMPLE = 1024
"""Words whose mean is taken for the middle of a layer."""


@dataclass(frozen=True, eq=False)
class Nearness:
    """How near the vectors of a layer are to queries.

    Scores are higher the nearer: cosines; distances, negated; 2 cos(x, y) - r(y) for CSLS, where what depends
    on the query alone is left to the caller.

    Attributes:
        vectors: the layer.
        distinct: which of its vectors are the same.
        space: where they are compared.
        metric: see above.
        densities: r of every word, for CSLS. *Shape:* (n_words,), float64.
    """

    vectors: LayerVectors
    distinct: Distinct
    space: Space
    metric: Metric
    densities: np.ndarray | None = None

    def map(self, queries: np.ndarray) -> np.ndarray:
        """Queries in the space of the scores. *Shape:* as `queries`, float64."""
        exact = kernels.to_float32(queries) if queries.dtype == np.float16 else queries
        return self.space.map(exact)

    def left(self, mapped: np.ndarray, dtype: type[np.floating]) -> Factors:
        """Queries as factors. `mapped`: *Shape:* (n_queries, d_model), float64, from `map`."""
        n_queries, d_model = mapped.shape
        rows = np.ones((n_queries, d_model + 1), dtype)
        error = relative_error(d_model, dtype)
        squares = np.einsum("nd,nd->n", mapped, mapped)
        if self.metric == "l2":
            rows[:, :-1] = mapped
            return Factors(rows, (error / 2 * squares).astype(dtype))
        np.multiply(mapped, _inverse(np.sqrt(squares))[:, None], out=rows[:, :-1], casting="same_kind")
        return Factors(rows, np.full(n_queries, error, dtype))

    def right(self, dtype: type[np.floating], block_rows: int) -> Iterator[Factors]:
        """The distinct vectors as factors, in one buffer that every step overwrites."""
        firsts = self.distinct.first
        buffer = np.empty((min(block_rows, len(firsts)), self.vectors.d_model + 1), dtype)
        for start in range(0, len(firsts), block_rows):
            here = firsts[start : start + block_rows]
            yield self._fill(buffer[: len(here)], here)

    def exact(self, mapped: np.ndarray, query: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Scores of pairs in float64.

        Args:
            mapped: the queries. *Shape:* (n_queries, d_model), float64, from `map`.
            query, vector: a pair each; vectors by their place in `distinct`. *Shape of each:* (n_pairs,).

        *Shape:* (n_pairs,), float64.
        """
        rows = self.distinct.first[vector]
        lengths = np.sqrt(np.einsum("nd,nd->n", mapped, mapped))
        scores = np.empty(len(rows))
        step = max(1, kernels.block_rows(self.vectors.d_model) // 2)  # float64 is twice as wide
        for start in range(0, len(rows), step):
            pairs = slice(start, start + step)
            stored = self.map(self.vectors.take(rows[pairs]))
            queries = mapped.take(query[pairs], axis=0)
            if self.metric == "l2":
                stored -= queries
                scores[pairs] = -np.sqrt(np.einsum("nd,nd->n", stored, stored))
            else:
                dots = np.einsum("nd,nd->n", stored, queries)
                norms = np.sqrt(np.einsum("nd,nd->n", stored, stored))
                scores[pairs] = kernels.cosines(dots, norms, lengths[query[pairs]])
        return scores if self.densities is None else 2 * scores - self.densities[rows]

    def _fill(self, out: np.ndarray, rows: np.ndarray) -> Factors:
        """Write the factors of some words. `out`: *Shape:* (len(rows), d_model + 1)."""
        slack = np.zeros(len(rows), out.dtype)
        error = relative_error(self.vectors.d_model, out.dtype.type)
        step = kernels.block_rows(self.vectors.d_model)
        for start in range(0, len(rows), step):
            some = slice(start, min(start + step, len(rows)))
            mapped = self._mapped(_stored(self.vectors, rows[some]), out.dtype)
            norms = kernels.norms(mapped)
            if self.metric == "l2":
                out[some, :-1] = mapped
                slack[some] = error * norms**2
                out[some, -1] = (error - 0.5) * norms**2
            else:
                np.multiply(mapped, _inverse(norms).astype(out.dtype)[:, None], out=out[some, :-1])
                out[some, -1] = 0 if self.densities is None else -self.densities[rows[some]] / 2
        return Factors(out, slack)

    def _mapped(self, stored: np.ndarray, dtype: np.dtype[np.floating]) -> np.ndarray:
        """Stored vectors in this space, computed in `dtype`."""
        wide = kernels.to_float32(stored)
        if dtype == np.float64:
            return self.space.map(wide)
        if self.space.frame == "none":
            return wide
        # In two pieces the shift has 48 bits: with one, a dimension far from 0 would lose what varies in it.
        shift = self.space.shift.astype(np.float32)
        mapped = wide - shift
        mapped -= (self.space.shift - shift).astype(np.float32)
        mapped *= self.space.scale.astype(np.float32)
        return mapped


def nearness(
    vectors: LayerVectors, space: Space, metric: Metric, densities: np.ndarray | None = None
) -> Nearness:
    """How near the vectors of a layer are in a space.

    Distances do not depend on the origin, so where the space has none it is put in the middle of the words:
    the products that find candidates then cancel less.
    """
    if metric == "l2" and space.frame == "none":
        n_words = len(vectors.word_ids)
        sample = vectors.take(np.arange(0, n_words, -(-n_words // SAMPLE)))
        middle = kernels.to_float32(sample).mean(axis=0, dtype=np.float64)
        space = Space("center", middle, np.ones(vectors.d_model))
    return Nearness(vectors, distinct_of(vectors), space, metric, densities)


def _inverse(norms: np.ndarray) -> np.ndarray:
    """1 / norm, and 0 for a zero vector, which then has cosine 0 with all."""
    with np.errstate(divide="ignore"):
        return np.where(norms > 0, 1 / norms, 0.0)


def _stored(vectors: LayerVectors, rows: np.ndarray) -> np.ndarray:
    """Some rows, ascending: where they stand if they follow each other in a part, else a copy."""
    first, last = int(rows[0]), int(rows[-1])
    block, block_of_last = vectors.block_of(rows[[0, -1]]).tolist()
    if block != block_of_last or last - first >= len(rows):
        return vectors.take(rows)
    start = int(vectors.starts[block])
    view: np.ndarray = vectors.blocks[block][first - start : last - start + 1]
    return view
