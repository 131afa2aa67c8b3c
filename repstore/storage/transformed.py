"""The vectors of a run as a transform shows them: mapped when they are asked for, never stored."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cached_property
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np

from repstore.errors import NotFoundError, StoreDamagedError, StoreError, did_you_mean
from repstore.storage.frozen import check_name
from repstore.storage.layout import FrozenLayout
from repstore.storage.opened import Run
from repstore.storage.transforms import (
    ROWS_AT_ONCE,
    LayerMap,
    TransformInfo,
    read_map,
    read_transform,
)
from repstore.storage.vectors import LayerVectors, Vectors

IN_MEMORY = 64 << 20
"""Bytes up to which a mapped layer is held in memory; a larger one is in a temporary file, mapped."""


def through(run: Run, name: str) -> Run:
    """A run as its transform of that name shows it.

    Raises:
        NotFoundError: it has no such transform.
        StoreDamagedError: the transform is damaged.
    """
    check_name("transform", name)
    info = read_transform(run.folder, name)
    if info is None:
        raise NotFoundError(
            f'{run.label} has no transform "{name}". '
            + did_you_mean(name, [place.name for place in run.folder.all_frozen("transform")])
            + f' Fit it with "repstore transform fit STORE {name} --run {run.label} --kind KIND".'
        )
    return dataclasses.replace(
        run,
        info=dataclasses.replace(run.info, run_id=f"{run.info.run_id}+{name}@{info.digest[:8]}"),
        label=f"{run.label}, {name}" + (" (stale)" if info.outdated(run.parts) else ""),
        vectors=TransformedVectors(run.vectors, run.folder.frozen("transform", name), info, run.label),
        transform=name,
        own_axes=info.own_axes,
    )


class TransformedVectors:
    """The layers of a run that a transform was fitted on, mapped by it.

    A layer is mapped once for as long as somebody holds it, and the last one until another is asked for: a
    loop over all layers does not pile them up.
    """

    def __init__(self, stored: Vectors, place: FrozenLayout, info: TransformInfo, label: str) -> None:
        self._stored, self._place, self._label = stored, place, label
        self._info = info
        self._files = {one.layer: one for one in info.layers}
        self._turn = Lock()  # analyses ask from several threads
        self._layers: WeakValueDictionary[int, MappedLayer] = WeakValueDictionary()
        self._last: MappedLayer | None = None

    @property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""
        return self._stored.word_ids

    @property
    def layers(self) -> list[int]:
        """The layers there are: those that the transform was fitted on."""
        return list(self._files)

    def layer(self, layer: int) -> MappedLayer:
        """The mapped vectors of one layer.

        Raises:
            NotFoundError: the run has no such layer, or the transform was not fitted on it.
            StoreDamagedError: the file of its map is damaged.
            StoreError: the transform is not the one that there was when the store was opened.
        """
        self.check_layer(layer)
        with self._turn:
            found = self._layers.get(layer)
            if found is None:
                found = MappedLayer(self._stored.layer(layer), self._map(layer))
                self._layers[layer] = found
            self._last = found
            return found

    def _map(self, layer: int) -> LayerMap:
        try:
            return read_map(self._place, self._files[layer])
        except StoreDamagedError:
            if read_transform(self._place.run, self._place.name) == self._info:
                raise
        raise StoreError(
            f'Transform "{self._place.name}" of {self._label} was dropped or fitted anew since the store was '
            "opened. Open it again."
        )

    def check_layer(self, layer: int) -> None:
        """Refuse a layer that the run does not have, or that the transform was not fitted on.

        Raises:
            NotFoundError: it is one of these.
        """
        self._stored.check_layer(layer)
        if layer not in self._files:
            raise NotFoundError(
                f'Transform "{self._place.name}" of {self._label} was not fitted on layer {layer}, but on '
                f"{', '.join(map(str, self._files))}."
            )

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector. *Shape:* as `word_ids`, int64."""
        return self._stored.rows(word_ids)

    def seen(self, layer: int, vector: np.ndarray) -> np.ndarray:
        """A vector in the coordinates of the stored ones, mapped. *Shape:* (width,), float32."""
        mapped: np.ndarray = self.layer(layer).map.apply(vector[None])[0]
        return mapped


class MappedLayer(LayerVectors):
    """A layer that is mapped when its numbers are asked for: some rows alone, or all of them, once.

    Attributes:
        map: what maps it.
    """

    map: LayerMap
    _stored: LayerVectors
    _turn: Lock

    def __init__(self, stored: LayerVectors, to: LayerMap) -> None:
        vars(self).update(layer=stored.layer, word_ids=stored.word_ids, map=to, _stored=stored, _turn=Lock())

    @property
    def d_model(self) -> int:
        """Width of a mapped vector."""
        return self.map.width

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
        """All rows as one matrix, in memory or in a temporary file. *Shape:* (n_words, d_model), float32."""
        with self._turn:  # analyses ask from several threads
            if not self._is_mapped:
                vars(self)["_values"] = self._all()
        values: np.ndarray = vars(self)["_values"]
        return values

    @cached_property
    def blocks(self) -> tuple[np.ndarray, ...]:
        """The rows as one matrix per part. *Shape of each:* (n_rows, d_model), float32."""
        return tuple(np.split(self.values, self._stored.starts[1:]))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some rows; if not all are mapped yet, these alone are. *Shape:* (len(rows), d_model), float32."""
        return super().take(rows) if self._is_mapped else self.map.apply(self._stored.take(rows))

    @property
    def _is_mapped(self) -> bool:
        return "_values" in vars(self)

    def _all(self) -> np.ndarray:
        n_words = len(self.word_ids)
        n_bytes = 4 * n_words * self.d_model
        mapped = (self._rows(start) for start in range(0, n_words, ROWS_AT_ONCE))
        if n_bytes <= IN_MEMORY:
            return np.concatenate(list(mapped))
        folder = "a temporary folder"
        try:
            folder = tempfile.gettempdir()
            with tempfile.TemporaryFile(prefix="repstore-") as file:
                for rows in mapped:
                    file.write(rows.data)
                file.flush()
                return np.memmap(file, np.float32, "r", shape=(n_words, self.d_model))
        except OSError as error:
            raise StoreError(
                f"Layer {self.layer}, transformed, takes {n_bytes / 1e9:.2f} GB in {folder}, which cannot be "
                f"written: {error.strerror or error}. Make room, or set TMPDIR to another folder."
            ) from error

    def _rows(self, start: int) -> np.ndarray:
        """The rows from here on, mapped: always the same together, whatever the parts."""
        stop = min(start + ROWS_AT_ONCE, len(self.word_ids))
        return self.map.apply(self._stored.take(np.arange(start, stop)))
