"""SCWS, Stanford's Contextual Word Similarities (Huang et al. 2012), its file ``ratings.txt``.

One pair a line, without a header, separated by tabs: id, word, part of speech, word, part of speech, the
context of each, in which it is marked as ``<b> word </b>``, the mean rating, and ten ratings from 0 to 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place
from repstore.corpus.tables import fields, number
from repstore.corpus.targets import unmarked, word_at
from repstore.errors import CorpusError

COLUMNS = "id, word, part of speech, word, part of speech, context, context, mean and ratings, between tabs"


def read_scws(path: Path) -> Corpus:
    """Read the pairs: `score` is the mean rating."""
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give the ratings.txt of SCWS.")

    def rows() -> Iterator[Row]:
        for at, row in fields(path):
            if len(row) < 9:
                raise at.refuse(f"{len(row)} columns", COLUMNS)
            _, lemma_a, pos_a, lemma_b, pos_b, context_a, context_b, mean, *_ = row
            a, b = _use(at, context_a, lemma_a, pos_a), _use(at, context_b, lemma_b, pos_b)
            yield Row(a, b, score=number(at, mean, "mean rating"))

    return pair_corpus("scws", f"scws:{path}", rows)


def _use(at: Place, context: str, lemma: str, pos: str) -> Use:
    text, spans = unmarked(at, context, "b")
    return Use(text, word_at(at, text, spans, lemma.strip(), pos.strip()), "en")
