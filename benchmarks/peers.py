"""Other libraries that find the nearest vectors, each behind the same interface, for `neighbors.py`.

repstore needs none of them, and one that is not installed is left out, with the reason. All of them, beside
repstore::

    pip install -c constraints.txt -e . faiss-cpu lancedb usearch chromadb qdrant-client sqlite-vec pysqlite3

(pysqlite3 only where Python's own sqlite3 cannot load extensions.) Settings were chosen on clustered
vectors, 20,000 of 1,024 dimensions, to find all ten nearest of nearly every query, with something to spare
for harder vectors. Each class says what it sets and why. Similarity is cosine; where a library is faster on
vectors of length one, it gets those.

Two threads, where a library lets one choose. Qdrant follows the BLAS of numpy, so set ``OMP_NUM_THREADS=2``;
``OMP_WAIT_POLICY=passive`` keeps the threads of FAISS and of BLAS from spinning against each other.
"""

from __future__ import annotations

import importlib.metadata

from peer import Peer
from peers_in_databases import Chroma, LanceFlat, LanceHnsw, LanceRabit, LanceScan, Qdrant
from peers_in_memory import FaissFlat, FaissHalf, FaissHnsw, UsearchExact, UsearchHnsw
from peers_in_sql import DuckDb, SqliteVec, SqliteVecBits

PEERS: tuple[type[Peer], ...] = (
    FaissFlat,
    FaissHalf,
    FaissHnsw,
    UsearchExact,
    UsearchHnsw,
    LanceScan,
    LanceFlat,
    LanceRabit,
    LanceHnsw,
    Chroma,
    Qdrant,
    SqliteVec,
    SqliteVecBits,
    DuckDb,
)


def available() -> tuple[list[Peer], dict[str, str]]:
    """Peers that can be used here, not built yet, and why the others cannot, by name."""
    found: list[Peer] = []
    missing = {}
    for peer in PEERS:
        try:
            found.append(peer())
        except ImportError as error:
            missing[peer.name] = str(error)
    return found, missing


def version(peer: Peer) -> str:
    """Package and version: ``usearch 2.26.6``."""
    return f"{peer.package} {importlib.metadata.version(peer.package)}"
