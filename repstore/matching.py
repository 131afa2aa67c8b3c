"""Which rows of two results belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repstore.errors import ArgumentError
from repstore.results import ResultTable

IDENTIFYING = (
    *("run", "run_id", "layer", "layer_a", "layer_b", "of_layer", "query", "label", "feature", "target"),
    *("word_id", "neighbor", "word_a", "word_b", "pair_id", "text_id", "corpus", "split"),
)
"""Columns that say what a row is of, wherever they stand."""


@dataclass(frozen=True, eq=False)
class Match:
    """Rows that belong together: those of the first table in order, then those that only the second has.

    Attributes:
        on: the columns that they are matched by.
        differing: columns in which all of the first differs from all of the second: name, and both values.
        rows: row in either table, null where it has none. *Shape of each:* (n_rows,), int64.
    """

    on: list[str]
    differing: list[tuple[str, Any, Any]]
    rows: tuple[pa.Array, pa.Array]


def alike(a: pa.Table, b: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Two tables whose common columns have common types: a layer is text beside mixes, else a number.

    A column of nothing but nulls takes the type that it has where there are values.
    """
    for name in [name for name in a.column_names if name in b.column_names]:
        types = [table.schema.field(name).type for table in (a, b)]
        if types[0] != types[1]:
            known = [kind for kind in types if not pa.types.is_null(kind)]
            both = (
                known[0] if len(known) == 1 else pa.float64() if all(map(is_number, types)) else pa.string()
            )
            a, b = (_with_type(table, name, both) for table in (a, b))
    return a, b


def _with_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    """A table, one column of which is cast: lists and bytes to how Python writes them, if to text."""
    column = table[name]
    if pa.types.is_string(kind) and (pa.types.is_nested(column.type) or pa.types.is_binary(column.type)):
        column = pa.array([None if one is None else str(one) for one in column.to_pylist()], kind)
    column = column.cast(kind, safe=False)  # of integers that floats do not hold, the nearest float
    return table.set_column(table.column_names.index(name), name, column)


def match(
    results: tuple[ResultTable, ResultTable],
    tables: tuple[pa.Table, pa.Table],
    names: tuple[str, str],
    on: Sequence[str] | None,
) -> Match:
    """Match rows by the columns of the figures (x, series, also) and by `IDENTIFYING` ones that both have.

    A column that has one value in all of a table and another in all of the other, such as the run when the
    same was asked of two runs, is what they differ in, and rows are not matched by it. If that does not tell
    the rows of a table apart, further columns that hold no floats do, from the left.

    Args:
        results, names: for figures, and for messages.
        tables: their rows, `alike`.
        on: match rows by these columns instead.

    Raises:
        ArgumentError: there is no such column, or it holds lists, rows cannot be told apart, or none is in
            both.
    """
    differing = _differing(tables) if on is None else []
    keys = _keys(results, tables, [name for name, *_ in differing]) if on is None else list(dict.fromkeys(on))
    for table, name in zip(tables, names, strict=True):
        lacking = [key for key in keys if key not in table.column_names]
        if lacking:
            raise ArgumentError(f'"{name}" has no column {lacking[0]}, but {", ".join(table.column_names)}.')
        if nested := [key for key in keys if pa.types.is_nested(table.schema.field(key).type)]:
            raise ArgumentError(f'Rows cannot be matched by "{nested[0]}", which holds lists.')
        if not _tells_apart(table, keys):
            which = f" with the same {', '.join(keys)}" if keys else ""
            raise ArgumentError(f'"{name}" has several rows{which}. Name columns that tell rows apart (on).')
    codes = _codes(tables, keys)
    in_a, in_b = codes[: len(tables[0])], codes[len(tables[0]) :]
    _, of_a, of_b = np.intersect1d(in_a, in_b, assume_unique=True, return_indices=True)
    if not len(of_a):
        raise ArgumentError(
            f'"{names[0]}" and "{names[1]}" have no row in common: none has the same {", ".join(keys)}.'
        )
    partner = np.full(len(in_a), -1)
    partner[of_a] = of_b
    is_alone = np.ones(len(in_b), bool)
    is_alone[of_b] = False
    only_b = np.flatnonzero(is_alone)
    rows_a = np.concatenate([np.arange(len(in_a)), np.full(len(only_b), -1)])
    rows_b = np.concatenate([partner, only_b])
    return Match(keys, differing, (pa.array(rows_a, mask=rows_a < 0), pa.array(rows_b, mask=rows_b < 0)))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can be subtracted."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _differing(tables: tuple[pa.Table, pa.Table]) -> list[tuple[str, Any, Any]]:
    """Identifying columns that have one value in all of a table, and another in all of the other."""
    found = []
    for name in IDENTIFYING:
        if all(name in table.column_names for table in tables):
            one, other = (pc.unique(table[name]).to_pylist() for table in tables)
            if len(one) == len(other) == 1 and one != other:
                found.append((name, one[0], other[0]))
    return found


def _keys(
    results: tuple[ResultTable, ResultTable], tables: tuple[pa.Table, pa.Table], differing: Sequence[str]
) -> list[str]:
    """The columns that rows are matched by."""
    figures = [one.figure for one in results if one.figure is not None]
    known = {name for of in figures for name in (of.x, of.series, *of.also)} | set(IDENTIFYING)
    a, b = tables
    common = [name for name in a.column_names if name in b.column_names and name not in differing]
    keys = [name for name in common if name in known]
    kinds = {name: a.schema.field(name).type for name in common if name not in keys}
    others = [
        name
        for name, kind in kinds.items()
        if not pa.types.is_floating(kind) and not pa.types.is_nested(kind)
    ]
    while others and not all(_tells_apart(table, keys) for table in tables):
        keys.append(others.pop(0))
    return keys


def _tells_apart(table: pa.Table, keys: Sequence[str]) -> bool:
    if not keys:
        return len(table) <= 1
    return bool(table.group_by(list(keys), use_threads=False).aggregate([]).num_rows == len(table))


def _codes(tables: tuple[pa.Table, pa.Table], keys: Sequence[str]) -> np.ndarray:
    """A number for each row of both tables, the same for rows with the same values; null is a value, too."""
    both = pa.concat_tables([table.select(keys) for table in tables])
    codes = np.zeros(sum(map(len, tables)), np.int64)
    for key in keys:
        encoded = pc.dictionary_encode(both[key].combine_chunks(), null_encoding="encode")
        pairs = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
        codes = np.unique(pairs, return_inverse=True)[1]
    return codes
