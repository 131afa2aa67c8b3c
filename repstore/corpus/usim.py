"""Usim-2, usage similarity (Erk, McCarthy & Gaylord 2013), the official layout.

``FOLDER/Data/lexsub_wcdata.xml`` has uses of lemmas such as ``bright.a``: a sentence in ``<context>`` with
its word in ``<head>``, and around it, in ``<wcontext>``, the sentences before and after.
``FOLDER/Markup/UsageSimilarity/usim2ratings.csv`` rates pairs of them from 1 to 5, and has the mean as the
rating of a user ``avg``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place, lines
from repstore.corpus.tables import number, table
from repstore.corpus.targets import unmarked, word_at
from repstore.errors import CorpusError

DATA, RATINGS = "Data/lexsub_wcdata.xml", "Markup/UsageSimilarity/usim2ratings.csv"
COLUMNS = ("lexsub_id1", "lexsub_id2", "judgment", "user_id", "lemma")


def read_usim(folder: Path) -> Corpus:
    """Read the pairs: `score` is the mean rating.

    A text is a sentence with those around it; each stretch of blanks and line ends is made one blank.
    """
    for file in (DATA, RATINGS):
        if not (folder / file).is_file():
            raise CorpusError(f"{folder} is not a Usim-2 folder. Expected {file} in it.")

    def rows() -> Iterator[Row]:
        uses = _uses(folder / DATA)
        for at, row in table(folder / RATINGS, COLUMNS, delimiter=","):
            if row["user_id"].strip() != "avg":
                continue
            a, b = (_known(at, uses, row["lemma"].strip(), row[column].strip()) for column in COLUMNS[:2])
            yield Row(a, b, score=number(at, row["judgment"], "judgment"))

    return pair_corpus("usim", f"usim:{folder}", rows)


def _known(at: Place, uses: dict[tuple[str, str], Use], lemma: str, name: str) -> Use:
    if (lemma, name) not in uses:
        raise at.refuse(f"no use {name} of {lemma}", f"uses of {DATA}")
    return uses[lemma, name]


def _uses(path: Path) -> dict[tuple[str, str], Use]:
    """The uses by lemma and id."""
    reader = _Instances()
    text = "\n".join(line for _, line in lines(path))
    reader.feed(re.sub(r"(&#?\w+) ;", r"\1;", text))  # as they are in the file: "&#8221 ;"
    reader.close()
    uses = {}
    for (lemma, name), (line, marked) in reader.found.items():
        at = Place(path, line)
        plain, spans = unmarked(at, " ".join(marked.split()), "head")
        word, _, pos = lemma.rpartition(".")
        uses[lemma, name] = Use(plain, word_at(at, plain, spans, word, pos), "en")
    return uses


class _Instances(HTMLParser):
    """The texts of the instances, by lemma and id, each with its line and its word still marked.

    The file is not quite XML, so this forgives more than a reader of XML would.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], tuple[int, str]] = {}
        self._lemma = ""
        self._key: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "lexelt":
            self._lemma = values.get("item") or ""
        elif tag == "instance":
            self._key = self._lemma, values.get("id") or ""
            self.found[self._key] = self.getpos()[0], ""
        elif tag == "head":
            self.handle_data("<head>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self.handle_data("</head>")
        elif tag == "instance":
            self._key = None

    def handle_data(self, data: str) -> None:
        if self._key is not None:
            line, text = self.found[self._key]
            self.found[self._key] = line, text + data
