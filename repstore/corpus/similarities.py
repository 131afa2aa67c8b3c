"""Tables of similarities of words: CSV, TSV or Parquet with ``word_a``, ``word_b`` and ``similarity``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repstore.corpus.source import Place
from repstore.corpus.tables import delimiter_of, fields, number, table, written
from repstore.errors import CorpusError

SIDES = ("word_a", "word_b")
VALUES = ("similarity", "score")
"""Names of the column of similarities; the first that is there counts."""


@dataclass(frozen=True, eq=False)
class Similarities:
    """Pairs of words and how similar they are, in the order of the file.

    Attributes:
        a, b: the words: all by word_id, or all by form or lemma.
        similarity: *Shape:* (n_pairs,), float64, finite.
    """

    a: tuple[int, ...] | tuple[str, ...]
    b: tuple[int, ...] | tuple[str, ...]
    similarity: np.ndarray


def read_similarities(path: Path) -> Similarities:
    """Read a table of similarities; other columns may be there.

    Words are word_ids if all of them, on both sides, are whole numbers; else they are forms or lemmas. In
    Parquet a whole number may be stored as a float, as long as float64 has it exactly.

    Raises:
        CorpusError: the file cannot be read, has no pairs, lacks a column, or has a row without a word or
            without a number. Rows of Parquet are counted from 1.
    """
    a: list[str] = []
    b: list[str] = []
    values: list[float] = []
    for at, word_a, word_b, value in _parquet(path) if path.suffix == ".parquet" else _text(path):
        for side, word, found in zip(SIDES, (word_a, word_b), (a, b), strict=True):
            if not word:
                raise at.refuse(f"no {side}", "a word in every row")
            found.append(word)
        values.append(number(at, value, "similarity"))
    if not values:
        raise CorpusError(f"{path} has no pairs. Give a row for each pair of words.")
    similarity = np.array(values)
    if all(map(_is_id, a + b)):
        return Similarities(tuple(map(int, a)), tuple(map(int, b)), similarity)
    return Similarities(tuple(a), tuple(b), similarity)


def _is_id(word: str) -> bool:
    """Whether a word is written as a whole number that fits into 64 bits."""
    return word.isascii() and word.isdigit() and len(word) < 20 and int(word) < 1 << 63


def _text(path: Path) -> Iterator[tuple[Place, str, str, str]]:
    """Rows of a text file: between tabs if its first line has one, else between commas."""
    delimiter = delimiter_of(path)
    _, header = next(fields(path, delimiter), (None, []))
    value = _value_column([name.strip() for name in header])
    for at, row in table(path, (*SIDES, value), delimiter=delimiter):
        yield at, row["word_a"].strip(), row["word_b"].strip(), row[value]


def _parquet(path: Path) -> Iterator[tuple[Place, str, str, str]]:
    """Rows of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        columns = (*SIDES, _value_column(names))
        if missing := [name for name in columns if name not in names]:
            raise CorpusError(f'{path}: no column "{missing[0]}". Expected {", ".join(columns)}.')
        rows = pq.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path} cannot be read as Parquet: {error}") from None
    for line, row in enumerate(rows, 1):
        word_a, word_b, value = (written(row[name]) for name in columns)
        yield Place(path, line), word_a, word_b, value


def _value_column(names: list[str]) -> str:
    return next((name for name in VALUES if name in names), VALUES[0])
