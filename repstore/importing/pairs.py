"""Pairs of words, in Parquet files beside the files of the words, as an export writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repstore.corpus.source import Place
from repstore.errors import CorpusError
from repstore.importing.tables import WordTable
from repstore.schemas import PAIRS, WORD_ID
from repstore.spec import Pair

SIDES = ("word_a", "word_b")
COLUMNS = (*SIDES, "split", "label", "score")


def read_pairs(paths: Sequence[Path], words: WordTable, rows: np.ndarray) -> list[Pair]:
    """The pairs of some files, in order.

    Args:
        paths: the files; `word_a` and `word_b` are there, and the other columns of pairs may be.
        words: a table of the words, with the ids by which they are meant.
        rows: of every word of the corpus, its row in the table. *Shape:* (n_words,), int64.

    Raises:
        CorpusError: a file cannot be read, or names a word that the table has not exactly once.
    """
    tables = [_table(path) for path in paths]
    if not any(map(len, tables)):
        return []
    ordinals = np.empty(len(rows), np.int64)
    ordinals[rows] = np.arange(len(rows))
    by_id: dict[int, int] = {}
    for row, word_id in enumerate(words.columns.get(WORD_ID, ())):
        if word_id is None or word_id in by_id:
            raise words.place(row).refuse(
                f"{WORD_ID} {word_id}", "another id in every row, as pairs name them"
            )
        by_id[word_id] = int(ordinals[row])
    return [
        _pair(Place(path, line), pair, by_id)
        for path, table in zip(paths, tables, strict=True)
        for line, pair in enumerate(table.to_pylist(), 1)
    ]


def _table(path: Path) -> pa.Table:
    """The columns of pairs that a file has."""
    try:
        table = pq.read_table(path)
        named = [name for name in COLUMNS if name in table.column_names]
        label = table.schema.field("label").type if "label" in named else pa.null()
        if not set(SIDES) <= set(named) or not (pa.types.is_boolean(label) or pa.types.is_null(label)):
            raise CorpusError(
                f"{path} has the columns {', '.join(table.column_names[:8])}. Expected word_a, word_b "
                "and perhaps split, label (true or false) and score. Remove it if it is not of pairs."
            )
        return table.select(named).cast(pa.schema([pa.field(name, PAIRS.field(name).type) for name in named]))
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path} cannot be read as Parquet with pairs: {error}") from None


def _pair(at: Place, given: dict[str, Any], by_id: dict[int, int]) -> Pair:
    for side in SIDES:
        if given[side] not in by_id:
            raise at.refuse(f"{side} {given[side]}", f"the {WORD_ID} of a word in the file of the words")
    word_a, word_b = (by_id[given[side]] for side in SIDES)
    return Pair(word_a, word_b, given.get("split"), given.get("label"), given.get("score"))
