"""`Store.compare`: how alike the layers of runs are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa

from repstore.analysis import cka
from repstore.analysis.graph import NeighborGraph, neighbor_graph
from repstore.analysis.overlap import overlap
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, NotFoundError, ResultError, did_you_mean
from repstore.results import Figure, ResultTable
from repstore.searching import check_neighborhood
from repstore.spec import Frame, Similarity
from repstore.storage.lookup import Layers, Lookup, Run
from repstore.storage.vectors import LayerVectors

UNITS = {"cka": "unbiased linear CKA", "knn": "share of neighbors in common"}
NAMES = {"cka": "CKA", "knn": "Common neighbors"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How layers are compared.

    Attributes:
        metric: ``cka`` or ``knn``.
        k: neighbors of each word, for ``knn``.
        standardize: the space in which neighbors are sought.
        sample: over how many words; None for all.
        seed: decides which.
    """

    metric: Similarity
    k: int
    standardize: Frame
    sample: int | None
    seed: int

    def __post_init__(self) -> None:
        if self.metric not in get_args(Similarity):
            raise NotFoundError(
                f'No metric "{self.metric}". {did_you_mean(str(self.metric), get_args(Similarity))}'
            )
        check_neighborhood(self.k, "cosine", self.standardize)
        if self.sample is not None and self.sample < 4:
            raise ArgumentError(f"sample is {self.sample}; CKA needs at least 4 words.")
        if self.seed < 0:
            raise ArgumentError(f"seed is {self.seed}; it must not be negative.")


def compare_layers(
    lookup: Lookup,
    run: str | None,
    run_b: str | None,
    layers: Layers,
    asked: Comparison,
) -> ResultTable:
    """Every layer of a run against every layer of another, as `Store.compare` returns it."""
    first = lookup.run(run)
    second = first if run_b is None else lookup.run(run_b)
    asked_layers = layers if isinstance(layers, int | str) else list(layers)
    across, up = first.layers(asked_layers), second.layers(asked_layers)
    word_ids = _sampled(_common(first, second), asked)
    values, notes = _values(first, second, across, up, word_ids, asked)
    runs = first.label if run_b is None else f"{first.label} and {second.label}"
    table = pa.table(
        {
            "layer_a": np.repeat(across, len(up)),
            "layer_b": np.tile(up, len(across)),
            asked.metric: values.ravel(),
        }
    )
    title = f"{NAMES[asked.metric]} between the layers of {runs} over {len(word_ids):,} words"
    provenance = {
        "run": first.info.run_id,
        "run_b": second.info.run_id,
        "metric": asked.metric,
        "n_words": len(word_ids),
        "seed": asked.seed,
    }
    if asked.metric == "knn":
        provenance |= {"k": asked.k, "standardize": asked.standardize}
    return ResultTable(
        table,
        title,
        units={asked.metric: UNITS[asked.metric]},
        provenance=provenance,
        figure=Figure("matrix", "layer_a", asked.metric, "layer_b"),
        notes=notes,
    )


def _common(first: Run, second: Run) -> np.ndarray:
    """Words with vectors in both runs. *Shape:* (n_words,), int64, ascending."""
    common = np.intersect1d(first.vectors.word_ids, second.vectors.word_ids, assume_unique=True)
    if not len(common):
        raise ResultError(
            f"{first.label} and {second.label} have no words in common: they are over {first.info.corpus} "
            f"and {second.info.corpus}. Compare runs over one corpus."
        )
    return common


def _sampled(word_ids: np.ndarray, asked: Comparison) -> np.ndarray:
    if asked.sample is None or asked.sample >= len(word_ids):
        return word_ids
    rows = np.random.default_rng(asked.seed).choice(len(word_ids), asked.sample, replace=False)
    return word_ids[np.sort(rows)]


def _values(
    first: Run,
    second: Run,
    across: Sequence[int],
    up: Sequence[int],
    word_ids: np.ndarray,
    asked: Comparison,
) -> tuple[np.ndarray, list[str]]:
    """Similarities, and what a reader has to know. *Shape:* (len(across), len(up)), float64."""
    if asked.metric == "cka":
        sides = [(first, across)] if second is first else [(first, across), (second, up)]
        vectors = [run.vectors.layer(layer) for run, layers in sides for layer in layers]
        rows = [run.vectors.rows(word_ids) for run, layers in sides for _ in layers]
        return cka.linear_cka(vectors, rows)[: len(across), -len(up) :], []
    graphs = [_graphs(first, across, word_ids, asked)]
    graphs.append(graphs[0] if second is first else _graphs(second, up, word_ids, asked))
    found = [[overlap(a, b) for b in graphs[1]] for a in graphs[0]]
    note = f"{graphs[0][0].k} neighbors of each word among these words; by chance {found[0][0].chance:.4f}."
    return np.array([[one.mean for one in row] for row in found]), [note]


def _graphs(run: Run, layers: Sequence[int], word_ids: np.ndarray, asked: Comparison) -> list[NeighborGraph]:
    rows = run.vectors.rows(word_ids)
    graphs = []
    for layer in layers:
        some = LayerVectors(layer, word_ids, (run.vectors.layer(layer).take(rows),))
        graphs.append(neighbor_graph(some, space_of(some, asked.standardize), asked.k))
    return graphs
