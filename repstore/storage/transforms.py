"""Transforms of a run on disk: a map for each of some layers, and the words that it was fitted on.

How a map was made is no concern of those who apply it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from repstore.spec import TransformKind
from repstore.storage.fitted_on import FittedOn
from repstore.storage.frozen import FrozenInfo, if_there, read_arrays, read_said, write_arrays, write_frozen
from repstore.storage.layout import FrozenLayout, RunLayout
from repstore.storage.made import ROWS_AT_ONCE


@dataclass(frozen=True, eq=False)
class LayerMap:
    """An affine map of the vectors of a layer.

    z = (x - shift) * scale; then, where they are given, z less its projections on `removed`, and z times
    `matrix`.

    Attributes:
        shift, scale: *Shape of each:* (d_model,), float64.
        removed: orthonormal directions. *Shape:* (d_model, n_removed), float64.
        matrix: *Shape:* (d_model, width), float64.
    """

    shift: np.ndarray
    scale: np.ndarray
    removed: np.ndarray | None = None
    matrix: np.ndarray | None = None

    @property
    def width(self) -> int:
        """Width of a mapped vector."""
        return len(self.shift) if self.matrix is None else int(self.matrix.shape[1])

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Map vectors, computed in float64. `rows`: *Shape:* (n, d_model). *Shape:* (n, width), float32."""
        mapped = np.empty((len(rows), self.width), np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            here = slice(start, start + ROWS_AT_ONCE)
            z = rows[here].astype(np.float64)
            z -= self.shift
            z *= self.scale
            if self.removed is not None:
                z -= (z @ self.removed) @ self.removed.T
            mapped[here] = z if self.matrix is None else z @ self.matrix
        return mapped


@dataclass(frozen=True, slots=True)
class MapFile:
    """The map of a layer in its file.

    Attributes:
        layer: which layer.
        file, bytes, sha256: the file, from the folder of the transform.
        width: width of a mapped vector.
        n_kept: how many dimensions, or directions, of the layer are left.
        variance: share of the variance of the layer, over the words fitted on, that lies in these; None if it
            has none.
    """

    layer: int
    file: str
    bytes: int
    sha256: str
    width: int
    n_kept: int
    variance: float | None


@dataclass(frozen=True, slots=True)
class TransformInfo(FrozenInfo):
    """What ``transform.json`` says.

    Attributes:
        kind, k: how it was fitted.
        own_axes: whether the coordinates of mapped vectors are its own, so that there is no cosine between
            them and the vectors of another run.
        fitted_on: which words were asked for.
        layers: the maps, in order of their layers.
    """

    kind: TransformKind
    k: int | None
    own_axes: bool
    fitted_on: FittedOn
    layers: tuple[MapFile, ...]

    @property
    def files(self) -> tuple[MapFile, ...]:
        """The files of the maps."""
        return self.layers


def write_transform(
    place: FrozenLayout,
    word_ids: np.ndarray,
    maps: Iterable[tuple[int, LayerMap, int, float | None]],
    about: dict[str, Any],
) -> TransformInfo:
    """Write a transform; what was there under its name is removed first.

    Args:
        place: where.
        word_ids: the words that it was fitted on, ascending. *Shape:* (n_words,), int64.
        maps: of each layer, in order, its number, its map, `MapFile.n_kept` and `MapFile.variance`.
        about: what `TransformInfo` says beside name, words and layers.

    Raises:
        StoreError: the disk is full; nothing of it is left.
    """

    def finish(said: dict[str, Any]) -> TransformInfo:
        layers = []
        for layer, fitted, n_kept, variance in maps:
            path = place.layer(layer)
            n_bytes, sha256 = write_arrays(path, _arrays(fitted))
            layers.append(MapFile(layer, path.name, n_bytes, sha256, fitted.width, n_kept, variance))
        return TransformInfo(**said, **about, layers=tuple(layers))

    return write_frozen(place, word_ids, finish)


def read_transform(run: RunLayout, name: str) -> TransformInfo | None:
    """What is said of a transform; None if there is none of that name.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    return if_there(run.frozen("transform", name), read_info)


def read_info(place: FrozenLayout) -> TransformInfo:
    """What the JSON file of a transform says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_said(place)
    known = {
        "fitted_on": FittedOn(**said["fitted_on"]),
        "layers": tuple(MapFile(**one) for one in said["layers"]),
    }
    return TransformInfo(**said | known)


def read_map(place: FrozenLayout, named: MapFile) -> LayerMap:
    """A map, if every byte is as it was written.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    return LayerMap(**read_arrays(place, named))


def _arrays(fitted: LayerMap) -> dict[str, np.ndarray]:
    """The arrays of a map by their names."""
    arrays = {field.name: getattr(fitted, field.name) for field in dataclasses.fields(fitted)}
    return {name: of for name, of in arrays.items() if of is not None}
