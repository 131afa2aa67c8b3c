"""MCL-WiC, Multilingual and Cross-lingual Word-in-Context (Martelli et al. 2021), the official layout.

Somewhere under FOLDER are files such as ``dev.fr-fr.data``, JSON lists of pairs whose words are marked by
characters: ``start1``, ``end1``, ``start2``, ``end2``, or ``ranges1``, ``ranges2`` such as ``12-16,20-24``.
``dev.fr-fr.gold`` has T or F by id; the test labels come in an archive of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.corpus.source import Corpus, Place, lines
from repstore.corpus.tables import truth
from repstore.corpus.targets import spans_in, word_at
from repstore.errors import CorpusError, is_utf8

NAME = re.compile(r"(\w+)\.([a-z]{2})-([a-z]{2})\.data")
SPLITS = ("training", "trial", "dev", "test")


def read_mclwic(folder: Path) -> Corpus:
    """Read all data files under a folder, each with its labels if their file is there, too.

    Splits are called as in the file names. A word marked by several ranges is a word in several pieces. The
    lemma is that of the first word; it is the second word's, too, if both are of one language.
    """
    files = [path for path in folder.rglob("*.data") if NAME.fullmatch(path.name)]
    if not files:
        raise CorpusError(f"{folder} is not an MCL-WiC folder. Expected files such as dev.en-en.data in it.")
    names = [path.name for path in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CorpusError(f"{twice[0]} is there twice in {folder}. Give a folder that has it once.")
    files.sort(key=lambda path: (_rank(path), path.name))
    gold = {path.stem: path for path in folder.rglob("*.gold")}
    return pair_corpus(
        "mclwic",
        f"mclwic:{folder}",
        lambda: (row for path in files for row in _rows(path, gold.get(path.stem))),
    )


def _rank(path: Path) -> int:
    split = path.name.split(".")[0]
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)


def _rows(path: Path, gold: Path | None) -> Iterator[Row]:
    tags = {record["id"]: (at, record) for at, record in _records(gold)} if gold else {}
    split, languages, _ = path.name.split(".")
    for at, record in _records(path):
        label = None
        if gold:
            if record["id"] not in tags:
                raise at.refuse(f'no label for "{record["id"]}"', f"one in {gold}")
            at_tag, tag = tags[record["id"]]
            label = truth(at_tag, _text(at_tag, tag, "tag"), "tag")
        one, other = languages.split("-")
        lemma = _text(at, record, "lemma")
        a, b = _use(at, record, 1, one, lemma), _use(at, record, 2, other, lemma if one == other else None)
        yield Row(a, b, split, label)


def _use(at: Place, record: dict[str, Any], n: int, language: str, lemma: str | None) -> Use:
    text, spans = _text(at, record, f"sentence{n}"), spans_in(at, _ranges(at, record, n), "-")
    return Use(text, word_at(at, text, spans, lemma, _text(at, record, "pos")), language)


def _ranges(at: Place, record: dict[str, Any], n: int) -> str:
    if f"start{n}" in record:
        return f"{_text(at, record, f'start{n}')}-{_text(at, record, f'end{n}')}"
    return _text(at, record, f"ranges{n}")


def _text(at: Place, record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise at.refuse(f'"{key}" is {value!r}', f'a record with "{key}"')
    if not is_utf8(str(value)):
        raise at.refuse(f'"{key}" has half a surrogate pair', "characters")
    return str(value)


def _records(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The records of a JSON list, each at the line of its id."""
    text = "\n".join(line for _, line in lines(path))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise Place(path, line).refuse(f"not JSON ({error})", "a list of records") from None
    if not isinstance(found, list):
        raise Place(path, 1).refuse("not a JSON list", "a list of records")
    line, position = 1, 0
    for record in found:
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise Place(path, line).refuse("a record without an id after this", 'records with an "id"')
        there = text.find(json.dumps(record["id"]), position)
        if there >= 0:
            line, position = line + text.count("\n", position, there), there + 1
        yield Place(path, line), record
