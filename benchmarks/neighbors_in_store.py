"""Neighbors in a store: exact search and sketch as rows of the table of libraries, and a cold start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
from lifelike import Layer
from neighbors_of_peers import K, about, all_cosines, ask_all, recall, seconds_of
from report import Figure, side_by_side

from repstore.analysis.neighbors import nearest
from repstore.analysis.sketched import nearest_by_sketch
from repstore.analysis.space import space_of
from repstore.indexing import build_index, open_index
from repstore.storage.catalog import Catalog
from repstore.storage.index import read_index_info
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.vectors import LayerVectors

ROUNDS_OF_STARTS = 9


def open_run(store: Path) -> Run:
    """The only run of a store."""
    layout = Layout(store)
    return Lookup(layout, Catalog(layout)).run(None)


def cold_start(store: Path) -> list[Figure]:
    """From the start of a process to its answer, by the command line."""
    word_id = int(open_run(store).vectors.word_ids[123])
    command = ["neighbors", str(store), str(word_id), "--layer", "0", "-k", str(K), "--format", "json"]
    call = [sys.executable, "-c", "from repstore.cli import main; main()", *command]

    def start() -> None:
        answer = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
        assert answer

    seconds = side_by_side({"start": start}, ROUNDS_OF_STARTS)["start"]
    return [Figure("cold start to answer", median(seconds), "s", at_most=1)]


def exact(vectors: LayerVectors, layer: Layer, written: float) -> list[Figure]:
    """Exact search, as a row of the table of libraries."""
    space = space_of(vectors, "none")
    n_bytes = sum(block.nbytes for block in vectors.blocks)
    return about(
        "repstore exact",
        written,
        n_bytes,
        layer,
        lambda query, k: nearest(vectors, space, query, k).rows,
        all_cosines(layer),
    )


def by_sketch(run: Run, layer: Layer) -> list[Figure]:
    """Candidates from a sketch, re-scored from the vectors: a row of the table that has to reach something.

    Bytes are those of the index alone: the vectors are in the store anyway.
    """
    store, vectors = run.folder.root.parents[1], run.vectors.layer(0)
    built = seconds_of(lambda: build_index(store, kind="rabitq"))
    info = read_index_info(run.folder, 0, "none")
    assert info is not None
    space, candidates = space_of(vectors, "none"), open_index(run, info)
    scanned = []

    def query(vector: np.ndarray, k: int) -> np.ndarray:
        found, all_words = nearest_by_sketch(vectors, space, vector, k, candidates, info.n_candidates)
        scanned.append(all_words)
        return found.rows

    seconds, found = ask_all(layer, query)
    share = float(np.mean(scanned[-len(layer.queries) :]))
    share_of_bytes = info.bytes / layer.vectors.nbytes
    return [
        Figure("repstore sketch: build", built, "s"),
        Figure("repstore sketch: candidates", info.n_candidates, "words"),
        Figure("repstore sketch: bytes / float16 vectors", share_of_bytes, "times", at_most=0.1),
        Figure("repstore sketch: query", 1e3 * median(seconds), "ms", at_most=1.5),
        Figure("repstore sketch: query, mean", 1e3 * float(np.mean(seconds)), "ms"),
        Figure(f"repstore sketch: recall@{K}", recall(found, all_cosines(layer)), "", at_least=0.995),
        Figure("repstore sketch: queries that scanned all words", share, "of all"),
    ]
