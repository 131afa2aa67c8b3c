"""What SQL over a store shows: its runs by their names, and the functions that read stored vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from repstore.analysis import kernels
from repstore.analysis.graph import batch_neighbors
from repstore.analysis.neighbors import Found, among, nearest
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, QueryError
from repstore.sql_functions import definitions
from repstore.storage.catalog import Catalog, Contents, PythonFunction, RunShown, Session
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.storage.vectors import LayerVectors, rows_of

SEVERAL = 16
"""From this many words on, their neighbors are searched for together."""

NEIGHBOR = pa.struct([("rank", pa.int32()), ("word_id", pa.int64()), ("cosine", pa.float64())])


def session_of(catalog: Catalog, lookup: Lookup, layout: Layout, results: pa.Table) -> Session:
    """A session of SQL over a store, as it was when it was opened; `results` are listed in a table."""
    shown = [
        RunShown(row["run_id"], lookup.labels[row["run_id"]], row["n_layers"])
        for row in lookup.run_rows.to_pylist()
    ]
    functions, tables = _VectorFunctions(lookup).all(), {"results": results}
    return Session(catalog, Contents(shown, functions, tables, definitions(layout.results)))


class _VectorFunctions:
    """Functions of stored vectors, each over columns of Arrow without nulls."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def all(self) -> list[PythonFunction]:
        """As a session takes them."""
        of_word = ("BIGINT", "VARCHAR", "BIGINT")
        neighbors = "STRUCT(rank INTEGER, word_id BIGINT, cosine DOUBLE)[]"
        return [
            PythonFunction("_vector", of_word, "FLOAT[]", self.vector),
            PythonFunction("_cosine", ("BIGINT", *of_word), "DOUBLE", self.cosine),
            PythonFunction("_neighbors", (*of_word, "BIGINT"), neighbors, self.neighbors),
            PythonFunction("_mean", ("FLOAT[][]",), "FLOAT[]", mean),
            PythonFunction("_run", ("VARCHAR",), "VARCHAR", self.run),
            PythonFunction("_layer", ("VARCHAR", "BIGINT"), "INTEGER[]", self.layer),
            PythonFunction("_layers", ("VARCHAR",), "INTEGER[]", self.layers),
        ]

    def run(self, runs: pa.Array) -> pa.Array:
        """The run_id of each run that is named."""
        return pa.array([self._lookup.run(run).info.spec.run_id for run in runs.to_pylist()], pa.string())

    def layer(self, runs: pa.Array, layers: pa.Array) -> pa.Array:
        """The layer that is asked for, alone, if the run has it."""
        asked = zip(runs.to_pylist(), layers.to_pylist(), strict=True)
        return pa.array([self._lookup.run(run).layers(layer) for run, layer in asked], pa.list_(pa.int32()))

    def layers(self, runs: pa.Array) -> pa.Array:
        """All layers of each run."""
        found = [self._lookup.run(run).layers("all") for run in runs.to_pylist()]
        return pa.array(found, pa.list_(pa.int32()))

    def vector(self, word_ids: pa.Array, runs: pa.Array, layers: pa.Array) -> pa.Array:
        """The vector of each word in float32; null where it has none."""
        rows = np.full(len(word_ids), -1)
        widths = np.zeros(len(word_ids), np.int64)
        asked = list(self._by_layer(runs, layers))
        for vectors, here in asked:
            rows[here] = self._rows(vectors, word_ids, here)
            widths[here] = np.where(rows[here] >= 0, vectors.d_model, 0)
        offsets = np.concatenate([[0], np.cumsum(widths)])
        # Arrow's pool gives memory that was used before; fresh pages would cost more than all the rest.
        buffer = pa.allocate_buffer(int(offsets[-1]) * 4)
        values = np.ndarray(offsets[-1], np.float32, buffer)
        for vectors, here in asked:
            there = here[rows[here] >= 0]
            stored = vectors.take(rows[there])
            if len(asked) > 1:
                values[offsets[there][:, None] + np.arange(vectors.d_model)] = stored
            elif stored.dtype == np.float16:  # the rows stand one after another
                kernels.to_float32(stored, values.reshape(stored.shape))
            else:
                values[:] = stored.reshape(-1)
        return pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()),
            pa.Array.from_buffers(pa.float32(), len(values), [None, buffer]),
            mask=pa.array(rows < 0),
        )

    def cosine(self, words_a: pa.Array, words_b: pa.Array, runs: pa.Array, layers: pa.Array) -> pa.Array:
        """Cosine of two words; null where one has no vector."""
        cosines = np.full(len(words_a), np.nan)
        for vectors, here in self._by_layer(runs, layers):
            rows_a, rows_b = (self._rows(vectors, words, here) for words in (words_a, words_b))
            both = (rows_a >= 0) & (rows_b >= 0)
            cosines[here[both]] = kernels.pair_cosines(vectors, rows_a[both], vectors, rows_b[both])
        return pa.array(cosines, from_pandas=True)

    def neighbors(self, word_ids: pa.Array, runs: pa.Array, layers: pa.Array, ks: pa.Array) -> pa.Array:
        """The k nearest other words of each word, best first, as `Store.neighbors` finds them exactly."""
        ids, cosines = [np.empty(0, np.int64)] * len(word_ids), [np.empty(0)] * len(word_ids)
        sizes = ks.to_numpy()
        if sizes.min(initial=1) < 1:
            raise ArgumentError(f"k is {sizes.min()}; ask for at least 1 neighbor.")
        for vectors, here in self._by_layer(runs, layers):
            rows = self._rows(vectors, word_ids, here)
            for k in np.unique(sizes[here]).tolist():
                mine = (rows >= 0) & (sizes[here] == k)
                for at, near in zip(here[mine], _nearest(vectors, rows[mine], k), strict=True):
                    ids[at], cosines[at] = vectors.word_ids[near.rows], near.scores
        lengths = np.array([len(found) for found in ids], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ranks = np.arange(1, offsets[-1] + 1) - np.repeat(offsets[:-1], lengths)
        columns = [
            pa.array(ranks, pa.int32()),
            pa.array(np.concatenate([np.empty(0, np.int64), *ids])),
            pa.array(np.concatenate([np.empty(0), *cosines])),
        ]
        rows = pa.StructArray.from_arrays(columns, fields=list(NEIGHBOR))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rows)

    def _by_layer(self, runs: pa.Array, layers: pa.Array) -> Iterator[tuple[LayerVectors, np.ndarray]]:
        """Each layer of each run that is asked for, and in which rows."""
        names = runs.dictionary_encode()
        numbers = np.clip(layers.to_numpy(), -1, 2**31 - 1)  # beyond which no run has layers
        codes = names.indices.to_numpy().astype(np.int64) << 32 | numbers.astype(np.int64) & 0xFFFFFFFF
        for code in np.unique(codes):
            here = np.flatnonzero(codes == code)
            run = self._lookup.run(names.dictionary[int(code >> 32)].as_py())
            layer = run.layer(layers[int(here[0])].as_py())
            if self._lookup.counts(run)[0]:  # an ingest that has just begun has no vectors
                yield run.vectors.layer(layer), here

    def _rows(self, vectors: LayerVectors, word_ids: pa.Array, here: np.ndarray) -> np.ndarray:
        return rows_of(vectors.word_ids, word_ids.to_numpy()[here])


def mean(groups: pa.Array) -> pa.Array:
    """The mean of each list of vectors, summed in float64; null of none."""
    means: list[npt.NDArray[np.float32] | None] = []
    for group in groups:
        vectors = group.values.drop_null()
        widths = np.unique(vectors.value_lengths().to_numpy())
        if len(widths) > 1:
            raise QueryError(
                f"centroid: vectors of {widths[0]} and of {widths[-1]} dimensions have no mean. Take those "
                "of one run."
            )
        if vectors.flatten().null_count:
            raise QueryError("centroid: a vector has NULL among its numbers.")
        rows = vectors.flatten().to_numpy().reshape(len(vectors), -1) if len(vectors) else None
        means.append(None if rows is None else rows.mean(axis=0, dtype=np.float64).astype(np.float32))
    return pa.array(means, pa.list_(pa.float32()))


def _nearest(vectors: LayerVectors, rows: np.ndarray, k: int) -> Iterator[Found]:
    """The k nearest others of some words of a layer, one after another."""
    space = space_of(vectors, "none")
    queries = vectors.take(rows)
    if len(rows) < SEVERAL:
        for row, query in zip(rows, queries, strict=True):
            allowed = np.ones(len(vectors.word_ids), bool)
            allowed[row] = False
            yield nearest(vectors, space, query, k, allowed=allowed)
        return
    candidates, _ = batch_neighbors(vectors, space, queries, k, exclude=rows)
    for query, near in zip(queries, candidates, strict=True):
        yield among(
            vectors, space, query, k, np.sort(near)
        )  # which keeps their order, and says it in float64
