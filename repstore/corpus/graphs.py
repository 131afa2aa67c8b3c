"""Sentences whose words are joined by edges: what the readers of treebanks share."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import zip_longest
from pathlib import Path

from repstore.corpus.source import CHUNK, Corpus, Place, lines
from repstore.spec import Edge, Span, Text, Word

SPLITS = {"train", "dev", "test"}

ESCAPES = {
    **{"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"},
    **{"``": '"', "''": '"', "\u201c": '"', "\u201d": '"'},
}
"""Signs as the Penn Treebank writes them, and as others do."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a file: where it stands there, and where in the text of its sentence."""

    at: Place
    span: Span
    form: str
    lemma: str | None
    pos: str | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a file. Its edges have the ordinals of tokens in the sentence."""

    text: str
    tokens: tuple[Token, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Bank:
    """Sentences of one split. `sentences` starts a fresh pass over the files at every call."""

    sentences: Callable[[], Iterator[Sentence]]
    split: str | None
    language: str | None


def bank_corpus(name: str, source: str, banks: Sequence[Bank]) -> Corpus:
    """A corpus of the sentences of some banks, one after the other. All their tokens are words."""

    def texts() -> Iterator[Text]:
        for bank in banks:
            for sentence in bank.sentences():
                yield Text(sentence.text, _words(sentence), bank.split, bank.language, ())

    def edges() -> Iterator[Edge]:
        before = 0
        for bank in banks:
            for sentence in bank.sentences():
                for edge in sentence.edges:
                    head = None if edge.head is None else before + edge.head
                    yield Edge(edge.kind, head, before + edge.dependent, edge.label)
                before += len(sentence.tokens)

    return Corpus(name, source, texts, lambda: iter(()), edges=edges)


def _words(sentence: Sentence) -> tuple[Word, ...]:
    starts = [chunk.start() for chunk in CHUNK.finditer(sentence.text)]
    return tuple(
        Word(bisect_right(starts, token.span[0]) - 1, *token.span, token.form, token.lemma, token.pos)
        for token in sentence.tokens
    )


def blocks(path: Path) -> Iterator[list[tuple[Place, str]]]:
    """The lines of a file in blocks with empty lines between them."""
    block = []
    for at, line in lines(path):
        if line.strip():
            block.append((at, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def split_of(name: str) -> str | None:
    """The split that a file is called by: ``en_ewt-ud-train`` is of ``train``."""
    found = SPLITS.intersection(re.split(r"[^a-z]+", name.lower()))
    return found.pop() if len(found) == 1 else None


def joined(sentences: Iterable[Sentence], others: Iterable[Sentence]) -> Iterator[Sentence]:
    """Sentences with the edges that another file has over the same sentences, in the same order.

    Forms may differ in escapes of XML and of the Penn Treebank.

    Raises:
        CorpusError: a sentence is in one file only, or has other words in the other.
    """
    for sentence, other in zip_longest(sentences, others):
        if sentence is None or other is None:
            at = (sentence or other).tokens[0].at
            raise at.refuse("a sentence that the file beside does not have", "the same sentences in both")
        _check_same(sentence, other)
        yield replace(sentence, edges=sentence.edges + other.edges)


def _check_same(sentence: Sentence, other: Sentence) -> None:
    """Refuse sentences that are not made of the same words."""
    for token, same in zip(sentence.tokens, other.tokens, strict=False):
        if _plain(token.form) != _plain(same.form):
            problem = f'"{same.form}" where {_shown(token.at)} has "{token.form}"'
            raise same.at.refuse(problem, "the same words in both")
    if len(sentence.tokens) != len(other.tokens):
        first = sentence.tokens[0].at
        problem = f"{len(other.tokens)} words where {_shown(first)} begins a sentence of "
        raise other.tokens[-1].at.refuse(problem + str(len(sentence.tokens)), "the same words in both")


def _shown(at: Place) -> str:
    return f"{at.path.name}:{at.line}"


def _plain(form: str) -> str:
    return ESCAPES.get(form, unescape(form))
