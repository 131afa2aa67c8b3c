"""Nearest neighbors by an index: candidates from the sketch, the answer from the stored vectors.

A sketch only estimates cosines, with a bit per dimension. Where the k-th best candidate stands clear of the
last, as the errors of the estimates go, what was not among the candidates is hardly nearer, and the answer
is taken. Else all words are scanned: in a causal model the first words of sentences have all but the same
vector, and no sketch tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from repstore.analysis.neighbors import Found, among, nearest
from repstore.analysis.space import Space
from repstore.storage.vectors import LayerVectors

CLEAR = 2.0
"""Standard deviations of the estimates that the k-th candidate must stand above the last: a word as near as
the k-th is then left out once in 44 times, a nearer one less often."""

ROUNDING = 1e-6
"""Estimates are in float32: what differs by less may be equal, and then the order of the words decides."""

Candidates = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Rows that seem nearest to a unit vector, and their estimated cosines, best first."""


def nearest_by_sketch(
    vectors: LayerVectors,
    space: Space,
    query: np.ndarray,
    k: int,
    candidates: Candidates,
    n_candidates: int,
    *,
    exclude: int | None = None,
) -> tuple[Found, bool]:
    """The k words of highest cosine with a query, as far as the candidates hold them.

    Args:
        vectors: the layer to search.
        space: what is compared; the sketch is of vectors in it.
        query: in the coordinates of the stored vectors. *Shape:* (d_model,).
        k: how many.
        candidates: asks the sketch.
        n_candidates: how many are weighed, at least `k` and one more.
        exclude: a row that must not be found: the query's own.

    Returns:
        What was found, scores in float64, and whether all words were scanned for it.
    """
    found = clear_answer(vectors, space, query, k, candidates, n_candidates, exclude=exclude)
    if found is not None:
        return found, False
    allowed = None
    if exclude is not None:
        allowed = np.ones(len(vectors.word_ids), bool)
        allowed[exclude] = False
    return nearest(vectors, space, query, k, allowed=allowed), True


def clear_answer(
    vectors: LayerVectors,
    space: Space,
    query: np.ndarray,
    k: int,
    candidates: Candidates,
    n_candidates: int,
    *,
    exclude: int | None = None,
) -> Found | None:
    """The k best candidates, as `nearest_by_sketch` takes them; None if they may not be the k best words."""
    n_candidates = max(n_candidates, k + 2)
    target = space.map(query)
    norm = np.linalg.norm(target)
    if norm == 0:
        return None
    rows, estimates = candidates((target / norm).astype(np.float32), n_candidates)
    if len(rows) < n_candidates:
        return None  # there are no more words than that, or the sketch found no more
    last = estimates[-1]
    if exclude is not None:
        kept = rows != exclude
        rows, estimates = rows[kept], estimates[kept]
    order = np.argsort(rows)
    found = among(vectors, space, query, len(rows), rows[order])
    cosines = np.empty(len(rows))
    cosines[np.searchsorted(rows[order], found.rows)] = found.scores
    off = cosines - estimates[order]
    highest = last + max(0.0, float(off.mean()))  # a word left out may be underestimated as the others are
    if found.scores[k - 1] - highest <= max(CLEAR * float(off.std()), ROUNDING):
        return None
    return Found(found.rows[:k], found.scores[:k])
