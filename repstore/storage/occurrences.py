"""Which words of a corpus belong together: uses of one form, words of one text, of one sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from repstore.storage.catalog import Catalog

TEXTS_OF = """(
    SELECT *, min(text_id) OVER (PARTITION BY text) AS reads_as FROM texts WHERE corpus_id = $corpus_id
)"""
"""The texts of a corpus, each with the first one that reads as it does. In treebanks and lists of pairs the
same sentence may stand several times, and to a model it is one."""

WORDS_OF = f"""
SELECT word_id, form, coalesce(lemma, form) AS lemma, text_id, reads_as,
       CASE WHEN sense IS NULL THEN NULL ELSE [coalesce(lemma, form), sense]::VARCHAR END AS sense
FROM words JOIN {TEXTS_OF} USING (text_id) ORDER BY word_id
"""
ALIKE_OF = "SELECT word_a, word_b FROM pairs WHERE corpus_id = $corpus_id AND label ORDER BY pair_id"


@dataclass(frozen=True, eq=False)
class Occurrences:
    """The words of a corpus, and by which numbers they belong together; -1 where that is not known.

    Attributes:
        word_ids: *Shape:* (n_words,), int64, ascending.
        forms, lemmas, texts, senses: one number for each form, lemma (its form, where the corpus has none),
            text, and sense of a lemma. *Shape of each:* (n_words,), int64.
        reads_as: one number for all texts that read the same. *Shape:* (n_words,), int64.
        alike: pairs of words that are labelled as of one sense, by word_id. *Shape:* (n_pairs, 2), int64.
    """

    word_ids: np.ndarray
    forms: np.ndarray
    lemmas: np.ndarray
    texts: np.ndarray
    reads_as: np.ndarray
    senses: np.ndarray
    alike: np.ndarray


def find_occurrences(catalog: Catalog, corpus_id: str, corpus: str) -> Occurrences:
    """The words of a corpus.

    Raises:
        StoreDamagedError: the corpus is not in the store.
    """
    catalog.require_corpus(corpus_id, corpus)
    words = catalog.query(WORDS_OF, {"corpus_id": corpus_id})
    pairs = catalog.query(ALIKE_OF, {"corpus_id": corpus_id})
    return Occurrences(
        word_ids=words["word_id"].to_numpy(),
        forms=codes_of(words["form"]),
        lemmas=codes_of(words["lemma"]),
        texts=codes_of(words["text_id"]),
        reads_as=codes_of(words["reads_as"]),
        senses=codes_of(words["sense"]),
        alike=np.stack([pairs[name].to_numpy() for name in ("word_a", "word_b")], axis=1),
    )


def codes_of(values: pa.ChunkedArray) -> np.ndarray:
    """A number for each different value, in order of appearance; -1 for null. *Shape:* (n,), int64."""
    indices = values.combine_chunks().dictionary_encode().indices
    codes: np.ndarray = indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
