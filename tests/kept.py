"""A store that every question can be asked of, and the questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from mixing import arrays_of, put_mix
from saved import probe_in
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.results import ResultTable
from repstore.store import Store

N_WORDS, D_MODEL, N_LAYERS = 80, 5, 3
RUNS = ["m/base", "m/repeat"]
WORD = "Sentence 007"
"""Part of the text of one word, a palm."""


def store_of(root: Path, n_committed: int | None = None) -> Path:
    """Two runs over words with senses and pairs; a probe, a mix and a transform of the first."""
    runs = [
        SyntheticRun(name, random_layers(N_WORDS, D_MODEL, N_LAYERS, seed=seed), 40, n_committed=n_committed)
        for seed, name in enumerate(RUNS)
    ]
    build_store(root, small_corpus(N_WORDS), runs)
    if n_committed is None:
        probe_in(root, "pos")
        put_mix(root, "two", "scalar", [0, 1], arrays_of("scalar", 2, D_MODEL), run="m/base")
        repstore.fit_transform(root, "centered", kind="center", run="m/base")
    return root


def similar(store: Store) -> Path:
    """A table of similarities beside the store."""
    word_ids = store.words()["word_id"]
    path = Path(store).with_name("similar.csv")
    rows = [f"{a},{b},{n}" for n, (a, b) in enumerate(zip(word_ids[:9], word_ids[9:18], strict=True))]
    path.write_text("\n".join(["word_a,word_b,similarity", *rows]) + "\n")
    return path


QUESTIONS: dict[str, Callable[[Store], ResultTable]] = {
    "wic": lambda store: store.probe("wic", run=RUNS, resamples=20),
    "against": lambda store: store.probe("wic", run="m/repeat", against="m/base", resamples=20),
    "wic-of-mix": lambda store: store.probe("wic", run="m/base", layer=["all", "mix:two"], resamples=20),
    "knn-wsd": lambda store: store.probe("knn-wsd", run="m/base", resamples=20),
    "centroid-wsd": lambda store: store.probe("centroid-wsd", run="m/base", resamples=20),
    "wsi": lambda store: store.probe("wsi", run="m/base", layer=1, resamples=20),
    "linear": lambda store: store.probe(
        "linear", label="pos", run="m/base", layer=[0, 2], n_seeds=1, resamples=20
    ),
    "apply": lambda store: store.apply_probe("pos", run="m/repeat", of_run="m/base", sample=9),
    "cka": lambda store: store.compare("cka", run=RUNS),
    "knn": lambda store: store.compare("knn", run="m/base", k=3, sample=30),
    "with": lambda store: store.compare_with(similar(store), run=RUNS),
    "geometry": lambda store: store.geometry(["norms", "dimension"], run="m/base", resamples=20),
    "transformed": lambda store: store.transformed("centered").geometry("norms", run="m/base"),
    "hubness": lambda store: store.hubness(run="m/base", k=3),
    "trajectory": lambda store: store.neighbors("palm", text=WORD, run="m/base", layer="all", k=3),
    "neighbors": lambda store: store.neighbors(np.arange(D_MODEL) / 2, run="m/base", layer=1, k=3),
    "graph": lambda store: store.neighbors_graph(run="m/base", layer=1, k=4),
    "sql": lambda store: store.sql(
        "SELECT pos, sum(position) AS total, avg(position) AS mean, min(form) AS form, 1 / 0 AS none "
        "FROM words WHERE pos <> ? GROUP BY pos ORDER BY pos",
        ["X"],
    ),
}
"""One of every kind."""
