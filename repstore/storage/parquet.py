"""The bytes of a part: a Parquet file whose list columns are aligned row-major matrices.

Every layer is a ``required LIST<required FLOAT16>`` (or ``FLOAT``) with one uncompressed, plain-encoded
data page, so any Parquet reader sees lists of numbers, while the last ``n_rows * d_model`` values of the
page are the layer's matrix and can be mapped. Row boundaries are repetition levels: a 0 and then
``d_model - 1`` ones per row, as two runs of the RLE hybrid encoding. docs/format.md is the specification.
"""

from __future__ import annotations

import struct as packing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from repstore.schemas import ALIGNMENT, WORD_ID, layer_column
from repstore.storage import thrift
from repstore.storage.thrift import Value, varint

MAGIC = b"PAR1"
CREATED_BY = "repstore"

# Enums of parquet.thrift.
_INT64, _FLOAT, _FIXED = 2, 4, 7
_REQUIRED, _REPEATED = 0, 2
_PLAIN, _RLE = 0, 3
_CONVERTED_LIST = 3
_EMPTY = thrift.struct({})
_LOGICAL_LIST = thrift.struct({3: _EMPTY})
_LOGICAL_FLOAT16 = thrift.struct({15: _EMPTY})


def encode(
    word_ids: np.ndarray, layers: Sequence[np.ndarray], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """The bytes of a Parquet file, as chunks to write one after the other.

    Args:
        word_ids: *Shape:* (n_words,), int64, ascending; at least one.
        layers: one matrix per layer, each *Shape:* (n_words, d_model), float16 or float32, C order.
        metadata: key-value metadata of the file.
    """
    n_rows = len(word_ids)
    position = len(MAGIC)
    yield MAGIC
    columns, n_bytes = [], 0
    paths = [[WORD_ID], *([layer_column(n), "list", "element"] for n in range(len(layers)))]
    for path, matrix in zip(paths, [word_ids, *layers], strict=True):
        head = _page_head(matrix)
        start = -(-(position + len(head)) // ALIGNMENT) * ALIGNMENT - len(head)
        yield bytes(start - position) + head
        yield np.ascontiguousarray(matrix).reshape(-1).view(np.uint8).data
        position = start + len(head) + matrix.nbytes
        columns.append(_column_chunk(path, matrix, start, position - start))
        n_bytes += position - start
    footer = thrift.struct(
        {
            1: thrift.i32(2),  # version: FLOAT16 is a logical type
            2: thrift.array(_schema(layers)),
            3: thrift.i64(n_rows),
            4: thrift.array([_row_group(columns, n_bytes, n_rows)]),
            5: thrift.array(
                [
                    thrift.struct({1: thrift.binary(key), 2: thrift.binary(value)})
                    for key, value in metadata.items()
                ]
            ),
            6: thrift.binary(CREATED_BY),
            7: thrift.array([thrift.struct({1: _EMPTY})] * len(columns)),  # order: by type
        }
    ).data
    yield footer + packing.pack("<I", len(footer)) + MAGIC


def _page_head(matrix: np.ndarray) -> bytes:
    """Page header and levels: all of a data page that precedes the values."""
    levels = b"" if matrix.ndim == 1 else _levels(*matrix.shape)
    size = len(levels) + matrix.nbytes
    header = thrift.struct(
        {
            1: thrift.i32(0),  # DATA_PAGE
            2: thrift.i32(size),
            3: thrift.i32(size),
            5: thrift.struct(
                {
                    1: thrift.i32(matrix.size),
                    2: thrift.i32(_PLAIN),
                    3: thrift.i32(_RLE),
                    4: thrift.i32(_RLE),
                }
            ),
        }
    )
    return header.data + levels


def _levels(n_rows: int, d_model: int) -> bytes:
    """Repetition levels (0, then ones, per row) and definition levels (all 1), length-prefixed."""
    new_list = _run(0, 1)
    rest = _run(1, d_model - 1) if d_model > 1 else b""
    repetition = (new_list + rest) * n_rows
    definition = _run(1, n_rows * d_model)
    return b"".join(packing.pack("<I", len(part)) + part for part in (repetition, definition))


def _run(level: int, length: int) -> bytes:
    return varint(length << 1) + bytes([level])


def _physical(matrix: np.ndarray) -> int:
    return {"int64": _INT64, "float16": _FIXED, "float32": _FLOAT}[matrix.dtype.name]


def _schema(layers: Sequence[np.ndarray]) -> list[Value]:
    root = {4: thrift.binary("schema"), 5: thrift.i32(1 + len(layers))}
    elements = [
        thrift.struct(root),
        thrift.struct({1: thrift.i32(_INT64), 3: thrift.i32(_REQUIRED), 4: thrift.binary(WORD_ID)}),
    ]
    for layer, matrix in enumerate(layers):
        leaf = {1: thrift.i32(_physical(matrix))}
        if matrix.dtype == np.float16:
            leaf[2] = thrift.i32(2)
        leaf |= {3: thrift.i32(_REQUIRED), 4: thrift.binary("element")}
        if matrix.dtype == np.float16:
            leaf[10] = _LOGICAL_FLOAT16
        elements += [
            thrift.struct(
                {
                    3: thrift.i32(_REQUIRED),
                    4: thrift.binary(layer_column(layer)),
                    5: thrift.i32(1),
                    6: thrift.i32(_CONVERTED_LIST),
                    10: _LOGICAL_LIST,
                }
            ),
            thrift.struct({3: thrift.i32(_REPEATED), 4: thrift.binary("list"), 5: thrift.i32(1)}),
            thrift.struct(leaf),
        ]
    return elements


def _column_chunk(path: Sequence[str], matrix: np.ndarray, start: int, size: int) -> Value:
    metadata = {
        1: thrift.i32(_physical(matrix)),
        2: thrift.array([thrift.i32(_PLAIN), thrift.i32(_RLE)]),
        3: thrift.array([thrift.binary(name) for name in path]),
        4: thrift.i32(0),  # UNCOMPRESSED
        5: thrift.i64(matrix.size),
        6: thrift.i64(size),
        7: thrift.i64(size),
        9: thrift.i64(start),
    }
    if matrix.ndim == 1:  # ids ascend: readers can pass over parts by these bounds
        metadata[12] = thrift.struct(
            {
                3: thrift.i64(0),
                5: thrift.binary(matrix[-1].tobytes()),
                6: thrift.binary(matrix[0].tobytes()),
            }
        )
    return thrift.struct({2: thrift.i64(start), 3: thrift.struct(metadata)})


def _row_group(columns: Sequence[Value], n_bytes: int, n_rows: int) -> Value:
    return thrift.struct({1: thrift.array(columns), 2: thrift.i64(n_bytes), 3: thrift.i64(n_rows)})
