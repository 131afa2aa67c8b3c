"""What readers of pairs are asked: the words of a pair with their texts, and the error for a wrong file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repstore.corpus import Corpus, read
from repstore.errors import CorpusError
from repstore.spec import Text, Word
from repstore.storage.corpora import identify


def words_in_order(corpus: Corpus) -> list[tuple[Text, Word]]:
    return [(text, word) for text in corpus.texts() for word in text.words]


def as_read(corpus: Corpus) -> list[tuple[str, str]]:
    """The texts of every pair, its words in brackets, piece by piece."""
    words = words_in_order(corpus)
    pairs = [(words[pair.word_a], words[pair.word_b]) for pair in corpus.pairs()]
    return [(_marked(*a), _marked(*b)) for a, b in pairs]


def counts(corpus: Corpus) -> tuple[int, int, int]:
    """Texts, words and pairs."""
    info = identify(corpus)
    return info.n_texts, info.n_words, info.n_pairs


def refuses(source: str, place: Path, message: str) -> None:
    """Reading it to the end stops at this file with this message."""
    with pytest.raises(CorpusError, match=re.escape(f"{place}{message}")):
        identify(read(source))


def _marked(text: Text, word: Word) -> str:
    marked = text.text
    for start, end in reversed(word.pieces):
        marked = f"{marked[:start]}[{marked[start:end]}]{marked[end:]}"
    return marked
