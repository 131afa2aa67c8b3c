"""The vectors of a run as a transform shows them: mapped when they are asked for, never stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from repstore.errors import ArgumentError, NotFoundError, StoreDamagedError, StoreError, did_you_mean
from repstore.spec import LayerKey, layer_number
from repstore.storage.frozen import check_name, read_words
from repstore.storage.layout import FrozenLayout
from repstore.storage.made import MadeLayer, MadeLayers
from repstore.storage.opened import Run
from repstore.storage.transforms import (
    LayerMap,
    TransformInfo,
    read_map,
    read_transform,
)
from repstore.storage.vectors import LayerVectors, Vectors

Read = TypeVar("Read")


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
    """The layers of a run that a transform was fitted on, mapped by it."""

    def __init__(self, stored: Vectors, place: FrozenLayout, info: TransformInfo, label: str) -> None:
        self._stored, self._place, self._label = stored, place, label
        self._info = info
        self._files = {one.layer: one for one in info.layers}
        self._layers: MadeLayers[MappedLayer] = MadeLayers()

    def __reduce__(self) -> tuple[Any, ...]:
        return TransformedVectors, (self._stored, self._place, self._info, self._label)

    @property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""
        return self._stored.word_ids

    @property
    def layers(self) -> list[int]:
        """The layers there are: those that the transform was fitted on."""
        return list(self._files)

    def layer(self, layer: LayerKey) -> MappedLayer:
        """The mapped vectors of one layer.

        Raises:
            ArgumentError: it is a mix, and that is of vectors as stored.
            NotFoundError: the run has no such layer, or the transform was not fitted on it.
            StoreDamagedError: the file of its map is damaged.
            StoreError: the transform is not the one that there was when the store was opened.
        """
        number = self._number(layer)
        return self._layers.get(number, lambda: MappedLayer(self._stored.layer(number), self._map(number)))

    def learned_from(self, layer: LayerKey) -> np.ndarray:
        """Words of the pairs that a mask was learned from; none of what needs no labels.

        *Shape:* (n_words,), int64.

        Raises:
            StoreDamagedError: the transform is damaged.
            StoreError: it is not the one that there was when the store was opened.
        """
        if self._info.fitted_on.train_on is None:
            return self._stored.learned_from(layer)
        return self._read(lambda: read_words(self._place, self._info))

    def _map(self, layer: int) -> LayerMap:
        return self._read(lambda: read_map(self._place, self._files[layer]))

    def _read(self, read: Callable[[], Read]) -> Read:
        try:
            return read()
        except StoreDamagedError:
            if read_transform(self._place.run, self._place.name) == self._info:
                raise
        raise StoreError(
            f'Transform "{self._place.name}" of {self._label} was dropped or fitted anew since the store was '
            "opened. Open it again."
        )

    def check_layer(self, layer: LayerKey) -> None:
        """Refuse a layer that the run does not have, or that the transform was not fitted on.

        Raises:
            NotFoundError: it is one of these.
            ArgumentError: it is a mix.
        """
        self._number(layer)

    def _number(self, layer: LayerKey) -> int:
        number = layer_number(layer)
        if number is None:
            raise ArgumentError(
                f'{layer} is a mix of vectors as stored, not through "{self._place.name}". Ask the store as '
                "opened, or for numbered layers."
            )
        self._stored.check_layer(number)
        if number not in self._files:
            raise NotFoundError(
                f'Transform "{self._place.name}" of {self._label} was not fitted on layer {layer}, but on '
                f"{', '.join(map(str, self._files))}."
            )
        return number

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector. *Shape:* as `word_ids`, int64."""
        return self._stored.rows(word_ids)

    def seen(self, layer: LayerKey, vectors: np.ndarray) -> np.ndarray:
        """A layer of a word that is not stored, mapped.

        `vectors`: *Shape:* (n_layers, d_model). *Shape:* (width,), float32.
        """
        mapped: np.ndarray = self.layer(layer).map.apply(self._stored.seen(layer, vectors)[None])[0]
        return mapped


class MappedLayer(MadeLayer):
    """A layer that is mapped when its numbers are asked for: some rows alone, or all of them, once.

    Attributes:
        map: what maps it.
    """

    map: LayerMap

    def __init__(self, stored: LayerVectors, to: LayerMap) -> None:
        super().__init__(stored.layer, stored)
        vars(self).update(map=to)

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedLayer, (self._stored, self.map)

    @property
    def d_model(self) -> int:
        """Width of a mapped vector."""
        return self.map.width

    @property
    def described(self) -> str:
        """What it is, at the beginning of a message."""
        return f"Layer {self.layer}, transformed,"

    def make(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, mapped. *Shape:* (len(rows), d_model), float32."""
        return self.map.apply(self._stored.take(rows))
