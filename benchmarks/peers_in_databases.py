"""LanceDB, Chroma and Qdrant: vector databases inside the process."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from peer import EF_BUILD, EF_SEARCH, NEIGHBORS, THREADS, batches, bytes_in, unit


class _Lance:
    """LanceDB: a table on disk, vectors in the type given. An index is a second copy beside them.

    With one partition none is missed for being in another, and at 20,000 rows more were no faster. IVF_PQ is
    left out: it took by far the longest to build and answered no faster.
    """

    package = "lancedb"
    index_type: ClassVar[str | None] = None
    search_settings: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        os.environ.setdefault("LANCE_CPU_THREADS", str(THREADS))  # read when its first query starts
        self.lancedb: Any = importlib.import_module("lancedb")
        self.arrow: Any = importlib.import_module("pyarrow")

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        self.folder, self.dtype = folder, vectors.dtype
        values = self.arrow.array(np.ascontiguousarray(vectors).reshape(-1))
        lists = self.arrow.FixedSizeListArray.from_arrays(values, vectors.shape[1])
        rows = self.arrow.table({"row": np.arange(len(vectors)), "vector": lists})
        self.table: Any = self.lancedb.connect(folder).create_table("vectors", rows)
        if self.index_type is not None:
            kind = getattr(importlib.import_module("lancedb.index"), self.index_type)
            config = kind(distance_type="cosine", num_partitions=1)
            self.table.create_index("vector", config=config)

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        search = self.table.search(vector.astype(self.dtype)).distance_type("cosine").limit(k)
        for setting, value in self.search_settings.items():
            search = getattr(search, setting)(value)
        return search.select(["row", "_distance"]).to_arrow()["row"].to_numpy()

    @property
    def n_bytes(self) -> int:
        return bytes_in(self.folder)

    def close(self) -> None:
        self.table = None


class LanceScan(_Lance):
    """No index: the table is read and decoded anew for each query."""

    name, exact = "LanceDB without index", True


class LanceFlat(_Lance):
    """IVF_FLAT of one partition: still every vector, but kept in memory; four times as fast as no index."""

    name, exact, index_type = "LanceDB IVF_FLAT", True, "IvfFlat"


class LanceRabit(_Lance):
    """IVF_RQ, one bit per dimension, 10 candidates re-scored for each asked for: 4 find 97 %, none 62 %."""

    name, exact, index_type = "LanceDB IVF_RQ", False, "IvfRq"
    search_settings: ClassVar[dict[str, int]] = {"refine_factor": 10}


class LanceHnsw(_Lance):
    """IVF_HNSW_SQ, 8 bits per dimension, the graph by default; re-scoring 2 for 1 finds 2 % more."""

    name, exact, index_type = "LanceDB IVF_HNSW_SQ", False, "IvfHnswSq"
    search_settings: ClassVar[dict[str, int]] = {"ef": EF_SEARCH, "refine_factor": 2}


class Chroma:
    """Chroma on disk. It has HNSW over float32 only, and keeps vectors twice: in SQLite and in the graph."""

    name, package, exact = "Chroma HNSW", "chromadb", False

    def __init__(self) -> None:
        self.chromadb: Any = importlib.import_module("chromadb")
        self.settings: Any = importlib.import_module("chromadb.config").Settings

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        self.folder = folder
        self.client: Any = self.chromadb.PersistentClient(folder, self.settings(anonymized_telemetry=False))
        graph = {"max_neighbors": NEIGHBORS, "ef_construction": EF_BUILD, "ef_search": EF_SEARCH}
        configuration = {"hnsw": {"space": "cosine", "num_threads": THREADS, **graph}}
        self.collection: Any = self.client.create_collection(
            "vectors", configuration=configuration, embedding_function=None
        )
        for rows in batches(len(vectors), self.client.get_max_batch_size()):
            self.collection.add(ids=[str(row) for row in rows], embeddings=vectors[rows].astype(np.float32))

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        found = self.collection.query(query_embeddings=[vector], n_results=k, include=[])
        return np.array(found["ids"][0], dtype=np.int64)

    @property
    def n_bytes(self) -> int:
        return bytes_in(self.folder)

    def close(self) -> None:
        self.client.close()


class Qdrant:
    """Qdrant without a server, in memory: numpy over float32, no index; it warns above 20,000 vectors.

    Its cosine divides all vectors by their lengths anew for each query and takes twice as long, so it gets
    products of unit vectors. On disk it answers no faster, and commits each vector by itself. The bytes are
    computed: four per number.
    """

    name, package, exact = "Qdrant, local mode", "qdrant-client", True

    def __init__(self) -> None:
        self.qdrant: Any = importlib.import_module("qdrant_client")

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        del folder
        models = self.qdrant.models
        self.client: Any = self.qdrant.QdrantClient(":memory:")
        form = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
        self.client.create_collection("vectors", vectors_config=form)
        self.client.upload_collection("vectors", unit(vectors), ids=range(len(vectors)))
        self.stored = 4 * vectors.size

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        found = self.client.query_points(
            "vectors", query=unit(vector[None])[0], limit=k, with_payload=False
        ).points
        return np.array([point.id for point in found], dtype=np.int64)

    @property
    def n_bytes(self) -> int:
        return self.stored

    def close(self) -> None:
        self.client.close()
