"""Parts against three readers that know nothing of repstore: pyarrow, DuckDB and polars."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstore.storage.parts import PartFile, write_part

FIRST_ID = 12_345_000_000_000
HALF, FULL = np.float16, np.float32
EDGES = {HALF: [0x0001, 0x83FF, 0x8000, 0x7BFF, 0xFBFF], FULL: [0x1, 0x807FFFFF, 0x80000000, 0x7F7FFFFF]}
"""Least subnormal, greatest subnormal (negative), -0.0, max, min."""

SHAPES = [
    *[(n_rows, 1) for n_rows in (1, 2, 63, 64, 65, 1000)],
    *[(n_rows, d_model) for d_model in (2, 3, 7) for n_rows in (1, 65, 1000)],
    *[(n_rows, 16) for n_rows in (1, 63, 64, 65, 8192)],
    *[(n_rows, 64) for n_rows in (1, 2, 1000, 8192)],
    *[(n_rows, 576) for n_rows in (1, 65, 8192)],
    *[(n_rows, 4096) for n_rows in (1, 2, 64)],
]


def random_layer(n_rows: int, d_model: int, dtype: type, seed: int = 0) -> np.ndarray:
    """Any finite bit pattern, hence subnormals and zeros of both signs; the edges for certain."""
    bits = np.uint16 if dtype is HALF else np.uint32
    infinity = np.asarray(np.inf, dtype).view(bits)
    raw = np.random.default_rng(seed).integers(0, np.iinfo(bits).max, n_rows * d_model, bits, endpoint=True)
    raw[raw & infinity == infinity] &= ~(infinity & -infinity)  # lower the exponent by one
    edges = EDGES[dtype][: raw.size]
    raw[: len(edges)] = edges
    return raw.view(dtype).reshape(n_rows, d_model)


def ids(n_rows: int) -> np.ndarray:
    return FIRST_ID + 3 * np.arange(n_rows)


def write(path: Path, layers: list[np.ndarray]) -> tuple[int, str]:
    return write_part(path, run_id="0123456789abcdef", part=7, word_ids=ids(len(layers[0])), layers=layers)


def read_with_pyarrow(path: Path) -> dict[str, np.ndarray]:
    return columns_of(pq.read_table(path))


def read_with_duckdb(path: Path) -> dict[str, np.ndarray]:
    with duckdb.connect() as connection:
        return columns_of(connection.sql(f"from '{path}'").to_arrow_table())


def read_with_polars(path: Path) -> dict[str, np.ndarray]:
    return columns_of(pl.read_parquet(path).to_arrow())


def columns_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Every column as a matrix, in the dtype that the reader gave it; all lists must be of one length."""
    columns = {"word_id": table["word_id"].to_numpy()}
    for name in table.column_names[1:]:
        lists = table[name].combine_chunks()
        lengths = np.unique(lists.value_lengths().to_numpy())
        assert len(lengths) == 1
        columns[name] = lists.flatten().to_numpy().reshape(-1, lengths[0])
    return columns


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    """`found` may be wider: every float16 is a float32."""
    expected = expected.astype(found.dtype)
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("n_rows", "d_model"), SHAPES)
def test_three_readers_see_the_numbers_that_are_mapped(tmp_path, n_rows, d_model):
    dtypes = [HALF, FULL] if n_rows * d_model > 1 << 20 else [HALF, HALF, FULL]
    layers = [random_layer(n_rows, d_model, dtype, seed) for seed, dtype in enumerate(dtypes)]
    path = tmp_path / "part.parquet"
    write(path, layers)

    part = PartFile(path)
    assert_same_bits(part.word_ids, ids(n_rows))
    for layer, matrix in enumerate(layers):
        assert part.layer(layer).dtype == matrix.dtype
        assert_same_bits(part.layer(layer), matrix)
    for read in (read_with_pyarrow, read_with_duckdb, read_with_polars):
        columns = read(path)
        assert list(columns) == ["word_id", *(f"layer_{layer:02}" for layer in range(len(layers)))]
        assert_same_bits(columns["word_id"], ids(n_rows))
        for layer, matrix in enumerate(layers):
            assert_same_bits(columns[f"layer_{layer:02}"], matrix)


@settings(deadline=None, max_examples=40)
@given(
    n_rows=st.integers(1, 40),
    d_model=st.integers(1, 70),
    dtypes=st.lists(st.sampled_from([HALF, FULL]), min_size=1, max_size=20),
    seed=st.integers(0, 2**32),
)
def test_any_mixture_of_dtypes_comes_back(tmp_path_factory, n_rows, d_model, dtypes, seed):
    layers = [random_layer(n_rows, d_model, dtype, seed + n) for n, dtype in enumerate(dtypes)]
    path = tmp_path_factory.mktemp("part") / "part.parquet"
    write(path, layers)
    table = pq.read_table(path)
    assert [field.type.value_type for field in list(table.schema)[1:]] == [
        pa.float16() if dtype is HALF else pa.float32() for dtype in dtypes
    ]
    columns = columns_of(table)
    for layer, matrix in enumerate(layers):
        assert_same_bits(columns[f"layer_{layer:02}"], matrix)
        assert_same_bits(PartFile(path).layer(layer), matrix)


def test_a_layer_reads_by_offsets_without_repstore(tmp_path):
    """What docs/format.md promises: one page whose last bytes are the aligned matrix."""
    layers = [random_layer(65, 7, dtype, seed) for seed, dtype in enumerate([HALF, FULL, HALF])]
    path = tmp_path / "part.parquet"
    write(path, layers)
    group = pq.read_metadata(path).row_group(0)
    for layer, matrix in enumerate(layers):
        chunk = group.column(1 + layer)
        start = chunk.data_page_offset + chunk.total_compressed_size - matrix.nbytes
        assert start % 64 == 0
        assert_same_bits(np.memmap(path, matrix.dtype, "r", offset=start, shape=matrix.shape), matrix)


def test_mapped_matrices_are_aligned_and_read_only(tmp_path):
    layers = [random_layer(65, 7, dtype) for dtype in (HALF, FULL, HALF)]
    write(tmp_path / "part.parquet", layers)
    part = PartFile(tmp_path / "part.parquet")
    for matrix in (part.word_ids, *(part.layer(layer) for layer in range(3))):
        assert matrix.ctypes.data % 64 == 0
        assert matrix.flags.c_contiguous
        assert not matrix.flags.writeable
        assert not matrix.flags.owndata


def test_the_footer_describes_plain_uncompressed_columns_in_one_row_group(tmp_path):
    layers = [random_layer(65, 7, HALF), random_layer(65, 7, FULL)]
    n_bytes, _ = write(tmp_path / "part.parquet", layers)
    footer = pq.read_metadata(tmp_path / "part.parquet")
    assert (footer.num_row_groups, footer.num_rows) == (1, 65)
    group = footer.row_group(0)
    chunks = [group.column(n) for n in range(3)]
    assert [chunk.num_values for chunk in chunks] == [65, 65 * 7, 65 * 7]
    end_of_last = 4
    for chunk in chunks:
        assert chunk.compression == "UNCOMPRESSED"
        assert set(chunk.encodings) == {"PLAIN", "RLE"}
        assert not chunk.has_dictionary_page
        assert chunk.total_compressed_size == chunk.total_uncompressed_size
        assert chunk.data_page_offset >= end_of_last
        end_of_last = chunk.data_page_offset + chunk.total_compressed_size
    assert end_of_last < n_bytes
    assert group.total_byte_size == sum(chunk.total_uncompressed_size for chunk in chunks)


def test_nothing_in_a_part_is_nullable(tmp_path):
    write(tmp_path / "part.parquet", [random_layer(2, 3, HALF)])
    schema = pq.read_schema(tmp_path / "part.parquet")
    assert not schema.field("word_id").nullable
    assert not schema.field("layer_00").nullable
    assert not schema.field("layer_00").type.value_field.nullable


def test_the_bounds_of_word_ids_are_in_the_footer(tmp_path):
    write(tmp_path / "part.parquet", [random_layer(65, 7, HALF)])
    statistics = pq.read_metadata(tmp_path / "part.parquet").row_group(0).column(0).statistics
    assert (statistics.min, statistics.max, statistics.null_count) == (FIRST_ID, FIRST_ID + 3 * 64, 0)


def test_a_part_says_what_its_numbers_mean(tmp_path):
    write(tmp_path / "part.parquet", [random_layer(2, 3, HALF), random_layer(2, 3, FULL)])
    metadata = pq.read_metadata(tmp_path / "part.parquet").metadata
    assert json.loads(metadata[b"repstore"]) == {
        "format": 1,
        "run_id": "0123456789abcdef",
        "part": 7,
        "n_layers": 2,
        "d_model": 3,
        "dtypes": ["float16", "float32"],
    }


def test_size_and_digest_returned_are_those_of_the_file(tmp_path):
    path = tmp_path / "parts" / "part.parquet"
    n_bytes, sha256 = write(path, [random_layer(100, 16, HALF)])
    assert n_bytes == len(path.read_bytes())
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_numbers_are_the_same_bytes_whatever_their_memory_layout(tmp_path):
    matrix = random_layer(65, 14, HALF)
    write(tmp_path / "once", [matrix, matrix.astype(FULL)])
    write(tmp_path / "again", [matrix, matrix.astype(FULL)])
    write(tmp_path / "by column", [np.asfortranarray(matrix), np.asfortranarray(matrix.astype(FULL))])
    spread = np.zeros((130, 28), HALF)
    spread[::2, ::2] = matrix
    write(tmp_path / "spread", [spread[::2, ::2], matrix.astype(FULL)])
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
