"""Plain text: one sentence a line, every word a word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from repstore.corpus.source import CHUNK, Corpus, lines
from repstore.errors import CorpusError
from repstore.spec import Edge, Pair, Text, Word


def read_text(path: Path) -> Corpus:
    """Read a text file. Words are stretches between blanks, less what is no letter or digit at either end.

    Empty lines are passed over; a line without any word (only punctuation) is kept as a text.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give a text file with one sentence a line.")

    def texts() -> Iterator[Text]:
        for _, line in lines(path):
            text = line.strip()
            if text:
                yield Text(text, tuple(words_of(text)))

    return Corpus(path.stem, f"text:{path}", texts, lambda: iter(()))


def words_of(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    for position, chunk in enumerate(CHUNK.finditer(text)):
        inner = [at for at in range(*chunk.span()) if unicodedata.category(text[at])[0] in "LN"]
        if not inner:
            continue
        start, end = inner[0], inner[-1] + 1
        while end < chunk.end() and unicodedata.category(text[end])[0] == "M":  # a vowel sign, an accent
            end += 1
        yield Word(position, start, end, text[start:end])


def with_all_words(corpus: Corpus) -> Corpus:
    """A corpus in which every word of every text is a word, annotated where it was before.

    Which these are the corpus itself says, or else blanks and punctuation (`words_of`). Pairs and edges are
    kept. Its name ends in ``-all``, so that it can stand in a store beside the corpus itself.
    """

    def texts() -> Iterator[Text]:
        for text in corpus.texts():
            yield replace(text, words=tuple(word for word, _ in _filled(text)))

    def ordinals() -> list[int]:
        """Of every annotated word: its place among all."""
        flags = (annotated for text in corpus.texts() for _, annotated in _filled(text))
        return [n for n, annotated in enumerate(flags) if annotated]

    def pairs() -> Iterator[Pair]:
        place = ordinals()
        for pair in corpus.pairs():
            yield replace(pair, word_a=place[pair.word_a], word_b=place[pair.word_b])

    def edges() -> Iterator[Edge]:
        place: list[int] = []
        for edge in corpus.edges():
            place = place or ordinals()  # most corpora have no edges, and need not be read for them
            head = None if edge.head is None else place[edge.head]
            yield replace(edge, head=head, dependent=place[edge.dependent])

    return replace(corpus, name=f"{corpus.name}-all", texts=texts, pairs=pairs, edges=edges, words="all")


def _filled(text: Text) -> list[tuple[Word, bool]]:
    """The annotated words of a text and the others, in order; and which is which."""
    others = _others(text) if text.others is None else text.others
    both = [(word, True) for word in text.words] + [(word, False) for word in others]
    return sorted(both, key=lambda each: each[0].char_start)


def _others(text: Text) -> list[Word]:
    """The words of a text that do not overlap the annotated ones."""
    return [
        word
        for word in words_of(text.text)
        if not any(
            start < word.char_end and word.char_start < end for w in text.words for start, end in w.pieces
        )
    ]
