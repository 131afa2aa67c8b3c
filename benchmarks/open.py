"""Opening a store, and getting at its first vector, whether it holds a thousand words or a million."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
from random_runs import RandomRun, write_store
from report import Figure, main, ratio, side_by_side

import repstore

ROUNDS, STARTS = 40, 7
FEW = 1_000
MANY, QUICK = 1_000_000, 50_000
N_LAYERS, D_MODEL, WORDS_PER_TEXT = 3, 8, 10
COLD = "import sys, repstore; repstore.open(sys.argv[1])"


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make two stores, and all figures from them."""
    n_many = QUICK if options.quick else MANY
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        few, many = (write_words(Path(folder), n) for n in (FEW, n_many))
        bare = {"bare": lambda: duckdb.connect(":memory:").close()}
        opening = side_by_side({"few": opens(few), "many": opens(many), **bare}, ROUNDS)
        vector = side_by_side({"few": first_vector(few), "many": first_vector(many)}, ROUNDS)
        cold = [seconds_of_process(many) for _ in range(STARTS)]
        for file in many.glob("catalog.*"):
            file.unlink()
        lost = side_by_side({"lost": opens(many)}, ROUNDS)["lost"]
    return [
        Figure(f"opening {FEW:,} words", 1e3 * median(opening["few"]), "ms", at_most=100),
        Figure(f"opening {n_many:,} words", 1e3 * median(opening["many"]), "ms", at_most=100),
        Figure("opening, many words / few", ratio(opening["many"], opening["few"]), "times", at_most=1.5),
        Figure("opening / connecting DuckDB to nothing", ratio(opening["many"], opening["bare"]), "times"),
        Figure(f"opening {n_many:,} words whose catalog is lost", 1e3 * median(lost), "ms"),
        Figure(f"opening, and a vector of {FEW:,} words", 1e3 * median(vector["few"]), "ms"),
        Figure(f"opening, and a vector of {n_many:,} words", 1e3 * median(vector["many"]), "ms"),
        Figure("a new process that imports and opens", 1e3 * median(cold), "ms"),
    ]


def write_words(folder: Path, n_words: int) -> Path:
    """A store of so many words, all of them with vectors."""
    source, root = folder / f"{n_words}.txt", folder / f"store-{n_words}"
    texts = (" ".join(["word"] * WORDS_PER_TEXT) + f" {n}\n" for n in range(n_words // (WORDS_PER_TEXT + 1)))
    source.write_text("".join(texts))
    write_store(root, f"text:{source}", [RandomRun("random", N_LAYERS, D_MODEL, 0)])
    return root


def opens(root: Path) -> Callable[[], object]:
    """Opening a store, and closing it."""
    return lambda: repstore.open(root).close()


def first_vector(root: Path) -> Callable[[], object]:
    """Opening a store, and reading the middle row of a layer."""

    def work() -> None:
        with repstore.open(root) as store:
            layer = store.run()[1]
            layer[len(layer) // 2].sum()

    return work


def seconds_of_process(root: Path) -> float:
    """How long Python takes from start to end, if it opens a store."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", COLD, root], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main("Opening stores", measure)
