"""What is shown of a result, wherever that is: which columns and rows, and each cell as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from repstore.spec import Span

if TYPE_CHECKING:
    from repstore.results import ResultTable

KEYWORD = {"text", "char_start", "char_end"}
"""Columns of a word in its text; what is shown is the word in brackets instead of its place."""
LONG_LIST = 12
"""Numbers in a list of which only the first are printed if there are more."""
FIRST_OF_LIST = 3
BLOCK_WIDTH = 110
"""Where many measures or layers are shown in several tables: about the width of each, in characters."""

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class ShownColumn:
    """A column as it is shown.

    Attributes:
        name: what stands above it.
        cells: its rows.
        is_number: whether they are numbers, which stand to the right.
        marked: in each cell the characters that are pointed out; none in most columns.
    """

    name: str
    cells: Sequence[str]
    is_number: bool
    marked: Sequence[Span | None]

    @property
    def width(self) -> int:
        """Characters that it takes, its name included."""
        return _width(self.name, self.cells)


@dataclass(frozen=True)
class Shown:
    """A result as it is shown: its title, one table or several, and remarks below."""

    title: str
    tables: Sequence[Sequence[ShownColumn]]
    remarks: Sequence[str]


def arranged(result: ResultTable, limit: int | None) -> Shown:
    """The first rows of a result (all, without a limit); a matrix as rows and columns."""
    figure = result.figure
    kind = figure.kind if figure is not None else None
    if kind == "matrix":
        names, rows = _matrix(result)
        n_rows = len(rows)
    else:
        names, rows, n_rows = result.columns, result.table.slice(0, limit).to_pylist(), len(result)
    if kind == "masks" and figure is not None:  # hundreds of numbers, which only a plot makes seen
        names = [name for name in names if name != figure.y]
    shown = rows[:limit]
    cells = {name: written([row[name] for row in shown]) for name in names}
    blocks: Iterable[Sequence[str]] = [names] if names else []
    if kind == "matrix":
        blocks = _blocks(names[:1], [[name] for name in names[1:]], cells)
    elif kind == "panels":
        blocks = _blocks(*_measures(result, names), cells)
    remarks = []
    if limit is not None and n_rows > limit:
        remarks.append(f"... {n_rows - limit:,} more rows")
    if kind == "matrix" and figure is not None and figure.mark:
        remarks.append(f"{figure.mark}: the {figure.x} most like each {figure.series}")
    tables = [_columns(block, shown, cells) for block in blocks]
    return Shown(result.title, tables, [*remarks, *result.notes])


def _columns(names: Sequence[str], shown: Rows, cells: dict[str, list[str]]) -> list[ShownColumn]:
    """Some columns. A word and its place are shown as its text, the word in brackets."""
    marked: dict[str, list[Span | None]] = {}
    if set(names) >= KEYWORD:
        texts = [_marked(row["text"], row["char_start"], row["char_end"]) for row in shown]
        cells = cells | {"text": written(texts)}
        marked["text"] = [_span(row["char_start"], row["char_end"]) for row in shown]
        names = [name for name in names if name not in ("char_start", "char_end")]
    columns = []
    for name in names:
        kinds = {type(row[name]) for row in shown} - {type(None)}
        is_number = not kinds or any(issubclass(kind, int | float | Decimal) for kind in kinds)
        columns.append(ShownColumn(name, cells[name], is_number, marked.get(name, [None] * len(shown))))
    return columns


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


def _span(char_start: Any, char_end: Any) -> Span | None:
    """Where the word in brackets stands, the brackets included."""
    is_place = isinstance(char_start, int) and isinstance(char_end, int)
    return (char_start, char_end + 2) if is_place else None


def written(values: Sequence[Any]) -> list[str]:
    """The values of a column as text: numbers with three decimals, or four digits if some need more.

    Of a long list of numbers, such as a vector, the first ones, and how many there are.
    """
    floats = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value)]
    style = ".3f" if all(1e-3 <= value < 1e4 or value == 0 for value in floats) else ".4g"
    return [
        "" if value is None else format(value, style) if isinstance(value, float) else _written(value)
        for value in values
    ]


def _written(value: Any) -> str:
    if isinstance(value, list) and len(value) > LONG_LIST and all(type(n) in (int, float) for n in value):
        return f"[{', '.join(format(n, '.4g') for n in value[:FIRST_OF_LIST])}, … {len(value):,} numbers]"
    return str(value)
