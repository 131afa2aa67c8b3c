"""Tables that say which word each vector is of: words of a store by their id, or words of texts that they
bring along.

A table has ``word_id``, or ``text``, ``char_start`` and ``char_end``, or both, and may have more of
`COLUMNS`, which are called as in the tables of a store. It is CSV, TSV, JSON Lines or Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repstore.corpus.columns import is_id
from repstore.corpus.source import Place, lines
from repstore.corpus.tables import EXACT, delimiter_of, fields, table, unquoted
from repstore.errors import CorpusError, is_utf8
from repstore.schemas import WORD_ID

OF_TEXTS = ("text", "char_start", "char_end")
NUMBERED = (WORD_ID, "position", "char_start", "char_end")
COLUMNS = (
    *NUMBERED,
    "text_id",
    "text",
    "split",
    "language",
    "form",
    "lemma",
    "pos",
    "sense",
    "gloss",
    "spans",
)
EXPECTED = f"{WORD_ID}, or {', '.join(OF_TEXTS)}"

SHOWN = 60
"""Characters of a line, or of a value, that an error shows."""


@dataclass(frozen=True, eq=False)
class WordTable:
    """Which word each row is of.

    Attributes:
        path: where it was read from.
        columns: what is known of each row, column by column; None where nothing is.
        lines: where each row stands in its file.
    """

    path: Path
    columns: dict[str, list[Any]]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> Place:
        """Where a row stands."""
        return Place(self.path, self.lines[row])


def read_words(path: Path) -> WordTable:
    """Read what a table says of words; columns that are none of `COLUMNS` are passed over.

    Raises:
        CorpusError: it cannot be read, a value is not of the type of its column, or there are no rows.
    """
    if path.suffix == ".parquet":
        return read_parquet_words([path])
    rows = _records(path) if path.suffix in (".jsonl", ".ndjson") else _cells(path)
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    for at, row in rows:
        for name in row.keys() - columns.keys():
            columns[name] = [None] * len(numbers)
        for name, values in columns.items():
            values.append(_value(at, name, row.get(name)))
        numbers.append(at.line)
    return _checked(WordTable(path, columns, numbers))


def read_parquet_words(paths: Sequence[Path]) -> WordTable:
    """The same of Parquet files, whose rows are counted from 1 on through all of them."""
    tables = []
    for path in paths:
        try:
            there = set(pq.read_schema(path).names)
            tables.append(pq.read_table(path, columns=[name for name in COLUMNS if name in there]))
        except (OSError, pa.ArrowException) as error:
            raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None
    whole = pa.concat_tables(tables, promote_options="default")
    at = Place(paths[0], 1)
    columns = {
        name: [_value(at, name, value) for value in whole[name].to_pylist()] for name in whole.column_names
    }
    return _checked(WordTable(paths[0], columns, range(1, len(whole) + 1)))


def _checked(read: WordTable) -> WordTable:
    if not len(read):
        raise CorpusError(f"{read.path} has no rows. Expected one for every vector.")
    return read


def _cells(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Rows of CSV, or of TSV if the first line has a tab. A blank cell says nothing."""
    delimiter = delimiter_of(path)
    _, header = next(fields(path, delimiter), (None, []))
    known = [name.strip() for name in header if name.strip() in COLUMNS]
    if header and not known:
        shown = f"the columns {', '.join(header)[:SHOWN]}"
        raise Place(path, 1).refuse(shown, f"{EXPECTED}, with commas or tabs between")
    for at, row in table(path, known, delimiter=delimiter):
        cells = {name: unquoted(row[name]) if delimiter == "\t" else row[name] for name in known}
        yield at, {name: cell if cell.strip() else None for name, cell in cells.items()}


def _records(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    for at, line in lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise at.refuse(f"not JSON ({error})", "an object a line") from None
        if not isinstance(record, dict):
            raise at.refuse("not an object", f"an object with {EXPECTED}")
        yield at, {name: record[name] for name in COLUMNS if name in record}


def _value(at: Place, name: str, given: Any) -> Any:
    """A value as its column has it; None where there is none."""
    if given is None or name == "spans":
        return given
    if name == "text_id":
        return str(given)
    if name in NUMBERED:
        number = _whole(given)
        if number is None:
            raise at.refuse(f"{name} {given!r}", f"{name} as a whole number")
        return number
    if not isinstance(given, str) or not is_utf8(given):
        raise at.refuse(f"{name} {given!r}", f"{name} as text")
    return given


def _whole(given: Any) -> int | None:
    """A number from 0 on, perhaps written as text or stored as a float that has it exactly; else None."""
    if isinstance(given, str) and is_id(given.strip()):
        return int(given)
    if isinstance(given, str | float):
        try:
            number = float(given)
        except ValueError:
            return None
        return int(number) if number.is_integer() and 0 <= number < EXACT else None
    is_number = isinstance(given, int) and not isinstance(given, bool)
    return int(given) if is_number and 0 <= given < 1 << 63 else None
