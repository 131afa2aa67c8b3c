"""Which of the words that are measured belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.storage.occurrences import Occurrences
from repstore.storage.vectors import rows_of


@dataclass(frozen=True)
class Belonging:
    """Which of the words that are measured belong together, by numbers; -1 for none.

    *Shape of each:* (n_words,), int64.
    """

    forms: np.ndarray
    lemmas: np.ndarray
    texts: np.ndarray
    senses: np.ndarray
    meanings: np.ndarray

    @classmethod
    def of(cls, word_ids: np.ndarray, known: Occurrences) -> Belonging:
        """Of some words of a corpus. Where it has no senses, pairs that are labelled as of one sense say it.

        Of several uses of a form in one text, the first counts: self-similarity is between contexts.
        """
        rows = rows_of(known.word_ids, word_ids)
        forms, texts = known.forms[rows], known.texts[rows]
        firsts = np.unique(np.stack([forms, texts]), axis=1, return_index=True)[1]
        forms = np.where(np.isin(np.arange(len(forms)), firsts), forms, -1)
        has_senses = bool((known.senses >= 0).any())
        senses = known.senses[rows]
        meanings = senses if has_senses else linked(word_ids, known.alike)
        return cls(forms, known.lemmas[rows], texts, senses, meanings)


def linked(word_ids: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Words joined by pairs, directly or by others, have one number. *Shape:* (n_words,), int64."""
    from scipy.sparse import coo_array  # which takes as long to load as a store to open
    from scipy.sparse.csgraph import connected_components

    rows = np.stack([rows_of(word_ids, side) for side in pairs.T], axis=1)
    rows = rows[(rows >= 0).all(axis=1)]
    n_words = len(word_ids)
    links = coo_array((np.ones(len(rows), bool), (rows[:, 0], rows[:, 1])), (n_words, n_words))
    groups: np.ndarray = connected_components(links, directed=False)[1].astype(np.int64)
    groups[~np.isin(np.arange(n_words), rows)] = -1
    return groups
