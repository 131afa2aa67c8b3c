"""What a reader returns, and what readers share."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repstore.errors import CorpusError
from repstore.spec import Pair, Text, WordChoice

CHUNK = re.compile(r"\S+")
"""A stretch between blanks; `Word.position` counts these."""


@dataclass(frozen=True)
class Corpus:
    """A named corpus. `texts` and `pairs` start a fresh pass over the source at every call.

    Words are numbered in the order of the texts; pairs refer to these ordinals. `words` says whether they are
    the annotated ones or all words of the texts.
    """

    name: str
    source: str
    texts: Callable[[], Iterator[Text]]
    pairs: Callable[[], Iterator[Pair]]
    words: WordChoice = "targets"


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without line ends or a byte order mark.

    Raises:
        CorpusError: the file cannot be read or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                raw = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                try:
                    yield number, raw.decode().rstrip("\r\n")
                except UnicodeDecodeError as error:
                    problem = f"{path}:{number}: not UTF-8 ({error.reason})"
                    raise CorpusError(f"{problem}. Convert the file to UTF-8.") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None


def refuse(path: Path, line: int, problem: str, expected: str) -> CorpusError:
    """The error for a malformed line."""
    return CorpusError(f"{path}:{line}: {problem}. Expected {expected}.")
