"""Reading parts: one layer against a raw ``.npy`` map of the same bytes; pair cosines against plain numpy.

Files are in the page cache, as for every query but the first. The full size takes 4 GB of disk and of memory.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import reduce
from operator import xor
from pathlib import Path
from statistics import median

import numpy as np
from report import Figure, main, ratio, side_by_side

from repstore.analysis.kernels import pair_cosines
from repstore.schemas import rows_per_part
from repstore.storage.parts import write_part
from repstore.storage.vectors import LayerVectors, RunVectors

ROUNDS_OF_READING, ROUNDS_OF_COSINES = 15, 5
NUMPY_BLOCKS = (16, 64, 256, 1024)
"""Rows that plain numpy converts at a time; the fastest is chosen."""


@dataclass(frozen=True)
class Size:
    """How much there is to read."""

    n_words: int
    n_layers: int
    d_model: int

    @property
    def layer_bytes(self) -> int:
        """Bytes of one layer, as float16."""
        return self.n_words * self.d_model * 2


FULL, QUICK = Size(15_000, 33, 4_096), Size(3_000, 5, 1_024)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make the files, and all figures from them."""
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        files = write_parts(Path(folder), size)
        return [*reading_layers(Path(folder), files, size), *cosines_of_pairs(files, size)]


def write_parts(folder: Path, size: Size) -> list[Path]:
    """The parts of a run, with an even number of rows each. Layers differ by a rotation of their rows."""
    n_rows = min(rows_per_part(size.n_layers, size.d_model), size.n_words) // 2 * 2
    random = np.random.default_rng(0)
    drawn = random.standard_normal((n_rows, size.d_model), np.float32).astype(np.float16)
    files = []
    for part, start in enumerate(range(0, size.n_words, n_rows)):
        word_ids = np.arange(start, min(start + n_rows, size.n_words))
        layers = [np.roll(drawn, 7 * layer + part, axis=0)[: len(word_ids)] for layer in range(size.n_layers)]
        files.append(folder / f"part-{part:05}.parquet")
        write_part(files[-1], run_id="benchmark", part=part, word_ids=word_ids, layers=layers)
    return files


def reading_layers(folder: Path, files: list[Path], size: Size) -> list[Figure]:
    """Touching every byte of a layer for the first time, the run and the ``.npy`` files being open."""
    n_read = min(size.n_layers, 1 + ROUNDS_OF_READING)
    source = RunVectors(files, size.n_layers, "")
    raw = [folder / f"layer-{layer}.npy" for layer in range(n_read)]
    for layer, path in enumerate(raw):
        np.save(path, source.layer(layer).values)
    run, maps = RunVectors(files, size.n_layers, ""), [np.load(path, mmap_mode="r") for path in raw]
    in_parts, in_npy = iter(range(n_read)), iter(maps)
    found: dict[str, list[int]] = {"npy": [], "parts": []}

    def from_npy() -> None:
        found["npy"].append(touch(next(in_npy)))

    def from_parts() -> None:
        found["parts"].append(touch(*run.layer(next(in_parts)).blocks))

    seconds = side_by_side({"npy": from_npy, "parts": from_parts}, n_read - 1)
    assert found["npy"] == found["parts"]
    for path in raw:
        path.unlink()
    opening = side_by_side({"opening": lambda: RunVectors(files, size.n_layers, "").layer(0)}, n_read)
    rates = {name: size.layer_bytes / 1e9 / median(taken) for name, taken in seconds.items()}
    return [
        Figure("opening a run", 1e3 * median(opening["opening"]), "ms"),
        Figure("layer from .npy", rates["npy"], "GB/s"),
        Figure("layer from parts", rates["parts"], "GB/s"),
        Figure("layer from parts / .npy", ratio(seconds["npy"], seconds["parts"]), "times", at_least=0.8),
    ]


def touch(*matrices: np.ndarray) -> int:
    """Use every byte once, at the speed of memory: the exclusive or of all 64-bit words."""
    words = (matrix.reshape(-1).view(np.uint64) for matrix in matrices)
    return reduce(xor, (int(np.bitwise_xor.reduce(some)) for some in words))


def cosines_of_pairs(files: list[Path], size: Size) -> list[Figure]:
    """Words 0 and 1, 2 and 3, ... at every layer. Numpy is spared the gathering: it takes neighbors."""
    vectors = RunVectors(files, size.n_layers, "")
    layers = [vectors.layer(layer) for layer in range(size.n_layers)]
    neighbors = np.arange(size.n_words)
    shuffled = np.random.default_rng(0).permutation(size.n_words)

    def with_repstore(rows: np.ndarray = neighbors) -> list[np.ndarray]:
        return [pair_cosines(layer, rows[0::2], layer, rows[1::2]) for layer in layers]

    trials = {n: lambda n=n: cosines_by_numpy(layers[0], n) for n in NUMPY_BLOCKS}
    taken = side_by_side(trials, ROUNDS_OF_COSINES)
    n_block = min(taken, key=lambda n: median(taken[n]))

    def with_numpy() -> list[np.ndarray]:
        return [cosines_by_numpy(layer, n_block) for layer in layers]

    np.testing.assert_allclose(with_repstore(), with_numpy(), atol=1e-5)
    contestants = {
        "numpy": with_numpy,
        "repstore": with_repstore,
        "shuffled": lambda: with_repstore(shuffled),
    }
    seconds = side_by_side(contestants, ROUNDS_OF_COSINES)
    n_bytes = size.n_layers * size.layer_bytes
    rates = {name: n_bytes / 1e9 / median(taken) for name, taken in seconds.items()}
    return [
        Figure("fastest block of numpy", n_block, "rows"),
        Figure("pair cosines with numpy", rates["numpy"], "GB/s"),
        Figure("pair cosines with repstore", rates["repstore"], "GB/s"),
        Figure("pair cosines with repstore, words at random", rates["shuffled"], "GB/s"),
        Figure(
            "pair cosines, repstore / numpy",
            ratio(seconds["numpy"], seconds["repstore"]),
            "times",
            at_least=10,
        ),
    ]


def cosines_by_numpy(vectors: LayerVectors, n_block: int) -> np.ndarray:
    """Cosine of each even row with the next."""
    found = []
    for block in vectors.blocks:
        for start in range(0, len(block), n_block):
            rows = block[start : start + n_block].astype(np.float32)
            a, b = rows[0::2], rows[1::2]
            dots, squares_a, squares_b = (np.einsum("nd,nd->n", x, y) for x, y in ((a, b), (a, a), (b, b)))
            found.append(dots / np.sqrt(squares_a * squares_b))
    return np.concatenate(found)


if __name__ == "__main__":
    main("Reading parts", measure)
