"""RAW-C, Relatedness of Ambiguous Words in Context (Trott & Bergen 2021), its file ``raw-c.csv``.

A row has an ambiguous word, two short sentences with it, whether it has the same sense in both, and the mean
of people's ratings of their relatedness, from 0 to 4. The latest file has the word as it stands in the
sentences in a column ``string``; the ones before it do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place
from repstore.corpus.tables import number, table, truth
from repstore.corpus.targets import word_at
from repstore.errors import CorpusError

COLUMNS = ("word", "sentence1", "sentence2", "same", "Class", "mean_relatedness")
IRREGULAR = {"break": "broke", "draw": "drew", "run": "ran", "sing": "sang"}
"""The past tenses of the corpus that do not begin with the verb."""


def read_rawc(path: Path) -> Corpus:
    """Read the pairs: `label` is whether the sense is the same, `score` the mean relatedness."""
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give the raw-c.csv of RAW-C.")

    def rows() -> Iterator[Row]:
        for at, row in table(path, COLUMNS, delimiter=","):
            a, b = (_use(at, row[column].strip(), row) for column in ("sentence1", "sentence2"))
            score = number(at, row["mean_relatedness"], "mean_relatedness")
            yield Row(a, b, label=truth(at, row["same"], "same"), score=score)

    return pair_corpus("rawc", f"rawc:{path}", rows)


def _use(at: Place, sentence: str, row: dict[str, str]) -> Use:
    """The one word of the sentence that is the word as it is or irregular, or else begins with it."""
    lemma = row["word"].strip()
    given = row.get("string", "").strip()
    forms = {form.lower() for form in (given or lemma, IRREGULAR.get(lemma)) if form}
    words = list(re.finditer(r"\w+", sentence))
    found = [word for word in words if word[0].lower() in forms]
    found = found or [word for word in words if lemma and word[0].lower().startswith(lemma.lower())]
    if len(found) != 1:
        raise at.refuse(f'"{lemma}" is {len(found)} times in "{sentence}"', "it once")
    return Use(sentence, word_at(at, sentence, [found[0].span()], lemma, row["Class"].strip()), "en")
