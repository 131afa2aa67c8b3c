"""The table of other libraries in `neighbors.py`: the same vectors, the same queries, one after the other."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from lifelike import Layer
from peers import available
from report import Figure

K = 10
TIE = 1e-12
"""Cosines in float64 that differ by less are equal."""

BLOCK = 4_096
"""Rows whose cosines are computed at a time."""


def peers_table(layer: Layer) -> list[Figure]:
    """Every library that is installed; what is missing is named on stderr."""
    found, missing = available()
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    cosines = all_cosines(layer)
    figures = []
    for peer in found:
        with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
            built = seconds_of(partial(peer.build, layer.vectors, Path(folder)))
            figures += about(peer.name, built, peer.n_bytes, layer, peer.query, cosines)
            peer.close()
    return figures


def seconds_of(work: Callable[[], object]) -> float:
    """How long something takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def about(
    name: str,
    built: float,
    n_bytes: int,
    layer: Layer,
    query: Callable[[np.ndarray, int], np.ndarray],
    cosines: np.ndarray,
) -> list[Figure]:
    """What a row of the table says: seconds to build, size, time of a query, recall."""
    seconds, found = ask_all(layer, query)
    return [
        Figure(f"{name}: build", built, "s"),
        Figure(f"{name}: bytes / float16 vectors", n_bytes / layer.vectors.nbytes, "times"),
        Figure(f"{name}: query", 1e3 * median(seconds), "ms"),
        Figure(f"{name}: recall@{K}", recall(found, cosines), ""),
    ]


def ask_all(
    layer: Layer, query: Callable[[np.ndarray, int], np.ndarray]
) -> tuple[list[float], list[np.ndarray]]:
    """Seconds of each query, after a warm-up, and the rows that it found."""
    queries = layer.queries.astype(np.float32)
    for vector in queries[:5]:
        query(vector, K)
    seconds, found = [], []
    for vector in queries:
        start = time.perf_counter()
        rows = query(vector, K)
        seconds.append(time.perf_counter() - start)
        found.append(rows)
    return seconds, found


def all_cosines(layer: Layer) -> np.ndarray:
    """Of every query with every word, by numpy. *Shape:* (n_queries, n_words), float64."""
    queries = scaled(layer.queries)
    blocks = range(0, len(layer.vectors), BLOCK)
    return np.hstack([queries @ scaled(layer.vectors[start : start + BLOCK]).T for start in blocks])


def scaled(rows: np.ndarray) -> np.ndarray:
    """Rows of length one. *Shape:* as `rows`, float64."""
    wide = rows.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def recall(found: Sequence[np.ndarray], cosines: np.ndarray) -> float:
    """Share of what was found that is as near as the true k-th: of equal vectors, any is as good."""
    kth = np.partition(cosines, -K, axis=1)[:, -K]
    n_good = sum(
        int((of_query[np.unique(rows)] >= bound - TIE).sum())
        for rows, of_query, bound in zip(found, cosines, kth, strict=True)
    )
    return n_good / (K * len(found))
