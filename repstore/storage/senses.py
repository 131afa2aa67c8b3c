"""Finding the words of a corpus whose sense is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.errors import ResultError
from repstore.storage.catalog import Catalog

SENSES_OF = """
SELECT word_id, coalesce(lemma, form) AS lemma, pos, sense, split
FROM words JOIN texts USING (text_id)
WHERE corpus_id = $corpus_id AND sense IS NOT NULL
ORDER BY word_id
"""


@dataclass(frozen=True, eq=False)
class FoundSenses:
    """Words with a sense, in order of word_id.

    Attributes:
        word_ids: *Shape:* (n_words,), int64.
        lemmas: the lemma of each; its form, where the corpus has no lemma. *Shape:* (n_words,), str.
        pos, splits: *Shape of each:* (n_words,), str or None.
        senses: *Shape:* (n_words,), str; several senses of one word are joined by ";".
    """

    word_ids: np.ndarray
    lemmas: np.ndarray
    pos: np.ndarray
    senses: np.ndarray
    splits: np.ndarray

    def where(self, there: np.ndarray) -> FoundSenses:
        """Some of the words. `there`: *Shape:* (n_words,), bool."""
        columns = (self.word_ids, self.lemmas, self.pos, self.senses, self.splits)
        return FoundSenses(*(column[there] for column in columns))


def find_senses(catalog: Catalog, corpus_id: str, corpus: str) -> FoundSenses:
    """The words of a corpus that have a sense.

    Args:
        catalog: of the store.
        corpus_id, corpus: the corpus and its name.

    Raises:
        ResultError: no word has one.
        StoreDamagedError: the corpus is not in the store.
    """
    catalog.require_corpus(corpus_id, corpus)
    table = catalog.query(SENSES_OF, {"corpus_id": corpus_id})
    if not table.num_rows:
        raise ResultError(f'Corpus "{corpus}" has no senses; this probe needs words with one.')
    names = ("word_id", "lemma", "pos", "sense", "split")
    return FoundSenses(*(table[name].to_numpy() for name in names))
