"""One query against every word of a layer, at the speed of memory and without a second copy of the vectors.

In a space z = (x - shift) * scale, a product with the query needs only the stored vectors: with
w = scale * z_q, z_x . z_q = x . w - shift . w. What is found here is near the truth, and says how near;
`analysis.neighbors` weighs in float64 what is too close to tell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numkong
import numpy as np

from repstore.analysis import kernels
from repstore.analysis.space import Space
from repstore.storage.vectors import LayerVectors

ERROR = 1e-5
"""Bound of the error of a product, relative to the norms of its factors; some five times what is seen."""

TASK_BYTES = 1 << 23
"""Stored vectors that one thread takes at a time."""

REST = 2.0**11
"""By how much the second half of a query is raised, so that it does not underflow."""


@dataclass(frozen=True, eq=False)
class Lengths:
    """L2 norms of all words of a layer: as stored, and in a space. *Shape of each:* (n_words,), float64."""

    stored: np.ndarray
    mapped: np.ndarray


def lengths_of(vectors: LayerVectors, space: Space) -> Lengths:
    """Norms of a layer, remembered as long as the layer is. Relative error about 1e-6."""
    return vectors.remembered(("lengths", space.frame), lambda: _lengths(vectors, space))


def _lengths(vectors: LayerVectors, space: Space) -> Lengths:
    stored = vectors.remembered("norms", lambda: np.concatenate(_in_threads(vectors, kernels.norms)))
    if space.frame == "none":
        return Lengths(stored, stored)
    return Lengths(stored, np.concatenate(_in_threads(vectors, lambda rows: _mapped_norms(rows, space))))


@dataclass(frozen=True, eq=False)
class Scores:
    """What a scan finds: higher is nearer, and each is within its margin of the truth.

    *Shape of values:* (n_words,), float64; of margins the same, or () if one holds for all.
    """

    values: np.ndarray
    margins: np.ndarray


def cosines(vectors: LayerVectors, space: Space, query: np.ndarray) -> Scores:
    """Cosine of every word with a query, in a space.

    Args:
        vectors: the layer to search.
        space: what is compared.
        query: in the coordinates of the stored vectors. *Shape:* (d_model,).
    """
    target = space.map(query)
    norm = float(np.linalg.norm(target))
    if space.frame == "none" and next(vectors.remembered("scans", count)) == 0:
        high, low, _ = _halves(target)
        if not low.any():  # products and norms in one pass, where norms may never be needed again
            found = _in_threads(vectors, lambda rows: _cosines_at_once(rows, high))
            return Scores(np.concatenate(found), np.array(ERROR))
    lengths = lengths_of(vectors, space)
    products, errors = _products(vectors, space, target, lengths)
    scale = lengths.mapped * norm
    with np.errstate(invalid="ignore", divide="ignore"):
        margins = np.where(scale > 0, errors / scale + ERROR, 0.0)
    return Scores(kernels.cosines(products, lengths.mapped, norm), margins)


def negative_squares(vectors: LayerVectors, space: Space, query: np.ndarray) -> Scores:
    """The negative squared L2 distance of every word to a query, in a space; arguments as for `cosines`."""
    target = space.map(query)
    lengths = lengths_of(vectors, space)
    products, errors = _products(vectors, space, target, lengths)
    squares = lengths.mapped**2 + target @ target
    return Scores(2 * products - squares, 2 * errors + ERROR * squares)


def _products(
    vectors: LayerVectors, space: Space, target: np.ndarray, lengths: Lengths
) -> tuple[np.ndarray, np.ndarray]:
    """z_x . z_q of every word, and a bound of its error. *Shape of each:* (n_words,), float64."""
    weights = target * space.scale
    products = np.concatenate(_in_threads(vectors, lambda rows: _dots(rows, weights)))
    return products - space.shift @ weights, ERROR * lengths.stored * np.linalg.norm(weights)


def _dots(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x . w of some rows. *Shape:* (n_rows,), float64."""
    if rows.dtype != np.float16:
        return _across(weights[None].astype(np.float32), rows, "dot")
    high, low, unit = _halves(weights)
    dots = _across(high, rows, "dot")
    if low.any():
        dots += _across(low, rows, "dot") / REST
    return dots * unit


def _across(query: np.ndarray, rows: np.ndarray, measure: Literal["dot", "angular"]) -> np.ndarray:
    """A measure of one query and each of some rows, both of one dtype. *Shape:* (n_rows,), float64."""
    found: np.ndarray = np.asarray(numkong.cdist(query, rows, measure), np.float64)[0]
    return found


def _halves(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A vector as (high + low / REST) * unit, both halves float16; what was float16 needs no low.

    *Shape of each half:* (1, d_model).
    """
    largest = float(np.abs(weights).max(initial=0.0))
    unit = 2.0 ** (np.frexp(largest)[1] - 15) if largest else 1.0
    scaled = weights[None] / unit
    high = scaled.astype(np.float16)
    return high, ((scaled - high) * REST).astype(np.float16), unit


def _mapped_norms(rows: np.ndarray, space: Space) -> np.ndarray:
    """Norms in a space, in float64: where words are all but the mean, float32 would leave nothing of them."""
    found = []
    for block in kernels.float32_blocks(rows):
        mapped = space.map(block)
        found.append(np.sqrt(np.einsum("nd,nd->n", mapped, mapped)))
    return np.concatenate(found)


def _cosines_at_once(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosine of some rows with a query of float16. *Shape:* (n_rows,), float64; 0 with a zero vector."""
    found: np.ndarray = np.clip(1.0 - _across(query.astype(rows.dtype), rows, "angular"), -1.0, 1.0)
    doubtful = np.flatnonzero((found == 0.0) | (found == 1.0) | np.isnan(found))  # or a zero vector's
    if len(doubtful):
        zero = kernels.norms(rows[doubtful]) == 0
        found[doubtful[zero | ~query.any()]] = 0.0
    return found


def _in_threads(vectors: LayerVectors, work: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """What `work` makes of all rows of a layer, some at a time, in order."""
    tasks = list(_tasks(vectors))
    n_threads = min(len(tasks), n_processors())
    if n_threads == 1:
        return [work(rows) for rows in tasks]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, tasks))


def _tasks(vectors: LayerVectors) -> Iterator[np.ndarray]:
    for block in vectors.blocks:
        n_tasks = max(1, round(block.nbytes / TASK_BYTES))
        yield from np.array_split(block, n_tasks)


def n_processors() -> int:
    """Threads to use: as many as OMP_NUM_THREADS says, or as there are processors for this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
