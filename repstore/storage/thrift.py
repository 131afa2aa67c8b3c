"""The thrift compact protocol, as far as Parquet page headers and footers need it.

Source: Apache Thrift, "Thrift compact protocol encoding"; field numbers from parquet.thrift 2.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


class Value(NamedTuple):
    """An encoded value and its compact type."""

    kind: int
    data: bytes


def varint(number: int) -> bytes:
    """Unsigned LEB128."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _zigzag(number: int) -> bytes:
    return varint((number << 1) ^ (number >> 63))


def i32(number: int) -> Value:
    """A 32-bit integer or an enum."""
    return Value(_I32, _zigzag(number))


def i64(number: int) -> Value:
    """A 64-bit integer."""
    return Value(_I64, _zigzag(number))


def binary(data: bytes | str) -> Value:
    """Bytes, or a string as UTF-8."""
    raw = data.encode() if isinstance(data, str) else data
    return Value(_BINARY, varint(len(raw)) + raw)


def array(items: Sequence[Value]) -> Value:
    """A list of at least one value, all of one type."""
    kind = items[0].kind
    n = len(items)
    head = bytes([n << 4 | kind]) if n < 15 else bytes([0xF0 | kind]) + varint(n)
    return Value(_LIST, head + b"".join(item.data for item in items))


def struct(fields: dict[int, Value]) -> Value:
    """A struct: field number to value, numbers ascending."""
    encoded = bytearray()
    last = 0
    for number, value in fields.items():
        step = number - last
        if 0 < step < 16:
            encoded.append(step << 4 | value.kind)
        else:
            encoded += bytes([value.kind]) + _zigzag(number)
        encoded += value.data
        last = number
    encoded.append(0)
    return Value(_STRUCT, bytes(encoded))
