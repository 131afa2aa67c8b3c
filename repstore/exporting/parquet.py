"""Parquet with a list column per layer, which any reader of Parquet knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repstore.exporting.content import PROVENANCE, Content
from repstore.storage.annotation import ANNOTATION
from repstore.storage.uses import marked

VECTOR = "vector"
IN_TEXT = "in_text"


def write_parquet(content: Content, path: Path) -> None:
    """Words with their annotation, and their vectors in a list column per layer; a block is a row group."""
    _write(content, path, ANNOTATION, {name: name for name in content.layers}, lambda words: words)


def write_atlas(content: Content, path: Path) -> None:
    """The same for embedding-atlas: one column `vector`, and the text with the word marked as `in_text`.

    It shows one text at a point, and the same sentence at all its words would not tell them apart.
    """
    (layer,) = content.layers
    schema = ANNOTATION.append(pa.field(IN_TEXT, pa.string(), nullable=False))

    def with_marked(words: pa.Table) -> pa.Table:
        places = words.select(["text", "char_start", "char_end"])
        texts = [marked(place) for place in places.to_pylist()]
        return words.append_column(schema.field(IN_TEXT), pa.array(texts, pa.string()))

    _write(content, path, schema, {VECTOR: layer}, with_marked)


def write_words(content: Content, path: Path) -> None:
    """The annotation alone, row by row as the vectors stand in another file."""
    with _writer(content, path, ANNOTATION) as writer:
        for words in content.word_blocks():
            writer.write_table(words)


def write_pairs(pairs: pa.Table, provenance: str, path: Path) -> None:
    """Pairs of words whose `word_id` the file beside has."""
    pq.write_table(pairs.replace_schema_metadata({PROVENANCE: provenance}), path)


def companion(path: Path) -> Path:
    """The file of the words beside a file that can hold vectors only."""
    return path.with_suffix(".words.parquet")


def lists_of(matrix: np.ndarray) -> pa.ListArray:
    """The rows of a matrix as lists, without a copy of the numbers. *Shape:* (n, d), float16 or float32."""
    n, width = matrix.shape
    offsets = pa.array(np.arange(0, n * width + 1, width, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.reshape(-1)), type=_lists(matrix.dtype))


def _lists(dtype: np.dtype[np.float16 | np.float32]) -> pa.DataType:
    return pa.list_(pa.field("element", pa.from_numpy_dtype(dtype), nullable=False))


def _write(
    content: Content,
    path: Path,
    words_schema: pa.Schema,
    columns: Mapping[str, str],
    words_of: Callable[[pa.Table], pa.Table],
) -> None:
    """Write words and vectors. `columns`: which layer goes into which column."""
    lists = [
        pa.field(name, _lists(content.dtype_of(layer)), nullable=False) for name, layer in columns.items()
    ]
    schema = pa.schema([*words_schema, *lists])
    with _writer(content, path, schema) as writer:
        for here, matrices in content.blocks(*columns.values()):
            words = words_of(content.words(here))
            table = pa.table([*words.columns, *map(lists_of, matrices)], schema=schema)
            writer.write_table(table, row_group_size=table.num_rows)


def _writer(content: Content, path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer that compresses words, and spends no time on vectors: they are noise to it."""
    vectors = {f"{field.name}.list.element" for field in schema if pa.types.is_list(field.type)}
    words = [field.name for field in schema if not pa.types.is_list(field.type)]
    return pq.ParquetWriter(
        path,
        schema.with_metadata({PROVENANCE: content.provenance}),
        compression=dict.fromkeys(words, "snappy") | dict.fromkeys(vectors, "none"),
        use_dictionary=words,
        write_statistics=words,
    )
