"""Finding the labelled pairs of a corpus, with what divides them: their lemmas and texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from repstore.errors import ResultError
from repstore.storage.catalog import Catalog
from repstore.storage.occurrences import TEXTS_OF

LABELLED = f"""
WITH known AS {TEXTS_OF}
SELECT word_a, word_b, pairs.label, pairs.split,
       coalesce(a.lemma, a.form) AS lemma_a, coalesce(b.lemma, b.form) AS lemma_b,
       text_a.reads_as AS text_a, text_b.reads_as AS text_b
FROM pairs JOIN words a ON a.word_id = word_a JOIN words b ON b.word_id = word_b
JOIN known text_a ON text_a.text_id = a.text_id JOIN known text_b ON text_b.text_id = b.text_id
WHERE pairs.corpus_id = $corpus_id AND pairs.label IS NOT NULL
ORDER BY pair_id
"""


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Pairs in file order.

    Attributes:
        words: word_ids. *Shape:* (n_pairs, 2), int64.
        same: whether each is labelled as of one sense. *Shape:* (n_pairs,), bool.
        splits: *Shape:* (n_pairs,), str or None.
        lemmas: a number for each lemma. *Shape:* (n_pairs, 2), int64.
        texts: text_ids; of texts that read the same, the first one's. *Shape:* (n_pairs, 2), int64.
    """

    words: np.ndarray
    same: np.ndarray
    splits: np.ndarray
    lemmas: np.ndarray
    texts: np.ndarray

    @property
    def known_splits(self) -> list[str]:
        """The splits that they are of, in order of their names."""
        return sorted({split for split in self.splits.tolist() if split is not None})

    def where(self, kept: np.ndarray) -> LabelledPairs:
        """Some of the pairs. `kept`: *Shape:* (n_pairs,), bool."""
        columns = (self.words, self.same, self.splits, self.lemmas, self.texts)
        return LabelledPairs(*(column[kept] for column in columns))


def find_labelled_pairs(catalog: Catalog, corpus_id: str, corpus: str) -> LabelledPairs:
    """The pairs of a corpus that have a label.

    Raises:
        ResultError: it has none.
        StoreDamagedError: the corpus is not in the store.
    """
    catalog.require_corpus(corpus_id, corpus)
    table = catalog.query(LABELLED, {"corpus_id": corpus_id})
    if not table.num_rows:
        raise ResultError(
            f'Corpus "{corpus}" has no labelled pairs; this needs them. '
            "Ask about words or edges, or ingest a corpus with pairs (wic:, senses:)."
        )
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    lemmas = pa.concat_arrays([columns["lemma_a"], columns["lemma_b"]]).dictionary_encode().indices
    return LabelledPairs(
        words=_sides(columns["word_a"], columns["word_b"]),
        same=columns["label"].to_numpy(zero_copy_only=False),
        splits=columns["split"].to_numpy(zero_copy_only=False),
        lemmas=lemmas.to_numpy().astype(np.int64).reshape(2, -1).T,
        texts=_sides(columns["text_a"], columns["text_b"]),
    )


def _sides(a: pa.Array, b: pa.Array) -> np.ndarray:
    return np.stack([a.to_numpy(), b.to_numpy()], axis=1)
