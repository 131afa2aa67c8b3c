"""Tables whose columns go by name: CSV, TSV or Parquet, every value as it would be written in text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from repstore.corpus.source import Place
from repstore.corpus.tables import delimiter_of, fields, table, written
from repstore.errors import CorpusError

NUMBERED = ("word_id", "text_id")
"""Keys that are whole numbers; the others are text."""

Choose = Callable[[list[str]], Sequence[str]]
"""Which columns to read, of those that a file has."""


def read_columns(path: Path, choose: Choose) -> Iterator[tuple[Place, dict[str, str]]]:
    """Some columns of a table, in the order chosen, row by row, without blanks around the values.

    A file that does not end in ``.parquet`` is text: between tabs if its first line has one, else between
    commas. Rows of Parquet are counted from 1; what is null there is empty, and a whole number may be stored
    as a float, as long as float64 has it exactly.

    Raises:
        CorpusError: the file cannot be read or lacks a column that is chosen, or a row has other columns than
            the first line.
    """
    return _parquet(path, choose) if path.suffix == ".parquet" else _text(path, choose)


def is_id(text: str) -> bool:
    """Whether something is written as a whole number that fits into 64 bits."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 63


def key_of(at: Place, column: str, text: str) -> int | str:
    """What a row of a table is about, by its column.

    Raises:
        CorpusError: there is nothing, or an id is no whole number.
    """
    if not text:
        raise at.refuse(f"no {column}", f"a {column} in every row")
    if column not in NUMBERED:
        return text
    if not is_id(text):
        raise at.refuse(f'{column} "{text}"', "a whole number")
    return int(text)


def _text(path: Path, choose: Choose) -> Iterator[tuple[Place, dict[str, str]]]:
    delimiter = delimiter_of(path)
    _, header = next(fields(path, delimiter), (None, []))
    columns = choose([name.strip() for name in header])
    for at, row in table(path, columns, delimiter=delimiter):
        yield at, {name: row[name].strip() for name in columns}


def _parquet(path: Path, choose: Choose) -> Iterator[tuple[Place, dict[str, str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        columns = choose(names)
        if missing := [name for name in columns if name not in names]:
            raise CorpusError(f'{path}: no column "{missing[0]}". Expected {", ".join(columns)}.')
        rows = pq.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None
    for line, row in enumerate(rows, 1):
        yield Place(path, line), {name: written(row[name]) for name in columns}
