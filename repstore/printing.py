"""Results as text: aligned columns, in a terminal and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from repstore.arranging import Shown, ShownColumn

TEXT_WIDTH = 88
TEXT_LEAST = 32
"""Widths of a column of texts, the only one that wraps: at most, and on a narrow terminal."""


def printed(shown: Shown) -> Group:
    """A title, tables, and remarks below."""
    tables = map(_table, shown.tables)
    return Group(Text(shown.title), *tables, *map(Text, shown.remarks))


def _table(columns: Sequence[ShownColumn]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in columns:
        is_text = column.name == "text"
        table.add_column(
            Text(column.name),
            justify="right" if column.is_number else "left",
            overflow="fold",  # nothing is cut off
            no_wrap=not is_text,
            # A terminal must not cut it.
            min_width=min(TEXT_LEAST, column.width) if is_text else column.width,
            max_width=TEXT_WIDTH if is_text else None,
        )
    for n in range(len(columns[0].cells)):
        table.add_row(*(_cell(column, n) for column in columns))
    return table


def _cell(column: ShownColumn, n: int) -> Text:
    text, span = Text(column.cells[n]), column.marked[n]
    if span is not None:
        text.stylize("bold", *span)
    return text
