"""What goes out: words of a run with their annotation, and their vectors at some layers, block by block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.errors import ArgumentError
from repstore.schemas import layer_column
from repstore.spec import MIX, LayerKey, layer_number
from repstore.storage.made import ROWS_AT_ONCE, MadeLayer
from repstore.storage.vectors import LayerVectors

BLOCK_BYTES = 64 << 20
"""Most bytes of vectors in a block, as float32, unless one word takes more; a block is the unit of memory."""

BLOCK_ROWS = 8192
"""Most words in a block."""

PROVENANCE = "repstore"
"""Under which name a file says where its vectors come from."""


@dataclass(frozen=True, eq=False)
class Content:
    """What goes out, to be gone through block by block.

    Attributes:
        word_ids: the words, in the order in which they are written. *Shape:* (n_words,), int64, ascending.
        rows: their rows in every layer. *Shape:* (n_words,), int64.
        layers: the layers, by the names of their columns.
        dtype: of the numbers; None for each layer as it is.
        annotate: the annotation of some words, by word_id, in that order.
        about: where all this comes from.
        tell: told how many vectors more were given out.
    """

    word_ids: np.ndarray
    rows: np.ndarray
    layers: Mapping[str, LayerVectors]
    dtype: np.dtype[Any] | None
    annotate: Callable[[np.ndarray], pa.Table]
    about: Mapping[str, Any]
    tell: Callable[[int], None]

    @property
    def n_words(self) -> int:
        """How many words."""
        return len(self.word_ids)

    @property
    def provenance(self) -> str:
        """Where all this comes from, as JSON."""
        return json.dumps(self.about, ensure_ascii=False)

    def dtype_of(self, name: str) -> np.dtype[Any]:
        """In which dtype a layer goes out."""
        return self.layers[name].dtype if self.dtype is None else self.dtype

    def n_bytes(self) -> int:
        """Bytes of all vectors."""
        row = sum(self.dtype_of(name).itemsize * layer.d_model for name, layer in self.layers.items())
        return self.n_words * row

    def words(self, here: slice) -> pa.Table:
        """The annotation of the words of a block."""
        return self.annotate(self.word_ids[here])

    def word_blocks(self) -> Iterator[pa.Table]:
        """The annotation of all words, block by block."""
        for start in range(0, self.n_words, BLOCK_ROWS):
            yield self.words(slice(start, start + BLOCK_ROWS))

    def blocks(self, *names: str) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """Go through all words: where a block of them stands, and its vectors at each of these layers.

        *Shape of each:* (n_rows, d_model), `dtype_of` the layer, C-contiguous.

        Raises:
            ArgumentError: a number is too large for float16.
        """
        size = _block_rows(4 * sum(self.layers[name].d_model for name in names))
        for start in range(0, self.n_words, size):
            here = slice(start, min(start + size, self.n_words))
            yield here, [self._vectors(name, self.rows[here]) for name in names]
            self.tell((here.stop - here.start) * len(names))

    def _vectors(self, name: str, rows: np.ndarray) -> np.ndarray:
        values = rows_as_whole(self.layers[name], rows)
        with np.errstate(over="ignore"):  # it is looked for below, and said in words
            cast: np.ndarray = values.astype(self.dtype_of(name), copy=False)
        if cast.dtype.itemsize < values.dtype.itemsize and not np.isfinite(cast).all():
            raise ArgumentError(f"{name} has numbers too large for float16. Ask for float32.")
        return cast


def column_name(layer: LayerKey) -> str:
    """What a layer is called in a file: ``layer_08``, or ``mix_NAME`` of a mix."""
    number = layer_number(layer)
    return f"mix_{str(layer).removeprefix(MIX)}" if number is None else layer_column(number)


def rows_as_whole(layer: LayerVectors, rows: np.ndarray) -> np.ndarray:
    """Some rows of a layer, bit for bit as its `values` have them, without making all of these.

    Sums are rounded differently among other rows, so a made layer is made anew in the pieces in which it is
    made as a whole. `rows`: *Shape:* (n,), int64, ascending. *Shape:* (n, d_model).
    """
    if not isinstance(layer, MadeLayer):
        return layer.take(rows)
    taken = np.empty((len(rows), layer.d_model), layer.dtype)
    piece_of = rows // ROWS_AT_ONCE
    for piece in np.unique(piece_of):
        start = piece * ROWS_AT_ONCE
        made = layer.take(np.arange(start, min(start + ROWS_AT_ONCE, len(layer.word_ids))))
        mine = piece_of == piece
        taken[mine] = made[rows[mine] - start]
    return taken


def _block_rows(row_bytes: int) -> int:
    """Words in a block; whole pieces of made layers, where that many fit, so that none is made twice."""
    rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // row_bytes))
    return rows - rows % ROWS_AT_ONCE if rows >= ROWS_AT_ONCE else rows
