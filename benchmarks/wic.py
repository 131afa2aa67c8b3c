"""The Word-in-Context grid from a store, and one exact sweep at the size of Llama-2-7B.

The pairs are those of Word-in-Context (development and test); the vectors are random, which does not change
how long anything takes. Plain numpy is timed on a few layers and multiplied out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import median
from typing import get_args

import numpy as np
from random_runs import RandomRun, write_store
from read import touch
from report import Figure, main, ratio, side_by_side
from wic_data import DATA, slice_of

import repstore
from repstore.analysis import bootstrap
from repstore.analysis.pairs import Side, similarities
from repstore.analysis.thresholds import best_exact
from repstore.spec import Standardize
from repstore.storage.catalog import Catalog
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run

TEMPLATES = ("base", "repeat", "repeat_prev", "prompt1", "prompt2")
PARTS_OF_SPEECH = (None, "N", "V")
N_RESAMPLES = 10_000
SMOLLM2, LLAMA = (31, 576), (33, 4096)
ROUNDS = 5
NUMPY_LAYERS = 1
"""Layers that plain numpy is timed on; the others are multiplied out."""


def measure(options: argparse.Namespace) -> list[Figure]:
    """Both figures, each beside plain numpy."""
    n_dev, n_test = (100, 200) if options.quick else (638, 1400)
    llama = (5, 1024) if options.quick else LLAMA
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        root = Path(folder)
        source = f"wic:{slice_of(root / 'wic', dev=n_dev, test=n_test)}"
        runs = [RandomRun(template, *SMOLLM2, seed) for seed, template in enumerate(TEMPLATES)]
        write_store(root / "grid", source, runs)
        write_store(root / "large", source, [RandomRun("large", *llama, seed=0)])
        return [*grid(root / "grid"), *sweep(root / "large")]


def grid(path: Path) -> list[Figure]:
    """All templates, standardizations, parts of speech and layers, with intervals; the store opened anew."""
    settings = list(product(TEMPLATES, get_args(Standardize), PARTS_OF_SPEECH))

    def with_repstore() -> None:
        bootstrap._kept.cache_clear()  # resamples are drawn anew
        with repstore.open(path) as store:
            for template, standardize, pos in settings:
                store.probe("wic", run=template, standardize=standardize, pos=pos, resamples=N_RESAMPLES)

    seconds = side_by_side({"repstore": with_repstore}, ROUNDS)["repstore"]
    lookup = lookup_of(path)
    start = time.perf_counter()
    for standardize, pos in product(get_args(Standardize), PARTS_OF_SPEECH):
        for layer in range(NUMPY_LAYERS):
            probe_by_numpy(lookup, lookup.run(TEMPLATES[0]), layer, standardize, pos)
    by_numpy = (time.perf_counter() - start) * len(TEMPLATES) * SMOLLM2[0] / NUMPY_LAYERS
    return [
        Figure("curves of the grid", len(settings), ""),
        Figure("the grid with intervals, repstore", median(seconds), "s", at_most=10),
        Figure("the grid with intervals, plain numpy, multiplied out", by_numpy, "s"),
        Figure("numpy / repstore", by_numpy / median(seconds), "times"),
    ]


def sweep(path: Path) -> list[Figure]:
    """Cosines as stored and exact thresholds at every layer, against one pass over the same bytes."""
    lookup = lookup_of(path)
    run = lookup.run(None)
    layers = [run.vectors.layer(layer) for layer in run.layers("all")]
    sets = [pairs_of(lookup, run, split, None) for split in ("dev", "test")]

    def with_repstore() -> None:
        for rows_a, rows_b, same in sets:
            cosines = [similarities(Side(v, rows_a), Side(v, rows_b), "none") for v in layers]
            best_exact(np.stack(cosines), same)

    def with_numpy() -> None:
        for rows_a, rows_b, same in sets:
            for vectors in layers:
                cosines = cosines_by_numpy(vectors.values[rows_a], vectors.values[rows_b], "none")
                threshold_by_numpy(cosines, same)

    def read() -> None:
        for vectors in layers:
            touch(*vectors.blocks)

    seconds = side_by_side({"read": read, "repstore": with_repstore, "numpy": with_numpy}, ROUNDS)
    n_bytes = sum(block.nbytes for vectors in layers for block in vectors.blocks)
    return [
        Figure("bytes of the sweep", n_bytes / 1e9, "GB"),
        Figure("reading them once", median(seconds["read"]), "s"),
        Figure("exact sweep / reading once", ratio(seconds["repstore"], seconds["read"]), "times", at_most=3),
        Figure("plain numpy / exact sweep", ratio(seconds["numpy"], seconds["repstore"]), "times"),
    ]


def lookup_of(path: Path) -> Lookup:
    """Names to runs and pairs of a store."""
    layout = Layout(path)
    return Lookup(layout, Catalog(layout))


def pairs_of(lookup: Lookup, run: Run, split: str, pos: str | None) -> tuple[np.ndarray, ...]:
    """Rows of the first and of the second words, and whether they have the same sense."""
    found = lookup.pairs(run, "label", split, pos)
    return run.vectors.rows(found.word_a), run.vectors.rows(found.word_b), found.values == 1


def probe_by_numpy(lookup: Lookup, run: Run, layer: int, standardize: str, pos: str | None) -> None:
    """One layer of one curve, the short way."""
    values = run.vectors.layer(layer).values
    (dev_a, dev_b, dev_same), (a, b, same) = (pairs_of(lookup, run, split, pos) for split in ("dev", "test"))
    over = values.astype(np.float32) if standardize == "corpus" else None
    threshold = threshold_by_numpy(
        cosines_by_numpy(values[dev_a], values[dev_b], standardize, over), dev_same
    )
    right = (cosines_by_numpy(values[a], values[b], standardize, over) > threshold) == same
    random = np.random.default_rng(0)
    for _ in range(N_RESAMPLES):
        right[random.integers(0, len(right), len(right))].mean()


def cosines_by_numpy(
    a: np.ndarray, b: np.ndarray, standardize: str, over: np.ndarray | None = None
) -> np.ndarray:
    """Cosines of rows, standardized."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    if standardize == "batch30":
        starts = range(0, len(a), 30)
        a, b = (np.concatenate([z_scores(x[s : s + 30], x[s : s + 30]) for s in starts]) for x in (a, b))
    elif standardize == "side":
        a, b = z_scores(a, a), z_scores(b, b)
    elif standardize == "corpus":
        assert over is not None
        a, b = z_scores(a, over), z_scores(b, over)
    dots, squares_a, squares_b = (np.einsum("nd,nd->n", x, y) for x, y in ((a, b), (a, a), (b, b)))
    return dots / np.sqrt(squares_a * squares_b)


def z_scores(rows: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Rows standardized by the moments of others."""
    std = over.std(axis=0, ddof=1) if len(over) > 1 else 0
    return (rows - over.mean(axis=0)) / (std + 1e-6)


def threshold_by_numpy(cosines: np.ndarray, same: np.ndarray) -> float:
    """The best of all midpoints, one by one."""
    ordered = np.sort(cosines)
    middles = np.concatenate([[-2.0], (ordered[1:] + ordered[:-1]) / 2, [2.0]])
    return float(middles[np.argmax([((cosines > middle) == same).sum() for middle in middles])])


if __name__ == "__main__":
    assert DATA.exists(), f"No data at {DATA}: set REPSTORE_TEST_DATA."
    main("Word-in-Context", measure)
