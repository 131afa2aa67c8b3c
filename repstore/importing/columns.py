"""Rows of Parquet: a list of numbers per layer, beside the word that they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repstore.corpus.source import Place
from repstore.errors import CorpusError
from repstore.importing.narrowing import as_float
from repstore.importing.source import Request, Source, files_of, from_rows, name_of, pairs_of
from repstore.importing.tables import read_parquet_words
from repstore.importing.words import place_words

VECTOR = "vector"
LAYER = re.compile(r"layer_\d+")
MIX = "mix_"
LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
EXPECTED = f'lists of numbers in columns "layer_00", "layer_01" and so on, or in one column "{VECTOR}"'

BATCH_BYTES = 64 << 20
"""About how many bytes of vectors are decoded at a time."""

BUFFER = 1 << 20
"""Bytes read at a time of a column, which may be as long as the file."""


def open_columns(path: Path, request: Request) -> Source:
    """A Parquet file, or a folder of them in the order of their names."""
    files = files_of(path)
    if not files:
        raise CorpusError(f"{path} has no file .parquet in it. Give a file, or a folder of some.")
    names = _columns(files[0])
    for other in files[1:]:
        if (found := _columns(other)) != names:
            raise CorpusError(
                f"{other} has vectors in {', '.join(found)}, and {files[0]} in {', '.join(names)}. "
                "Expected the same columns in all files."
            )
    d_model = _width(files[0], names[0])
    placed = place_words(read_parquet_words(files), request, f"parquet:{path}", pairs_of(path))
    return Source(
        name=name_of(path),
        files=files,
        words=None,
        layers=names,
        d_model=d_model,
        pattern="[row]",
        lacking="no_vector",
        corpus=placed.corpus,
        open=lambda *_: from_rows(placed.rows, _checked(_Rows(files, names, d_model)).take),
    )


def _columns(path: Path) -> tuple[str, ...]:
    """The columns with vectors: layers by number, and after them the mixes that an export may have."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None
    layers = [name for name in schema.names if LAYER.fullmatch(name)]
    lists = {field.name for field in schema if _is_list_of_numbers(field.type)}
    names = [
        *(name for name in schema.names if name == VECTOR),
        *sorted(layers, key=lambda name: int(name.removeprefix("layer_"))),
        *sorted(name for name in lists if name.startswith(MIX)),
    ]
    shown = ", ".join(names or schema.names[:8])
    wrong = [name for name in names if name not in lists]
    if not names or wrong or (VECTOR in names and len(names) > 1):
        found = f'"{wrong[0]}" as {schema.field(wrong[0]).type}' if wrong else f"the columns {shown}"
        raise CorpusError(f"{path} has {found}. Expected {EXPECTED}.")
    return tuple(names)


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    if not any(is_one(kind) for is_one in LISTS):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _width(path: Path, name: str) -> int:
    """Numbers in the first vector."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        batch = next(file.iter_batches(1, columns=[name]), None)
    first = None if batch is None or not len(batch) else batch.column(0)[0].as_py()
    if not first:
        raise CorpusError(f'{path} has no vector in the first row of "{name}". Expected {EXPECTED}.')
    return len(first)


def _checked(rows: _Rows) -> _Rows:
    """The same, once every row was seen to be as long as the first."""
    for _ in rows.decoded():
        pass
    return rows


class _Rows:
    """The rows of some files, read as a stream: forward, and from the beginning where that must be."""

    def __init__(self, files: Sequence[Path], names: Sequence[str], d_model: int) -> None:
        self._files, self._names, self._d_model = files, names, d_model
        self._size = max(1, BATCH_BYTES // (4 * d_model * len(names)))
        self._batches: Iterator[list[np.ndarray]] = iter(())
        self._batch: list[np.ndarray] = []
        self._start = self._stop = 0

    def take(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Some rows, layer by layer, each let go when the next is asked for.

        *Shape of each:* (len(rows), d_model), float16 or float32.
        """
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        if len(rows) and wanted[0] < self._start:
            self._start = self._stop = 0
        taken: list[np.ndarray] = []
        n_done = 0
        while n_done < len(wanted):
            stop = int(np.searchsorted(wanted, self._stop))
            if stop == n_done:
                self._advance()
                continue
            here = [as_float(matrix[wanted[n_done:stop] - self._start]) for matrix in self._batch]
            taken = taken or [np.empty((len(rows), self._d_model), matrix.dtype) for matrix in here]
            for whole, matrix in zip(taken, here, strict=True):
                whole[order[n_done:stop]] = matrix
            n_done = stop
        taken = taken or [np.empty((0, self._d_model), np.float32) for _ in self._names]
        return (taken.pop(0) for _ in self._names)

    def _advance(self) -> None:
        if self._stop == 0:
            self._batches = self.decoded()
        self._batch = next(self._batches)
        self._start, self._stop = self._stop, self._stop + len(self._batch[0])

    def decoded(self) -> Iterator[list[np.ndarray]]:
        """All rows, some at a time, layer by layer. *Shape of each:* (n, d_model).

        Raises:
            CorpusError: a row is shorter or longer than the first, or cannot be read.
        """
        n_read = 0
        for path in self._files:
            try:
                with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
                    for batch in file.iter_batches(self._size, columns=list(self._names)):
                        yield [self._matrix(path, n_read, name, batch.column(name)) for name in self._names]
                        n_read += len(batch)
            except (OSError, KeyError, pa.ArrowException) as error:
                raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None

    def _matrix(self, path: Path, n_before: int, name: str, column: pa.Array) -> np.ndarray:
        """A column as a matrix. *Shape:* (len(column), d_model)."""
        lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        values = column.flatten()
        if (lengths != self._d_model).any() or values.null_count:
            row = int((lengths != self._d_model).argmax())
            problem = f'{lengths[row]} numbers in "{name}"' if not values.null_count else f'nulls in "{name}"'
            raise Place(path, n_before + row + 1).refuse(problem, f"{self._d_model}, as in the first row")
        matrix: np.ndarray = values.to_numpy(zero_copy_only=False).reshape(-1, self._d_model)
        return matrix
