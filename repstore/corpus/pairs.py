"""From pairs as a file lists them, each with two words in their texts, to texts, words and pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from repstore.corpus.source import Corpus
from repstore.spec import Pair, Span, Text, Word

Key = tuple[str | None, str, str | None]
"""Split, text and language: what makes two texts the same one."""


@dataclass(frozen=True, slots=True)
class Use:
    """One word of a pair, in its text."""

    text: str
    word: Word
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as its file gives it."""

    a: Use
    b: Use
    split: str | None = None
    label: bool | None = None
    score: float | None = None


def pair_corpus(name: str, source: str, rows: Callable[[], Iterable[Row]]) -> Corpus:
    """A corpus of pairs, in the order of its rows.

    A text that several pairs of a split share is one text, and a word that they share is one word.

    Args:
        name: of the corpus.
        source: where it comes from, as ``format:path``.
        rows: starts a fresh pass over the file.
    """

    def texts() -> Iterator[Text]:
        for (split, text, language), words in _by_text(rows()).items():
            yield Text(text, tuple(words), split, language)

    def pairs() -> Iterator[Pair]:
        found = list(rows())
        ordinal: dict[tuple[Key, Word], int] = {}
        for key, words in _by_text(found).items():
            for word in words:
                ordinal[key, word] = len(ordinal)
        for row in found:
            word_a, word_b = (ordinal[_key(row, use), use.word] for use in (row.a, row.b))
            yield Pair(word_a, word_b, row.split, row.label, row.score)

    return Corpus(name, source, texts, pairs)


def _by_text(rows: Iterable[Row]) -> dict[Key, list[Word]]:
    """Texts in order of appearance, each with its distinct words in order of position."""
    found: dict[Key, set[Word]] = {}
    for row in rows:
        for use in (row.a, row.b):
            found.setdefault(_key(row, use), set()).add(use.word)
    return {key: sorted(words, key=_order) for key, words in found.items()}


def _key(row: Row, use: Use) -> Key:
    return row.split, use.text, use.language


def _order(word: Word) -> tuple[tuple[Span, ...], str, str]:
    return word.pieces, word.lemma or "", word.pos or ""
