"""CoSimLex (Armendariz et al. 2020), a file of one language such as ``cosimlex_en.csv``.

A line that names the columns, then two words a line, separated by tabs: their lemmas ``word1`` and ``word2``,
two contexts that hold both, marked as ``<strong>word</strong>``, the mean rating of their similarity in each,
``sim1`` and ``sim2``, and how each word is written in each context, ``word1_context1`` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place
from repstore.corpus.tables import number, table, unquoted
from repstore.corpus.targets import unmarked, word_at
from repstore.errors import CorpusError
from repstore.spec import Span

COLUMNS = (
    *("word1", "word2", "context1", "context2", "sim1", "sim2"),
    *("word1_context1", "word2_context1", "word1_context2", "word2_context2"),
)


def read_cosimlex(path: Path) -> Corpus:
    """Read two pairs from every row, one for each context: `score` is the mean rating there.

    The language is what follows the last ``_`` of the file's name, if that is two letters.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give a file of CoSimLex such as cosimlex_en.csv.")
    named = re.search("_([a-z]{2})$", path.stem)
    language = named[1] if named else None

    def rows() -> Iterator[Row]:
        for at, row in table(path, COLUMNS):
            for n in (1, 2):
                text, spans = unmarked(at, unquoted(row[f"context{n}"].strip()), "strong")
                forms = [row[f"word{m}_context{n}"].strip() for m in (1, 2)]
                a, b = (
                    Use(text, word_at(at, text, pieces, row[f"word{m}"].strip()), language)
                    for m, pieces in enumerate(_told_apart(at, text, spans, forms), 1)
                )
                yield Row(a, b, score=number(at, row[f"sim{n}"], f"sim{n}"))

    return pair_corpus(path.stem, f"cosimlex:{path}", rows)


def _told_apart(at: Place, text: str, spans: list[Span], forms: list[str]) -> list[list[Span]]:
    """Which marked words are the first word, and which the second; one that matches neither is the other."""
    found = [
        [span for span in spans if text[slice(*span)].strip().casefold() == form.casefold()] for form in forms
    ]
    rest = [span for span in spans if span not in found[0] + found[1]]
    told = [of_form or rest for of_form in found]
    if not all(told) or told[0] == told[1] or (rest and all(found)):
        marked = ", ".join(f'"{text[slice(*span)]}"' for span in spans)
        raise at.refuse(f"marked words {marked}", f'"{forms[0]}" and "{forms[1]}"')
    return told
