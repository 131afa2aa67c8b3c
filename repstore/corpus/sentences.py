"""Sentences of an XML file whose words are elements, ``<wf>`` and ``<instance>``, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from repstore.corpus.source import Place
from repstore.errors import CorpusError

BLOCK = 1 << 16
"""Bytes read at a time; no more of a file than this and one sentence is held."""

WORDS = ("wf", "instance")
EXPECTED = "sentences of <wf> and <instance>"


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """One element of a sentence: a word or punctuation, its blanks single; `id` if its sense is annotated."""

    at: Place
    id: str | None
    form: str
    lemma: str | None
    pos: str | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of a sentence, in order, and the language that the file says it is in."""

    words: tuple[MarkedWord, ...]
    language: str | None


def sentences(path: Path) -> Iterator[Sentence]:
    """The sentences of a file that have any words.

    Entities that a file declares are refused, as a few lines of them expand to gigabytes; those that all of
    XML knows, such as ``&apos;``, are decoded. Nothing outside the file is read.

    Raises:
        CorpusError: the file cannot be read, is not XML, or has something else in a sentence.
    """
    parser = expat.ParserCreate()
    reader = _Reader(path, parser)
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                parser.Parse(block, False)
                yield from reader.take()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Place(path, error.lineno).refuse(
            f"not XML ({expat.ErrorString(error.code)})", EXPECTED
        ) from None
    except (LookupError, ValueError) as error:  # an encoding that it is said to be in
        raise Place(path, 1).refuse(str(error), "a file in UTF-8") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None
    yield from reader.take()


class _Reader:
    """Listens to a parser and collects sentences until they are taken."""

    def __init__(self, path: Path, parser: expat.XMLParserType) -> None:
        self._path, self._parser = path, parser
        self._done: list[Sentence] = []
        self._language: str | None = None
        self._words: list[MarkedWord] | None = None
        self._open: tuple[Place, str, dict[str, str]] | None = None
        self._text = ""
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_entity

    def take(self) -> list[Sentence]:
        """What was completed since the last time."""
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        at = Place(self._path, self._parser.CurrentLineNumber)
        if self._words is None:
            if tag == "corpus":
                self._language = attributes.get("lang") or None
            elif tag == "sentence":
                self._words = []
            elif tag in WORDS:
                raise at.refuse(f"<{tag}> outside of a sentence", EXPECTED)
        elif self._open is not None or tag not in WORDS:
            raise at.refuse(f"<{tag}> in a {'word' if self._open else 'sentence'}", EXPECTED)
        else:
            self._open, self._text = (at, tag, attributes), ""

    def _end(self, tag: str) -> None:
        if self._open is not None:
            self._close(*self._open)
        elif tag == "sentence" and self._words is not None:
            if self._words:
                self._done.append(Sentence(tuple(self._words), self._language))
            self._words = None

    def _close(self, at: Place, tag: str, attributes: dict[str, str]) -> None:
        self._open = None
        name = attributes.get("id") if tag == "instance" else None
        lemma, pos = attributes.get("lemma") or None, attributes.get("pos") or None
        form = self._text
        if lemma and "_" in lemma:
            form = form.replace("_", " ")  # as some conversions write the words of an expression
        form = " ".join(form.split())
        if tag == "instance" and not (name and form):
            raise at.refuse(f"an instance without {'a form' if name else 'an id'}", "both")
        if form and self._words is not None:
            self._words.append(MarkedWord(at, name, form, lemma, pos))

    def _characters(self, data: str) -> None:
        if self._open is not None:
            self._text += data
        elif self._words is not None and data.strip():
            at = Place(self._path, self._parser.CurrentLineNumber)
            raise at.refuse(f'"{data.strip()}" between the words of a sentence', EXPECTED)

    def _refuse_entity(self, name: str, *_: Any) -> None:
        at = Place(self._path, self._parser.CurrentLineNumber)
        raise at.refuse(f'entity "{name}"', "a file without entities of its own")
