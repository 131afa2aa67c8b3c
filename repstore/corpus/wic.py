"""Word-in-Context (Pilehvar & Camacho-Collados 2019), the official layout.

``FOLDER/{train,dev,test}/{split}.data.txt`` has five columns separated by tabs (lemma, part of speech,
word indices ``i-j``, two sentences tokenized by blanks); ``{split}.gold.txt`` has T or F for each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place, lines
from repstore.corpus.targets import nth, word_at
from repstore.errors import CorpusError

SPLITS = ("train", "dev", "test")
COLUMNS = "lemma, part of speech, indices, sentence, sentence, separated by tabs"


def read_wic(folder: Path) -> Corpus:
    """Read the splits that are there; at least one must be."""
    found = [split for split in SPLITS if (folder / split / f"{split}.data.txt").is_file()]
    if not found:
        raise CorpusError(
            f"{folder} is not a WiC folder. Expected train/train.data.txt, dev/... or test/... in it."
        )
    return pair_corpus(
        "wic", f"wic:{folder}", lambda: (row for split in found for row in _rows(folder, split))
    )


def _rows(folder: Path, split: str) -> Iterator[Row]:
    data, gold = (folder / split / f"{split}.{kind}.txt" for kind in ("data", "gold"))
    labels = [(at, line.strip()) for at, line in lines(gold)]
    while labels and not labels[-1][1]:
        labels.pop()
    n_rows = 0
    for at, line in lines(data):
        if not line.strip():
            continue
        if n_rows == len(labels):
            raise at.refuse(f"no label in {gold.name}", "as many labels as pairs")
        at_label, label = labels[n_rows]
        if label not in ("T", "F"):
            raise at_label.refuse(f'label "{label}"', "T or F")
        n_rows += 1
        yield Row(*_uses(at, line), split, label == "T")
    if n_rows < len(labels):
        at_label, _ = labels[n_rows]
        raise at_label.refuse(f"no pair in {data.name} for this label", "as many pairs as labels")


def _uses(at: Place, line: str) -> tuple[Use, Use]:
    columns = line.split("\t")
    if len(columns) != 5:
        raise at.refuse(f"{len(columns)} columns", COLUMNS)
    lemma, pos, indices, first, second = (column.strip() for column in columns)
    if not lemma:
        raise at.refuse("no lemma", COLUMNS)
    match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", indices)
    if match is None:
        raise at.refuse(f'word indices "{indices}"', "two numbers such as 2-5")
    a, b = (
        Use(sentence, word_at(at, sentence, [nth(at, sentence, int(index))], lemma, pos), "en")
        for sentence, index in zip((first, second), match.groups(), strict=True)
    )
    return a, b
