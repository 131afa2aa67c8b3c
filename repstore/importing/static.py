"""Vectors of a vocabulary: every occurrence of a word has the vector of its form, or of its lemma.

Vocabularies have millions of words, and a corpus some thousands: a file is read as a stream, and only the
vectors of words that occur are kept. Words are compared as bytes, so that what is not UTF-8, or has blanks
that only Unicode knows, can do no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from repstore.errors import CorpusError
from repstore.importing.source import Block, Opened, Request, Source, Tell, name_of
from repstore.importing.vocabulary import Shape, Vocabulary
from repstore.spec import CorpusInfo, LookUpCase, Progress
from repstore.storage.corpora import ROWS, read_rows

OFTEN = 20_000
"""Words of a vocabulary after which to say how far it is read."""


def open_static(path: Path, request: Request) -> Source:
    """Vectors of a vocabulary, over a corpus of the store."""
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give a file of vectors.")
    corpus = request.known()
    vocabulary = Vocabulary(path, request.source.partition(":")[0])
    shape = vocabulary.shape()
    how = "" if request.case == "exact" else f":{request.case}"
    return Source(
        name=name_of(path),
        files=(path,),
        words=None,
        layers=("vector",),
        d_model=shape.d_model,
        pattern=f"{{{request.by}{how}}}",
        lacking="not_in_vocabulary",
        corpus=corpus,
        open=lambda corpus, tell: _Static(vocabulary, shape, request, corpus, tell).opened(),
    )


class _Static:
    """The vectors of those words of a vocabulary that a corpus asks for."""

    def __init__(
        self, vocabulary: Vocabulary, shape: Shape, request: Request, corpus: CorpusInfo, tell: Tell
    ) -> None:
        self._words = request.layout.corpus(corpus.corpus_id).words
        self._by, self._case = request.by, request.case
        self._message = f"Reading {request.source}"
        self._n_words = corpus.n_words
        self._rows: dict[bytes, int] = {}
        for start in range(0, corpus.n_words, ROWS):
            for key in self._keys(start, min(start + ROWS, corpus.n_words)):
                for spelling in spellings(key, self._case):
                    self._rows.setdefault(spelling, len(self._rows))
        self._found = np.zeros(len(self._rows), bool)
        self._values = np.empty((0, shape.d_model), np.float32)
        self._n_twice = self._read(vocabulary, shape, tell)
        if not self._found.any():
            raise CorpusError(
                f"The vocabulary has no word of corpus {corpus.name}. Check that their languages agree, and "
                "how words are written there (--case)."
            )

    def _read(self, vocabulary: Vocabulary, shape: Shape, tell: Tell) -> int:
        """Keep what is asked for; of a word that is there twice, the first. Returns how often that was."""
        n_twice = 0
        for n, entry in enumerate(vocabulary.entries(shape)):
            if n % OFTEN == 0:
                tell(Progress(self._message, n, shape.n_words or 0))
            row = self._rows.get(entry.word)
            if row is None:
                continue
            if self._found[row]:
                n_twice += 1
                continue
            if not len(self._values):  # only now is it sure that vectors are as wide as is said
                self._values = np.empty((len(self._rows), shape.d_model), np.float32)
            self._values[row] = entry.vector()
            self._found[row] = True
        return n_twice

    def _keys(self, start: int, stop: int) -> Iterator[str]:
        words = read_rows(self._words, start, stop)
        forms = words["form"].to_pylist()
        if self._by == "form":
            yield from forms
        else:
            lemmas = words["lemma"].to_pylist()
            yield from (lemma or form for lemma, form in zip(lemmas, forms, strict=True))

    def opened(self) -> Opened:
        """What was kept, ready to be read."""
        notes = []
        if self._n_twice:
            notes.append(f"The file has {self._n_twice:,} of these words again; the first counts.")
        n_words = sum(self._row(key) >= 0 for key in self._keys(0, self._n_words))
        return Opened(self._block, n_words, tuple(notes))

    def _block(self, start: int, stop: int) -> Block:
        rows = np.array([self._row(key) for key in self._keys(start, stop)], np.int64)
        words = np.flatnonzero(rows >= 0)
        return Block(words, [self._values[rows[words]]])

    def _row(self, key: str) -> int:
        """The row of a word by the first of its spellings that the vocabulary has; -1 if it has none."""
        rows = (self._rows[spelling] for spelling in spellings(key, self._case))
        return next((row for row in rows if self._found[row]), -1)


def spellings(key: str, case: LookUpCase) -> list[bytes]:
    """How a word may be written in a vocabulary, the best first."""
    written = {"exact": [key], "lower": [key.lower()], "either": [key, key.lower()]}
    return [spelling.encode() for spelling in written[case]]
