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
COLUMNS: dict[MatrixKey, str] = {
    "word_id": "word_id",
    "form": "form",
    "lemma": "coalesce(lemma, form)",
    "sense": "sense",
    "text_id": "text_id",
    "text": "text",
}
"""What each key is compared with."""


def find_keyed(
    catalog: Catalog, corpus_id: str, key: MatrixKey, keys: Sequence[int] | Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The words of a corpus that have one of these keys, and which: its place among them.

    *Shape of both:* (n_words,), int64; words ascending.
    """
    found = catalog.query(KEYED.format(key=COLUMNS[key]), {"corpus_id": corpus_id, "keys": list(keys)})
    return found["word_id"].to_numpy(), found["number"].to_numpy()
