"""Results that are kept: the bytes of their rows, and what is said of them.

``rows.parquet`` and ``result.json`` hold what was computed, and are the same bytes whenever the same is asked
again. ``made.json`` holds the rest: when, how long, by which command and versions.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repstore.errors import ArgumentError, StoreDamagedError
from repstore.storage.files import (
    draft_of,
    json_bytes,
    publish,
    read_checked,
    read_json,
    sha256_of,
    write_beside,
)
from repstore.storage.frozen import make_uncounted, remove_files
from repstore.storage.layout import ResultLayout

METADATA = "repstore"
"""Key of the metadata of a Parquet file of a result, under which stands what is said of the rows, as JSON."""

PYTHON = "python"
"""What stands for the command of a result that a program saved."""


@dataclass(frozen=True, slots=True)
class SavedResult:
    """What ``result.json`` says.

    Attributes:
        n_rows: how many rows.
        bytes, sha256: of the file of the rows.
        title, units, notes, figure, provenance: as `repstore.results.ResultTable` has them, as JSON.
    """

    n_rows: int
    bytes: int
    sha256: str
    title: str
    units: dict[str, str]
    notes: list[str]
    figure: dict[str, Any] | None
    provenance: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """What is said of the rows."""
        return {name: getattr(self, name) for name in ("title", "units", "notes", "figure", "provenance")}


def as_json(value: Any) -> Any:
    """A value as JSON can hold it: the same for the same value, in whatever process.

    Arrays of numbers are told by their digest, what is not finite and what JSON does not know by its text.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):  # bytes of a file's name, which no file of UTF-8 can hold, are escaped
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":  # of text or objects, the bytes are where they are in memory
            return as_json(value.tolist())
        data = np.ascontiguousarray(value)
        kind = {"shape": list(data.shape), "dtype": str(data.dtype)}
        return kind | {"sha256": sha256(data.tobytes()).hexdigest()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {as_json(str(key)): as_json(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes | PurePath):
        return [as_json(one) for one in (sorted(value) if isinstance(value, Set) else value)]
    return as_json(str(value) if isinstance(value, PurePath | Decimal | date) else repr(value))


def parquet_of(table: pa.Table, about: Mapping[str, Any] | None) -> memoryview:
    """The bytes of a Parquet file of rows, with what is said `about` them in its metadata, if it is given.

    Raises:
        ArgumentError: Parquet has no such column.
    """
    sink = pa.BufferOutputStream()
    metadata = None if about is None else {METADATA: json.dumps(about)}
    try:
        pq.write_table(table.combine_chunks().replace_schema_metadata(metadata), sink)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise ArgumentError(f"The rows cannot be written to a Parquet file: {error}") from None
    return memoryview(sink.getvalue())


def written_as(table: pa.Table, about: Mapping[str, Any]) -> tuple[SavedResult, memoryview]:
    """What would be kept of a result, and the bytes of its rows; nothing is written.

    Raises:
        ArgumentError: Parquet cannot hold it.
    """
    data = parquet_of(table, None)  # so that their digest is of the rows alone
    return SavedResult(len(table), data.nbytes, sha256(data).hexdigest(), **about), data


def write_result(place: ResultLayout, info: SavedResult, data: memoryview, made: Mapping[str, Any]) -> None:
    """Keep a result. What was there is removed once the new one is on the disk, under names of its own.

    Args:
        place: where.
        info, data: as `written_as` returns them.
        made: what ``made.json`` says.

    Raises:
        StoreError: the disk is full; nothing of it is left, and what was there stays.
    """
    contents: dict[Path, bytes | memoryview] = {
        place.rows: data,
        place.made: json_bytes(dict(made)),
        place.info: json_bytes(dataclasses.asdict(info)),  # last, as it makes the result count
    }
    try:
        for path, content in contents.items():
            write_beside(path, [content])
    except Exception:
        remove_files(place.root, map(draft_of, contents))
        raise
    make_uncounted(place)
    for path in contents:
        publish(draft_of(path), path)


def read_result(place: ResultLayout) -> SavedResult | None:
    """What is said of a result; None if there is none.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    try:
        return SavedResult(**read_json(place.info))
    except StoreDamagedError:
        if place.info.exists():
            raise
        return None


def read_made(place: ResultLayout) -> dict[str, Any]:
    """What ``made.json`` says.

    Raises:
        StoreDamagedError: it is not what was written, or missing.
    """
    return read_json(place.made)


def read_rows(place: ResultLayout, info: SavedResult) -> pa.Table:
    """The rows, if every byte is as it was written.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    data = read_checked(place.rows, info.sha256)
    return pq.read_table(pa.BufferReader(data)).replace_schema_metadata(None)


def is_damaged(place: ResultLayout) -> bool:
    """Whether any byte of a result is not as it was written; not if it has been dropped meanwhile."""
    try:
        info = read_result(place)
        if info is None:
            return False
        read_made(place)
    except StoreDamagedError:
        return True
    return not place.rows.exists() or sha256_of(place.rows) != info.sha256
