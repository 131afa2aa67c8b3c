"""Measures of the geometry of a layer: corpus statistics against reading the same bytes; what each takes.

Parts are in the page cache, as for every query but the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from read import Size, write_parts
from report import Figure, main, ratio, side_by_side

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned
from repstore.analysis.anisotropy import anisotropy, outlier_dimensions
from repstore.analysis.scan import n_processors
from repstore.analysis.space import space_of
from repstore.analysis.spectrum import eigenvalues
from repstore.analysis.statistics import statistics
from repstore.analysis.uniformity import alignment, uniformity
from repstore.storage.vectors import LayerVectors, RunVectors

ROUNDS = 15
FULL, QUICK = Size(10_000, ROUNDS + 1, 4_096), Size(10_000, ROUNDS + 1, 576)


def measure(options: argparse.Namespace) -> list[Figure]:
    """All figures of the geometry of a layer."""
    return [*corpus_statistics(options), *each_measure(QUICK)]


def corpus_statistics(options: argparse.Namespace) -> list[Figure]:
    """Mean, deviation and norms of a layer against reading its bytes on the same threads.

    They are read as 64-bit integers and added up. Of what was tried (their exclusive or and maximum, too, and
    sums and products of float16 with numkong) this reads fastest. No sum of float16 comes before converting.
    """
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        files = write_parts(Path(folder), size)
        layer = RunVectors(files, size.n_layers, "").layer(0)
        words = every_word(layer)
        contestants: dict[str, Callable[[], object]] = {
            "read": lambda: read(layer),
            "convert": lambda: convert(layer),
            "statistics": lambda: statistics(words),
        }
        seconds = side_by_side(contestants, ROUNDS)
        anew = first_time(files, size)
    rates = {name: size.layer_bytes / 1e9 / median(taken) for name, taken in seconds.items()}
    return [
        Figure("threads", n_processors(), "threads"),
        Figure("reading a layer", rates["read"], "GB/s"),
        Figure("converting it to float32 / reading", ratio(seconds["read"], seconds["convert"]), "times"),
        Figure("corpus statistics", rates["statistics"], "GB/s"),
        Figure(
            "corpus statistics, the first time / reading", ratio(anew["read"], anew["statistics"]), "times"
        ),
        Figure(
            "corpus statistics / reading",
            ratio(seconds["read"], seconds["statistics"]),
            "times",
            at_least=0.5,
        ),
    ]


def first_time(files: list[Path], size: Size) -> dict[str, list[float]]:
    """The same over layers that are mapped but were never touched, each in its turn."""
    layers = range(size.n_layers)
    runs = {name: iter(layers) for name in ("read", "statistics")}
    mapped = {name: RunVectors(files, size.n_layers, "") for name in runs}

    def untouched(name: str) -> LayerVectors:
        return mapped[name].layer(next(runs[name]))

    contestants: dict[str, Callable[[], object]] = {
        "read": lambda: read(untouched("read")),
        "statistics": lambda: statistics(every_word(untouched("statistics"))),
    }
    return side_by_side(contestants, size.n_layers - 1)


def every_word(layer: LayerVectors) -> Aligned:
    """All words of a layer, as stored."""
    return Aligned(layer, np.arange(len(layer.word_ids)), space_of(layer, "none"))


def read(layer: LayerVectors) -> int:
    """The sum of all 64-bit words."""
    return sum(in_pieces(layer, lambda rows: int(rows.reshape(-1).view(np.uint64).sum())))


def convert(layer: LayerVectors) -> int:
    """All numbers as float32, block by block, in buffers that are used again."""
    return sum(in_pieces(layer, lambda rows: sum(len(block) for block in kernels.float32_blocks(rows))))


def in_pieces(layer: LayerVectors, work: Callable[[np.ndarray], int]) -> list[int]:
    """What `work` makes of a few pieces for each thread."""
    pieces = [piece for block in layer.blocks for piece in np.array_split(block, 4 * n_processors())]
    with ThreadPoolExecutor(n_processors()) as pool:
        return list(pool.map(work, pieces))


def each_measure(size: Size) -> list[Figure]:
    """Seconds that every measure takes on a layer of normally distributed words."""
    rows = np.random.default_rng(0).standard_normal((size.n_words, size.d_model), np.float32)
    words = every_word(LayerVectors(0, np.arange(size.n_words), (rows.astype(np.float16),)))
    known = statistics(words)
    outliers = range(3)
    groups = np.arange(size.n_words) % (size.n_words // 10)
    measures: dict[str, Callable[[], object]] = {
        "statistics": lambda: statistics(words),
        "outlier dimensions": lambda: outlier_dimensions(known),
        "anisotropy without outliers": lambda: anisotropy(words, known, outliers),
        "eigenvalues": lambda: eigenvalues(words, known),
        "uniformity": lambda: uniformity(words),
        "alignment": lambda: alignment(words, groups),
    }
    named = f"{size.n_words:,} x {size.d_model:,}"
    return [Figure(f"{name} of {named}", seconds_of(run), "s") for name, run in measures.items()]


def seconds_of(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main("The geometry of a layer", measure)
