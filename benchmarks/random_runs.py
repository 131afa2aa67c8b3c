"""Stores of random vectors over a real corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repstore import corpus
from repstore.schemas import ID_STRIDE, rows_per_part
from repstore.spec import LayerStats, ModelIdentity, RunInfo, RunSpec
from repstore.storage.catalog import publish_catalog
from repstore.storage.commit import commit_part
from repstore.storage.corpora import identify, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store, write_run


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
        sha = hashlib.sha256(run.name.encode()).hexdigest()
        model = ModelIdentity(run.name, "random", None, "none", sha, sha, run.n_layers, run.d_model)
        spec = RunSpec(model, info.corpus_id, "base", "{text}", "target", "mean", "float32")
        n_rows = rows_per_part(run.n_layers, run.d_model)
        write_run(
            layout,
            RunInfo(spec.run_id, run.name, info.name, "base", spec, {}, (spec.run_id,), info.n_words, n_rows),
        )
        random = np.random.default_rng(run.seed)
        drawn = random.standard_normal((min(n_rows, info.n_words), run.d_model), np.float32)
        drawn = drawn.astype(np.float16)
        stats = [LayerStats("float16", 1.0, 1.0, 1.0)] * run.n_layers
        for part, start in enumerate(range(0, info.n_words, n_rows)):
            n_here = min(n_rows, info.n_words - start)
            commit_part(
                layout.run(spec.run_id),
                spec.run_id,
                part,
                word_ids=info.code * ID_STRIDE + np.arange(start, start + n_here),
                layers=[np.roll(drawn, 7 * n + part, axis=0)[:n_here] for n in range(run.n_layers)],
                stats=stats,
                skipped=[],
                n_windowed=0,
                n_not_finite=[0] * run.n_layers,
            )
    publish_catalog(layout)
