"""Transforms of a run on disk: a map for each of some layers, and the words that it was fitted on.

A transform is frozen: its files are written once, `TransformLayout.info` last, and what that does not name
does not exist. How a map was made is no concern of those who apply it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repstore.errors import ArgumentError, StoreDamagedError
from repstore.spec import TransformKind, digest
from repstore.storage.files import read_json, sha256_of, sync_folder, write_durably, write_json
from repstore.storage.fitted_on import FittedOn
from repstore.storage.layout import TRANSFORM_NAME, RunLayout, TransformLayout

ROWS_AT_ONCE = 1024
"""Vectors that are mapped at a time."""


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
class TransformInfo:
    """What ``transform.json`` says.

    Attributes:
        name: what it is called.
        kind, k: how it was fitted.
        run_id: the run whose vectors it maps.
        own_axes: whether the coordinates of mapped vectors are its own, so that there is no cosine between
            them and the vectors of another run.
        fitted_on: which words were asked for.
        parts: SHA-256 of the parts that the run had, in order.
        n_words: words that it was fitted on.
        words_bytes, words_sha256: the file of their ids.
        layers: the maps, in order of their layers.
    """

    name: str
    kind: TransformKind
    k: int | None
    run_id: str
    own_axes: bool
    fitted_on: FittedOn
    parts: tuple[str, ...]
    n_words: int
    words_bytes: int
    words_sha256: str
    layers: tuple[MapFile, ...]

    def outdated(self, parts: Iterable[str]) -> str | None:
        """What a run of these parts has that it had not when this was fitted; None if nothing changed."""
        now = tuple(parts)
        if now == self.parts:
            return None
        return f"{'more words' if set(now) > set(self.parts) else 'other vectors'} than when it was fitted"

    @property
    def digest(self) -> str:
        """Of all that is said here, and so of every byte of the files."""
        return digest(dataclasses.asdict(self))

    @property
    def n_bytes(self) -> int:
        """Size of its files."""
        return self.words_bytes + sum(one.bytes for one in self.layers)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a transform.

    Raises:
        ArgumentError: it has other characters than letters, digits, ``.``, ``_`` and ``-``, or too many.
    """
    if not isinstance(name, str) or not TRANSFORM_NAME.fullmatch(name):
        raise ArgumentError(
            f"{name!r} is no name for a transform. Take up to 64 letters (a to z), digits, '.', '_' or '-', "
            "the first a letter or a digit, such as pca64."
        )


def write_transform(
    place: TransformLayout,
    word_ids: np.ndarray,
    maps: Iterable[tuple[int, LayerMap, int, float | None]],
    about: dict[str, Any],
) -> TransformInfo:
    """Write the words and the maps of a transform and, last, the file that makes it count.

    Args:
        place: where it goes; what is there is removed first.
        word_ids: the words it was fitted on. *Shape:* (n_words,), int64, ascending.
        maps: of each layer, in order, its number, its map, `MapFile.n_kept` and `MapFile.variance`.
        about: what `TransformInfo` says beside name, words and layers.

    Raises:
        StoreError: the disk is full; nothing of it is left.
    """
    drop_transform(place)
    try:
        return _written(place, word_ids, maps, about)
    except Exception:
        drop_transform(place)
        raise


def _written(
    place: TransformLayout,
    word_ids: np.ndarray,
    maps: Iterable[tuple[int, LayerMap, int, float | None]],
    about: dict[str, Any],
) -> TransformInfo:
    words_bytes, words_sha256 = write_durably(place.words, [_npy(word_ids)])
    layers = []
    for layer, fitted, n_kept, variance in maps:
        path = place.layer(layer)
        n_bytes, sha256 = write_durably(path, [_npz(fitted)])
        layers.append(MapFile(layer, path.name, n_bytes, sha256, fitted.width, n_kept, variance))
    info = TransformInfo(
        name=place.name,
        n_words=len(word_ids),
        words_bytes=words_bytes,
        words_sha256=words_sha256,
        layers=tuple(layers),
        **about,
    )
    write_json(place.info, dataclasses.asdict(info))
    return info


def read_transform(run: RunLayout, name: str) -> TransformInfo | None:
    """What is said of a transform; None if there is none of that name.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    place = run.transform(name)
    try:
        return read_info(place)
    except StoreDamagedError:
        if place.info.exists():
            raise
        return None


def read_info(place: TransformLayout) -> TransformInfo:
    """What the JSON file of a transform says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_json(place.info)
    known = {
        "fitted_on": FittedOn(**said["fitted_on"]),
        "parts": tuple(said["parts"]),
        "layers": tuple(MapFile(**one) for one in said["layers"]),
    }
    info = TransformInfo(**said | known)
    if (info.name, info.run_id) != (place.name, place.run.root.name):
        raise StoreDamagedError(f"{place.info} is of transform {info.name} of run {info.run_id}.")
    return info


def read_map(place: TransformLayout, named: MapFile) -> LayerMap:
    """A map, if every byte is as it was written.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    with np.load(io.BytesIO(_read(place.root / named.file, named.sha256)), allow_pickle=False) as arrays:
        return LayerMap(**arrays)


def files_of(place: TransformLayout, info: TransformInfo) -> Iterator[tuple[Path, int, str]]:
    """The files that make up a transform beside its JSON file: path, bytes and SHA-256."""
    yield place.words, info.words_bytes, info.words_sha256
    for one in info.layers:
        yield place.root / one.file, one.bytes, one.sha256


def is_cut(place: TransformLayout, info: TransformInfo) -> bool:
    """Whether a file is missing or of another size; `verify` reads every byte."""
    try:
        return any(path.stat().st_size != n_bytes for path, n_bytes, _ in files_of(place, info))
    except FileNotFoundError:
        return True


def is_damaged(place: TransformLayout, info: TransformInfo) -> bool:
    """Whether any byte of a file is not as it was written."""
    return is_cut(place, info) or any(sha256_of(path) != sha256 for path, _, sha256 in files_of(place, info))


def drop_transform(place: TransformLayout) -> bool:
    """Remove a transform, and what a crash left of one. Returns whether there was one."""
    was_there = place.info.exists()
    if was_there:
        place.info.unlink()  # first: what it no longer names does not exist
        sync_folder(place.root)
    for file in place.files():
        file.unlink()
    if place.root.exists() and not any(place.root.iterdir()):
        place.root.rmdir()
        sync_folder(place.root.parent)
    return was_there


def _read(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreDamagedError(f'{path} cannot be read: {error.strerror}. Run "repstore verify".') from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreDamagedError(f'{path} is not what was written. Run "repstore verify".')
    return data


def _npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    return data.getvalue()


def _npz(fitted: LayerMap) -> memoryview:
    """The arrays of a map by their names: the same bytes whenever and wherever it is written."""
    arrays = {field.name: getattr(fitted, field.name) for field in dataclasses.fields(fitted)}
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **{name: of for name, of in arrays.items() if of is not None})
    return data.getbuffer()
