"""Word-in-Context (Pilehvar & Camacho-Collados 2019), the official layout.

``FOLDER/{train,dev,test}/{split}.data.txt`` has five columns separated by tabs (lemma, part of speech,
word indices ``i-j``, two sentences tokenized by blanks); ``{split}.gold.txt`` has T or F for each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repstore.corpus.source import CHUNK, Corpus, lines, refuse
from repstore.errors import CorpusError
from repstore.spec import Pair, Text, Word

SPLITS = ("train", "dev", "test")
COLUMNS = "lemma, part of speech, indices, sentence, sentence, separated by tabs"


@dataclass(frozen=True, slots=True)
class _Row:
    split: str
    sides: tuple[tuple[str, Word], tuple[str, Word]]
    label: bool


def read_wic(folder: Path) -> Corpus:
    """Read the splits that are there; at least one must be.

    A sentence that several pairs of a split share is one text, and a word that they share is one word.
    """
    found = [split for split in SPLITS if (folder / split / f"{split}.data.txt").is_file()]
    if not found:
        raise CorpusError(
            f"{folder} is not a WiC folder. Expected train/train.data.txt, dev/... or test/... in it."
        )

    def texts() -> Iterator[Text]:
        for split in found:
            for text, words in _by_text(_rows(folder, split)).items():
                yield Text(text, tuple(words), split, "en")

    def pairs() -> Iterator[Pair]:
        n_words = 0
        for split in found:
            rows = list(_rows(folder, split))
            ordinal: dict[tuple[str, Word], int] = {}
            for text, words in _by_text(rows).items():
                for word in words:
                    ordinal[text, word] = n_words
                    n_words += 1
            for row in rows:
                word_a, word_b = (ordinal[side] for side in row.sides)
                yield Pair(word_a, word_b, split, label=row.label)

    return Corpus("wic", f"wic:{folder}", texts, pairs)


def _by_text(rows: Iterator[_Row] | list[_Row]) -> dict[str, list[Word]]:
    """Texts in order of appearance, each with its distinct words in order of position."""
    found: dict[str, set[Word]] = {}
    for row in rows:
        for text, word in row.sides:
            found.setdefault(text, set()).add(word)
    return {
        text: sorted(words, key=lambda word: (word.position, word.lemma, word.pos))
        for text, words in found.items()
    }


def _rows(folder: Path, split: str) -> Iterator[_Row]:
    data, gold = (folder / split / f"{split}.{kind}.txt" for kind in ("data", "gold"))
    labels = [(number, line.strip()) for number, line in lines(gold)]
    while labels and not labels[-1][1]:
        labels.pop()
    n_rows = 0
    for number, line in lines(data):
        if not line.strip():
            continue
        if n_rows == len(labels):
            raise refuse(data, number, f"no label in {gold.name}", "as many labels as pairs")
        at, label = labels[n_rows]
        if label not in ("T", "F"):
            raise refuse(gold, at, f'label "{label}"', "T or F")
        n_rows += 1
        yield _row(data, number, line, split, label == "T")
    if n_rows < len(labels):
        at, label = labels[n_rows]
        raise refuse(gold, at, f"no pair in {data.name} for this label", "as many pairs as labels")


def _row(path: Path, number: int, line: str, split: str, label: bool) -> _Row:
    columns = line.split("\t")
    if len(columns) != 5:
        raise refuse(path, number, f"{len(columns)} columns", COLUMNS)
    lemma, pos, indices, *sentences = (column.strip() for column in columns)
    if not lemma:
        raise refuse(path, number, "no lemma", COLUMNS)
    match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", indices)
    if match is None:
        raise refuse(path, number, f'word indices "{indices}"', "two numbers such as 2-5")
    sides = []
    for sentence, index in zip(sentences, map(int, match.groups()), strict=True):
        chunks = list(CHUNK.finditer(sentence))
        if index >= len(chunks):
            problem = f'word index {index} in a sentence of {len(chunks)} words ("{sentence}")'
            raise refuse(path, number, problem, "indices that count words from 0")
        start, end = chunks[index].span()
        sides.append((sentence, Word(index, start, end, sentence[start:end], lemma, pos)))
    return _Row(split, (sides[0], sides[1]), label)
