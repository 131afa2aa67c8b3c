"""Results as text: aligned columns, in a terminal and elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from repstore.results import ResultTable

TEXT_WIDTH = 88
TEXT_LEAST = 32
"""Widths of a column of texts, the only one that wraps: at most, and on a narrow terminal."""
KEYWORD = {"text", "char_start", "char_end"}
"""Columns of a word in its text; printed tables show the word in brackets instead of its place."""
BLOCK_WIDTH = 110
"""Where many measures or layers are printed in several tables: about the width of each."""

Rows = Sequence[dict[str, Any]]


def printed(result: ResultTable, limit: int | None) -> Group:
    """The first rows of a result (all, without a limit); a matrix as rows and columns."""
    kind = result.figure.kind if result.figure is not None else None
    names, rows = _matrix(result) if kind == "matrix" else (result.columns, list(result))
    if kind == "masks" and result.figure is not None:  # hundreds of numbers, which only a plot makes seen
        names = [name for name in names if name != result.figure.y]
    shown = rows[:limit]
    cells = {name: _cells([row[name] for row in shown]) for name in names}
    blocks: Iterable[Sequence[str]] = [names]
    if kind == "matrix":
        blocks = _blocks(names[:1], [[name] for name in names[1:]], cells)
    elif kind == "panels":
        blocks = _blocks(*_measures(result, names), cells)
    parts: list[Text | Table] = [Text(result.title), *(_table(block, shown, cells) for block in blocks)]
    if limit is not None and len(rows) > limit:
        parts.append(Text(f"... {len(rows) - limit:,} more rows"))
    if kind == "matrix" and result.figure is not None and result.figure.mark:
        figure = result.figure
        parts.append(Text(f"{figure.mark}: the {figure.x} most like each {figure.series}"))
    return Group(*parts, *(Text(note) for note in result.notes))


def _table(names: Sequence[str], rows: Rows, cells: dict[str, list[str]]) -> Table:
    """Some columns. A word and its place are shown as its text, the word in brackets."""
    is_keyword = set(names) >= KEYWORD
    if is_keyword:
        texts = [_marked(row["text"], row["char_start"], row["char_end"]) for row in rows]
        cells = cells | {"text": _cells(texts)}
        names = [name for name in names if name not in ("char_start", "char_end")]
    table = Table(box=None, header_style="bold")
    for name in names:
        widest = _width(name, cells[name])
        kinds = {type(row[name]) for row in rows} - {type(None)}
        numbers = not kinds or any(issubclass(kind, int | float | Decimal) for kind in kinds)
        table.add_column(
            Text(name),
            justify="right" if numbers else "left",
            overflow="fold",  # nothing is cut off
            no_wrap=name != "text",
            min_width=min(TEXT_LEAST, widest) if name == "text" else widest,  # a terminal must not cut it
            max_width=TEXT_WIDTH if name == "text" else None,
        )
    for n, row in enumerate(rows):
        line = {name: Text(cells[name][n]) for name in names}
        if is_keyword and isinstance(row["char_start"], int) and isinstance(row["char_end"], int):
            line["text"].stylize("bold", row["char_start"], row["char_end"] + 2)
        table.add_row(*line.values())
    return table


def _measures(result: ResultTable, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Columns that say what a row is of, and the others, measure by measure.

    One without a unit belongs to the one before it, of which it is an end of the band.
    """
    keys = list(takewhile(lambda name: name not in result.units, names))
    measures: list[list[str]] = []
    for name in names[len(keys) :]:
        if name in result.units:
            measures.append([])
        measures[-1].append(name)
    return keys, measures


def _blocks(
    keys: Sequence[str], groups: Sequence[Sequence[str]], cells: dict[str, list[str]]
) -> Iterator[list[str]]:
    """Groups of columns side by side as long as they are not too wide together, each time after the keys."""
    widths = {name: _width(name, column) + 2 for name, column in cells.items()}
    room = BLOCK_WIDTH - sum(widths[key] for key in keys)
    block, width = list(keys), 0
    for group in groups:
        widest = sum(widths[name] for name in group)
        if width and width + widest > room:
            yield block
            block, width = list(keys), 0
        block += group
        width += widest
    yield block


def _width(name: str, column: Sequence[str]) -> int:
    return max(map(cell_len, (name, *column)))


def _matrix(result: ResultTable) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the columns and rows of a matrix; its marks are in a last row."""
    figure = result.figure
    assert figure is not None
    assert figure.series is not None
    x, y, mark = figure.x, figure.series, figure.mark
    rows: dict[Any, dict[str, Any]] = {}
    marked: dict[str, Any] = {x: mark}
    for row in result:
        rows.setdefault(row[x], {x: row[x]})[str(row[y])] = row[figure.y]
        if mark and row[mark]:
            marked[str(row[y])] = row[x]
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    last = [marked] if mark else []
    return names, [dict.fromkeys(names) | row for row in (*rows.values(), *last)]


def _marked(text: Any, char_start: Any, char_end: Any) -> Any:
    """The text with its word in brackets, if that is what the values are."""
    if not (isinstance(text, str) and isinstance(char_start, int) and isinstance(char_end, int)):
        return text
    return f"{text[:char_start]}[{text[char_start:char_end]}]{text[char_end:]}"


def _cells(values: Sequence[Any]) -> list[str]:
    """The values of a column as text: numbers with three decimals, or four digits if some need more."""
    floats = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value)]
    style = ".3f" if all(1e-3 <= value < 1e4 or value == 0 for value in floats) else ".4g"
    return [
        "" if value is None else format(value, style) if isinstance(value, float) else str(value)
        for value in values
    ]
