"""Finding the words of a corpus that have a label: by a column of the catalog, or by a table of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.corpus.labels import LabelTable
from repstore.corpus.source import SEVERAL
from repstore.errors import NotFoundError, ResultError, did_you_mean
from repstore.schemas import TEXTS, WORDS
from repstore.storage import keyed
from repstore.storage.catalog import Catalog
from repstore.storage.occurrences import TEXTS_OF, codes_of

COLUMNS = tuple(
    field.name
    for schema in (WORDS, TEXTS)
    for field in schema
    if (pa.types.is_string(field.type) or pa.types.is_integer(field.type))
    and field.name not in ("word_id", "text_id", "corpus_id")
)
"""Columns of words and their texts that may be labels. No names but these, and the keys of tables, are put
into the query."""

LABELS_OF = f"""
SELECT word_id, form, coalesce(lemma, form) AS lemma, reads_as, split, {{column}} AS value
FROM words JOIN {TEXTS_OF} USING (text_id) ORDER BY word_id
"""


@dataclass(frozen=True, eq=False)
class FoundLabels:
    """Words with a label, in order of word_id.

    Attributes:
        word_ids: *Shape:* (n_words,), int64, ascending.
        labels: of each word, sorted; never none.
        lemmas, forms, texts: one number for each lemma (its form, where the corpus has none), form and text;
            texts that read the same have one. *Shape of each:* (n_words,), int64.
        splits: *Shape:* (n_words,), str or None.
        n_unlabelled: words of the corpus that have no label and are left out.
        unused: keys of the table that no word of the corpus has, in its order.
    """

    word_ids: np.ndarray
    labels: tuple[tuple[str, ...], ...]
    lemmas: np.ndarray
    forms: np.ndarray
    texts: np.ndarray
    splits: np.ndarray
    n_unlabelled: int
    unused: tuple[int | str, ...] = ()


def find_labels(catalog: Catalog, corpus_id: str, corpus: str, label: str | LabelTable) -> FoundLabels:
    """The words of a corpus that have a label.

    A sense that is several, with ";" between them, is several labels, or several keys of a table: the word
    has the labels of each that is in it. Labels of one name are the same label, whichever lemma has them.

    Args:
        catalog: of the store.
        corpus_id, corpus: the corpus and its name.
        label: one of `COLUMNS`; or a table.

    Raises:
        NotFoundError: there is no such column.
        ResultError: no word has a label.
        StoreDamagedError: the corpus is not in the store.
    """
    if isinstance(label, str) and label not in COLUMNS:
        raise NotFoundError(
            f'Words have no column "{label}". {did_you_mean(label, COLUMNS)} '
            f"Labels are one of {', '.join(COLUMNS)}, or a table of labels, by the name of its file "
            "(labels.csv)."
        )
    catalog.require_corpus(corpus_id, corpus)
    column = label if isinstance(label, str) else label.key
    joined = column if isinstance(label, str) else keyed.COLUMNS[label.key]
    found = catalog.query(LABELS_OF.format(column=joined), {"corpus_id": corpus_id})
    labels = _labels(found["value"], column, label)
    has = np.array([bool(of) for of in labels], bool)
    if not has.any():
        raise ResultError(_none_has(corpus, label))
    return FoundLabels(
        word_ids=found["word_id"].to_numpy()[has],
        labels=tuple(of for of in labels if of),
        lemmas=codes_of(found["lemma"])[has],
        forms=codes_of(found["form"])[has],
        texts=codes_of(found["reads_as"])[has],
        splits=found["split"].to_numpy()[has],
        n_unlabelled=int(len(has) - np.count_nonzero(has)),
        unused=_unused(found["value"], column, label),
    )


def _keys(value: Any, column: str) -> list[Any]:
    """What a value of a column is, or, of a sense that is several, are."""
    return [name.strip() for name in value.split(SEVERAL)] if column == "sense" else [value]


def _unused(values: pa.ChunkedArray, column: str, label: str | LabelTable) -> tuple[int | str, ...]:
    """The keys of a table that are in no value of a column."""
    if isinstance(label, str):
        return ()
    met = {key for value in values.unique().to_pylist() if value is not None for key in _keys(value, column)}
    return tuple(key for key in label.labels if key not in met)


def _labels(values: pa.ChunkedArray, column: str, label: str | LabelTable) -> list[tuple[str, ...]]:
    """The labels of every word, by its value of a column."""
    encoded = values.combine_chunks().dictionary_encode()
    of_value: list[tuple[str, ...]] = []
    for value in encoded.dictionary.to_pylist():
        names = _keys(value, column)
        if isinstance(label, LabelTable):
            found = {name for key in names for name in label.labels.get(key, ())}
        else:
            found = {str(name) for name in names if name != ""}
        of_value.append(tuple(sorted(found)))
    return [() if code is None else of_value[code] for code in encoded.indices.to_pylist()]


def _none_has(corpus: str, label: str | LabelTable) -> str:
    if isinstance(label, str):
        return (
            f'No word of corpus "{corpus}" has a {label}. Choose another column, or give a table of labels.'
        )
    some = next(iter(label.labels))
    return (
        f'No word of corpus "{corpus}" is in {label.path}, whose first {label.key} is "{some}". '
        f"Give a table whose {label.key} is that of the corpus."
    )
