"""The geometry of a store: CKA of all pairs of layers against the bare matrix products it needs, and within
its budget of memory; corpus statistics of a layer against reading its bytes (layer_statistics.py has more).

Vectors are in memory for the times, and in stored parts for the peaks; BLAS has all cores. At full size
13 layers x 3,000 words x 1,024 dimensions are compared by tiles, and 6 x 40,000 x 256 by features. 33 layers
x 15,000 words x 4,096 dimensions, a run of a large model, take 250 times as many operations as the first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import combinations_with_replacement
from pathlib import Path
from statistics import median

import numpy as np
from layer_statistics import corpus_statistics
from read import Size, write_parts
from report import Figure, main, ratio, side_by_side

from repstore.analysis import features, gram
from repstore.analysis.aligned import Aligned
from repstore.analysis.cka import linear_cka
from repstore.analysis.space import space_of
from repstore.storage.vectors import LayerVectors

ROUNDS, QUICK_ROUNDS = 5, 3

CHILD = """
import sys
from pathlib import Path
import numpy as np
from anonymous import most_taken
from repstore.analysis.aligned import Aligned
from repstore.analysis.cka import linear_cka
from repstore.analysis.space import space_of
from repstore.storage.vectors import RunVectors

folder, n_layers, memory = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
run = RunVectors(sorted(folder.glob("*.parquet")), n_layers, "")
vectors = [run.layer(layer) for layer in range(n_layers)]
rows = np.arange(len(run.word_ids))
layers = [Aligned(one, rows, space_of(one, "none")) for one in vectors]
ready = np.ones((2048, 2048), np.float32)
ready @ ready, ready.T @ ready  # BLAS takes its own buffers once
del ready
print(most_taken(lambda: linear_cka(layers, memory=memory)))
"""


def measure(options: argparse.Namespace) -> list[Figure]:
    """All figures."""
    return [*all_pairs(options.quick), *peak_memory(options.quick), *corpus_statistics(options)]


def all_pairs(quick: bool) -> list[Figure]:
    """Every layer with every other, by either way, against bare float32 products of ready arrays."""
    by_tiles, by_features = Size(3_000, 13, 1_024), Size(40_000, 6, 256)
    if quick:
        by_tiles, by_features = Size(1_500, 7, 512), Size(8_000, 5, 256)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    return [
        *_against("tiles", by_tiles, _bare_tiles, rounds),
        *_against("features", by_features, _bare_features, rounds),
    ]


def _against(way: str, size: Size, bare: Callable[[list[np.ndarray]], None], rounds: int) -> list[Figure]:
    layers = _draw(size)
    ready = [layer.block(0, size.n_words) for layer in layers]
    contestants: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(ready),
        "ours": lambda: linear_cka(layers),
    }
    seconds = side_by_side(contestants, rounds)
    name = f"CKA by {way}"
    return [
        Figure(f"{name}: bare products", median(seconds["bare"]), "s"),
        Figure(f"{name}: repstore", median(seconds["ours"]), "s"),
        Figure(f"{name}, repstore / bare", ratio(seconds["ours"], seconds["bare"]), "times", at_most=1.5),
    ]


def _draw(size: Size) -> list[Aligned]:
    """Layers that have something in common."""
    random = np.random.default_rng(0)
    shape = (size.n_words, size.d_model)
    common = random.standard_normal(shape, np.float32)
    layers = []
    for layer in range(size.n_layers):
        drawn = (common + random.standard_normal(shape, np.float32)).astype(np.float16)
        vectors = LayerVectors(layer, np.arange(size.n_words), (drawn,))
        layers.append(Aligned(vectors, np.arange(size.n_words), space_of(vectors, "none")))
    return layers


def _bare_tiles(ready: list[np.ndarray]) -> None:
    """The products of `gram.sums`: of points for each layer, and of tiles for all pairs of layers."""
    n_words, tile = len(ready[0]), gram.TILE
    for start in range(0, n_words, tile):
        for above in range(0, start + 1, tile):
            rows, columns = slice(above, above + tile), slice(start, start + tile)
            shape = (len(ready), len(ready[0][rows]), len(ready[0][columns]))
            values = np.empty(shape, np.float32)
            for points, value in zip(ready, values, strict=True):
                np.matmul(points[rows], points[columns].T, out=value)
            flat = values.reshape(len(ready), -1)
            for chunk in range(0, flat.shape[1], gram.CHUNK):
                some = flat[:, chunk : chunk + gram.CHUNK]
                np.matmul(some, some.T)


def _bare_features(ready: list[np.ndarray]) -> None:
    """The products of `features.feature_sums`."""
    for start in range(0, len(ready[0]), features.BLOCK):
        blocks = [points[start : start + features.BLOCK] for points in ready]
        for a, b in combinations_with_replacement(blocks, 2):
            np.matmul(a.T, b)


def peak_memory(quick: bool) -> list[Figure]:
    """The most memory that a comparison takes beyond what it starts with, of stored parts, by corpus size."""
    budget = (32 if quick else 256) << 20
    sizes = [Size(n_words, 7, 512) for n_words in (1_500, 6_000)]
    if not quick:
        sizes = [Size(n_words, 13, 1_024) for n_words in (3_000, 10_000)]
    figures = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
            write_parts(Path(folder), size)
            command = [sys.executable, "-c", CHILD, folder, str(size.n_layers), str(budget)]
            here = Path(__file__).parent
            taken = subprocess.run(command, check=True, capture_output=True, text=True, cwd=here).stdout
        name = f"CKA of {size.n_words:,} words: peak memory / budget of {budget >> 20} MiB"
        figures.append(Figure(name, int(taken) / budget, "times", at_most=1))
    return figures


if __name__ == "__main__":
    main("Geometry of layers", measure)
