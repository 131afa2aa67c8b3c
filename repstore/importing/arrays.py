"""An array of vectors in a ``.npy`` file, and a table that says which word each row is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from repstore.errors import ArgumentError, CorpusError
from repstore.importing.source import Request, Source, from_rows, name_of
from repstore.importing.tables import read_words
from repstore.importing.words import place_words
from repstore.spec import Axes

SHAPES = "(n_words, d_model), (n_layers, n_words, d_model) or (n_words, n_layers, d_model)"


def open_array(path: Path, request: Request) -> Source:
    """An array of one vector a row, or of one per layer; it is mapped, not read."""
    if request.words is None:
        raise ArgumentError(
            f"Say of which words the rows of {path} are, with --words: a table with a row for each."
        )
    array = _mapped(path)
    words = read_words(request.words)
    axes = _axes(path, array, len(words), request.axes)
    placed = place_words(words, request, f"words:{request.words}")
    by_layer = array[None] if array.ndim == 2 else array if axes == "layers,words" else array.swapaxes(0, 1)

    def take(rows: np.ndarray) -> Iterator[np.ndarray]:
        return (layer[rows] for layer in by_layer)

    return Source(
        name=name_of(path),
        files=(path,),
        words=request.words,
        layers=tuple(f"[{layer}]" for layer in range(len(by_layer))),
        d_model=array.shape[-1],
        pattern="[row]" if array.ndim == 2 else "[layer, row]" if axes == "layers,words" else "[row, layer]",
        lacking="no_vector",
        corpus=placed.corpus,
        open=lambda *_: from_rows(placed.rows, take),
    )


def _mapped(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"{path} cannot be read as .npy: {error}") from None
    if not isinstance(array, np.ndarray):
        raise CorpusError(f"{path} is an archive of arrays. Give one array, as numpy.save writes it.")
    if array.dtype.kind not in "iuf":
        raise CorpusError(f"{path} has values of {array.dtype}. Expected numbers.")
    if array.ndim not in (2, 3) or not array.size:
        raise CorpusError(f"{path} has the shape {array.shape}. Expected {SHAPES}.")
    return array


def _axes(path: Path, array: np.ndarray, n_words: int, given: Axes | None) -> Axes:
    """What the first two axes are: the one that is as long as the table is of words.

    Raises:
        ArgumentError: both are as long, and nothing is said of them; or there are only two.
        CorpusError: neither is.
    """
    if array.ndim == 2:
        if given is not None:
            raise ArgumentError(f"{path} has two axes, words and numbers. Leave axes out.")
        if len(array) != n_words:
            raise CorpusError(
                f"{path} has {len(array):,} rows, and the table {n_words:,}. Expected one for each."
            )
        return "words,layers"
    lengths: dict[Axes, int] = {"layers,words": array.shape[1], "words,layers": array.shape[0]}
    fitting = [axes for axes, length in lengths.items() if length == n_words and given in (None, axes)]
    if not fitting:
        said = f" with axes {given}" if given else ""
        raise CorpusError(
            f"{path} has the shape {array.shape}{said}, and the table {n_words:,} rows. Expected {SHAPES}."
        )
    if len(fitting) > 1:
        raise ArgumentError(
            f"{path} has the shape {array.shape}, and either axis may be that of the words. "
            f"Say which, with --axes: {' or '.join(lengths)}."
        )
    return fitting[0]
