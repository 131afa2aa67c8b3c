"""Indexes of a layer: sketches from which candidates come. The vectors themselves stay in the parts.

The only module that knows FAISS. A file is written whole or not at all, and one that is not what was written,
or is of other parts, is not used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.errors import StoreDamagedError
from repstore.spec import Frame, IndexInfo, IndexKind, Recall
from repstore.storage.files import (
    TEMPORARY,
    publish,
    read_json,
    sync_folder,
    write_draft,
    write_json,
)
from repstore.storage.layout import RunLayout
from repstore.storage.processes import of_process

if TYPE_CHECKING:
    import faiss

EXACT_UP_TO = 200_000
"""Words of a layer up to which a scan is fast and no index worth its files (docs/decisions/0007)."""

SEED = 5
"""Of the rotation, so that the same vectors give the same bytes."""

QUERY_BITS = 4
"""Bits per dimension of a query against a sketch: a third faster than 8, and what is unclear is scanned."""

LINKS = 32
"""Of a word in the graph of an ``hnsw`` index."""

BREADTH = 200
"""Words looked at where one is put into the graph."""

OVERHEAD = 1 << 25
"""Bytes that building takes besides."""

TRAINING = 1 << 16
"""Most words from which a sketch learns where its center and its cells are."""


class Sketch:
    """An index in memory: unit vectors of rows go in, and the rows that seem nearest to a query come out.

    Kinds: ``rabitq``: one bit per dimension after a rotation (Gao & Long 2024), all of them compared;
    ``ivf``: the same in cells, of which some are looked into; ``hnsw``: a graph (Malkov & Yashunin 2018) over
    vectors rounded to float16.
    """

    def __init__(self, index: faiss.Index, order: np.ndarray) -> None:
        """`order`: which row of the layer is added first, second, ... *Shape:* (n_words,), int64."""
        self._index = index
        self._order = order

    @of_process
    def _turn(self) -> Lock:  # how broadly it is searched is a setting of the index
        return Lock()

    @classmethod
    def empty(cls, kind: IndexKind, d_model: int, n_words: int, order: np.ndarray) -> Sketch:
        """An index of nothing yet, fit for `n_words` words, to which rows are added in this order."""
        import faiss

        if kind == "hnsw":
            graph: Any = faiss.index_factory(d_model, f"HNSW{LINKS},SQfp16", faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = BREADTH
            return cls(graph, order)
        cells = f"IVF{n_cells(n_words)}," if kind == "ivf" else ""
        bits: Any = faiss.index_factory(d_model, f"{cells}RaBitQ", faiss.METRIC_INNER_PRODUCT)
        bits.qb = QUERY_BITS
        if kind == "ivf":
            bits.cp.min_points_per_centroid = 1  # else FAISS warns of layers of fewer than 39 words
        rotation = faiss.RandomRotationMatrix(d_model, d_model)
        rotation.init(SEED)
        return cls(faiss.IndexPreTransform(rotation, bits), order)

    def train(self, rows: np.ndarray) -> None:
        """Learn from some unit vectors. *Shape:* (n_rows, d_model), float32."""
        self._index.train(rows)

    def add(self, rows: np.ndarray) -> None:
        """Add the unit vectors of the next rows. *Shape:* (n_rows, d_model), float32."""
        self._index.add(rows)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def candidates(self, query: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the n vectors that seem nearest.

        Args:
            query: a unit vector. *Shape:* (d_model,), float32.
            n: how many; fewer come back if fewer are found.

        Returns:
            Rows and estimated products, best first. *Shape of each:* (up to n,), int64 and float64.
        """
        import faiss

        n = min(n, len(self))
        inner = self._inner
        with self._turn:
            if isinstance(inner, faiss.IndexHNSW):
                inner.hnsw.efSearch = n
            elif isinstance(inner, faiss.IndexIVF):
                inner.nprobe = max(1, min(inner.nlist, n // 8))
            n_threads = faiss.omp_get_max_threads()
            faiss.omp_set_num_threads(1)  # others would wait, spinning, for one query
            try:
                estimates, found = self._index.search(query[None], n)
            finally:
                faiss.omp_set_num_threads(n_threads)
        there = found[0] >= 0
        return self._order[found[0][there]], estimates[0][there].astype(np.float64)

    @cached_property
    def _inner(self) -> faiss.Index:
        """The index behind the rotation."""
        import faiss

        index = self._index
        return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index

    def write(self, write: Callable[[bytes], object]) -> None:
        """Give the bytes of the index, piece by piece, to `write`, whose errors come through."""
        import faiss

        library: Any = faiss  # its types lack the writer
        library.write_index(self._index, library.PyCallbackIOWriter(write))

    @classmethod
    def read(cls, data: bytes, order: np.ndarray) -> Sketch:
        """The index that a file holds."""
        import faiss

        return cls(faiss.deserialize_index(np.frombuffer(data, np.uint8)), order)


def n_cells(n_words: int) -> int:
    """Cells of an ``ivf`` index: four times the root of the number of words, if so many can be learned."""
    return max(1, min(round(4 * math.sqrt(n_words)), min(n_words, TRAINING) // 39))


def bytes_in_memory(kind: IndexKind, n_words: int, d_model: int) -> int:
    """About how much memory it takes to build an index."""
    n_copies = {"rabitq": 3, "ivf": 4, "hnsw": 1}[kind]  # of the training vectors: ours, rotated, clustered
    training = 4 * d_model * min(n_words, TRAINING) * n_copies
    per_word = 2 * d_model + 8 * LINKS + 64 if kind == "hnsw" else d_model // 8 + 24
    return 2 * n_words * per_word + training + OVERHEAD


def faiss_version() -> str:
    """Version of the library."""
    import faiss

    return str(faiss.__version__)


def write_index(run: RunLayout, sketch: Sketch, about: dict[str, Any]) -> IndexInfo:
    """Write an index and, last, the file that makes it count; the one before it goes.

    Args:
        run: folder of the run.
        sketch: the index.
        about: what `IndexInfo` says of it, but for the file.

    Raises:
        StoreError: the disk is full.
    """
    layer, frame = about["layer"], about["frame"]
    info_file = run.index_info(layer, frame)
    draft = info_file.with_suffix(f".faiss{TEMPORARY}")
    n_bytes, sha256 = write_draft(draft, sketch.write)
    path = run.index(layer, frame, sha256[:8])
    publish(draft, path)
    name = path.relative_to(run.root).as_posix()
    info = IndexInfo(file=name, bytes=n_bytes, sha256=sha256, **about)
    write_json(info_file, dataclasses.asdict(info))
    for other in run.editions(info_file):
        if other != path:
            other.unlink()
    return info


def read_index_info(run: RunLayout, layer: int, frame: Frame) -> IndexInfo | None:
    """What is said of the index of a layer; None if there is none.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    path = run.index_info(layer, frame)
    return read_info(path) if path.exists() else None


def read_info(path: Path) -> IndexInfo:
    """What the JSON file of an index says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_json(path)
    known = {"parts": tuple(said["parts"]), "held_out": tuple(said["held_out"])}
    info = IndexInfo(**said | known | {"recall": Recall(**said["recall"])})
    run = RunLayout(path.parent.parent)
    if info.run_id != run.root.name or path != run.index_info(info.layer, info.frame):
        raise StoreDamagedError(f"{path} is of layer {info.layer}, {info.frame}, of run {info.run_id}.")
    return info


def read_sketch(run: RunLayout, info: IndexInfo) -> Sketch:
    """Read an index, if every byte is as it was written.

    Raises:
        StoreDamagedError: it is not, or is missing.
    """
    path = run.root / info.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreDamagedError(f"{path} cannot be read: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != info.sha256:
        raise StoreDamagedError(f"{path} is not what was written.")
    try:
        return Sketch.read(data, rows_in_order(info.n_words, info.held_out))
    except RuntimeError:
        raise StoreDamagedError(
            f"{path} cannot be read by FAISS {faiss_version()}; it was written by {info.faiss}."
        ) from None


def drop_index(run: RunLayout, layer: int, frame: Frame) -> bool:
    """Remove the index of a layer. Returns whether there was one."""
    path = run.index_info(layer, frame)
    was_there = path.exists()
    if was_there:
        path.unlink()  # first: what it no longer names does not exist
        sync_folder(path.parent)
    for file in run.editions(path):
        file.unlink()
    return was_there


def rows_in_order(n_words: int, held_out: Sequence[int]) -> np.ndarray:
    """The rows of a layer in the order in which they are indexed. *Shape:* (n_words,), int64."""
    last = np.array(held_out, np.int64)
    return np.concatenate([np.setdiff1d(np.arange(n_words), last), last])
