"""DWUG and other word usage graphs (Schlechtweg et al. 2021), the official layout.

``FOLDER/data/WORD/uses.csv`` has uses of a word, each with an identifier, a context and the characters of the
word in it, such as ``27:36``; ``judgments.csv`` beside it has what annotators said of two uses, from 1
(unrelated) to 4 (identical), or 0 (cannot decide). Tabs separate columns, and quotation marks mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus
from repstore.corpus.tables import number, table
from repstore.corpus.targets import spans_in, word_at
from repstore.errors import CorpusError

USES = ("lemma", "pos", "identifier", "context", "indexes_target_token")
JUDGMENTS = ("identifier1", "identifier2", "judgment")


def read_dwug(folder: Path) -> Corpus:
    """Read the pairs of uses: `score` is the median judgment, those that cannot decide left out.

    A pair of which no one could decide has no score. Judgments of a use and a sense (of ``senses.csv``) are
    no pairs of uses and are passed over. The corpus has the name of the folder, and the language that such a
    name as ``dwug_en`` has in it.
    """
    words = sorted(path.parent for path in folder.glob("data/*/uses.csv"))
    if not words:
        raise CorpusError(f"{folder} is not a DWUG folder. Expected data/WORD/uses.csv in it.")
    name = folder.resolve().name
    named = re.match("dwug_([a-z]{2})(?:_|$)", name)
    language = named[1] if named else None
    return pair_corpus(
        name, f"dwug:{folder}", lambda: (row for word in words for row in _rows(word, language))
    )


def _rows(folder: Path, language: str | None) -> Iterator[Row]:
    uses, senses = _uses(folder / "uses.csv", language), _senses(folder / "senses.csv")
    first: dict[frozenset[str], tuple[str, str]] = {}
    judged: dict[frozenset[str], list[float]] = {}
    for at, row in table(folder / "judgments.csv", JUDGMENTS):
        names = row["identifier1"], row["identifier2"]
        if senses.intersection(names):
            continue
        if unknown := [name for name in names if name not in uses]:
            raise at.refuse(f'no use "{unknown[0]}"', "identifiers of uses.csv")
        pair = frozenset(names)
        first.setdefault(pair, names)
        judgment = number(at, row["judgment"], "judgment")
        judged.setdefault(pair, []).extend([judgment] if judgment else [])
    for pair, (one, other) in first.items():
        yield Row(uses[one], uses[other], score=median(judged[pair]) if judged[pair] else None)


def _senses(path: Path) -> set[str]:
    """The identifiers of senses, where uses were judged against these."""
    if not path.is_file():
        return set()
    return {row["identifier_sense"] for _, row in table(path, ["identifier_sense"])}


def _uses(path: Path, language: str | None) -> dict[str, Use]:
    uses = {}
    for at, row in table(path, USES):
        if row["identifier"] in uses:
            raise at.refuse(f'use "{row["identifier"]}" is there twice', "each use once")
        text = row["context"]
        lemma = re.sub("_(nn|vb)$", "", row["lemma"].strip())  # as the English ones are told apart
        spans = spans_in(at, row["indexes_target_token"], ":")
        uses[row["identifier"]] = Use(text, word_at(at, text, spans, lemma, row["pos"].strip()), language)
    return uses
