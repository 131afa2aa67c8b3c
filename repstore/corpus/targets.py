"""Where a word stands in its text, in the ways in which corpora mark it."""

from __future__ import annotations

from repstore.corpus.source import CHUNK, Place, position_of
from repstore.spec import Word

Span = tuple[int, int]


def word_at(at: Place, text: str, span: Span, lemma: str | None = None, pos: str | None = None) -> Word:
    """The word that these characters of a text are, less blanks at either end.

    Raises:
        CorpusError: the characters are not in the text, or are blank.
    """
    start, end = span
    form = text[max(start, 0) : end]
    if not 0 <= start < end <= len(text) or not form.strip():
        raise at.refuse(f"characters {start} to {end} of a text of {len(text)}", "the span of a word")
    start += len(form) - len(form.lstrip())
    form = form.strip()
    return Word(position_of(text, start), start, start + len(form), form, lemma, pos)


def nth(at: Place, text: str, index: int) -> Span:
    """The characters of a word given by its index among the stretches between blanks, from 0."""
    chunks = list(CHUNK.finditer(text))
    if index >= len(chunks):
        problem = f'word index {index} in a sentence of {len(chunks)} words ("{text}")'
        raise at.refuse(problem, "indices that count words from 0")
    return chunks[index].span()
