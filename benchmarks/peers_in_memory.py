"""FAISS and usearch: indexes in memory."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from peer import EF_BUILD, EF_SEARCH, NEIGHBORS, THREADS, unit


class _Faiss:
    """FAISS in memory, inner products of float32 vectors of length one.

    The bytes are those of the index written down, the same as in memory but for some pointers.
    """

    package = "faiss-cpu"

    def __init__(self) -> None:
        self.faiss: Any = importlib.import_module("faiss")
        self.index: Any = None

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        del folder
        self.faiss.omp_set_num_threads(THREADS)
        self.fill(unit(vectors))

    def fill(self, units: np.ndarray) -> None:
        self.index = self.empty(units.shape[1])
        self.index.train(units)
        self.index.add(units)

    def empty(self, d: int) -> Any:
        raise NotImplementedError

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(unit(vector[None]), k)[1][0]

    @property
    def n_bytes(self) -> int:
        return self.faiss.serialize_index(self.index).nbytes

    def close(self) -> None:
        self.index = None


class FaissFlat(_Faiss):
    """IndexFlatIP. It answers one query with one thread; halves searched at once were no faster."""

    name, exact = "FAISS flat, float32", True

    def empty(self, d: int) -> Any:
        return self.faiss.IndexFlatIP(d)


class FaissHalf(_Faiss):
    """IndexScalarQuantizer of float16: a raw scan of the bytes that repstore scans.

    Not exact: it rounds again after scaling to length one. One index answers one query with one thread; two
    halves in IndexShards, a thread each, take half the time.
    """

    name, exact = "FAISS flat, float16", False

    def fill(self, units: np.ndarray) -> None:
        self.shards = []
        self.index = self.faiss.IndexShards(units.shape[1], True, True)
        for part in np.array_split(units, THREADS):
            shard = self.empty(units.shape[1])
            shard.train(part)
            shard.add(part)
            self.index.add_shard(shard)
            self.shards.append(shard)  # IndexShards does not keep them alive

    def empty(self, d: int) -> Any:
        return self.faiss.IndexScalarQuantizer(
            d, self.faiss.ScalarQuantizer.QT_fp16, self.faiss.METRIC_INNER_PRODUCT
        )

    @property
    def n_bytes(self) -> int:
        return sum(self.faiss.serialize_index(shard).nbytes for shard in self.shards)

    def close(self) -> None:
        super().close()
        self.shards = []


class FaissHnsw(_Faiss):
    """IndexHNSWSQ of float16: half the memory of float32, without loss of recall."""

    name, exact = "FAISS HNSW, float16", False

    def empty(self, d: int) -> Any:
        half = self.faiss.ScalarQuantizer.QT_fp16
        index = self.faiss.IndexHNSWSQ(d, half, NEIGHBORS, self.faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = EF_BUILD, EF_SEARCH
        return index


class UsearchExact:
    """`search(..., exact=True)` over the matrix as it is. The query is rounded to the type of the vectors.

    Faster than an exact search of an Index, which also would build a graph for nothing.
    """

    name, package, exact = "usearch exact", "usearch", True

    def __init__(self) -> None:
        self.usearch: Any = importlib.import_module("usearch.index")

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        del folder
        self.vectors: Any = np.array(vectors)

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        rounded = vector.astype(self.vectors.dtype)
        found = self.usearch.search(self.vectors, rounded, k, "cos", exact=True, threads=THREADS)
        return found.keys.astype(np.int64)

    @property
    def n_bytes(self) -> int:
        return self.vectors.nbytes

    def close(self) -> None:
        self.vectors = None


class UsearchHnsw:
    """HNSW over float16. The bytes are those of the file it would write; in memory it reserves more."""

    name, package, exact = "usearch HNSW, float16", "usearch", False

    def __init__(self) -> None:
        self.usearch: Any = importlib.import_module("usearch.index")

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        del folder
        graph = {"connectivity": NEIGHBORS, "expansion_add": EF_BUILD, "expansion_search": EF_SEARCH}
        self.index: Any = self.usearch.Index(ndim=vectors.shape[1], metric="cos", dtype="f16", **graph)
        self.index.add(np.arange(len(vectors)), vectors, threads=THREADS)

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(vector, k, threads=THREADS).keys.astype(np.int64)

    @property
    def n_bytes(self) -> int:
        return self.index.serialized_length

    def close(self) -> None:
        self.index = None
