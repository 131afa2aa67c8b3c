"""Rows of text files: columns by name, lines beside lines, numbers and truth values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from repstore.corpus.source import Place, lines, lines_with_ends

TRUTH = {"t": True, "true": True, "f": False, "false": False}

EXACT = 1 << 53
"""From here on float64 lacks whole numbers, so that one may stand for another."""


def table(
    path: Path, columns: Sequence[str], *, delimiter: str = "\t"
) -> Iterator[tuple[Place, dict[str, str]]]:
    """The rows of a file whose first line names its columns, `columns` among them.

    Fields between commas may be quoted; between tabs, quotation marks are characters like any other. Empty
    lines are passed over.

    Raises:
        CorpusError: a column is missing or there twice, or a row is longer or shorter than the first line.
    """
    found = fields(path, delimiter)
    at, header = next(found, (Place(path, 1), []))
    names = [name.strip() for name in header]
    if missing := [name for name in columns if name not in names]:
        raise at.refuse(f'no column "{missing[0]}"', f"a first line that names {', '.join(columns)}")
    if twice := [name for name in columns if names.count(name) > 1]:
        raise at.refuse(f'two columns "{twice[0]}"', "one")
    for at, row in found:
        if len(row) != len(names):
            raise at.refuse(f"{len(row)} columns", f"{len(names)} as in the first line")
        yield at, dict(zip(names, row, strict=True))


def fields(path: Path, delimiter: str = "\t") -> Iterator[tuple[Place, list[str]]]:
    """The fields of every line that is not empty; see `table`."""
    if delimiter == "\t":
        for at, line in lines(path):
            if line.strip():
                yield at, line.split(delimiter)
        return
    reader = csv.reader((line for _, line in lines_with_ends(path)), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(row):
                yield Place(path, reader.line_num), row
    except csv.Error as error:
        raise Place(path, reader.line_num).refuse(str(error), f'fields separated by "{delimiter}"') from None


def delimiter_of(path: Path) -> str:
    """What stands between the fields of a file: tabs if its first line has one, else commas."""
    _, header = next(fields(path), (None, [""]))
    return "\t" if len(header) > 1 else ","


def rows(path: Path) -> list[tuple[Place, str]]:
    """The lines of a file, less blanks at their ends, and less empty ones at its end."""
    found = [(at, line.strip()) for at, line in lines(path)]
    while found and not found[-1][1]:
        found.pop()
    return found


def beside(examples: Sequence[object], path: Path) -> list[tuple[Place, str]]:
    """The lines of a file that has one for every example.

    Raises:
        CorpusError: it has more or fewer.
    """
    found = rows(path)
    if len(found) != len(examples):
        raise Place(path, max(len(found), 1)).refuse(
            f"{len(found)} lines", f"{len(examples)}, one for each example"
        )
    return found


def unquoted(field: str) -> str:
    """A field between tabs that was written with quotation marks around it, as its own are doubled."""
    if re.fullmatch(r'"(?:[^"]|"")*""(?:[^"]|"")*"', field):
        return field[1:-1].replace('""', '"')
    return field


def number(at: Place, text: str, what: str) -> float:
    """A field that is a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise at.refuse(f'{what} "{text.strip()}"', "a number")
    return value


def truth(at: Place, text: str, what: str) -> bool:
    """A field that is true or false, written out or as T or F."""
    given = text.strip()
    if given.lower() not in TRUTH:
        raise at.refuse(f'{what} "{given}"', "T or F")
    return TRUTH[given.lower()]


def written(value: object) -> str:
    """A value of Parquet as text would have it; a whole float without its decimal places."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)
    return "" if value is None else str(value).strip()
