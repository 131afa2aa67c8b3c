"""The vectors of a run, read from its parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from repstore.errors import ArgumentError, NotFoundError
from repstore.spec import LayerKey, layer_number
from repstore.storage.array_like import ArrayOfRows
from repstore.storage.parts import PartFile

T = TypeVar("T")


@dataclass(frozen=True, repr=False, eq=False)
class LayerVectors(ArrayOfRows):
    """One layer's word vectors, in order of `word_ids`: memory-mapped rows that numpy takes for an array.

    Slices within a part are views of its file, all else that is taken out is a copy. Each is itself alone, so
    that what is computed from it can be remembered beside it. It is pickled as the names of its files, which
    are never rewritten: it has the same rows in another process, whatever was committed since.

    Attributes:
        layer: which layer: its number, or ``mix:NAME``.
        word_ids: *Shape:* (n_words,), int64, ascending.
        blocks: the same rows as one matrix per part. *Shape of each:* (n_rows, d_model), float16 or
            float32, read-only.
        files: the parts that the blocks are mapped from; none of rows in memory.
    """

    layer: LayerKey
    word_ids: np.ndarray
    blocks: tuple[np.ndarray, ...]
    files: tuple[Path, ...] = ()

    @cached_property
    def values(self) -> np.ndarray:
        """All rows as one matrix: a view of the mapped file if the run has one part, else a copy in memory.

        *Shape:* (n_words, d_model), float16, or float32 if any part of the layer is; read-only.
        """
        return self.blocks[0] if len(self.blocks) == 1 else read_only(np.concatenate(self.blocks))

    @property
    def shape(self) -> tuple[int, int]:
        """(n_words, d_model)."""
        return len(self.word_ids), self.d_model

    @property
    def d_model(self) -> int:
        """Width of a vector."""
        return int(self.blocks[0].shape[1])

    @cached_property
    def dtype(self) -> np.dtype[np.float16 | np.float32]:
        """float16, or float32 if any part of the layer is."""
        return np.result_type(*self.blocks)

    def remembered(self, what: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of this layer, made once and kept as long as the layer is."""
        if what not in self._memory:
            self._memory[what] = make()
        kept: T = self._memory[what]
        return kept

    @cached_property
    def _memory(self) -> dict[Hashable, Any]:
        return {}

    def __repr__(self) -> str:
        return f"LayerVectors(layer={self.layer}, {len(self.word_ids):,} x {self.d_model}, {self.dtype})"

    def of(self, word_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The vectors of some words. *Shape:* (len(word_ids), d_model), `dtype`.

        Raises:
            NotFoundError: a word has no vector.
            ArgumentError: that is no list of word_ids.
        """
        given = np.asarray(word_ids)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            shown = np.array2string(given, threshold=8)
            raise ArgumentError(f"{shown} is no list of word_ids. Give whole numbers, such as [ID].")
        given = given.astype(np.int64)
        rows = rows_of(self.word_ids, given)
        if (rows < 0).any():
            raise NotFoundError(f"Word {given[rows < 0][0]} has no vector in this run.")
        return self.take(rows)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copy some rows out of the map. *Shape:* (len(rows), d_model), `dtype`."""
        if len(self.blocks) == 1:
            return self.blocks[0].take(rows, axis=0)
        taken = np.empty((len(rows), self.d_model), self.dtype)
        of_block = self.block_of(rows)
        for block in np.unique(of_block):
            mine = of_block == block
            taken[mine] = self.blocks[block][rows[mine] - self.starts[block]]
        return taken

    def between(self, start: int, stop: int) -> np.ndarray:
        """Rows that follow each other: a view of the map within a part. *Shape:* (stop - start, d_model)."""
        some = [
            block[max(start - first, 0) : stop - first]
            for first, block in zip(self.starts.tolist(), self.blocks, strict=True)
            if start < first + len(block) and first < stop
        ] or [self.blocks[0][:0]]
        return (some[0] if len(some) == 1 else np.concatenate(some)).astype(self.dtype, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.files:
            return mapped, (self.layer, self.files)
        return LayerVectors, (self.layer, self.word_ids, self.blocks)

    def block_of(self, rows: np.ndarray) -> np.ndarray:
        """Which block each row is in. *Shape:* as `rows`, int64."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of each block. *Shape:* (n_blocks,), int64."""
        sizes = [len(block) for block in self.blocks]
        return np.cumsum([0, *sizes[:-1]])


class Vectors(Protocol):
    """All layers of a run: as they are stored (`RunVectors`), or as something shows them."""

    @property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""

    @property
    def layers(self) -> list[int]:
        """The layers there are, without mixes of them."""

    def layer(self, layer: LayerKey) -> LayerVectors:
        """The vectors of one layer."""

    def check_layer(self, layer: LayerKey) -> None:
        """Refuse a layer that is not there."""

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector."""

    def seen(self, layer: LayerKey, vectors: np.ndarray) -> np.ndarray:
        """A layer of a word that is not stored, as it is shown, from its vectors at all layers."""

    def learned_from(self, layer: LayerKey) -> np.ndarray:
        """Words whose labels decided what a layer looks like; none of a stored one."""


class RunVectors:
    """All layers of a run, over the parts committed when it was opened."""

    def __init__(self, files: Sequence[Path], n_layers: int, label: str) -> None:
        self._parts = [PartFile(file) for file in files]
        self._n_layers = n_layers
        self._label = label
        self._layers: dict[int, LayerVectors] = {}

    @cached_property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""
        if not self._parts:
            raise NotFoundError(
                f"{self._label} has no vectors: its ingest is not finished, or all its words are in skipped."
            )
        return _word_ids(self._parts)

    @property
    def layers(self) -> list[int]:
        """The layers there are."""
        return list(range(self._n_layers))

    def layer(self, layer: LayerKey) -> LayerVectors:
        """The vectors of one layer.

        Raises:
            NotFoundError: the run has no such layer.
        """
        number = self._number(layer)
        if number not in self._layers:
            self._layers[number] = _mapped(number, self.word_ids, self._parts)
        return self._layers[number]

    def __reduce__(self) -> tuple[Any, ...]:
        return RunVectors, ([part.path for part in self._parts], self._n_layers, self._label)

    def check_layer(self, layer: LayerKey) -> None:
        """Refuse a layer that the run does not have.

        Raises:
            NotFoundError: it has none of that number.
        """
        self._number(layer)

    def _number(self, layer: LayerKey) -> int:
        number = layer_number(layer)
        if number is None or not 0 <= number < self._n_layers:
            last = self._n_layers - 1
            those = f"0 (embeddings) to {last}." if last else "0 alone. Ask of it by itself."
            raise NotFoundError(f"{self._label} has no layer {layer}; it has {those}")
        return number

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector. *Shape:* as `word_ids`, int64."""
        return rows_of(self.word_ids, word_ids)

    def seen(self, layer: LayerKey, vectors: np.ndarray) -> np.ndarray:
        """A layer of a word that is not stored. `vectors`: *Shape:* (n_layers, d_model), and (d_model,)."""
        vector: np.ndarray = vectors[self._number(layer)]
        return vector

    def learned_from(self, layer: LayerKey) -> np.ndarray:
        """No word: the model knew no labels. *Shape:* (0,), int64."""
        self.check_layer(layer)
        return np.empty(0, np.int64)


def mapped(layer: int, files: Sequence[Path]) -> LayerVectors:
    """One layer of the run that has these parts.

    Raises:
        StoreDamagedError: a part is missing or damaged.
    """
    parts = [PartFile(file) for file in files]
    return _mapped(layer, _word_ids(parts), parts)


def _mapped(layer: int, word_ids: np.ndarray, parts: Sequence[PartFile]) -> LayerVectors:
    blocks = tuple(part.layer(layer) for part in parts)
    return LayerVectors(layer, word_ids, blocks, tuple(part.path for part in parts))


def _word_ids(parts: Sequence[PartFile]) -> np.ndarray:
    return np.concatenate([part.word_ids for part in parts])


def read_only(matrix: np.ndarray) -> np.ndarray:
    """The same matrix, which is kept for others and so cannot be written to, nor any view of it."""
    matrix.flags.writeable = False
    return matrix


def rows_of(known: np.ndarray, word_ids: np.ndarray) -> np.ndarray:
    """Where each word stands among `known` (ascending); -1 where it does not. *Shape:* as `word_ids`."""
    rows = np.searchsorted(known, word_ids)
    rows[rows == len(known)] = 0
    return np.where(known[rows] == word_ids, rows, -1)
