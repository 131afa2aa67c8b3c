"""Stores whose layers are worth an index: words in clusters, which a sketch can tell apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import SyntheticRun, build_store, small_corpus

import repstore

N_WORDS, D_MODEL, N_CLUSTERS = 1200, 64, 30
ROWS_PER_PART = 500


def clustered(n_words: int = N_WORDS, seed: int = 0) -> np.ndarray:
    """Words about fixed centers. *Shape:* (n_words, `D_MODEL`), float16."""
    centers = np.random.default_rng(99).normal(size=(N_CLUSTERS, D_MODEL))
    random = np.random.default_rng(seed)
    near = centers[random.integers(0, N_CLUSTERS, n_words)]
    return (near + random.normal(size=(n_words, D_MODEL)) / 3).astype(np.float16)


def store_of(
    root: Path,
    *layers: np.ndarray,
    rows_per_part: int = ROWS_PER_PART,
    n_committed: int | None = None,
    **run: Any,
) -> Path:
    """A store with one run, model/base, of these layers."""
    written = SyntheticRun("model/base", layers, rows_per_part, n_committed=n_committed, **run)
    return build_store(root, small_corpus(len(layers[0]), 0, 0), [written])


def index_files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.glob("runs/*/index/*"))}


def true_neighbors(rows: np.ndarray, query: np.ndarray, exclude: int | None = None) -> np.ndarray:
    """All rows, nearest first, in float64. *Shape:* (n_words,), float64 cosines."""
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosines = np.divide(rows @ query, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    if exclude is not None:
        cosines = np.delete(cosines, exclude)
    return -np.sort(-cosines)


def build(store: Path, **options: object) -> None:
    repstore.build_index(store, **{"kind": "rabitq", "layer": 0} | options)


def the(store: Path, pattern: str) -> Path:
    (path,) = store.glob(pattern)
    return path


def problems(store: Path) -> dict[str, str]:
    return {Path(finding["path"]).name: finding["problem"] for finding in repstore.verify(store)}


def neighbors(store: Path, search: str = "index") -> tuple[list[int], list[str], str]:
    """Neighbors of the first word at layer 0, how they were found, and the notes."""
    with repstore.open(store) as opened:
        word_id = int(opened.vectors(layer=0).word_ids[0])
        found = opened.neighbors(word_id, layer=0, k=5, search=search)
    return found["word_id"], found.provenance["search"], " ".join(found.notes)


def stale_store(root: Path, n_words: int) -> Path:
    """A store whose index is of two of its three parts."""
    half = store_of(root, clustered(n_words), rows_per_part=100, n_committed=2)
    build(half)
    return commit_more(half, n_words)


def commit_more(store: Path, n_words: int) -> Path:
    """Commit the last part, of three, of a store that has but two, as a resumed ingest does."""
    whole = store_of(store.with_name("whole"), clustered(n_words), rows_per_part=100)
    for path in [*whole.glob("runs/*/*/part-00002*"), *whole.glob("catalog.*")]:
        shutil.copy2(path, store / path.relative_to(whole))
    return store
