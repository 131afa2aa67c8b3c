"""What is known of some words: all columns of words and of their texts, for whoever reads them elsewhere."""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np
import pyarrow as pa

from repstore.errors import StoreDamagedError
from repstore.schemas import TEXTS, WORDS
from repstore.storage.catalog import Catalog

ANNOTATION = pa.schema(
    [
        *(field for field in WORDS if field.name != "spans"),
        pa.field("spans", pa.string()),
        *(TEXTS.field(name) for name in ("text", "split", "language")),
        pa.field("corpus", pa.string(), nullable=False),
    ]
)
"""Columns of words: where they are in which text, what they are, and the text.

`spans` are the pieces of a word that has several, as JSON, which every format has a place for; else null.
"""

WORDS_OF_BLOCK = """
SELECT word_id, text_id, position, char_start, char_end, form, lemma, pos, sense, gloss,
       CASE WHEN len(spans) > 1 THEN spans::VARCHAR END AS spans,
       text, split, language, corpora.name AS corpus
FROM words JOIN texts USING (text_id) JOIN corpora USING (corpus_id)
WHERE word_id BETWEEN $first AND $last AND word_id IN (SELECT unnest($word_ids))
ORDER BY word_id
"""


def annotation(catalog: Catalog, word_ids: np.ndarray) -> pa.Table:
    """The annotation of some words, one row each, in their order.

    Args:
        catalog: of the store.
        word_ids: *Shape:* (n,), int64, ascending, n > 0.

    Raises:
        StoreDamagedError: a word is of a corpus that was lost.
    """
    ends = {"first": int(word_ids[0]), "last": int(word_ids[-1])}
    found = catalog.query(WORDS_OF_BLOCK, ends | {"word_ids": word_ids.tolist()})
    check_known(word_ids.tolist(), set(found["word_id"].to_pylist()))
    return found.select(ANNOTATION.names).cast(ANNOTATION)


def check_known(word_ids: Iterable[int], known: Container[int]) -> None:
    """Refuse words of a run whose corpus was lost.

    Raises:
        StoreDamagedError: one of them is not known.
    """
    lost = next((word_id for word_id in word_ids if word_id not in known), None)
    if lost is not None:
        raise StoreDamagedError(
            f"Word {lost} has a vector, but its corpus is missing. Ingest it again, as "
            '"repstore verify" says.'
        )
