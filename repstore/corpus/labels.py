"""Tables of labels: CSV, TSV or Parquet that say for a word, sense, lemma, form or text what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from repstore.corpus.columns import key_of, read_columns
from repstore.corpus.source import SEVERAL, Place
from repstore.errors import CorpusError

Key = Literal["word_id", "sense", "lemma", "form", "text_id"]
LABEL = "label"


@dataclass(frozen=True, eq=False)
class LabelTable:
    """What a table says of words.

    Attributes:
        path: the file.
        key: the column of ``words`` that it is joined by.
        labels: the labels of each value of that column, sorted, each once. A word_id or text_id is an int.
    """

    path: Path
    key: Key
    labels: dict[int | str, tuple[str, ...]]


def read_labels(path: Path) -> LabelTable:
    """Read a table of labels (`columns.read_columns`): one key column and ``label``; others may be there.

    Several rows with the same key, or ";" within a label, give a word several labels.

    Raises:
        CorpusError: the file cannot be read, has no rows, lacks a column, has several key columns, or has a
            row without a key or without a label, or with an id that is no whole number.
    """
    key: Key | None = None
    labels: dict[int | str, set[str]] = {}
    for at, row in read_columns(path, lambda names: (_key(path, names), LABEL)):
        key = _key(path, list(row))
        several = [one.strip() for one in row[LABEL].split(SEVERAL)]
        if not all(several):
            raise at.refuse(f'label "{row[LABEL]}"', f'a label, or several with "{SEVERAL}" between them')
        labels.setdefault(key_of(at, key, row[key]), set()).update(several)
    if key is None:
        raise CorpusError(f"{path} has no labels. Give a row for each label of a word.")
    return LabelTable(path, key, {value: tuple(sorted(of)) for value, of in labels.items()})


def _key(path: Path, names: list[str]) -> Key:
    """The column that says which words are meant."""
    known = get_args(Key)
    there: list[Key] = [key for key in known if key in names]
    if len(there) != 1:
        columns = ", ".join(f'"{name}"' for name in names) or "none"
        several = f", of which {' and '.join(there)} all say which words are meant" if there else ""
        raise Place(path, 1).refuse(
            f"columns {columns}{several}",
            f'one of {", ".join(known)}, which says what words are meant, and "{LABEL}"',
        )
    return there[0]
