"""What the adapters in `peers.py` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

THREADS = 2
NEIGHBORS, EF_BUILD, EF_SEARCH = 32, 128, 128
"""The graph of every HNSW but LanceDB's: neighbors of a node, candidates while building and while searching.

Searching 64 candidates missed no more, in two thirds of the time: the rest is to spare for harder vectors.
"""


class Peer(Protocol):
    """A library set up in one way. Build once, query often, close."""

    name: ClassVar[str]
    package: ClassVar[str]
    exact: ClassVar[bool]
    """Whether it weighs every vector at the precision it is given, so that only ties may differ."""

    def build(self, vectors: np.ndarray, folder: Path) -> None:
        """Take the vectors in. *Shape:* (n, d), float16 or float32. The folder exists, empty."""

    def query(self, vector: np.ndarray, k: int) -> np.ndarray:
        """Rows of the nearest, best first. *Shape:* (d,), float32; result (k,), int64."""

    @property
    def n_bytes(self) -> int:
        """What vectors and index take: on disk for what writes to the folder, else in memory."""

    def close(self) -> None:
        """Give memory and files back."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one. *Shape:* (n, d), float32."""
    wide = vectors.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def batches(n: int, size: int) -> Iterator[np.ndarray]:
    """Row numbers, so many at a time."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


def bytes_in(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
