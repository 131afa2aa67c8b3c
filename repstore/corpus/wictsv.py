"""WiC-TSV, Target Sense Verification (Breit et al. 2021), the official layout.

``FOLDER/{Training,Development,Test}/{train,dev,test}_examples.txt`` has a target word, its index (or ``i-j``,
first and last) among the words that single blanks separate, and a context. Line by line beside it,
``_definitions.txt`` has the definition of a sense, and ``_labels.txt`` T or F, whether the target has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place, language_of
from repstore.corpus.tables import beside, rows, truth
from repstore.corpus.targets import word_at
from repstore.errors import CorpusError
from repstore.spec import Span

FOLDERS = {"train": "Training", "dev": "Development", "test": "Test"}
COLUMNS = "target, index, context, separated by tabs"


def read_wictsv(folder: Path) -> Corpus:
    """Read the splits that are there. The second word of a pair is the whole definition, a text of its own.

    A split without labels gives pairs without labels. Hypernyms are not read. The language is the folder's
    name if that is two letters, such as ``de``, else English.
    """
    found = [split for split in FOLDERS if _file(folder, split, "examples").is_file()]
    if not found:
        raise CorpusError(
            f"{folder} is not a WiC-TSV folder. Expected Training/train_examples.txt, Development/... or "
            "Test/... in it."
        )
    language = language_of(folder)
    return pair_corpus(
        f"wictsv-{language}" if language else "wictsv",
        f"wictsv:{folder}",
        lambda: (row for split in found for row in _rows(folder, split, language or "en")),
    )


def _rows(folder: Path, split: str, language: str) -> Iterator[Row]:
    examples = rows(_file(folder, split, "examples"))
    definitions = beside(examples, _file(folder, split, "definitions"))
    labels_file = _file(folder, split, "labels")
    labels = beside(examples, labels_file) if labels_file.is_file() else [None] * len(examples)
    for (at, line), definition, label in zip(examples, definitions, labels, strict=True):
        at_definition, gloss = definition
        whole = word_at(at_definition, gloss, [(0, len(gloss))])
        yield Row(
            _use(at, line, language),
            Use(gloss, whole, language),
            split,
            truth(*label, "label") if label else None,
        )


def _use(at: Place, line: str, language: str) -> Use:
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) != 3:
        raise at.refuse(f"{len(columns)} columns", COLUMNS)
    target, index, context = columns
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", index)
    if match is None:
        raise at.refuse(f'word index "{index}"', "a number such as 2, or two such as 2-3")
    first, last = _nth(at, context, int(match[1])), _nth(at, context, int(match[2] or match[1]))
    return Use(context, word_at(at, context, [(first[0], last[1])], target), language)


def _nth(at: Place, context: str, index: int) -> Span:
    """The characters of a word; where there are several blanks, the empty words between them count."""
    words = context.split(" ")
    if index >= len(words):
        raise at.refuse(f"word index {index} in a context of {len(words)} words", "indices that count from 0")
    start = sum(len(word) + 1 for word in words[:index])
    return start, start + len(words[index])


def _file(folder: Path, split: str, kind: str) -> Path:
    return folder / FOLDERS[split] / f"{split}_{kind}.txt"
