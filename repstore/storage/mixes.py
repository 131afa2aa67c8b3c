"""Mixes of the layers of a run on disk: their weights, and the words that these were learned on.

What the arrays mean is the concern of those who mix; here they are numbers with names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from repstore.spec import MixKind
from repstore.storage.frozen import LearnedInfo, if_there, read_arrays, read_said, write_arrays, write_frozen
from repstore.storage.layout import FrozenLayout, RunLayout


@dataclass(frozen=True, slots=True)
class MixInfo(LearnedInfo):
    """What ``mix.json`` says.

    Attributes:
        kind: how layers are mixed.
        layers: which are, in order.
        file, bytes, sha256: the file of the arrays.
    """

    kind: MixKind
    layers: tuple[int, ...]
    file: str
    bytes: int
    sha256: str

    @property
    def files(self) -> tuple[MixInfo]:
        """The one file of arrays, which is named here."""
        return (self,)


def write_mix(
    place: FrozenLayout, word_ids: np.ndarray, arrays: Mapping[str, np.ndarray], about: dict[str, Any]
) -> MixInfo:
    """Write a mix; what was there under its name is removed first.

    Args:
        place: where.
        word_ids: the words that it was learned on, each once, ascending. *Shape:* (n_words,), int64.
        arrays: its numbers, by their names.
        about: what `MixInfo` says beside name, words and file.

    Raises:
        StoreError: the disk is full; nothing of it is left.
    """

    def finish(said: dict[str, Any]) -> MixInfo:
        n_bytes, sha256 = write_arrays(place.mix, arrays)
        return MixInfo(**said, **about, file=place.mix.name, bytes=n_bytes, sha256=sha256)

    return write_frozen(place, word_ids, finish)


def read_mix(run: RunLayout, name: str) -> MixInfo | None:
    """What is said of a mix; None if there is none of that name.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    return if_there(run.frozen("mix", name), read_mix_info)


def read_mix_info(place: FrozenLayout) -> MixInfo:
    """What the JSON file of a mix says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_said(place)
    return MixInfo(**said | {"layers": tuple(said["layers"])})


def read_mix_arrays(place: FrozenLayout, info: MixInfo) -> dict[str, np.ndarray]:
    """The arrays of a mix by their names, if every byte is as it was written.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    return read_arrays(place, info)
