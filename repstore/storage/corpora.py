"""Corpora on disk: four Parquet files and a JSON file each, immutable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from math import isfinite
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repstore.corpus import Corpus
from repstore.errors import CorpusError, StoreError
from repstore.schemas import EDGES, ID_STRIDE, PAIRS, TEXTS, WORDS
from repstore.spec import CorpusInfo, Edge, Pair, Text, Word
from repstore.storage.files import (
    TEMPORARY,
    draft_of,
    fresh_folder,
    publish,
    read_json,
    sha256_of,
    sync_file,
    sync_folder,
    write_json,
)
from repstore.storage.layout import CorpusLayout, Layout

ROWS = 16_384
"""Rows per row group, so that any block of rows is found without reading what precedes it."""

FIRST_CODE, CODES = 10_000, 90_000
"""Corpora are told apart in ids by a five-digit code taken from their digest."""


def identify(corpus: Corpus, name: str | None = None) -> CorpusInfo:
    """Read a corpus once, checking all of it, and say what it is. Nothing is written.

    Raises:
        CorpusError: malformed input, or no words in it.
    """
    tally = _Tally(corpus)
    for _ in chain(tally.texts(), tally.pairs(), tally.edges()):
        pass
    return tally.info(name)


def write_corpus(layout: Layout, corpus: Corpus, info: CorpusInfo) -> CorpusInfo:
    """Add a corpus to a store, whole or not at all, unless the store has it already.

    Returns:
        The corpus as the store knows it, which may be under another name.

    Raises:
        StoreError: another corpus of the store has this name, or (one chance in 90,000) this code.
        CorpusError: the source changed while it was read.
    """
    final = layout.corpus(info.corpus_id)
    if final.info.exists():
        return read_corpus(final)[0]
    for other in read_corpora(layout):
        if other.name == info.name:
            raise StoreError(
                f'{layout.root} has another corpus named "{info.name}" (from {other.source}). '
                "Give this one a name of its own with --corpus-name."
            )
        if other.code == info.code:
            raise StoreError(
                f'The ids of {info.source} would clash with those of corpus "{other.name}". '
                "Ingest it into another store."
            )
    draft = CorpusLayout(fresh_folder(draft_of(final.root)))
    tally = _Tally(corpus)
    try:
        _write_texts_and_words(draft, tally, info)
        _write_pairs(draft, tally, info)
        _write_edges(draft, tally, info)
    except OSError:
        shutil.rmtree(draft.root)  # a full disk, above all: give its space back
        raise
    if tally.info(info.name) != info:
        raise CorpusError(f"{info.source} changed while it was read. Run the command again.")
    files = {path.name: sha256_of(path) for path in draft.tables.values()}
    write_json(draft.info, dataclasses.asdict(info) | {"files": files})
    sync_folder(draft.root)
    publish(draft.root, final.root)
    return info


def read_corpora(layout: Layout) -> list[CorpusInfo]:
    """The corpora of a store, by name."""
    folders = (path for path in layout.corpora.glob("*") if path.is_dir() and path.suffix != TEMPORARY)
    found = [read_corpus(CorpusLayout(path))[0] for path in folders]
    return sorted(found, key=lambda info: info.name)


def read_corpus(files: CorpusLayout) -> tuple[CorpusInfo, dict[str, str]]:
    """What ``corpus.json`` says: the corpus, and the SHA-256 of its other files by name."""
    value = read_json(files.info)
    digests: dict[str, str] = value.pop("files")
    splits = value["splits"] and tuple(value["splits"])
    return CorpusInfo(**value | {"splits": splits}), digests


def read_rows(path: Path, start: int, stop: int) -> pa.Table:
    """Rows `start` to `stop` of a table of a corpus, reading only the row groups that hold them."""
    with pq.ParquetFile(path) as file:
        first, last = start // ROWS, min(-(-stop // ROWS), file.num_row_groups)
        table = file.read_row_groups(list(range(first, last)))
    return table.slice(start - first * ROWS, stop - start)


def read_words_with_texts(
    files: CorpusLayout, start: int, stop: int
) -> tuple[pa.Table, list[str], list[int]]:
    """Words `start` to `stop` by ordinal, the texts that hold them, and which of these each is in."""
    words = read_rows(files.words, start, stop)
    text_ids = words["text_id"].to_numpy()
    first_text = text_ids[0] - read_rows(files.texts, 0, 1)["text_id"][0].as_py()
    texts = read_rows(files.texts, first_text, first_text + text_ids[-1] - text_ids[0] + 1)
    return words, texts["text"].to_pylist(), (text_ids - text_ids[0]).tolist()


class _Tally:
    """Counts and hashes what is read of a corpus while somebody else makes use of it."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._sha = hashlib.sha256()
        self._n_texts = self._n_words = self._n_pairs = self._n_edges = 0

    def texts(self) -> Iterator[Text]:
        """The texts. There must be a word in them."""
        for text in self._corpus.texts():
            self._add([text.text, [_fields_of_word(word) for word in text.words], text.split, text.language])
            self._n_texts += 1
            self._n_words += len(text.words)
            yield text
        if not self._n_words:
            raise CorpusError(f"{self._corpus.source} has no words. Check that it is the file you mean.")

    def pairs(self) -> Iterator[Pair]:
        """The pairs, to be read after the texts."""
        for pair in self._corpus.pairs():
            if pair.score is not None and not isfinite(pair.score):
                raise CorpusError(f"{self._corpus.source}: pair {self._n_pairs} has the score {pair.score}.")
            self._add(_fields_of_pair(pair))
            self._n_pairs += 1
            yield pair

    def edges(self) -> Iterator[Edge]:
        """The edges, to be read after the pairs."""
        for edge in self._corpus.edges():
            self._add(_fields_of_edge(edge))
            self._n_edges += 1
            yield edge

    def _add(self, fields: Sequence[object]) -> None:
        self._sha.update(json.dumps(fields).encode() + b"\n")

    def info(self, name: str | None) -> CorpusInfo:
        """What the corpus is, now that all of it was read."""
        if max(self._n_texts, self._n_words, self._n_pairs) >= ID_STRIDE:
            limit = f"a corpus holds up to {ID_STRIDE:,} words"
            raise CorpusError(f"{self._corpus.source} is too large: {limit}.")
        corpus_id = self._sha.hexdigest()[:16]
        return CorpusInfo(
            corpus_id=corpus_id,
            name=name or self._corpus.name,
            source=self._corpus.source,
            words=self._corpus.words,
            splits=self._corpus.splits,
            code=FIRST_CODE + int(corpus_id, 16) % CODES,
            n_texts=self._n_texts,
            n_words=self._n_words,
            n_pairs=self._n_pairs,
            n_edges=self._n_edges,
        )


_fields_of_word = attrgetter(*(field.name for field in dataclasses.fields(Word)))
_fields_of_pair = attrgetter(*(field.name for field in dataclasses.fields(Pair)))
_fields_of_edge = attrgetter(*(field.name for field in dataclasses.fields(Edge)))
_columns_of_word = attrgetter(*("pieces" if name == "spans" else name for name in WORDS.names[2:]))


class _Table:
    """A Parquet file that is written row by row."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row, its values in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) == ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, down to the disk."""
        if self._rows:
            self._flush()
        self._writer.close()
        sync_file(self._path)

    def _flush(self) -> None:
        columns = zip(zip(*self._rows, strict=True), self._schema.types, strict=True)
        arrays = [pa.array(values, of_type) for values, of_type in columns]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=ROWS)
        self._rows.clear()


def _write_texts_and_words(files: CorpusLayout, tally: _Tally, info: CorpusInfo) -> None:
    base = info.code * ID_STRIDE
    n_words = 0
    texts, words = _Table(files.texts, TEXTS), _Table(files.words, WORDS)
    for n, text in enumerate(tally.texts(), base):
        texts.add((n, info.corpus_id, text.split, text.text, text.language))
        for word in text.words:
            words.add((base + n_words, n, *_columns_of_word(word)))
            n_words += 1
    texts.close()
    words.close()


def _write_pairs(files: CorpusLayout, tally: _Tally, info: CorpusInfo) -> None:
    base = info.code * ID_STRIDE
    pairs = _Table(files.pairs, PAIRS)
    for n, pair in enumerate(tally.pairs(), base):
        words = (base + pair.word_a, base + pair.word_b)
        pairs.add((n, info.corpus_id, pair.split, *words, pair.label, pair.score))
    pairs.close()


def _write_edges(files: CorpusLayout, tally: _Tally, info: CorpusInfo) -> None:
    base = info.code * ID_STRIDE
    edges = _Table(files.edges, EDGES)
    for edge in tally.edges():
        head = None if edge.head is None else base + edge.head
        edges.add((info.corpus_id, edge.kind, head, base + edge.dependent, edge.label))
    edges.close()
