"""Tables of numbers known of words or texts from elsewhere: ratings, norms, voxels.

CSV, TSV or Parquet with one column that says what a row is about (`KEYS`), and numbers in all others; or
``.npz`` with ``keys`` and ``values``, for wide matrices.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from repstore.corpus.columns import key_of
from repstore.corpus.source import Place
from repstore.corpus.tables import delimiter_of, fields, number, table, written
from repstore.errors import CorpusError
from repstore.spec import MatrixKey

KEYS: tuple[MatrixKey, ...] = get_args(MatrixKey)
MISSING = ("", "nan")
"""How a cell without a number is written, in any case."""

Row = tuple[Place, str, Sequence[str] | np.ndarray]
"""Where it stands, its key, and its numbers, as they are written or as such."""


@dataclass(frozen=True, eq=False)
class ExternalMatrix:
    """Numbers known of words or texts, in the order of the file.

    Attributes:
        key: what a row is about: a word, all uses of a form, lemma or sense, or a text.
        keys: of each row, all different: int for ``word_id`` and ``text_id``, else str.
        columns: names of the numbers.
        values: *Shape:* (len(keys), len(columns)), float64, finite.
        n_incomplete: rows left out, as they lack a number.
    """

    key: MatrixKey
    keys: tuple[int, ...] | tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray
    n_incomplete: int


def read_matrix(path: Path) -> ExternalMatrix:
    """Read a table of numbers. A row with a cell that is blank or NaN is left out, and counted.

    ``.npz`` has ``keys`` (n,) and ``values`` (n, n_columns), and may have ``columns``, their names, and
    ``key``, which of `KEYS` the keys are; without it, whole numbers are ``word_id``. Text is matched as it is
    written.

    Raises:
        CorpusError: the file cannot be read; it has no key column, or several, no column of numbers, or one
            name twice; a cell is no number; a key is blank, no whole number where it has to be, or there
            twice; or no row is complete. Rows of Parquet and ``.npz`` are counted from 1.
    """
    match path.suffix:
        case ".parquet":
            key, columns, rows = _parquet(path)
        case ".npz":
            key, columns, rows = _arrays(path)
        case _:
            key, columns, rows = _text(path)
    return _matrix(path, key, columns, rows)


def _matrix(path: Path, key: MatrixKey, columns: Sequence[str], rows: Iterable[Row]) -> ExternalMatrix:
    """The rows that are complete; each key is looked at."""
    values: list[np.ndarray] = []
    kept: list[int | str] = []
    lines: dict[int | str, int] = {}
    for at, given, cells in rows:
        name = key_of(at, key, given.strip())
        if name in lines:
            raise at.refuse(f'{key} "{name}", which was at {lines[name]}', "one row for each")
        lines[name] = at.line
        numbers = cells if isinstance(cells, np.ndarray) else _numbers(at, columns, cells)
        if np.isinf(numbers).any():
            raise at.refuse(f"{columns[int(np.isinf(numbers).argmax())]} that is infinite", "a number")
        if not np.isnan(numbers).any():
            kept.append(name)
            values.append(numbers)
    if not kept:
        raise CorpusError(f"{path} has no row with a number in every column. Give at least one.")
    keys = tuple(kept)
    return ExternalMatrix(key, keys, tuple(columns), np.stack(values), len(lines) - len(kept))  # type: ignore[arg-type]


def _numbers(at: Place, columns: Sequence[str], cells: Sequence[str]) -> np.ndarray:
    """Cells as numbers; NaN where there is none. *Shape:* (n_columns,), float64."""
    given = [cell.strip() for cell in cells]
    try:
        return np.array([cell or "nan" for cell in given], np.float64)
    except ValueError:  # which of them?
        for column, cell in zip(columns, given, strict=True):
            if cell.lower() not in MISSING:
                number(at, cell, column)
        raise


def _named(at: Place, names: Sequence[str]) -> tuple[MatrixKey, list[str]]:
    """Which column is the key, and which are numbers.

    Raises:
        CorpusError: there is no key column, there are several, there are no others, or a name is there twice.
    """
    found = [name for name in KEYS if name in names]
    one = f"one of {', '.join(KEYS)} to say what each row is about"
    if not found:
        raise at.refuse(f"no key among the columns {', '.join(names[:8])}", one)
    if len(found) > 1:
        raise at.refuse(f"the columns {' and '.join(found)}", one)
    if twice := [name for n, name in enumerate(names) if name in names[:n]]:
        raise at.refuse(f'two columns "{twice[0]}"', "a name of its own for each column")
    columns = [name for name in names if name != found[0]]
    if not columns:
        raise at.refuse(f"no column beside {found[0]}", "at least one column of numbers")
    return found[0], columns


def _text(path: Path) -> tuple[MatrixKey, list[str], Iterator[Row]]:
    delimiter = delimiter_of(path)
    at, header = next(fields(path, delimiter), (Place(path, 1), []))
    key, columns = _named(at, [name.strip() for name in header])
    rows = (
        (at, row[key], [row[column] for column in columns])
        for at, row in table(path, (key, *columns), delimiter=delimiter)
    )
    return key, columns, rows


def _parquet(path: Path) -> tuple[MatrixKey, list[str], Iterator[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        read = pq.read_table(path)
        key, columns = _named(Place(path, 1), read.column_names)
        values = np.empty((read.num_rows, len(columns)))
        for n, column in enumerate(columns):
            kind = read.schema.field(column).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
                raise Place(path, 1).refuse(f'column "{column}" of {kind}', "numbers")
            values[:, n] = read[column].cast(pa.float64()).fill_null(np.nan).to_numpy()
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None
    return key, columns, _numbered(path, read[key].to_pylist(), values)


def _arrays(path: Path) -> tuple[MatrixKey, list[str], Iterator[Row]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {name: file[name] for name in ("keys", "values", "columns", "key") if name in file}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise CorpusError(f"{path} cannot be read as .npz: {error}") from None
    at = Place(path, 1)
    if missing := [name for name in ("keys", "values") if name not in given]:
        raise at.refuse(f'no array "{missing[0]}"', "keys and values")
    keys, values = given["keys"], given["values"]
    if keys.ndim != 1 or values.ndim != 2 or len(keys) != len(values):
        raise at.refuse(
            f"keys of shape {keys.shape} and values of shape {values.shape}", "(n,) and (n, n_columns)"
        )
    if keys.dtype.kind not in "iufU":
        raise at.refuse(f"keys of {keys.dtype}", "text or whole numbers")
    if values.dtype.kind not in "iuf":
        raise at.refuse(f"values of {values.dtype}", "numbers")
    if "key" not in given and keys.dtype.kind not in "iu":
        raise at.refuse(f"keys of {keys.dtype} and no key", f'an array "key": one of {", ".join(KEYS)}')
    numbered = [f"column_{n}" for n in range(values.shape[1])]
    names = [str(name) for name in given.get("columns", np.array(numbered)).reshape(-1)]
    if len(names) != values.shape[1]:
        raise at.refuse(f"{len(names)} names of columns", f"{values.shape[1]}, as values has")
    key, columns = _named(at, [str(given.get("key", "word_id")), *names])
    return key, columns, _numbered(path, keys.tolist(), values.astype(np.float64))


def _numbered(path: Path, keys: Iterable[object], values: np.ndarray) -> Iterator[Row]:
    """Rows of a file that has no lines, counted from 1."""
    for line, (key, row) in enumerate(zip(keys, values, strict=True), 1):
        yield Place(path, line), written(key), row
