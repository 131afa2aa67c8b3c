"""Building indexes, and saying how much they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from repstore.analysis import kernels
from repstore.analysis.neighbors import Found, nearest
from repstore.analysis.sketched import clear_answer
from repstore.analysis.space import Space, space_of
from repstore.errors import (
    ArgumentError,
    NotFoundError,
    ResultError,
    StoreDamagedError,
    check_choice,
    did_you_mean,
)
from repstore.results import ResultTable
from repstore.spec import MEMORY, Frame, IndexChoice, IndexInfo, IndexKind, Progress, Recall
from repstore.storage import index as indexes
from repstore.storage.index import EXACT_UP_TO, Sketch
from repstore.storage.lock import writing
from repstore.storage.lookup import looking_up
from repstore.storage.opened import Layers, Run
from repstore.storage.runs import open_store
from repstore.storage.vectors import LayerVectors

RABITQ_UP_TO = 2_000_000
"""Words up to which all bits of a sketch are compared; beyond, a graph pays for its size."""

QUERIES = 200
"""Most words held out of an index while its recall is measured."""

RECALL_K = 10
"""Neighbors whose recall is measured."""

TARGET = 0.99
"""Recall that is enough."""

GATHERING = 16
"""How many times longer it takes to fetch and weigh a vector here and there than to scan one."""

CANDIDATES = (50, 100, 200, 400, 800)
"""How many candidates are tried."""

TIE = 1e-12
"""Cosines in float64 that differ by less are equal."""


def build_index(
    store: str | Path,
    *,
    run: str | None = None,
    layer: Layers = "all",
    kind: IndexChoice = "auto",
    standardize: Frame = "none",
    memory: int = MEMORY,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Build an index of each of some layers, one after the other. What is there and current is kept.

    Some words are left out of an index at first and asked for their neighbors; what share it finds is its
    recall, kept with it and shown with every answer. Then they are put in, too.

    Args:
        store: folder of the store.
        run: a run; not needed if the store has one.
        layer: a layer, several, or "all".
        kind: ``rabitq``, ``ivf`` or ``hnsw`` (`storage.index.Sketch`); ``auto``: none up to 200,000 words,
            rabitq up to 2 million, else hnsw.
        standardize: the space in which it searches (`analysis.space`).
        memory: most bytes that building one may take.
        seed: decides which words are left out at first.
        progress: told how many layers are done.

    Returns:
        As `list_indexes`, of these layers.

    Raises:
        NotFoundError: no such run, layer or kind.
        ArgumentError: `memory` does not suffice.
        StoreLockedError: another process is writing to the store.
    """
    if kind not in get_args(IndexChoice):
        raise NotFoundError(f'No kind of index "{kind}". {did_you_mean(str(kind), get_args(IndexChoice))}')
    check_choice("standardize", standardize, get_args(Frame))
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        opened = lookup.run(run)
        layers = opened.stored_layers(layer, "Indexes")
        chosen = _kind_for(opened, kind)
        if chosen is not None:
            _check_size(opened, chosen, memory)
            for n, one in enumerate(layers):
                progress(Progress(f"Indexing layer {one}", n, len(layers), unit="layers"))
                _build(opened, one, standardize, chosen, seed)
    notes = []
    if chosen is None:
        notes.append(
            f"{opened.label} has {len(opened.vectors.word_ids):,} words: a scan is fast and exact, so no "
            "index was built. Ask for a kind to build one all the same."
        )
    return _result(opened.label, [(opened, one, standardize) for one in layers], notes)


def list_indexes(store: str | Path) -> ResultTable:
    """The indexes of a store.

    Returns:
        One row per index: run, layer, standardize, kind, state ("current", "stale", "damaged"), n_words,
        bytes, share (of the bytes of the vectors), n_candidates, recall, n_queries, scanned (share of these
        queries in which all words were scanned).
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        runs = [lookup.run(run_id) for run_id in lookup.labels]
    places = [
        (run, layer, frame) for run in runs for layer in run.vectors.layers for frame in get_args(Frame)
    ]
    return _result(str(layout.root), places)


def drop_index(
    store: str | Path,
    *,
    run: str | None = None,
    layer: Layers = "all",
    standardize: Frame = "none",
) -> int:
    """Remove the indexes of some layers. Vectors are not touched.

    Returns:
        How many were removed.
    """
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        opened = lookup.run(run)
        layers = opened.stored_layers(layer, "Indexes")
        return sum(indexes.drop_index(opened.folder, one, standardize) for one in layers)


COLUMNS = pa.schema(
    [
        *(("run", pa.string()), ("layer", pa.int64()), ("standardize", pa.string()), ("kind", pa.string())),
        *(("state", pa.string()), ("n_words", pa.int64()), ("bytes", pa.int64()), ("share", pa.float64())),
        *(("n_candidates", pa.int64()), ("recall", pa.float64()), ("n_queries", pa.int64())),
        ("scanned", pa.float64()),
    ]
)


def _result(of: str, places: Iterable[tuple[Run, int, Frame]], notes: Sequence[str] = ()) -> ResultTable:
    """The indexes that there are at some places."""
    rows = [row for place in places for row in _row(*place)]
    units = {"recall": f"of {RECALL_K} neighbors"}
    return ResultTable(pa.Table.from_pylist(rows, COLUMNS), f"Indexes of {of}", units=units, notes=notes)


def _row(run: Run, layer: int, frame: Frame) -> list[dict[str, Any]]:
    about = {"run": run.label, "layer": layer, "standardize": frame}
    try:
        info = indexes.read_index_info(run.folder, layer, frame)
    except StoreDamagedError:
        return [about | {"state": "damaged"}]
    if info is None:
        return []
    return [
        about
        | {
            "kind": info.kind,
            "state": _state(run, info),
            "n_words": info.n_words,
            "bytes": info.bytes,
            "share": info.bytes / (2 * info.n_words * run.info.spec.model.d_model),
            "n_candidates": info.n_candidates,
            "recall": info.recall.recall,
            "n_queries": info.recall.n_queries,
            "scanned": info.recall.scanned,
        }
    ]


def _state(run: Run, info: IndexInfo) -> str:
    """Whether an index is of these parts and as large as it was; `verify` reads every byte."""
    file = run.folder.root / info.file
    if not file.exists() or file.stat().st_size != info.bytes:
        return "damaged"
    return "current" if info.is_of(run.parts) else "stale"


def _kind_for(run: Run, kind: IndexChoice) -> IndexKind | None:
    if kind != "auto":
        return kind
    n_words = len(run.vectors.word_ids)
    if n_words <= EXACT_UP_TO:
        return None
    return "rabitq" if n_words <= RABITQ_UP_TO else "hnsw"


def _check_size(run: Run, kind: IndexKind, memory: int) -> None:
    n_words = len(run.vectors.word_ids)
    if n_words < 2:
        raise ResultError(f"{run.label} has {n_words} word; an index needs at least 2.")
    needed = indexes.bytes_in_memory(kind, n_words, run.info.spec.model.d_model)
    if needed > memory:
        raise ArgumentError(
            f"A {kind} index of {n_words:,} words takes about {needed / 1e9:.2f} GB of memory to build, and "
            f"{memory / 1e9:.2f} GB are allowed. Allow more with memory, or choose another kind."
        )


def _build(run: Run, layer: int, frame: Frame, kind: IndexKind, seed: int) -> None:
    """Build, measure and write the index of one layer, unless it is there."""
    try:
        known = indexes.read_index_info(run.folder, layer, frame)
        if known and known.kind == kind and known.is_of(run.parts):
            indexes.read_sketch(run.folder, known)  # sound, too
            return
    except StoreDamagedError:
        pass  # it is built anew
    vectors = run.vectors.layer(layer)
    space = space_of(vectors, frame)
    n_words = len(vectors.word_ids)
    random = np.random.default_rng([seed, n_words])
    held_out = np.sort(random.choice(n_words, min(QUERIES, max(1, n_words // 10)), replace=False))
    order = indexes.rows_in_order(n_words, held_out.tolist())
    rest = order[: n_words - len(held_out)]
    sketch = Sketch.empty(kind, vectors.d_model, len(rest), order)
    sample = rest
    if len(rest) > indexes.TRAINING:
        sample = np.sort(random.choice(rest, indexes.TRAINING, replace=False))
    sketch.train(np.concatenate(list(_units(vectors, space, sample))))
    for units in _units(vectors, space, rest):
        sketch.add(units)
    n_candidates, recall = _measured(vectors, space, sketch, held_out)
    for units in _units(vectors, space, held_out):
        sketch.add(units)
    about = {
        "run_id": run.info.run_id,
        "layer": layer,
        "frame": frame,
        "kind": kind,
        "parts": run.parts,
        "n_words": n_words,
        "held_out": tuple(held_out.tolist()),
        "n_candidates": n_candidates,
        "recall": recall,
        "faiss": indexes.faiss_version(),
    }
    indexes.write_index(run.folder, sketch, about)


def _units(vectors: LayerVectors, space: Space, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Some words as unit vectors in a space, in blocks. *Shape of each:* (n, d_model), float32."""
    step = kernels.block_rows(vectors.d_model) * 8
    for start in range(0, len(rows), step):
        yield kernels.unit(space.map(vectors.take(rows[start : start + step]))).astype(np.float32)


def _measured(
    vectors: LayerVectors, space: Space, sketch: Sketch, held_out: np.ndarray
) -> tuple[int, Recall]:
    """How many candidates to weigh, and the share of true neighbors that it finds of words held out.

    Of the numbers that find enough, the one by which the fewest vectors are read; else that which finds most.
    """
    allowed = np.ones(len(vectors.word_ids), bool)
    allowed[held_out] = False
    k = min(RECALL_K, int(allowed.sum()))
    queries = [vectors.take(np.array([row]))[0] for row in held_out]
    truth = [nearest(vectors, space, query, k, allowed=allowed) for query in queries]
    tried = {}
    for n_candidates in CANDIDATES:
        # One more than is shown, as `Store.neighbors` asks, which looks whether the next is as near.
        answers = [
            clear_answer(vectors, space, query, k + 1, sketch.candidates, n_candidates) for query in queries
        ]
        tried[n_candidates] = _recall(answers, truth, k)
    enough = [n for n, recall in tried.items() if recall.recall >= TARGET]
    best = min(
        enough or tried,
        key=lambda n: GATHERING * n + tried[n].scanned * len(allowed) if enough else -tried[n].recall,
    )
    return best, tried[best]


def _recall(answers: Sequence[Found | None], truth: Sequence[Found], k: int) -> Recall:
    """Share of the k found that are as near as the true k-th: of equal vectors, any is as good.

    Where a sketch cannot tell, all words are scanned, and all is found.
    """
    n_good = sum(
        k if found is None else int((found.scores[:k] >= best.scores[-1] - TIE).sum())
        for found, best in zip(answers, truth, strict=True)
    )
    n_scanned = sum(found is None for found in answers)
    return Recall(k, len(answers), n_good / (k * len(answers)), n_scanned / len(answers))
