"""Corpora on disk: three Parquet files and a JSON file each, immutable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from repstore.corpus import Corpus
from repstore.errors import CorpusError, StoreError
from repstore.schemas import ID_STRIDE, PAIRS, TEXTS, WORDS
from repstore.spec import CorpusInfo
from repstore.storage.files import (
    TEMPORARY,
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
    sha = hashlib.sha256()
    counts = {"texts": 0, "words": 0, "pairs": 0}
    for text in corpus.texts():
        sha.update(json.dumps(dataclasses.astuple(text)).encode() + b"\n")
        counts["texts"] += 1
        counts["words"] += len(text.words)
    if not counts["words"]:
        raise CorpusError(f"{corpus.source} has no words. Check that it is the file you mean.")
    for pair in corpus.pairs():
        sha.update(json.dumps(dataclasses.astuple(pair)).encode() + b"\n")
        counts["pairs"] += 1
    if max(counts.values()) >= ID_STRIDE:
        raise CorpusError(f"{corpus.source} is too large: a corpus holds up to {ID_STRIDE:,} words.")
    corpus_id = sha.hexdigest()[:16]
    return CorpusInfo(
        corpus_id=corpus_id,
        name=name or corpus.name,
        source=corpus.source,
        words=corpus.words,
        code=FIRST_CODE + int(corpus_id, 16) % CODES,
        n_texts=counts["texts"],
        n_words=counts["words"],
        n_pairs=counts["pairs"],
    )


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
    draft = CorpusLayout(fresh_folder(final.root.with_name(final.root.name + TEMPORARY)))
    tables = {
        draft.texts: (TEXTS, _text_rows(corpus, info)),
        draft.words: (WORDS, _word_rows(corpus, info)),
        draft.pairs: (PAIRS, _pair_rows(corpus, info)),
    }
    for path, (schema, rows) in tables.items():
        _write_table(path, schema, rows)
    if identify(corpus, info.name) != info:
        raise CorpusError(f"{info.source} changed while it was read. Run the command again.")
    files = {path.name: sha256_of(path) for path in tables}
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
    return CorpusInfo(**value), digests


def read_rows(path: Path, start: int, stop: int) -> pa.Table:
    """Rows `start` to `stop` of a table of a corpus, reading only the row groups that hold them."""
    with pq.ParquetFile(path) as file:
        first, last = start // ROWS, min(-(-stop // ROWS), file.num_row_groups)
        table = file.read_row_groups(list(range(first, last)))
    return table.slice(start - first * ROWS, stop - start)


def _write_table(path: Path, schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while block := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(block, schema), row_group_size=ROWS)
    sync_file(path)


def _text_rows(corpus: Corpus, info: CorpusInfo) -> Iterator[dict[str, Any]]:
    for n, text in enumerate(corpus.texts(), info.code * ID_STRIDE):
        yield {
            "text_id": n,
            "corpus_id": info.corpus_id,
            "split": text.split,
            "text": text.text,
            "language": text.language,
        }


def _word_rows(corpus: Corpus, info: CorpusInfo) -> Iterator[dict[str, Any]]:
    base = info.code * ID_STRIDE
    n_words = 0
    for n, text in enumerate(corpus.texts()):
        for word in text.words:
            ids = {"word_id": base + n_words, "text_id": base + n}
            yield ids | dataclasses.asdict(word) | {"spans": word.pieces}
            n_words += 1


def _pair_rows(corpus: Corpus, info: CorpusInfo) -> Iterator[dict[str, Any]]:
    base = info.code * ID_STRIDE
    for n, pair in enumerate(corpus.pairs()):
        yield dataclasses.asdict(pair) | {
            "pair_id": base + n,
            "corpus_id": info.corpus_id,
            "word_a": base + pair.word_a,
            "word_b": base + pair.word_b,
        }
