"""The vectors of a run, read from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from repstore.errors import NotFoundError
from repstore.storage.parts import PartFile


@dataclass(frozen=True, repr=False)
class LayerVectors:
    """One layer's word vectors, in order of `word_ids`, memory-mapped.

    Attributes:
        layer: which layer.
        word_ids: *Shape:* (n_words,), int64, ascending.
        blocks: the same rows as one matrix per part. *Shape of each:* (n_rows, d_model), float16 or
            float32, read-only.
    """

    layer: int
    word_ids: np.ndarray
    blocks: tuple[np.ndarray, ...]

    @cached_property
    def values(self) -> np.ndarray:
        """All rows as one matrix: a view of the mapped file if the run has one part, else a copy in memory.

        *Shape:* (n_words, d_model), float16, or float32 if any part of the layer is.
        """
        return self.blocks[0] if len(self.blocks) == 1 else np.concatenate(self.blocks)

    @property
    def d_model(self) -> int:
        """Width of a vector."""
        return int(self.blocks[0].shape[1])

    @cached_property
    def dtype(self) -> np.dtype[np.float16 | np.float32]:
        """float16, or float32 if any part of the layer is."""
        return np.result_type(*self.blocks)

    def __repr__(self) -> str:
        return f"LayerVectors(layer={self.layer}, {len(self.word_ids):,} x {self.d_model}, {self.dtype})"

    def of(self, word_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The vectors of some words. *Shape:* (len(word_ids), d_model), `dtype`.

        Raises:
            NotFoundError: a word has no vector.
        """
        rows = rows_of(self.word_ids, np.asarray(word_ids, np.int64))
        if (rows < 0).any():
            raise NotFoundError(f"Word {np.asarray(word_ids)[rows < 0][0]} has no vector in this run.")
        return self.take(rows)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copy some rows out of the map. *Shape:* (len(rows), d_model), `dtype`."""
        taken = np.empty((len(rows), self.d_model), self.dtype)
        of_block = np.searchsorted(self._ends, rows, side="right")
        for block in np.unique(of_block):
            mine = of_block == block
            values, at = self.blocks[block], rows[mine] - (self._ends[block] - len(self.blocks[block]))
            if len(at) == len(rows) and values.dtype == self.dtype:
                values.take(at, axis=0, out=taken, mode="clip")  # the only mode that does not buffer
            else:
                taken[mine] = values[at]
        return taken

    def evenly_spaced(self, rows: np.ndarray) -> np.ndarray | None:
        """A view of rows that ascend by one step within one part; None if these do not.

        *Shape:* (len(rows), d_model), of the part's dtype.
        """
        step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
        first, last = np.searchsorted(self._ends, rows[[0, -1]], side="right")
        if step < 1 or first != last or (np.diff(rows) != step).any():
            return None
        start = int(rows[0] - (self._ends[first] - len(self.blocks[first])))
        view: np.ndarray = self.blocks[first][start : start + step * len(rows) : step]
        return view

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([len(block) for block in self.blocks])


class RunVectors:
    """All layers of a run, over the parts committed when it was opened."""

    def __init__(self, files: Sequence[Path], n_layers: int, label: str) -> None:
        self._parts = [PartFile(file) for file in files]
        self._n_layers = n_layers
        self._label = label

    @cached_property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""
        if not self._parts:
            raise NotFoundError(
                f"{self._label} has no vectors: its ingest is not finished, or all its words are in skipped."
            )
        return np.concatenate([part.word_ids for part in self._parts])

    def layer(self, layer: int) -> LayerVectors:
        """The vectors of one layer.

        Raises:
            NotFoundError: the run has no such layer.
        """
        self.check_layer(layer)
        return LayerVectors(layer, self.word_ids, tuple(part.layer(layer) for part in self._parts))

    def check_layer(self, layer: int) -> None:
        """Refuse a layer that the run does not have.

        Raises:
            NotFoundError: it has none of that number.
        """
        if not 0 <= layer < self._n_layers:
            raise NotFoundError(
                f"{self._label} has no layer {layer}; it has 0 (embeddings) to {self._n_layers - 1}."
            )

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector. *Shape:* as `word_ids`, int64."""
        return rows_of(self.word_ids, word_ids)


def rows_of(known: np.ndarray, word_ids: np.ndarray) -> np.ndarray:
    """Where each word stands among `known` (ascending); -1 where it does not. *Shape:* as `word_ids`."""
    rows = np.searchsorted(known, word_ids)
    rows[rows == len(known)] = 0
    return np.where(known[rows] == word_ids, rows, -1)
