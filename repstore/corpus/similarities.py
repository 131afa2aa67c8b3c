"""Tables of similarities of words: CSV, TSV or Parquet with ``word_a``, ``word_b`` and ``similarity``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repstore.corpus.columns import is_id, read_columns
from repstore.corpus.tables import number
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
    """Read a table of similarities (`columns.read_columns`); other columns may be there.

    Words are word_ids if all of them, on both sides, are whole numbers; else they are forms or lemmas.

    Raises:
        CorpusError: the file cannot be read, has no pairs, lacks a column, or has a row without a word or
            without a number.
    """
    a: list[str] = []
    b: list[str] = []
    values: list[float] = []
    for at, row in read_columns(path, _columns):
        word_a, word_b, value = row.values()
        for side, word, found in zip(SIDES, (word_a, word_b), (a, b), strict=True):
            if not word:
                raise at.refuse(f"no {side}", "a word in every row")
            found.append(word)
        values.append(number(at, value, "similarity"))
    if not values:
        raise CorpusError(f"{path} has no pairs. Give a row for each pair of words.")
    similarity = np.array(values)
    if all(map(is_id, a + b)):
        return Similarities(tuple(map(int, a)), tuple(map(int, b)), similarity)
    return Similarities(tuple(a), tuple(b), similarity)


def _columns(names: list[str]) -> tuple[str, str, str]:
    return *SIDES, next((name for name in VALUES if name in names), VALUES[0])
