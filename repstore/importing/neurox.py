"""HDF5 with a dataset per sentence, as NeuroX and the programs of ELMo write it.

Datasets are called "0", "1" and so on; each has the vectors of a sentence's tokens, (n_layers, n_tokens,
d_model), or (n_tokens, d_model) for a single layer. "sentence_to_index" has JSON that says which sentence
each is of, its tokens with blanks between; where one came before, NeuroX adds " (Occurrence 2)" to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.corpus import Corpus
from repstore.corpus.source import lines
from repstore.errors import CorpusError, MissingExtraError
from repstore.importing.narrowing import as_float
from repstore.importing.source import Block, Opened, Request, Source, Tell, name_of
from repstore.spec import CorpusInfo, Span, Text, Word
from repstore.storage.corpora import read_words_with_texts
from repstore.storage.layout import CorpusLayout

if TYPE_CHECKING:
    import h5py

SENTENCES = "sentence_to_index"
AGAIN = re.compile(r" \(Occurrence \d+\)$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A dataset and the tokens that it has vectors of."""

    key: str
    tokens: tuple[str, ...]


def open_neurox(path: Path, request: Request) -> Source:
    """Vectors of tokens: over a corpus of them, or of the words of a corpus of the store, if one is named."""
    file = _File(path)
    sentences = file.sentences(request.words)
    n_layers, d_model = shape = file.check(sentences)
    known = None if request.corpus is None else request.known()

    def open_(corpus: CorpusInfo, _: Tell) -> Opened:
        if known is None:
            return Opened(_Tokens(file, sentences, shape).block, corpus.n_words)
        files = request.layout.corpus(corpus.corpus_id)
        return Opened(_Matched(file, sentences, shape, files).block, corpus.n_words)

    return Source(
        name=name_of(path),
        files=(path,),
        words=request.words,
        layers=tuple(f"[{layer}]" for layer in range(n_layers)),
        d_model=d_model,
        pattern="[layer, token]" if known is None else "[layer, tokens]",
        lacking="no_vector",
        corpus=known or _corpus(path, sentences),
        open=open_,
    )


def _corpus(path: Path, sentences: Sequence[Sentence]) -> Corpus:
    """Every sentence a text, its tokens with blanks between, and every token a word."""

    def texts() -> Iterator[Text]:
        for sentence in sentences:
            ends = accumulate(map(len, sentence.tokens), lambda end, length: end + 1 + length)
            words = [
                Word(n, end - len(token), end, token)
                for n, (token, end) in enumerate(zip(sentence.tokens, ends, strict=True))
            ]
            yield Text(" ".join(sentence.tokens), tuple(words))

    return Corpus(path.stem, f"neurox:{path}", texts, lambda: iter(()))


class _File:
    """An open HDF5 file."""

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError:
            raise MissingExtraError(
                "HDF5 needs h5py. Install it with: pip install 'repstore[exchange]'"
            ) from None
        self.path = path
        try:
            self._file: h5py.File = h5py.File(path, "r")
        except OSError as error:
            raise CorpusError(f"{path} cannot be read as HDF5: {error}") from None
        self._latest: tuple[str, np.ndarray] | None = None

    def vectors(self, key: str) -> np.ndarray:
        """The vectors of a sentence, read once for words that follow each other.

        *Shape:* (n_layers, n_tokens, d_model).
        """
        if self._latest is None or self._latest[0] != key:
            try:
                read = self._file[key][()]
            except OSError as error:
                raise CorpusError(f'{self.path}: dataset "{key}" cannot be read: {error}') from None
            self._latest = key, read[None] if read.ndim == 2 else read
        return self._latest[1]

    def sentences(self, words: Path | None) -> list[Sentence]:
        """The tokens of every dataset, from a file of sentences or from the datasets' own list."""
        keys = sorted((key for key in self._file if key.isdecimal()), key=int)
        if not keys:
            raise CorpusError(f'{self.path} has no dataset "0". Expected one per sentence, called by number.')
        if words is not None:
            texts = {str(n): line for n, (_, line) in enumerate(lines(words))}
        elif SENTENCES in self._file:
            texts = self._listed()
        else:
            raise CorpusError(
                f'{self.path} has no "{SENTENCES}". Say which sentences it is of, with --words: a file '
                "of one a line, with blanks between tokens."
            )
        return [Sentence(key, self._tokens(key, texts.get(key))) for key in keys]

    def _listed(self) -> dict[str, str]:
        try:
            listed: dict[str, Any] = json.loads(np.asarray(self._file[SENTENCES]).reshape(-1)[0])
            return {str(key): sentence for sentence, key in listed.items()}
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise CorpusError(f'{self.path}: "{SENTENCES}" is not JSON of sentences: {error}') from None

    def _tokens(self, key: str, sentence: str | None) -> tuple[str, ...]:
        shape = tuple(getattr(self._file[key], "shape", ()))
        kind = getattr(self._file[key], "dtype", np.dtype(object))
        if len(shape) not in (2, 3) or 0 in (*shape[:-2], shape[-1]) or kind.kind not in "iuf":
            raise CorpusError(
                f'{self.path}: dataset "{key}" has the shape {shape}, of {kind}. '
                "Expected numbers, (n_layers, n_tokens, d_model)."
            )
        if sentence is None:
            raise CorpusError(f'{self.path}: nothing says which sentence dataset "{key}" is of.')
        tokens = tuple(sentence.split())
        if len(tokens) != shape[-2]:
            tokens = tuple(AGAIN.sub("", sentence).split())
        if len(tokens) != shape[-2]:
            raise CorpusError(
                f'{self.path}: dataset "{key}" has {shape[-2]} tokens, and its sentence {len(tokens)} '
                f'("{sentence[:60]}"). Expected tokens with blanks between, as they were encoded.'
            )
        return tokens

    def check(self, sentences: Sequence[Sentence]) -> tuple[int, int]:
        """How many layers there are, and numbers in a vector: the same in all datasets."""
        shapes = {key: self._file[key].shape for key in (sentence.key for sentence in sentences)}
        kinds = {key: (1 if len(shape) == 2 else shape[0], shape[-1]) for key, shape in shapes.items()}
        first = next(iter(kinds))
        for key, kind in kinds.items():
            if kind != kinds[first]:
                raise CorpusError(
                    f'{self.path}: dataset "{key}" has the shape {shapes[key]}, and "{first}" '
                    f"{shapes[first]}. Expected the same layers and numbers in all."
                )
        return kinds[first]


class _Tokens:
    """Every token of every sentence, in order."""

    def __init__(self, file: _File, sentences: Sequence[Sentence], shape: tuple[int, int]) -> None:
        self._file, self._sentences, self._shape = file, sentences, shape
        self._ends = np.cumsum([len(sentence.tokens) for sentence in sentences])

    def block(self, start: int, stop: int) -> Block:
        """The vectors of some of them."""
        layers = empty(self._shape, stop - start)
        first = start
        at = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            end = int(self._ends[at])
            begin = end - len(self._sentences[at].tokens)
            vectors = self._file.vectors(self._sentences[at].key)
            until = min(stop, end)
            layers[:, start - first : until - first] = as_float(vectors[:, start - begin : until - begin])
            start, at = until, at + 1
        return Block(np.arange(stop - first), layers)


class _Matched:
    """Words of a corpus whose texts are among the sentences: as they are, or else blanks aside."""

    def __init__(
        self, file: _File, sentences: Sequence[Sentence], shape: tuple[int, int], files: CorpusLayout
    ) -> None:
        self._file, self._shape, self._files = file, shape, files
        self._by_text: dict[str, Sentence] = {}
        for between in (" ", ""):
            for sentence in sentences:
                self._by_text.setdefault(between.join(sentence.tokens), sentence)

    def block(self, start: int, stop: int) -> Block:
        """Of each word, the mean of the tokens that overlap it."""
        words, texts, of_text = read_words_with_texts(self._files, start, stop)
        layers = empty(self._shape, stop - start)
        places: list[int] = []
        for n, (text, spans) in enumerate(zip(of_text, words["spans"].to_pylist(), strict=True)):
            sentence = self._sentence(texts[text])
            if sentence is not None and (tokens := overlapping(texts[text], spans, sentence.tokens)):
                vectors = as_float(self._file.vectors(sentence.key)[:, tokens])
                layers[:, len(places)] = vectors.mean(axis=1, dtype=np.float32)
                places.append(n)
        return Block(np.array(places, np.int64), layers[:, : len(places)])

    def _sentence(self, text: str) -> Sentence | None:
        """That of a text. "the rapist" is not "therapist", unless there is no other."""
        stretches = text.split()
        return self._by_text.get(" ".join(stretches)) or self._by_text.get("".join(stretches))


def empty(shape: tuple[int, int], n_words: int) -> np.ndarray:
    """Room for vectors of some words, given layers and numbers. *Shape:* (n_layers, n_words, d_model)."""
    return np.empty((shape[0], n_words, shape[1]), np.float32)


def overlapping(text: str, spans: Sequence[Span], tokens: Sequence[str]) -> list[int]:
    """The tokens of a text that share characters with some stretches of it, blanks aside."""
    before = [0, *accumulate(not character.isspace() for character in text)]
    stretches = [(before[start], before[end]) for start, end in spans]
    ends = list(accumulate(map(len, tokens)))
    return [
        n
        for n, (token, end) in enumerate(zip(tokens, ends, strict=True))
        if any(max(start, end - len(token)) < min(stop, end) for start, stop in stretches)
    ]
