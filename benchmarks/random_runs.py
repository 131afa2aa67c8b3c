"""Stores of random vectors, or of chosen ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repstore import corpus
from repstore.schemas import ID_STRIDE, rows_per_part
from repstore.spec import CorpusInfo, LayerStats, ModelIdentity, RunInfo, RunSpec
from repstore.storage.catalog import publish_catalog
from repstore.storage.commit import commit_part
from repstore.storage.corpora import identify, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store, write_run

Layers = Sequence[np.ndarray]


@dataclass(frozen=True)
class RandomRun:
    """A run of random vectors to write."""

    name: str
    n_layers: int
    d_model: int
    seed: int


def write_store(root: Path, source: str, runs: Sequence[RandomRun]) -> None:
    """A store of these runs over the words of a corpus."""
    create_store(root)
    layout = Layout(root)
    read = corpus.read(source)
    info = write_corpus(layout, read, identify(read))
    for run in runs:
        n_rows = min(rows_per_part(run.n_layers, run.d_model), info.n_words)
        random = np.random.default_rng(run.seed)
        drawn = random.standard_normal((n_rows, run.d_model), np.float32).astype(np.float16)

        def rolled(part: int, words: slice, run: RandomRun = run, drawn: np.ndarray = drawn) -> Layers:
            n_here = words.stop - words.start
            return [np.roll(drawn, 7 * n + part, axis=0)[:n_here] for n in range(run.n_layers)]

        write_run_of(layout, info, run.name, run.n_layers, run.d_model, rolled)
    publish_catalog(layout)


def write_run_of(
    layout: Layout,
    info: CorpusInfo,
    name: str,
    n_layers: int,
    d_model: int,
    layers_of: Callable[[int, slice], Layers],
) -> None:
    """A run of chosen vectors.

    Args:
        layout: of the store.
        info: the corpus that the run is of.
        name: of the run.
        n_layers, d_model: sizes of the model.
        layers_of: vectors of a part, given its number and its words: one matrix for each layer.
            *Shape of each:* (n_words of the part, d_model), float16.
    """
    sha = hashlib.sha256(name.encode()).hexdigest()
    model = ModelIdentity(name, "random", None, "none", sha, sha, n_layers, d_model)
    spec = RunSpec(model, info.corpus_id, "base", "{text}", "target", "mean", "float32")
    n_rows = rows_per_part(n_layers, d_model)
    group = (spec.run_id,)
    run = RunInfo(spec.run_id, name, info.name, "base", spec, {}, group, info.n_words, n_rows, "encoded")
    write_run(layout, run)
    for part, start in enumerate(range(0, info.n_words, n_rows)):
        words = slice(start, min(start + n_rows, info.n_words))
        commit_part(
            layout.run(spec.run_id),
            spec.run_id,
            part,
            word_ids=info.code * ID_STRIDE + np.arange(words.start, words.stop),
            layers=layers_of(part, words),
            stats=[LayerStats("float16", 1.0, 1.0, 1.0)] * n_layers,
            skipped=[],
            n_windowed=0,
            n_not_finite=[0] * n_layers,
        )
