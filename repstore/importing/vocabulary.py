"""Files with a vector per word of a vocabulary, as word2vec, fastText and GloVe write them, read as a stream.

Text has a word and its numbers on a line, all with single blanks between; a word may have blanks itself, as
some of GloVe's do, so numbers are counted from the end. word2vec and fastText begin with a line of two
counts. word2vec's binary layout has the same first line, then of every word its bytes, a blank, and float32
numbers, little-endian, perhaps with a line end after them.
"""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from repstore.corpus.source import Place
from repstore.errors import CorpusError
from repstore.importing.tables import SHOWN

CHUNK = 1 << 20
"""Bytes read at a time."""

NUMERIC = frozenset(b"0123456789+-.eE naifNAIF\r")
"""Bytes that numbers are written with, infinite ones and those that are none included."""

GZIP = b"\x1f\x8b"
UNPACK = "is a {} archive. Unpack it, and give the file of vectors that is in it."
OTHERS = {
    b"PK\x03\x04": UNPACK.format(".zip"),
    b"BZh91AY&": UNPACK.format(".bz2"),
    b"\xfd7zXZ\x00": UNPACK.format(".xz"),
    b"\x28\xb5\x2f\xfd": UNPACK.format(".zst"),
    b"\xba\x16\x4f\x2f": "is a model of fastText (.bin). Give the .vec of the same name as fasttext:, "
    'or what "fasttext print-word-vectors" makes of it as glove:.',
}
"""How files begin that vectors are handed out in and that are not read, and what to do then."""

LONGEST = 1 << 16
"""Bytes of a word beyond which a file is not what it is said to be."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the beginning of a file says: numbers per vector, words if that is said, and the layout."""

    d_model: int
    n_words: int | None
    is_binary: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of a vocabulary, and its numbers as they are written."""

    at: Place
    word: bytes
    numbers: bytes
    is_binary: bool

    def vector(self) -> np.ndarray:
        """The numbers. *Shape:* (d_model,), float32.

        Raises:
            CorpusError: one of them is no number.
        """
        if self.is_binary:
            return np.frombuffer(self.numbers, "<f4")
        try:
            with np.errstate(over="ignore"):
                return np.array([float(number) for number in self.numbers.split(b" ")]).astype(np.float32)
        except ValueError as error:
            raise self.at.refuse(str(error), "a word and its numbers, with single blanks between") from None


class Vocabulary:
    """A file of the kind ``word2vec``, ``fasttext`` or ``glove``; perhaps compressed by gzip."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path, self._kind = path, kind

    def shape(self) -> Shape:
        """What the beginning of the file says.

        Raises:
            CorpusError: it is not of this kind.
        """
        first = Place(self._path, 1)
        with self._file() as file:
            line = file.readline(CHUNK).rstrip()
            counts = line.split()
            has_counts = len(counts) == 2 and all(count.isdigit() for count in counts)
            if self._kind == "glove":
                if has_counts or b" " not in line:
                    raise first.refuse(
                        f'"{line[:SHOWN].decode(errors="replace")}"',
                        "a word and its numbers, with single blanks between; files that begin with two "
                        "counts are word2vec: or fasttext:",
                    )
                return Shape(line.count(b" "), None, False)
            if not has_counts or int(counts[1]) < 1:
                raise first.refuse(
                    f'"{line[:SHOWN].decode(errors="replace")}"',
                    "two counts, of words and of numbers; files without are glove:",
                )
            n_words, d_model = map(int, counts)
            is_binary = self._kind == "word2vec" and not _is_text(file.read(CHUNK), d_model)
            return Shape(d_model, n_words, is_binary)

    def entries(self, shape: Shape) -> Iterator[Entry]:
        """The words, in order.

        Raises:
            CorpusError: a line has more or fewer numbers, or the file more or fewer words, than it should.
        """
        n_read = 0
        with self._file() as file:
            if shape.n_words is not None:
                file.readline()
            for entry in self._binary(file, shape) if shape.is_binary else self._text(file, shape):
                yield entry
                n_read += 1
        if shape.n_words not in (None, n_read):
            raise CorpusError(
                f"{self._path} has {n_read:,} words; its first line says {shape.n_words:,}. Get it anew."
            )

    def _text(self, file: IO[bytes], shape: Shape) -> Iterator[Entry]:
        d_model = shape.d_model
        for number, raw in enumerate(file, 1 if shape.n_words is None else 2):
            line = raw.rstrip()
            if not line:
                continue
            at = Place(self._path, number)
            n_blanks = line.count(b" ")
            if n_blanks == d_model:
                word, _, numbers = line.partition(b" ")
                yield Entry(at, word, numbers, False)
                continue
            if n_blanks < d_model or all(map(_is_number, line.split(b" ")[1:-d_model])):
                raise at.refuse(f"a word and {n_blanks} numbers", f"{d_model} numbers, as at the beginning")
            word = line.rsplit(b" ", d_model)[0]
            yield Entry(at, word, line[len(word) + 1 :], False)

    def _binary(self, file: IO[bytes], shape: Shape) -> Iterator[Entry]:
        size, held, start = 4 * shape.d_model, b"", 0
        for number in range(1, (shape.n_words or 0) + 1):
            while (blank := held.find(b" ", start)) < 0 or blank + 1 + size > len(held):
                chunk = file.read(CHUNK)
                if not chunk or (blank < 0 and len(held) - start > LONGEST):
                    raise CorpusError(
                        f"{self._path}: word {number:,} of {shape.n_words:,} is not whole. Get the file anew."
                    )
                held, start = held[start:] + chunk, 0
            end = blank + 1 + size
            word = held[start:blank].lstrip(b"\n")
            if b"\n" in word:  # which no program writes, and every other one passes over
                problem = f"word {number:,} has a line end in it, or the word before it a blank"
                raise CorpusError(
                    f"{self._path}: {problem}. Neither can be told in binary: write it as text."
                )
            yield Entry(Place(self._path, number), word, held[blank + 1 : end], True)
            start = end
        if (held[start:] + file.read(1)).strip():
            raise CorpusError(f"{self._path} goes on after the {shape.n_words:,} words that it says it has.")

    @contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        """The file, its bytes as they were before it was compressed, after a byte order mark.

        Raises:
            CorpusError: it cannot be read, or is of a kind that is not.
        """
        try:
            with self._path.open("rb") as file:
                beginning = file.read(8)
            for mark, what in OTHERS.items():
                if beginning.startswith(mark):
                    raise CorpusError(f"{self._path} {what}")
            is_packed = self._path.suffix == ".gz" or beginning.startswith(GZIP)
            with gzip.open(self._path, "rb") if is_packed else self._path.open("rb") as file:
                if file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
                    file.read(len(BOM_UTF8))
                yield file  # type: ignore[misc]  # gzip's files are not of the type that it says they are
        except (OSError, EOFError, zlib.error) as error:
            raise CorpusError(f"{self._path} cannot be read: {error}.") from None


def _is_text(beginning: bytes, d_model: int) -> bool:
    """Whether the first word is followed by numbers that are written out, blanks between, on a line."""
    _, _, after = beginning.partition(b" ")
    line = after.split(b"\n")[0]
    return len(line) >= 2 * d_model - 1 and all(byte in NUMERIC for byte in line)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
