"""Layers that are made of stored ones when their numbers are asked for: nothing of them is kept on disk."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from repstore.errors import StoreError
from repstore.spec import LayerKey
from repstore.storage.processes import of_process
from repstore.storage.vectors import LayerVectors, read_only

IN_MEMORY = 64 << 20
"""Bytes up to which a made layer is held in memory; a larger one is in a temporary file, mapped."""

ROWS_AT_ONCE = 1024
"""Vectors that are made at a time."""


class MadeLayer(LayerVectors, ABC):
    """A layer whose vectors are made when they are asked for: some rows alone, or all of them, once."""

    _stored: LayerVectors

    def __init__(self, layer: LayerKey, stored: LayerVectors) -> None:
        """A layer over the words and blocks of a stored one."""
        vars(self).update(layer=layer, word_ids=stored.word_ids, files=(), _stored=stored)

    @of_process
    def _turn(self) -> Lock:  # analyses ask from several threads
        return Lock()

    @abstractmethod
    def __reduce__(self) -> tuple[Any, ...]:
        """What makes the same layer in another process: how, and of which stored ones."""

    @abstractmethod
    def make(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, made anew. *Shape:* (len(rows), d_model), float32."""

    @property
    @abstractmethod
    def described(self) -> str:
        """What it is, at the beginning of a message."""

    @property
    def dtype(self) -> np.dtype[np.float16 | np.float32]:
        """float32."""
        return np.dtype(np.float32)

    @property
    def starts(self) -> np.ndarray:
        """The first row of each block. *Shape:* (n_blocks,), int64."""
        return self._stored.starts

    @property
    def values(self) -> np.ndarray:
        """All rows as one matrix, in memory or in a temporary file.

        *Shape:* (n_words, d_model), float32, read-only.
        """
        with self._turn:
            if not self._is_made:
                vars(self)["_values"] = self._all()
        values: np.ndarray = vars(self)["_values"]
        return values

    @cached_property
    def blocks(self) -> tuple[np.ndarray, ...]:
        """The rows as one matrix per part. *Shape of each:* (n_rows, d_model), float32."""
        return tuple(np.split(self.values, self._stored.starts[1:]))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some rows; if not all are made yet, these alone are. *Shape:* (len(rows), d_model), float32."""
        return super().take(rows) if self._is_made else self.make(rows)

    def between(self, start: int, stop: int) -> np.ndarray:
        """Rows that follow each other; a view if all are made, as they are when all are asked for.

        *Shape:* (stop - start, d_model), float32.
        """
        if self._is_made or (start, stop) == (0, len(self)):
            return self.values[start:stop]
        return self.make(np.arange(start, stop))

    @property
    def _is_made(self) -> bool:
        return "_values" in vars(self)

    def _all(self) -> np.ndarray:
        n_words = len(self.word_ids)
        n_bytes = 4 * n_words * self.d_model
        # Always the same rows together, whatever the parts.
        made = (
            self.make(np.arange(start, min(start + ROWS_AT_ONCE, n_words)))
            for start in range(0, n_words, ROWS_AT_ONCE)
        )
        if n_bytes <= IN_MEMORY:
            return read_only(np.concatenate(list(made)))
        folder = "a temporary folder"
        try:
            folder = tempfile.gettempdir()
            with tempfile.TemporaryFile(prefix="repstore-") as file:
                for rows in made:
                    file.write(rows.data)
                file.flush()
                return np.memmap(file, np.float32, "r", shape=(n_words, self.d_model))
        except OSError as error:
            raise StoreError(
                f"{self.described} takes {n_bytes / 1e9:.2f} GB in {folder}, which cannot be "
                f"written: {error.strerror or error}. Make room, or set TMPDIR to another folder."
            ) from error


Made = TypeVar("Made", bound=MadeLayer)


class MadeLayers(Generic[Made]):
    """Made layers by their keys.

    A layer is made once for as long as somebody holds it, and the last one until another is asked for: a
    loop over all layers does not pile them up.
    """

    def __init__(self) -> None:
        self._layers: WeakValueDictionary[LayerKey, Made] = WeakValueDictionary()
        self._last: Made | None = None

    @of_process
    def _turn(self) -> Lock:  # analyses ask from several threads
        return Lock()

    def get(self, key: LayerKey, make: Callable[[], Made]) -> Made:
        """The layer of a key, which `make` makes if nobody holds it."""
        with self._turn:
            found = self._layers.get(key)
            if found is None:
                found = self._layers[key] = make()
            self._last = found
            return found
