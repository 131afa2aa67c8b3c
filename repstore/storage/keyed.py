"""Which words of a corpus a table from elsewhere speaks of: by their ids, forms, lemmas, senses or texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repstore.spec import MatrixKey
from repstore.storage.catalog import Catalog

KEYED = """
WITH wanted AS (SELECT unnest($keys) AS key, unnest(range(len($keys))) AS number)
SELECT word_id, number FROM words JOIN texts USING (text_id) JOIN wanted ON {key} = wanted.key
WHERE corpus_id = $corpus_id ORDER BY word_id
"""
NAMED = """
WITH wanted AS (SELECT unnest($names) AS name)
SELECT word_id, CASE WHEN form IN (FROM wanted) THEN form ELSE lemma END AS name
FROM words JOIN texts USING (text_id)
WHERE corpus_id = $corpus_id AND (form IN (FROM wanted) OR lemma IN (FROM wanted))
ORDER BY word_id
"""
COLUMNS: dict[MatrixKey, str] = {
    "word_id": "word_id",
    "form": "form",
    "lemma": "coalesce(lemma, form)",
    "sense": "sense",
    "text_id": "text_id",
    "text": "text",
}
"""What each key is compared with: a word without a lemma goes by its form, here as elsewhere."""


def find_keyed(
    catalog: Catalog, corpus_id: str, key: MatrixKey, keys: Sequence[int] | Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The words of a corpus that have one of these keys, and which: its place among them.

    *Shape of both:* (n_words,), int64; words ascending.
    """
    found = catalog.query(KEYED.format(key=COLUMNS[key]), {"corpus_id": corpus_id, "keys": list(keys)})
    return found["word_id"].to_numpy(), found["number"].to_numpy()


def find_named(catalog: Catalog, corpus_id: str, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The words of a corpus with one of these forms, or else lemmas, and which each has.

    *Shape:* (n_words,), int64, ascending.
    """
    found = catalog.query(NAMED, {"corpus_id": corpus_id, "names": list(names)})
    return found["word_id"].to_numpy(), found["name"].to_pylist()
