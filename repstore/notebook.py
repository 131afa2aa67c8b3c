"""Results as HTML, for notebooks: plain tables in the colors of the page, without scripts or other files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from repstore.arranging import Shown, ShownColumn

NO_FORMULA = "tex2jax_ignore mathjax_ignore"
"""By which notebooks know that what stands between two dollars is no formula."""

TITLE = "font-weight: bold; margin: 0.3em 0"
REMARK = "margin: 0.3em 0"
CELL = {True: "text-align: right", False: "text-align: left"}
TEXT = "text-align: left; white-space: pre-wrap; min-width: 20em"
"""Style of the one column that wraps. Notebooks align all to the right, unless a cell says otherwise."""


def as_html(shown: Shown, units: Mapping[str, str]) -> str:
    """A title, tables, and remarks below.

    Args:
        shown: what is shown.
        units: what the numbers of a column mean, by column; seen by pointing at its head.
    """
    title = f'<figcaption style="{TITLE}">{escape(shown.title)}</figcaption>'
    tables = [_table(columns, units) for columns in shown.tables]
    remarks = [f'<p style="{REMARK}">{escape(remark)}</p>' for remark in shown.remarks]
    start = f'<figure class="{NO_FORMULA}" style="margin: 0">'
    return "\n".join([start, title, *tables, *remarks, "</figure>"])


def _table(columns: Sequence[ShownColumn], units: Mapping[str, str]) -> str:
    heads = [_head(column, units.get(column.name)) for column in columns]
    rows = [
        f"<tr>{''.join(_cell(column, n) for column in columns)}</tr>" for n in range(len(columns[0].cells))
    ]
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    return "\n".join(["<table>", head, "<tbody>", *rows, "</tbody></table>"])


def _head(column: ShownColumn, unit: str | None) -> str:
    about = f' title="{escape(unit)}"' if unit else ""
    return f'<th scope="col" style="{CELL[column.is_number]}"{about}>{escape(column.name)}</th>'


def _cell(column: ShownColumn, n: int) -> str:
    text, span = column.cells[n], column.marked[n]
    if span is None:
        inner = escape(text)
    else:
        start, end = span
        inner = f"{escape(text[:start])}<b>{escape(text[start:end])}</b>{escape(text[end:])}"
    style = TEXT if column.name == "text" else CELL[column.is_number]
    return f'<td style="{style}">{inner}</td>'
