"""Broad-coverage semantic dependencies (SDP; Oepen et al. 2014, 2015), their tab-separated format.

``NAME.KIND.sdp`` has ``#`` and a number before each sentence, and an empty line after it. A word is a line of
id, form, lemma, part of speech, top, pred, frame, and as many arguments as the sentence has words whose pred
is ``+``: the label of the edge from the first such word to this one, from the second, and so on. Files of
2014 have no frame; those of 2015 begin with ``#SDP 2015``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from repstore.corpus.graphs import Bank, Sentence, Token, bank_corpus, blocks, joined, split_of
from repstore.corpus.source import Corpus, Place
from repstore.errors import CorpusError
from repstore.spec import Edge

SUFFIX, HEADER, NONE = ".sdp", "#SDP 2015", "_"
KINDS = ("dm", "pas", "psd")
TOP = "top"
WIDTH_2014, WIDTH_2015 = 6, 7
"""Columns before those of arguments."""


def read_sdp(path: Path) -> Corpus:
    """Read one file, or all those in a folder.

    Files that are called alike but for their kind (``en.dm.sdp``, ``en.pas.sdp``) have the same sentences,
    and are read as one: words as in the first by name, edges of every kind.
    """
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise CorpusError(f"{path} has no semantic dependencies. Expected files NAME.dm{SUFFIX} in it.")
    alike: dict[str, list[Path]] = {}
    for file in files:
        alike.setdefault(name_and_kind(file)[0], []).append(file)
    banks = [
        Bank(partial(_together, group), split_of(name), _language(name)) for name, group in alike.items()
    ]
    name = path.resolve().name if path.is_dir() else path.name.removesuffix(SUFFIX)
    return bank_corpus(name or "sdp", f"sdp:{path}", banks)


def name_and_kind(file: Path) -> tuple[str, str]:
    """``en`` and ``dm`` of ``en.dm.sdp``; the kind is ``sdp`` where the name has none."""
    stem = file.name.removesuffix(SUFFIX)
    name, _, kind = stem.rpartition(".")
    return (name, kind) if kind in KINDS else (stem, "sdp")


def sentences_of(file: Path) -> Iterator[Sentence]:
    """The sentences of a file, their words joined by single blanks.

    Raises:
        CorpusError: a line is malformed.
    """
    _, kind = name_and_kind(file)
    widths = [WIDTH_2014, WIDTH_2015]
    for block in blocks(file):
        rows = []
        for at, line in block:
            if not line.startswith("#"):
                rows.append((at, line.split("\t")))
            elif line.rstrip() == HEADER:
                widths = [WIDTH_2015]
        if rows:
            yield _sentence(rows, kind, widths)
            widths = [_width(rows)]  # of all others, too: a column too many is no frame


def _together(files: Sequence[Path]) -> Iterator[Sentence]:
    """Sentences of files that have the same, with the edges of all."""
    sentences = sentences_of(files[0])
    for file in files[1:]:
        sentences = joined(sentences, sentences_of(file))
    return sentences


def _language(name: str) -> str | None:
    """The language that files such as ``en.dm.sdp`` are called by, if that is two letters."""
    match = re.match(r"([a-z]{2})(?:\.|$)", name)
    return match[1] if match else None


def _sentence(rows: Sequence[tuple[Place, list[str]]], kind: str, widths: Sequence[int]) -> Sentence:
    for n, (at, row) in enumerate(rows, 1):
        _check(at, row, n)
    heads = [n for n, (_, row) in enumerate(rows) if row[5] == "+"]
    n_columns, width = len(rows[0][1]), _width(rows)
    if width not in widths:
        several = " or ".join(str(width + len(heads)) for width in widths)
        raise rows[0][0].refuse(
            f"{n_columns} columns in a sentence with {len(heads)} predicates",
            f"{several}: {' or '.join(map(str, widths))} and one for each predicate",
        )
    tokens: list[Token] = []
    edges: list[Edge] = []
    start = 0
    for n, (at, row) in enumerate(rows):
        if len(row) != n_columns:
            raise at.refuse(f"{len(row)} columns", f"{n_columns} as in the first line of the sentence")
        form, lemma, pos = row[1:4]
        known = None if lemma == NONE != form else lemma
        tokens.append(Token(at, (start, start + len(form)), form, known, None if pos == NONE else pos))
        start += len(form) + 1
        if row[4] == "+":
            edges.append(Edge(kind, None, n, TOP))
        for head, label in zip(heads, row[width:], strict=True):
            if not label.strip():
                raise at.refuse("an empty argument", f'a label, or "{NONE}"')
            if label != NONE:
                edges.append(Edge(kind, head, n, label))
    return Sentence(" ".join(token.form for token in tokens), tuple(tokens), tuple(edges))


def _width(rows: Sequence[tuple[Place, list[str]]]) -> int:
    """Columns of a sentence before those of arguments."""
    return len(rows[0][1]) - sum(row[5] == "+" for _, row in rows)


def _check(at: Place, row: Sequence[str], n: int) -> None:
    """Refuse a line that is not the n-th word of a sentence."""
    if len(row) < WIDTH_2014:
        raise at.refuse(f"{len(row)} columns", "id, form, lemma, pos, top, pred, separated by tabs")
    if row[0] != str(n):
        raise at.refuse(f'id "{row[0]}"', f'"{n}", as words are counted from 1')
    for name, value in zip(("form", "lemma", "pos"), row[1:4], strict=True):
        if not value or (name == "form" and value != value.strip()):
            raise at.refuse(f'{name} "{value}"', "one without blanks at its ends")
    for name, value in zip(("top", "pred"), row[4:6], strict=True):
        if value not in ("+", "-"):
            raise at.refuse(f'{name} "{value}"', "+ or -")
