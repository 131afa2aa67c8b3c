"""What a reader returns, and what readers share."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repstore.errors import CorpusError
from repstore.spec import Edge, Pair, Text, WordChoice

CHUNK = re.compile(r"\S+")
"""A stretch between blanks; `Word.position` counts these."""

SEVERAL = ";"
"""Joins the senses or labels of a word that has several."""


@dataclass(frozen=True)
class Corpus:
    """A named corpus. `texts`, `pairs` and `edges` start a fresh pass over the source at every call.

    Words are numbered in the order of the texts; pairs and edges refer to these ordinals. `words` says
    whether they are the annotated ones or all words of the texts; `splits`, of which splits, if not of all
    there are.
    """

    name: str
    source: str
    texts: Callable[[], Iterator[Text]]
    pairs: Callable[[], Iterator[Pair]]
    words: WordChoice = "targets"
    splits: tuple[str, ...] | None = None
    edges: Callable[[], Iterator[Edge]] = lambda: iter(())


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, for errors to point at."""

    path: Path
    line: int

    def refuse(self, problem: str, expected: str) -> CorpusError:
        """The error for what is wrong there."""
        return CorpusError(f"{self.path}:{self.line}: {problem}. Expected {expected}.")


def lines(path: Path) -> Iterator[tuple[Place, str]]:
    """The lines of a UTF-8 file with their places, without line ends or a byte order mark.

    Raises:
        CorpusError: as `lines_with_ends`.
    """
    return ((at, line.rstrip("\r\n")) for at, line in lines_with_ends(path))


def lines_with_ends(path: Path) -> Iterator[tuple[Place, str]]:
    """The same with their line ends, which may be part of a value.

    Raises:
        CorpusError: the file cannot be read or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                raw = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                try:
                    yield Place(path, number), raw.decode()
                except UnicodeDecodeError as error:
                    problem = f"{path}:{number}: not UTF-8 ({error.reason})"
                    raise CorpusError(f"{problem}. Convert the file to UTF-8.") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None


def language_of(folder: Path) -> str | None:
    """The language that a folder is called by, such as ``zh``; None if its name is not two letters."""
    name = folder.resolve().name
    return name if re.fullmatch("[a-z]{2}", name) else None


def position_of(text: str, start: int) -> int:
    """`Word.position` of a word that begins at this character: the stretch between blanks that holds it."""
    return sum(chunk.start() <= start for chunk in CHUNK.finditer(text)) - 1
