"""Stores without a model: the files an ingest leaves, made from arrays that a test chose."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repstore.corpus import Corpus
from repstore.schemas import ID_STRIDE
from repstore.spec import CorpusInfo, LayerStats, ModelIdentity, Pair, RunInfo, RunSpec, Text, Word
from repstore.storage.catalog import publish_catalog
from repstore.storage.commit import commit_part
from repstore.storage.corpora import identify, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store, write_run
from repstore.storage.vectors import LayerVectors

LEMMAS = ("bank", "spring", "bark", "palm")


@dataclass(frozen=True)
class SyntheticRun:
    """A run to write.

    Attributes:
        name: of the run; two names are two run_ids.
        layers: a vector for every word of the corpus, stored in the dtype given here.
            *Shape of each:* (n_words, d_model).
        rows_per_part: words to a part.
        skipped: ordinals of words that get no vector.
        widened: (part, layer) stored as float32 though the layer is float16.
        n_committed: parts written before the ingest was interrupted; all, if not given.
    """

    name: str
    layers: Sequence[np.ndarray]
    rows_per_part: int = 8192
    skipped: frozenset[int] = frozenset()
    widened: frozenset[tuple[int, int]] = frozenset()
    n_committed: int | None = None


def corpus_of(texts: Sequence[Text], pairs: Sequence[Pair] = (), name: str = "synthetic") -> Corpus:
    return Corpus(name, f"test:{name}", lambda: iter(texts), lambda: iter(pairs))


def small_corpus(
    n_words: int = 80, n_dev: int = 65, n_test: int = 61, name: str = "synthetic", seed: int = 0
) -> Corpus:
    """One word to a text, four lemmas in turn with two senses each; random labelled pairs.

    61 test pairs leave a last batch of one for ``batch30``.
    """
    texts = []
    for n in range(n_words):
        lemma = LEMMAS[n % 4]
        form = lemma + "s" if n % 3 == 0 else lemma
        word = Word(2, 14, 14 + len(form), form, lemma, "V" if n % 5 == 0 else "N", f"{lemma}.{n // 4 % 2}")
        texts.append(Text(f"Sentence {n:03}: {form} of {name}.", (word,), language="en"))
    random = np.random.default_rng(seed)
    pairs = []
    for n in range(n_dev + n_test):
        word_a, word_b = map(int, random.choice(n_words, 2, replace=False))
        pairs.append(Pair(word_a, word_b, "dev" if n < n_dev else "test", bool(random.random() < 0.5)))
    return corpus_of(texts, pairs, name)


def random_layers(
    n_words: int, d_model: int, n_layers: int, *, dtype: type = np.float16, seed: int = 0
) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(n_words, d_model)).astype(dtype) for _ in range(n_layers)]


def in_parts(matrix: np.ndarray, *sizes: int, widened: Sequence[int] = ()) -> LayerVectors:
    """A layer in memory, cut into parts of these many rows and a last one of the rest."""
    blocks = np.split(matrix, np.cumsum(sizes))
    wide = tuple(block.astype(np.float32) if n in widened else block for n, block in enumerate(blocks))
    return LayerVectors(0, np.arange(len(matrix)), wide)


def build_store(
    root: Path, corpus: Corpus, runs: Sequence[SyntheticRun] = (), corpus_name: str | None = None
) -> Path:
    """A store at `root` with these runs over a corpus, added to what is there already."""
    create_store(root)
    layout = Layout(root)
    info = identify(corpus, corpus_name)
    write_corpus(layout, corpus, info)
    for run in runs:
        _write_run(layout, info, run)
    publish_catalog(layout)
    return root


def _write_run(layout: Layout, corpus: CorpusInfo, run: SyntheticRun) -> None:
    sha = hashlib.sha256(run.name.encode()).hexdigest()
    n_layers, d_model = len(run.layers), run.layers[0].shape[1]
    model = ModelIdentity("synthetic", "arrays", None, "none", sha, sha, n_layers, d_model)
    spec = RunSpec(model, corpus.corpus_id, "base", "{text}", "target", "mean", "float32")
    info = RunInfo(
        run_id=spec.run_id,
        name=run.name,
        corpus=corpus.name,
        template="base",
        spec=spec,
        contract={"device": "cpu"},
        group=(spec.run_id,),
        n_words=corpus.n_words,
        rows_per_part=run.rows_per_part,
        origin="encoded",
    )
    write_run(layout, info)
    for part in range(info.n_parts if run.n_committed is None else run.n_committed):
        _write_part(layout, corpus, info, run, part)


def _write_part(layout: Layout, corpus: CorpusInfo, info: RunInfo, run: SyntheticRun, part: int) -> None:
    first_id = corpus.code * ID_STRIDE
    ordinals = np.arange(part * run.rows_per_part, min((part + 1) * run.rows_per_part, corpus.n_words))
    left_out = np.isin(ordinals, list(run.skipped))
    kept = ordinals[~left_out]
    layers = [
        values[kept].astype(np.float32) if (part, layer) in run.widened else values[kept]
        for layer, values in enumerate(run.layers)
    ]
    commit_part(
        layout.run(info.run_id),
        info.run_id,
        part,
        word_ids=first_id + kept,
        layers=layers,
        stats=[_stats(matrix) for matrix in layers if len(kept)],
        skipped=[
            {"word_id": first_id + int(n), "reason": "truncated", "n_tokens": None, "rendered": "..."}
            for n in ordinals[left_out]
        ],
        n_windowed=0,
        n_not_finite=[0] * len(layers),
    )


def _stats(matrix: np.ndarray) -> LayerStats:
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    dtype = "float32" if matrix.dtype == np.float32 else "float16"
    return LayerStats(dtype, float(norms.min()), float(np.median(norms)), float(norms.max()))
