"""Nearest neighbors: exact and by sketch, against raw FAISS, raw BLAS, memory itself, and other libraries.

Vectors are drawn to be like those of a layer (`lifelike.py`). Files are in the page cache. Two threads; see
`peers.py` for the other libraries, and call it as::

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive python benchmarks/neighbors.py

The full size takes 6 GB of disk and 12 GB of memory. With ``--store`` only the sketch is measured, on copies
of the vectors of a layer of that store.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import xor
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from lifelike import Layer, draw, hold_out, write_store_of
from neighbors_in_store import by_sketch, cold_start, exact, open_run
from neighbors_of_peers import K, peers_table, scaled, seconds_of
from peer import THREADS
from peers_in_memory import FaissHalf
from peers_in_sql import DuckDb
from read import FULL, QUICK, Size, touch, write_parts
from report import Figure, main, ratio, side_by_side

import repstore
from repstore.analysis.graph import batch_neighbors
from repstore.analysis.neighbors import nearest
from repstore.analysis.space import space_of
from repstore.storage.vectors import LayerVectors, RunVectors

ROUNDS_OF_QUERIES, ROUNDS_OF_BATCHES, ROUNDS_OF_LAYERS = 40, 5, 7
BATCH = 1_000
"""Queries answered at once."""

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Whose vectors."""
    parser.add_argument("--store", type=Path, help="measure the sketch on real vectors: a store,")
    parser.add_argument("--run", help="a run of it,")
    parser.add_argument("--layer", type=int, default=0, help="and a layer")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make the data, and all figures from them."""
    if options.store is not None:
        real = repstore.open(options.store).vectors(run=options.run, layer=options.layer)
        layer = hold_out(real.values)
        with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
            write_store_of(Path(folder) / "store", layer.vectors)
            return by_sketch(open_run(Path(folder) / "store"), layer)
    layer = draw(10_000 if options.quick else 100_000, 1_024)
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        store = Path(folder) / "store"
        written = seconds_of(lambda: write_store_of(store, layer.vectors))
        run = open_run(store)
        return [
            *one_query(run.vectors.layer(0), layer),
            *batch(run.vectors.layer(0), layer),
            *all_layers(QUICK if options.quick else FULL),
            *cold_start(store),
            *exact(run.vectors.layer(0), layer, written),
            *by_sketch(run, layer),
            *peers_table(layer),
        ]


def forgetful(vectors: LayerVectors) -> LayerVectors:
    """The same layer, of which nothing is remembered."""
    return LayerVectors(vectors.layer, vectors.word_ids, vectors.blocks)


def touch_in_threads(pool: ThreadPoolExecutor, *matrices: np.ndarray) -> int:
    """Use every byte once, at the speed of memory: each thread takes half of every matrix."""
    halves = (half for matrix in matrices for half in np.array_split(matrix, THREADS))
    return reduce(xor, pool.map(touch, halves))


def in_turn(queries: np.ndarray, ask: Callable[[np.ndarray], T]) -> Callable[[], T]:
    """Asks for another query at each call."""
    calls = iter(range(1 << 30))
    return lambda: ask(queries[next(calls) % len(queries)])


def one_query(vectors: LayerVectors, layer: Layer) -> list[Figure]:
    """One exact query, norms being known, against FAISS and a pass over the same bytes.

    In pairs, so that each contestant is followed and preceded by the same other.
    """
    space, faiss = space_of(vectors, "none"), FaissHalf()
    faiss.build(layer.vectors, Path())
    wide = layer.queries.astype(np.float32)
    ours = in_turn(layer.queries, lambda query: nearest(vectors, space, query, K))
    first = in_turn(layer.queries, lambda query: nearest(forgetful(vectors), space, query, K))
    by_faiss = in_turn(wide, lambda query: faiss.query(query, K))
    ours()  # norms are measured by the second query of a layer
    with ThreadPoolExecutor(THREADS) as pool:

        def memory() -> int:
            return touch_in_threads(pool, *vectors.blocks)

        known = side_by_side({"pass": memory, "ours": ours}, ROUNDS_OF_QUERIES)
        unknown = side_by_side({"pass": memory, "ours": first}, ROUNDS_OF_QUERIES)
    against = side_by_side({"faiss": by_faiss, "ours": ours}, ROUNDS_OF_QUERIES)
    faiss.close()
    return [
        Figure("pass over the bytes", 1e3 * median(known["pass"]), "ms"),
        Figure("exact query after a pass", 1e3 * median(known["ours"]), "ms"),
        Figure("exact query / pass", ratio(known["ours"], known["pass"]), "times", at_most=1.5),
        Figure("first exact query of a layer", 1e3 * median(unknown["ours"]), "ms"),
        Figure("first exact query / pass", ratio(unknown["ours"], unknown["pass"]), "times"),
        Figure("FAISS, float16", 1e3 * median(against["faiss"]), "ms"),
        Figure("exact query after FAISS", 1e3 * median(against["ours"]), "ms"),
        Figure("exact query / FAISS", ratio(against["ours"], against["faiss"]), "times", at_most=1.2),
    ]


def batch(vectors: LayerVectors, layer: Layer) -> list[Figure]:
    """Many queries at once, against one product of float32 matrices and a partition of each row.

    With BLAS, vectors have been scaled and are float32 beforehand; what that takes is shown by itself.
    """
    random = np.random.default_rng(1)
    queries = layer.vectors[np.sort(random.choice(len(layer.vectors), BATCH, replace=False))]
    space = space_of(vectors, "none")
    narrow = scaled(queries).astype(np.float32)
    products = np.empty((BATCH, len(layer.vectors)), np.float32)
    units = np.empty(layer.vectors.shape, np.float32)

    def convert() -> None:
        units[:] = layer.vectors
        units[:] /= np.sqrt(np.einsum("nd,nd->n", units, units))[:, None]

    def blas() -> np.ndarray:
        np.matmul(narrow, units.T, out=products)
        rows = np.argpartition(products, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(products, rows, 1), axis=1)
        return np.take_along_axis(rows, order, 1)

    contestants: dict[str, Callable[[], object]] = {
        "convert": convert,
        "blas": blas,
        "ours": lambda: batch_neighbors(vectors, space, queries, K),
    }
    seconds = side_by_side(contestants, ROUNDS_OF_BATCHES)
    return [
        Figure(f"batch of {BATCH:,}: conversion for BLAS", median(seconds["convert"]), "s"),
        Figure(f"batch of {BATCH:,}: BLAS and argpartition", median(seconds["blas"]), "s"),
        Figure(f"batch of {BATCH:,}: repstore", median(seconds["ours"]), "s"),
        Figure("batch, repstore / BLAS", ratio(seconds["ours"], seconds["blas"]), "times", at_most=1.3),
    ]


def all_layers(size: Size) -> list[Figure]:
    """One word against every layer, nothing being remembered, against a pass over the bytes of all."""
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        files = write_parts(Path(folder), size)
        run = RunVectors(files, size.n_layers, "")
        layers = [run.layer(layer) for layer in range(size.n_layers)]
        row = np.array([size.n_words // 2])

        def ours() -> list[np.ndarray]:
            found = []
            for layer in layers:
                fresh = forgetful(layer)
                found.append(nearest(fresh, space_of(fresh, "none"), fresh.take(row)[0], K).rows)
            return found

        def by_numpy() -> list[np.ndarray]:
            found = []
            for layer in layers:
                query = scaled(layer.take(row)).astype(np.float32)[0]
                blocks = [block.astype(np.float32) for block in layer.blocks]
                cosines = [block @ query / np.linalg.norm(block, axis=1) for block in blocks]
                found.append(np.argsort(-np.concatenate(cosines), kind="stable")[:K])
            return found

        with ThreadPoolExecutor(THREADS) as pool:
            blocks = [block for layer in layers for block in layer.blocks]
            contestants: dict[str, Callable[[], object]] = {
                "pass": lambda: touch_in_threads(pool, *blocks),
                "ours": ours,
            }
            seconds = side_by_side(contestants, ROUNDS_OF_LAYERS)
        numpy_seconds = seconds_of(by_numpy)
        duckdb = DuckDb()
        duckdb.build(layers[0].values, Path())
        query = layers[0].take(row)[0].astype(np.float32)
        duckdb_seconds = side_by_side({"duckdb": lambda: duckdb.query(query, K)}, 3)["duckdb"]
        duckdb.close()
    return [
        Figure("all layers: pass over the bytes", median(seconds["pass"]), "s"),
        Figure("all layers: repstore", median(seconds["ours"]), "s"),
        Figure("all layers: numpy, once", numpy_seconds, "s"),
        Figure("all layers: DuckDB, one multiplied out", size.n_layers * median(duckdb_seconds), "s"),
        Figure("all layers, repstore / pass", ratio(seconds["ours"], seconds["pass"]), "times", at_most=1.3),
    ]


if __name__ == "__main__":
    main("Nearest neighbors", measure, add_options)
