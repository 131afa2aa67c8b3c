"""Where a word stands in its text, in the ways in which corpora mark it: by index, by characters, by tags."""

from __future__ import annotations

import re
from collections.abc import Sequence

from repstore.corpus.source import CHUNK, Place, position_of
from repstore.spec import Span, Word

PARTS_OF_SPEECH = {
    **{"n": "N", "noun": "N", "v": "V", "verb": "V"},
    **{"a": "A", "adj": "A", "adjective": "A", "r": "R", "adv": "R", "adverb": "R"},
}


def word_at(
    at: Place, text: str, spans: Sequence[Span], lemma: str | None = None, pos: str | None = None
) -> Word:
    """The word that these stretches of a text make up, less blanks at the ends of each.

    Stretches that touch or overlap are one piece of the word. Parts of speech have one name in all corpora:
    N, V, A or R; others stay as they are.

    Raises:
        CorpusError: characters that are not in the text, or are blank.
    """
    pieces: list[Span] = []
    for start, end in sorted(spans):
        form = text[max(start, 0) : end]
        if not 0 <= start < end <= len(text) or not form.strip():
            raise at.refuse(f"characters {start} to {end} of a text of {len(text)}", "the span of a word")
        start += len(form) - len(form.lstrip())
        end = start + len(form.strip())
        if pieces and start <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(end, pieces[-1][1]))
        else:
            pieces.append((start, end))
    start, end = pieces[0][0], pieces[-1][1]
    form = " ".join(text[slice(*piece)] for piece in pieces)
    tag = PARTS_OF_SPEECH.get(pos.lower(), pos) if pos else None
    several = tuple(pieces) if len(pieces) > 1 else ()
    return Word(position_of(text, start), start, end, form, lemma or None, tag, spans=several)


def nth(at: Place, text: str, index: int) -> Span:
    """The characters of a word given by its index among the stretches between blanks, from 0."""
    chunks = list(CHUNK.finditer(text))
    if index >= len(chunks):
        problem = f'word index {index} in a sentence of {len(chunks)} words ("{text}")'
        raise at.refuse(problem, "indices that count words from 0")
    return chunks[index].span()


def spans_in(at: Place, field: str, sign: str) -> list[Span]:
    """Spans written with a sign between their ends, such as ``27:36``, and commas between several."""
    found = [re.fullmatch(rf"\s*(\d{{1,9}}){sign}(\d{{1,9}})\s*", span) for span in field.split(",")]
    spans = [(int(match[1]), int(match[2])) for match in found if match]
    if len(spans) < len(found):
        raise at.refuse(f'span "{field}"', f"characters such as 27{sign}36")
    return spans


def unmarked(at: Place, text: str, tag: str) -> tuple[str, list[Span]]:
    """A text without its marks, ``<tag>`` and ``</tag>``, and the spans of what they enclosed, at least one.

    Blanks inside a mark are dropped where there are others outside.
    """
    text = re.sub(rf"(^|\s)<{tag}>\s+", rf"\1<{tag}>", text.strip())
    text = re.sub(rf"\s+</{tag}>(?=\s|$)", f"</{tag}>", text)
    plain, spans = "", []
    for n, piece in enumerate(re.split(rf"<{tag}>(.*?)</{tag}>", text)):
        if n % 2:
            spans.append((len(plain), len(plain) + len(piece)))
        plain += piece
    if not spans or f"<{tag}>" in plain or f"</{tag}>" in plain:
        raise at.refuse(f'no word marked in "{text}"', f"it as <{tag}>word</{tag}>")
    return plain, spans
