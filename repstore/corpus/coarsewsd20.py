"""CoarseWSD-20 (Loureiro et al. 2021), twenty nouns in their coarse senses, the official layout.

``FOLDER/WORD/{train,test}.data.txt`` has the index of the noun and, after a tab, a sentence whose words
single blanks separate; ``{train,test}.gold.txt`` has, line by line beside it, the number of the sense, and
``classes_map.txt`` the names of the senses by their numbers, as a JSON object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from repstore.corpus.source import Corpus, Place, lines
from repstore.corpus.tables import beside, rows
from repstore.corpus.targets import nth, word_at
from repstore.errors import CorpusError, is_utf8
from repstore.spec import Text

SPLITS = ("train", "test")
NAMES = "classes_map.txt"


def read_coarsewsd20(folder: Path) -> Corpus:
    """Read the words under a folder in order of their names, or the one whose folder it is.

    A word's lemma is its folder's name, less a number after it, as in the n-shot sets: ``apple_10``.
    """
    if _splits(folder):
        words, name = [folder], f"coarsewsd20-{folder.resolve().name}"
    else:
        words, name = sorted(path for path in folder.glob("*") if _splits(path)), "coarsewsd20"
    if not words:
        raise CorpusError(f"{folder} is not a CoarseWSD-20 folder. Expected WORD/train.data.txt in it.")
    return Corpus(
        name,
        f"coarsewsd20:{folder}",
        lambda: (text for word in words for split in _splits(word) for text in _texts(word, split)),
        lambda: iter(()),
    )


def _splits(folder: Path) -> list[str]:
    return [split for split in SPLITS if (folder / f"{split}.data.txt").is_file()]


def _texts(folder: Path, split: str) -> Iterator[Text]:
    lemma = re.sub(r"_\d+$", "", folder.resolve().name)
    names = _names(folder / NAMES)
    examples = rows(folder / f"{split}.data.txt")
    for (at, line), (at_sense, number) in zip(
        examples, beside(examples, folder / f"{split}.gold.txt"), strict=True
    ):
        if number not in names:
            raise at_sense.refuse(f'sense "{number}"', f"a number of {NAMES}: {', '.join(names)}")
        match = re.fullmatch(r"(\d{1,9})\t\s*(\S.*)", line)
        if match is None:
            raise at.refuse(f'"{line}"', "the index of a word, a tab and a sentence")
        text = match[2]
        word = word_at(at, text, [nth(at, text, int(match[1]))], lemma, "N")
        yield Text(text, (replace(word, sense=names[number]),), split, "en")


def _names(path: Path) -> dict[str, str]:
    """The names of the senses by their numbers."""
    try:
        names = json.loads("\n".join(line for _, line in lines(path)))
    except (ValueError, RecursionError) as error:
        raise Place(path, getattr(error, "lineno", 1)).refuse(f"not JSON ({error})", "an object") from None
    if not isinstance(names, dict) or not names:
        raise Place(path, 1).refuse("not a JSON object", "names of senses by their numbers")
    for number, name in names.items():
        if not isinstance(name, str) or not name.strip() or not is_utf8(name):
            raise Place(path, 1).refuse(f'sense "{number}" is {name!r}', "its name")
    return names
