"""Everything that fixes bytes on disk: format version, table schemas, part columns, JSON schemas, DDL."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import pyarrow as pa

FORMAT_VERSION = 2
"""Version of the layout described in docs/format.md; a store of a newer version is refused."""

PART_FORMAT = 1
"""What parts say their format is: the first store version whose parts have these very bytes."""

MAX_PART_ROWS = 8192
"""Most words in one part."""

PART_BYTES = 1 << 30
"""Most bytes of vectors in one part, as float16; a part is also the unit of memory of an ingest."""

ALIGNMENT = 64
"""The first value of every layer in a part stands at a multiple of this many bytes."""

WORD_ID = "word_id"

ID_STRIDE = 10**9
"""Ids are ``corpus code * ID_STRIDE + ordinal``: unique in a store and fixed by the corpus alone."""

TEXTS = pa.schema(
    [
        pa.field("text_id", pa.int64(), nullable=False),
        pa.field("corpus_id", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("language", pa.string()),
    ]
)

WORDS = pa.schema(
    [
        pa.field(WORD_ID, pa.int64(), nullable=False),
        pa.field("text_id", pa.int64(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("char_start", pa.int32(), nullable=False),
        pa.field("char_end", pa.int32(), nullable=False),
        pa.field("form", pa.string(), nullable=False),
        pa.field("lemma", pa.string()),
        pa.field("pos", pa.string()),
        pa.field("sense", pa.string()),
        pa.field("gloss", pa.string()),
        pa.field("spans", pa.list_(pa.list_(pa.int32())), nullable=False),
    ]
)

PAIRS = pa.schema(
    [
        pa.field("pair_id", pa.int64(), nullable=False),
        pa.field("corpus_id", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("word_a", pa.int64(), nullable=False),
        pa.field("word_b", pa.int64(), nullable=False),
        pa.field("label", pa.bool_()),
        pa.field("score", pa.float64()),
    ]
)

EDGES = pa.schema(
    [
        pa.field("corpus_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("word_a", pa.int64()),
        pa.field("word_b", pa.int64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
    ]
)

SKIPPED = pa.schema(
    [
        pa.field(WORD_ID, pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("n_tokens", pa.int32()),
        pa.field("rendered", pa.string(), nullable=False),
    ]
)


def layer_column(layer: int) -> str:
    """Name of a layer's column in a part: ``layer_08``."""
    return f"layer_{layer:02d}"


def rows_per_part(n_layers: int, d_model: int) -> int:
    """Words per part: as many float16 rows of all layers as fit in `PART_BYTES`, at most `MAX_PART_ROWS`."""
    return max(1, min(MAX_PART_ROWS, PART_BYTES // (n_layers * d_model * 2)))


def json_schema(name: str) -> dict[str, Any]:
    """The JSON schema of files such as ``store``, ``corpus``, ``run``, ``part`` or ``index``."""
    schema: dict[str, Any] = json.loads(_read(f"{name}.schema.json"))
    return schema


def catalog_ddl() -> str:
    """SQL that creates the tables of ``catalog.duckdb``."""
    return _read("catalog.sql")


def _read(file: str) -> str:
    return importlib.resources.files(__name__).joinpath(file).read_text(encoding="utf-8")
