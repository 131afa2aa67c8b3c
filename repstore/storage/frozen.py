"""What is fitted on words of a run and kept under a name: transforms, probes and mixes of layers.

It is frozen: its files are written once, `FrozenLayout.info` last; what that does not name does not exist.
"""

from __future__ import annotations

import dataclasses
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from repstore.errors import ArgumentError, StoreDamagedError
from repstore.spec import digest
from repstore.storage.files import read_checked, read_json, sha256_of, sync_folder, write_durably, write_json
from repstore.storage.layout import FROZEN_NAME, FrozenKind, FrozenLayout

Named = FrozenKind | Literal["result"]
"""What is kept under a name that a user chose."""

EXAMPLES: dict[Named, str] = {
    "transform": "pca64",
    "probe": "pos-linear",
    "mix": "wic-scalar",
    "result": "wic-base",
}
"""A name that each kind could have."""

STORE = "STORE"
"""Stands for the store in a command that is kept in it, as a store does not know where it is."""


class ArrayFile(Protocol):
    """A file of arrays, as the `FrozenInfo` names it."""

    @property
    def file(self) -> str:
        """Its name in the folder of what is frozen."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """Its SHA-256."""


@dataclass(frozen=True, slots=True)
class FrozenInfo(ABC):
    """What the JSON file of anything frozen says.

    Attributes:
        name: what it is called.
        run_id: the run on whose vectors it was fitted.
        parts: SHA-256 of the parts that the run had, in order.
        n_words: words that it was fitted on.
        words_bytes, words_sha256: the file of their ids.
    """

    name: str
    run_id: str
    parts: tuple[str, ...]
    n_words: int
    words_bytes: int
    words_sha256: str

    @property
    @abstractmethod
    def files(self) -> tuple[ArrayFile, ...]:
        """Its files of arrays."""

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
        return self.words_bytes + sum(one.bytes for one in self.files)


@dataclass(frozen=True, slots=True)
class LearnedInfo(FrozenInfo):
    """What the JSON file of a probe or a mix says.

    Attributes:
        asked: how it was learned, as JSON is read (lists, not tuples). What each command asks differs, but
            for what `command` says.
    """

    asked: dict[str, Any]

    def __post_init__(self) -> None:  # else whoever verifies or compares it would find out
        if json.loads(json.dumps(self.asked)) != self.asked or STORE not in self.asked.get("command", ()):
            raise ValueError(
                f'asked is not JSON with a "command" that says {STORE} for the store: {self.asked}'
            )

    def command(self, store: str) -> list[str]:
        """The command that learns it anew: its arguments after ``repstore``.

        `asked` has them under ``command``, with ``STORE`` for the store.
        """
        given: list[str] = self.asked["command"]
        where = given.index(STORE)
        return [*given[:where], store, *given[where + 1 :]]


Info = TypeVar("Info", bound=FrozenInfo)


class Place(Protocol):
    """Where something is kept that counts as long as its `info` is there."""

    @property
    def root(self) -> Path:
        """Its folder."""

    @property
    def info(self) -> Path:
        """The JSON file that makes it count."""

    def files(self) -> list[Path]:
        """All its files that are there."""


def check_name(kind: Named, name: str) -> None:
    """Refuse what cannot be the name of a transform, a probe, a mix or a result.

    Raises:
        ArgumentError: it has other characters than letters, digits, ``.``, ``_`` and ``-``, or too many.
    """
    if not isinstance(name, str) or not FROZEN_NAME.fullmatch(name):
        raise ArgumentError(
            f"{name!r} is no name for a {kind}. Take up to 64 letters (a to z), digits, '.', '_' or '-', "
            f"the first a letter or a digit, such as {EXAMPLES[kind]}."
        )


def write_frozen(place: FrozenLayout, word_ids: np.ndarray, finish: Callable[[dict[str, Any]], Info]) -> Info:
    """Write what is frozen under a name; what was there is removed first.

    Args:
        place: where.
        word_ids: the words that it was fitted on, ascending. *Shape:* (n_words,), int64.
        finish: writes its arrays (`write_arrays`) and makes its info, of what is said here of name and words.

    Raises:
        StoreError: the disk is full; nothing of it is left.
    """
    drop_frozen(place)
    try:
        words_bytes, words_sha256 = write_durably(place.words, [_npy(word_ids)])
        said = {"name": place.name, "n_words": len(word_ids)}
        info = finish(said | {"words_bytes": words_bytes, "words_sha256": words_sha256})
        write_json(place.info, dataclasses.asdict(info))
    except Exception:
        drop_frozen(place)
        raise
    return info


def read_said(place: FrozenLayout) -> dict[str, Any]:
    """What the JSON file says, as the arguments of the info: lists are left as they are, but of parts.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_json(place.info)
    if (said["name"], said["run_id"]) != (place.name, place.run.root.name):
        raise StoreDamagedError(f"{place.info} is of {place.kind} {said['name']} of run {said['run_id']}.")
    return said | {"parts": tuple(said["parts"])}


def if_there(place: FrozenLayout, read: Callable[[FrozenLayout], Info]) -> Info | None:
    """What is said of what is frozen under a name; None if nothing is.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    try:
        return read(place)
    except StoreDamagedError:
        if place.info.exists():
            raise
        return None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[int, str]:
    """Write arrays by their names: the same bytes whenever and wherever they are written.

    Returns:
        The number of bytes and their SHA-256.
    """
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    return write_durably(path, [data.getbuffer()])


def read_arrays(place: FrozenLayout, named: ArrayFile) -> dict[str, np.ndarray]:
    """Arrays by their names, if every byte is as it was written.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    data = read_checked(place.root / named.file, named.sha256)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def read_words(place: FrozenLayout, info: FrozenInfo) -> np.ndarray:
    """The words that it was fitted on. *Shape:* (n_words,), int64, ascending.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    word_ids: np.ndarray = np.load(
        io.BytesIO(read_checked(place.words, info.words_sha256)), allow_pickle=False
    )
    return word_ids


def files_of(place: FrozenLayout, info: FrozenInfo) -> Iterator[tuple[Path, int, str]]:
    """The files that make it up beside its JSON file: path, bytes and SHA-256."""
    yield place.words, info.words_bytes, info.words_sha256
    for one in info.files:
        yield place.root / one.file, one.bytes, one.sha256


def is_cut(place: FrozenLayout, info: FrozenInfo) -> bool:
    """Whether a file is missing or of another size; `verify` reads every byte."""
    try:
        return any(path.stat().st_size != n_bytes for path, n_bytes, _ in files_of(place, info))
    except FileNotFoundError:
        return True


def is_damaged(place: FrozenLayout, info: FrozenInfo) -> bool:
    """Whether any byte of a file is not as it was written."""
    return is_cut(place, info) or any(sha256_of(path) != sha256 for path, _, sha256 in files_of(place, info))


def drop_frozen(place: Place) -> bool:
    """Remove what is kept under a name, and what a crash left of it. Returns whether there was one."""
    was_there = make_uncounted(place)
    remove_files(place.root, place.files())
    return was_there


def make_uncounted(place: Place) -> bool:
    """Remove the JSON file of what is kept: what it no longer names does not exist.

    Returns:
        Whether it was there.
    """
    if not place.info.exists():
        return False
    place.info.unlink()
    sync_folder(place.root)
    return True


def remove_files(folder: Path, files: Iterable[Path]) -> None:
    """Remove some files of a folder, those that are there, and the folder if nothing else is in it."""
    for file in files:
        file.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
        sync_folder(folder.parent)


def _npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    return data.getvalue()
