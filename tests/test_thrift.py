"""The oracles: bytes worked out by hand from the compact protocol, a naive decoder, and pyarrow."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstore.storage import parquet, thrift

I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "80 01"), (300, "ac 02"), (16_384, "80 80 01")],
)
def test_varints_are_seven_bits_a_byte_lowest_first(number, expected):
    assert thrift.varint(number) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (-2, "03"),
        (63, "7e"),
        (64, "80 01"),
        (-64, "7f"),
        (2**31 - 1, "fe ff ff ff 0f"),
        (-(2**31), "ff ff ff ff 0f"),
    ],
)
def test_integers_are_zigzag_varints(number, expected):
    assert thrift.i32(number) == (I32, bytes.fromhex(expected))
    assert thrift.i64(number) == (I64, bytes.fromhex(expected))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(2**63 - 1, "fe" + 8 * "ff" + "01"), (-(2**63), 9 * "ff" + "01"), (2**32, "80 80 80 80 20")],
)
def test_integers_of_64_bits_keep_all_of_them(number, expected):
    assert thrift.i64(number).data == bytes.fromhex(expected)


def test_binaries_have_their_length_in_bytes_before_them():
    assert thrift.binary("") == (BINARY, b"\x00")
    assert thrift.binary("aé") == (BINARY, bytes.fromhex("03 61 c3 a9"))
    assert thrift.binary(b"\xff" * 200) == (BINARY, bytes.fromhex("c8 01") + b"\xff" * 200)


def test_lists_of_up_to_14_have_their_length_in_the_head():
    assert thrift.array([thrift.i32(n) for n in (1, 2, 3)]) == (LIST, bytes.fromhex("35 02 04 06"))
    assert thrift.array([thrift.i64(0)] * 14).data == bytes.fromhex("e6") + bytes(14)


def test_longer_lists_have_their_length_after_the_head():
    assert thrift.array([thrift.i32(0)] * 15).data == bytes.fromhex("f5 0f") + bytes(15)
    assert thrift.array([thrift.binary("")] * 300).data == bytes.fromhex("f8 ac 02") + bytes(300)


def test_struct_fields_are_numbered_by_steps():
    encoded = thrift.struct({1: thrift.i32(1), 2: thrift.i64(-1), 5: thrift.binary("x")})
    assert encoded == (STRUCT, bytes.fromhex("15 02  16 01  38 01 78  00"))


def test_steps_over_15_spell_the_field_number_out():
    encoded = thrift.struct({15: thrift.i32(0), 31: thrift.i32(0), 32: thrift.i32(0)})
    assert encoded.data == bytes.fromhex("f5 00  05 3e 00  15 00  00")


def test_field_numbers_of_a_nested_struct_start_anew():
    inner = thrift.struct({1: thrift.i32(5)})
    encoded = thrift.struct({3: inner, 4: thrift.array([inner, inner])})
    assert encoded.data == bytes.fromhex("3c 15 0a 00  19 2c 15 0a 00 15 0a 00  00")


def test_an_empty_struct_is_a_stop_byte():
    assert thrift.struct({}).data == b"\x00"


integers = st.one_of(
    st.tuples(st.just(I32), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(I64), st.integers(-(2**63), 2**63 - 1)),
)
leaves = st.one_of(integers, st.tuples(st.just(BINARY), st.binary(max_size=40)))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(
            st.just(STRUCT), st.dictionaries(st.integers(1, 60), inner).map(lambda d: dict(sorted(d.items())))
        ),
        inner.flatmap(lambda one: st.tuples(st.just(LIST), st.lists(st.just(one), min_size=1, max_size=20))),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(values)
def test_what_is_encoded_decodes_to_itself(value):
    encoded = _encode(value)
    stream = io.BytesIO(encoded.data)
    assert (encoded.kind, _decode(stream, encoded.kind)) == value
    assert stream.read() == b""


@pytest.mark.parametrize("n_layers", [1, 13, 14, 15, 40])
def test_pyarrow_reads_footers_written_with_it(n_layers):
    """Lists change their form at 15 entries; the footer has one of 1 + n_layers columns."""
    word_ids = np.array([-(2**62), 0, 2**62])
    layers = [np.full((3, 2), n, np.float16) for n in range(n_layers)]
    metadata = {"key": "välue", "long": "x" * 1000}
    footer = pq.read_metadata(io.BytesIO(b"".join(parquet.encode(word_ids, layers, metadata))))
    assert (footer.num_rows, footer.num_row_groups, footer.num_columns) == (3, 1, 1 + n_layers)
    assert footer.metadata == {b"key": "välue".encode(), b"long": b"x" * 1000}
    assert footer.created_by == "repstore"
    columns = [footer.row_group(0).column(n) for n in range(1 + n_layers)]
    assert [column.path_in_schema for column in columns] == [
        "word_id",
        *(f"layer_{n:02}.list.element" for n in range(n_layers)),
    ]
    assert columns[0].statistics.min == -(2**62)
    assert columns[0].statistics.max == 2**62


def _encode(value) -> thrift.Value:
    kind, content = value
    if kind == LIST:
        return thrift.array([_encode(item) for item in content])
    if kind == STRUCT:
        return thrift.struct({number: _encode(field) for number, field in content.items()})
    return {I32: thrift.i32, I64: thrift.i64, BINARY: thrift.binary}[kind](content)


def _decode(stream: io.BytesIO, kind: int):
    """The compact protocol, read the slow way."""
    if kind in (I32, I64):
        return _decode_integer(stream)
    if kind == BINARY:
        return stream.read(_decode_varint(stream))
    if kind == LIST:
        head = stream.read(1)[0]
        n = head >> 4 if head >> 4 < 15 else _decode_varint(stream)
        return [(head & 15, _decode(stream, head & 15)) for _ in range(n)]
    fields, number = {}, 0
    while head := stream.read(1)[0]:
        number = number + (head >> 4) if head >> 4 else _decode_integer(stream)
        fields[number] = (head & 15, _decode(stream, head & 15))
    return fields


def _decode_integer(stream: io.BytesIO) -> int:
    raw = _decode_varint(stream)
    return -(raw + 1) // 2 if raw % 2 else raw // 2


def _decode_varint(stream: io.BytesIO) -> int:
    digits = []
    while not digits or digits[-1] >= 128:
        digits.append(stream.read(1)[0])
    return sum((digit % 128) * 128**place for place, digit in enumerate(digits))
