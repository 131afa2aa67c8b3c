"""Answers to SQL in a terminal: NULL is seen, vectors are short, what is too wide has a line per value."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from repstore.arranging import written

LEAST_WIDTH = 16
"""Width to which a column of text may shrink, whose lines then wrap."""
MOST_CHARACTERS = 240
"""Of a value in a row of a table; the rest is cut off there."""
PER_RECORD = 4
"""Rows of a table that take the place of one row whose every value has a line."""
EXPLAINED = ["explain_key", "explain_value"]
"""Columns of what EXPLAIN gives: a drawing."""
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of characters that would move the cursor or begin a line."""


@dataclass(frozen=True, slots=True)
class Column:
    """The first values of a column as they are printed."""

    name: str
    values: Sequence[Text]
    is_number: bool

    @property
    def least_width(self) -> int:
        """Columns of the terminal that it needs."""
        widest = max((cell_len(value.plain) for value in self.values), default=0)
        return max(cell_len(self.name), widest if self.is_number else min(widest, LEAST_WIDTH))


def grid(answer: pa.Table, *, most_rows: int, width: int) -> tuple[Table | Group | Text, int]:
    """The first rows as they are printed in a terminal of this width, and how many they are."""
    if answer.column_names == EXPLAINED:
        plan = Text("\n".join(answer.column(EXPLAINED[1]).to_pylist()).rstrip()).split()
        for line in plan:
            line.truncate(width, overflow="ellipsis")  # wrapped, it would be none
        return Text("\n").join(plan), answer.num_rows
    first = answer.slice(0, most_rows)
    columns = [_column(field, first.column(n)) for n, field in enumerate(first.schema)]
    if sum(column.least_width + 2 for column in columns) > width:
        n_shown = min(first.num_rows, max(1, most_rows // PER_RECORD))
        return _records(columns, n_shown), n_shown
    return _table(columns), first.num_rows


def _column(field: pa.Field, chunks: pa.ChunkedArray) -> Column:
    values = chunks.to_pylist()
    texts = [
        Text("NULL", style="dim italic") if value is None else Text(_on_one_line(text))
        for value, text in zip(values, written(values), strict=True)
    ]
    kind = field.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return Column(field.name, texts, is_number)


def _on_one_line(text: str) -> str:
    """A text with its control characters as escapes."""
    return "".join(
        repr(letter)[1:-1] if unicodedata.category(letter) in CONTROLS else letter for letter in text
    )


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            Text(column.name),
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number,
            overflow="fold",  # where it wraps, nothing is lost
            min_width=column.least_width,
        )
    for row in zip(*(column.values for column in columns), strict=True):
        table.add_row(*map(_cut, row))
    return table


def _cut(value: Text) -> Text:
    return value if len(value) <= MOST_CHARACTERS else Text(f"{value.plain[:MOST_CHARACTERS]}…")


def _records(columns: Sequence[Column], n_shown: int) -> Group:
    """Rows below one another, a line for each value."""
    parts: list[Text | Table] = []
    for n in range(n_shown):
        record = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for column in columns:
            record.add_row(Text(column.name), column.values[n])
        parts += [Text(f"row {n + 1}", style="dim"), record]
    return Group(*parts)
