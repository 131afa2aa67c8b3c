"""AM2iCo, Adversarial and Multilingual Meaning in Context (Liu et al. 2021), the official layout.

``FOLDER/{train,dev,test}.tsv`` of one language, or ``FOLDER/LANGUAGE/...`` of several: a line that names
the columns ``context1`` (in that language), ``context2`` (in English) and ``label``, then one pair a line,
with its words marked as ``<word>word</word>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place, language_of
from repstore.corpus.tables import table, truth, unquoted
from repstore.corpus.targets import unmarked, word_at
from repstore.errors import CorpusError

SPLITS = ("train", "dev", "test")


def read_am2ico(folder: Path) -> Corpus:
    """Read the languages and splits that are there. An empty label is a label that is not known.

    The language is the folder's name if that is two letters, such as ``zh``; else it is not known.
    """
    files = [
        path
        for language in (folder, *sorted(folder.glob("*")))
        for split in SPLITS
        if (path := language / f"{split}.tsv").is_file()
    ]
    if not files:
        raise CorpusError(f"{folder} is not an AM2iCo folder. Expected train.tsv, or zh/train.tsv, in it.")
    language = language_of(folder)
    name = f"am2ico-{language}" if language else "am2ico"
    return pair_corpus(name, f"am2ico:{folder}", lambda: (row for path in files for row in _rows(path)))


def _rows(path: Path) -> Iterator[Row]:
    language = language_of(path.parent)
    for at, row in table(path, ("context1", "context2", "label")):
        label = truth(at, row["label"], "label") if row["label"].strip() else None
        a, b = _use(at, row["context1"], language), _use(at, row["context2"], "en")
        yield Row(a, b, path.stem, label)


def _use(at: Place, context: str, language: str | None) -> Use:
    text, spans = unmarked(at, unquoted(context.strip()), "word")
    return Use(text, word_at(at, text, spans), language)
