"""What a reader makes of a file of vectors, and what readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from repstore.corpus import Corpus
from repstore.errors import ArgumentError, CorpusError, NotFoundError, check_choice, did_you_mean
from repstore.schemas import ID_STRIDE
from repstore.spec import Axes, CorpusInfo, LookUpBy, LookUpCase, Progress, SkipReason
from repstore.storage.layout import Layout
from repstore.storage.pairs import BESIDE, pairs_beside

Tell = Callable[[Progress], None]
"""Told how far something is."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be imported.

    Attributes:
        source: ``format:path``.
        layout: the store.
        corpora: those of the store.
        words: file that says of which words the vectors are.
        corpus: name of the corpus of the store that they are of.
        by: what of a word is looked up in a vocabulary.
        case: how it is.
        axes: what the first two axes of an array are.
    """

    source: str
    layout: Layout
    corpora: tuple[CorpusInfo, ...] = ()
    words: Path | None = None
    corpus: str | None = None
    by: LookUpBy = "form"
    case: LookUpCase = "exact"
    axes: Axes | None = None

    def __post_init__(self) -> None:
        check_choice("by", self.by, get_args(LookUpBy))
        check_choice("case", self.case, get_args(LookUpCase))
        if self.axes is not None:
            check_choice("axes", self.axes, get_args(Axes))

    def known(self) -> CorpusInfo:
        """The corpus of the store that the vectors are over: the one named, or the only one.

        Raises:
            ArgumentError: none is named, and there is not exactly one.
            NotFoundError: there is none of that name.
        """
        names = [corpus.name for corpus in self.corpora]
        if not names:
            raise NotFoundError(
                f"{self.layout.root} has no corpus that these vectors could be over. Make one with "
                '"repstore ingest", or import vectors that bring theirs along.'
            )
        if self.corpus is None and len(names) > 1:
            raise ArgumentError(f"Say over which corpus, with --corpus: {', '.join(names)}.")
        for corpus in self.corpora:
            if self.corpus in (None, corpus.name):
                return corpus
        raise NotFoundError(f'No corpus "{self.corpus}". {did_you_mean(self.corpus or "", names)}')

    def of_ids(self, word_ids: np.ndarray) -> CorpusInfo | None:
        """The corpus of the store to which the first of these words belongs, if it has it."""
        if self.corpus is not None:
            return self.known()
        code = int(word_ids[0]) // ID_STRIDE
        return next((corpus for corpus in self.corpora if corpus.code == code), None)


@dataclass(frozen=True, eq=False)
class Block:
    """Vectors of words that follow each other in a corpus.

    Attributes:
        words: places in the block of those that have vectors. *Shape:* (n,), int64, ascending.
        layers: their vectors, to be gone through once. *Shape of each layer's:* (n, d_model), numbers.
    """

    words: np.ndarray
    layers: Iterable[np.ndarray]


@dataclass(frozen=True, eq=False)
class Opened:
    """Vectors that are ready to be read.

    Attributes:
        block: the vectors of words ``start`` to ``stop`` of the corpus, by ordinal.
        n_words: how many words have one, at most.
        notes: what a user should know of the file.
    """

    block: Callable[[int, int], Block]
    n_words: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Source:
    """A file of vectors that was looked at, not read through.

    Attributes:
        name: what it is called.
        files: what the numbers are in.
        words: what says which word each vector is of; None if `files` say it themselves.
        layers: what each layer is called there.
        d_model: numbers in a vector.
        pattern: how the vector of a word is found, in short.
        lacking: why a word has no vector if it is not found.
        corpus: over which words: a corpus of the store, or one that comes along.
        open: make it ready, given the corpus, and tell how far that is.
    """

    name: str
    files: tuple[Path, ...]
    words: Path | None
    layers: tuple[str, ...]
    d_model: int
    pattern: str
    lacking: SkipReason
    corpus: CorpusInfo | Corpus
    open: Callable[[CorpusInfo, Tell], Opened]


def name_of(path: Path) -> str:
    """What a file is called, less its ending and that of its compression."""
    return path.with_suffix("").stem if path.suffix == ".gz" else path.stem


def files_of(path: Path) -> tuple[Path, ...]:
    """The file, or the files of Parquet in a folder, in the order of their names; not those of pairs."""
    if not path.is_dir():
        return (path,)
    return tuple(sorted(file for file in path.glob("*.parquet") if not file.name.endswith(BESIDE)))


def pairs_of(path: Path) -> list[Path]:
    """The files of pairs of the same words: the one beside a file, or all that a folder has."""
    if path.is_dir():
        return sorted(path.glob(f"*{BESIDE}"))
    return [beside] if (beside := pairs_beside(path)).exists() else []


class Watched:
    """Files as they are now: what is read of them later has to be what they are identified by."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._states = {path: _state(path) for path in files}

    def check(self) -> None:
        """Go on, if they are as they were.

        Raises:
            CorpusError: one was written to, replaced or removed.
        """
        for path, state in self._states.items():
            if _state(path) != state:
                raise CorpusError(f"{path} changed while it was read. Import it when it is as it shall be.")


def _state(path: Path) -> tuple[int, ...] | None:
    if not path.exists():
        return None
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def from_rows(rows: np.ndarray, take: Callable[[np.ndarray], Iterable[np.ndarray]]) -> Opened:
    """Vectors that are the rows of something.

    Args:
        rows: of every word of a corpus, its row; -1 for none. *Shape:* (n_words,), int64.
        take: some rows, layer by layer. *Shape of each:* (len(rows), d_model).
    """

    def block(start: int, stop: int) -> Block:
        words = np.flatnonzero(rows[start:stop] >= 0)
        return Block(words, take(rows[start:stop][words]))

    return Opened(block, int(np.count_nonzero(rows >= 0)))
