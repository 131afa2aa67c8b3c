"""Finding the labelled edges between the words of a corpus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.errors import ArgumentError, NotFoundError, ResultError, did_you_mean
from repstore.storage.catalog import Catalog
from repstore.storage.occurrences import TEXTS_OF

KINDS_OF = "SELECT DISTINCT kind FROM edges WHERE corpus_id = $corpus_id ORDER BY kind"
EDGES_OF = """
SELECT word_a, word_b, label, text_id, split
FROM edges JOIN words ON word_id = word_b JOIN texts USING (text_id)
WHERE edges.corpus_id = $corpus_id AND kind = $kind AND word_a IS NOT NULL
ORDER BY word_b, word_a, label
"""
WORDS_OF = f"""
SELECT word_id, text_id, reads_as FROM words JOIN {TEXTS_OF} USING (text_id)
WHERE text_id IN (
    SELECT text_id FROM edges JOIN words ON word_id = word_b WHERE corpus_id = $corpus_id AND kind = $kind
)
ORDER BY word_id
"""


@dataclass(frozen=True, eq=False)
class FoundEdges:
    """Edges of one kind, in the order of their dependents, and the words of the texts that have any.

    Attributes:
        kind: which annotation they are of.
        heads, dependents: word_ids. *Shape of each:* (n_edges,), int64.
        labels: *Shape:* (n_edges,), str.
        texts: the text_id of each. *Shape:* (n_edges,), int64.
        splits: of its text. *Shape:* (n_edges,), str or None.
        word_ids: every word of these texts, joined or not, in order. *Shape:* (n_words,), int64.
        word_texts: the text_id of each. *Shape:* (n_words,), int64.
        reads_as: the first text_id of those that read as its text does. *Shape:* (n_words,), int64.
    """

    kind: str
    heads: np.ndarray
    dependents: np.ndarray
    labels: np.ndarray
    texts: np.ndarray
    splits: np.ndarray
    word_ids: np.ndarray
    word_texts: np.ndarray
    reads_as: np.ndarray


def find_edges(catalog: Catalog, corpus_id: str, corpus: str, kind: str | None) -> FoundEdges:
    """The edges of a corpus that join two words.

    Roots and tops, which hang on no word, are no such edge; but their texts count as texts that have edges.

    Args:
        catalog: of the store.
        corpus_id, corpus: the corpus and its name.
        kind: such as ``ud`` or ``dm``; may be left out where the corpus has one kind.

    Raises:
        ArgumentError: no kind is given, and there are several.
        NotFoundError: no such kind.
        ResultError: the corpus has no edges.
        StoreDamagedError: the corpus is not in the store.
    """
    catalog.require_corpus(corpus_id, corpus)
    kinds = catalog.query(KINDS_OF, {"corpus_id": corpus_id})["kind"].to_pylist()
    if not kinds:
        raise ResultError(
            f'Corpus "{corpus}" has no edges; this probe needs words joined by them. '
            "Ingest a treebank or graphs (conllu:, sdp:), or ask about words."
        )
    if kind is None:
        if len(kinds) > 1:
            several = ", ".join(kinds)
            raise ArgumentError(
                f'Corpus "{corpus}" has edges of several kinds: {several}. Say which with edges '
                f"(--edges {kinds[0]})."
            )
        kind = kinds[0]
    if kind not in kinds:
        raise NotFoundError(f'Corpus "{corpus}" has no edges of kind "{kind}". {did_you_mean(kind, kinds)}')
    asked = {"corpus_id": corpus_id, "kind": kind}
    edges, words = (catalog.query(sql, asked) for sql in (EDGES_OF, WORDS_OF))
    names = ("word_a", "word_b", "label", "text_id", "split")
    return FoundEdges(
        kind,
        *(edges[name].to_numpy() for name in names),
        *(words[name].to_numpy() for name in ("word_id", "text_id", "reads_as")),
    )
