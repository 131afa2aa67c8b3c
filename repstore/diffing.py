"""What changed from one result to another: rows matched by what they are of, and their numbers subtracted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from repstore.errors import ArgumentError
from repstore.matching import Match, alike, is_number, match
from repstore.provenance import ASKED
from repstore.results import Figure, ResultTable

A, B, CHANGE = "_a", "_b", "_change"
"""Endings of the columns of a number: in the first result, in the second, and by how much that is more."""

FOUND_IN = "found_in"
SHOWN = 12
"""Most differences of the provenance that notes list."""


def diff(
    a: tuple[str, ResultTable],
    b: tuple[str, ResultTable],
    on: Sequence[str] | None = None,
    stale: Sequence[str] = (),
) -> ResultTable:
    """What changed from result `a` to result `b`, as `Store.diff_results` returns it.

    Args:
        a, b: each with its name.
        on: columns to match rows by; those of `matching.match` unless given.
        stale: names of those that were computed from what is another by now, or gone.

    Raises:
        ArgumentError: they answer different questions, have no number that they are about or no row in
            common, or their rows cannot be told apart.
    """
    (name_a, first), (name_b, second) = a, b
    _check_questions(a, b)
    tables = alike(first.table, second.table)
    matched = match((first, second), tables, (name_a, name_b), on)
    main, ends = _main(first), _ends(first)
    numbers = _numbers(tables, matched.on, main)
    figure = _figure(first, second, [name for name in main if name in numbers], matched.on)
    by = f"matched by {', '.join(matched.on)}" if matched.on else "one in each"
    n_a, n_b = (rows.null_count for rows in reversed(matched.rows))
    notes = [
        f"a is {name_a}, b is {name_b}, a change is b - a. Rows: {by}.",
        *(f"{column}: {one} in a, {other} in b." for column, one, other in matched.differing),
        *([f"Rows only in a: {n_a:,}; only in b: {n_b:,}."] if n_a or n_b else []),
        *_notes_on_columns(first, second, numbers),
        *_notes_on_provenance(first, second),
        *(f'"{name}" is stale: what it was computed from is another by now, or gone.' for name in stale),
    ]
    if ends:
        notes.append("Intervals are those of each result by itself; there is none for a change.")
    return ResultTable(
        pa.table(_columns(tables, matched, numbers, main, ends)),
        f"{name_b} less {name_a}: {second.title}",
        units={
            name + end: second.units[name]
            for name in numbers
            if name in second.units
            for end in (A, B, CHANGE)
        },
        provenance={
            "a": name_a,
            "b": name_b,
            "on": matched.on,
            "provenance_a": dict(first.provenance),
            "provenance_b": dict(second.provenance),
        },
        figure=figure,
        notes=notes,
    )


def _check_questions(a: tuple[str, ResultTable], b: tuple[str, ResultTable]) -> None:
    """Refuse answers to different questions."""
    asked = [one.provenance.get(ASKED, {}).get("question") for _, one in (a, b)]
    if asked[0] != asked[1]:
        told = [
            f'"{name}" is of {what or "no question"}' for (name, _), what in zip((a, b), asked, strict=True)
        ]
        raise ArgumentError(f"{' and '.join(told)}: their numbers are not of the same kind.")


def _main(result: ResultTable) -> list[str]:
    """What a result is about: the numbers that are drawn, if any are."""
    figure = result.figure
    if figure is None or figure.kind not in ("curve", "matrix", "panels"):
        return []
    return [y for y, _ in figure.panels] if figure.kind == "panels" else [figure.y]


def _ends(result: ResultTable) -> set[str]:
    """Ends of intervals, whose change would mean nothing."""
    figure = result.figure
    bands = [] if figure is None else [figure.band, *(band for _, band in figure.panels)]
    return {end for band in bands for end in band or () if end in result.columns}


def _numbers(tables: tuple[pa.Table, pa.Table], keys: Sequence[str], main: Sequence[str]) -> list[str]:
    """The numbers that both have.

    Raises:
        ArgumentError: there is none, or none that the results are about.
    """
    kinds = [{field.name: field.type for field in table.schema if field.name not in keys} for table in tables]
    names = [name for name, kind in kinds[0].items() if name in kinds[1] and is_number(kind)]
    if not names or (main and not set(main) & set(names)):
        raise ArgumentError(
            f"The results measure different things: {', '.join(kinds[0])} in a; {', '.join(kinds[1])} in b."
        )
    return names


def _columns(
    tables: tuple[pa.Table, pa.Table],
    matched: Match,
    numbers: Sequence[str],
    main: Sequence[str],
    ends: set[str],
) -> dict[str, pa.ChunkedArray]:
    """The columns of the answer: what the results are about, its intervals, and all else."""
    a, b = (table.take(rows) for table, rows in zip(tables, matched.rows, strict=True))
    of_a, of_b = map(pc.is_valid, matched.rows)
    is_both = pc.and_(of_a, of_b)
    columns = {key: pc.coalesce(a[key], b[key]) for key in matched.on}
    passed = {*matched.on, *(name for name, *_ in matched.differing)}
    common = [name for name in a.column_names if name in b.column_names and name not in passed]
    for name in sorted(common, key=lambda name: (name not in main, name not in ends)):
        if name not in main and a[name].filter(is_both).equals(b[name].filter(is_both)):
            columns[name] = pc.if_else(of_a, a[name], b[name])
            continue
        columns |= {name + A: a[name], name + B: b[name]}
        if name in numbers and name not in ends:
            columns[name + CHANGE] = _change(a[name], b[name])
    return columns | {FOUND_IN: pc.if_else(is_both, "both", pc.if_else(of_a, "a", "b"))}


def _change(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """By how much `other` is more: of integers an integer, unless that is too large for one."""
    if pa.types.is_signed_integer(one.type):
        with suppress(pa.ArrowInvalid):
            return pc.subtract_checked(other.cast(pa.int64()), one.cast(pa.int64()))
    return pc.subtract(*(column.cast(pa.float64(), safe=False) for column in (other, one)))


def _figure(
    first: ResultTable, second: ResultTable, drawn: Sequence[str], keys: Sequence[str]
) -> Figure | None:
    """The change, drawn as the results are, if they are drawn alike; curves as panels, which print well."""
    one, other = first.figure, second.figure
    if one is None or other is None or one.kind != other.kind or one.x not in keys or not drawn:
        return None
    series = one.series if one.series in keys else None
    if one.kind == "matrix":
        return Figure("matrix", one.x, one.y + CHANGE, series) if series else None
    panels = [(name + CHANGE, None) for name in drawn]
    return Figure(
        "panels", one.x, panels[0][0], series, panels=panels, also=[k for k in one.also if k in keys]
    )


def _notes_on_columns(first: ResultTable, second: ResultTable, numbers: Sequence[str]) -> list[str]:
    """Which columns are left out, or should not be compared without a thought."""
    ends = _ends(first)  # whose units say how they were resampled, as the provenance does
    units = [(name, first.units.get(name), second.units.get(name)) for name in numbers if name not in ends]
    notes = [f"{name} is {one} in a, but {other} in b." for name, one, other in units if one != other]
    for side, one, other in (("a", first, second), ("b", second, first)):
        if only := [name for name in one.columns if name not in other.columns]:
            notes.append(f"Left out, as only {side} has them: {', '.join(only)}.")
    return notes


def _notes_on_provenance(first: ResultTable, second: ResultTable) -> list[str]:
    """What was asked otherwise, and by which versions."""
    notes = []
    for title, said in (
        ("Asked otherwise", (_asked(first, second), _asked(second, first))),
        ("Computed by other versions", (_versions(first), _versions(second))),
    ):
        a, b = (dict(_leaves(one)) for one in said)
        differ = [name for name in dict.fromkeys((*a, *b)) if a.get(name) != b.get(name)]
        if "run" in differ:  # the argument says which runs
            differ = [name for name in differ if name != "runs"]
        told = [f"{name} {_told(a.get(name))} / {_told(b.get(name))}" for name in differ]
        if told:
            more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
            notes.append(f"{title} (a / b): {'; '.join(told[:SHOWN])}{more}.")
    return notes


def _asked(result: ResultTable, other: ResultTable) -> Mapping[str, Any]:
    """The provenance: the runs by their names, and of those that `other` looked up, too, what they were.

    Without runs outside what was asked, which says the same and more.
    """
    said: dict[str, Any] = result.about["provenance"]
    if ASKED not in said:
        return said
    asked = said[ASKED]
    runs, theirs = (
        {run["run"]: run for run in one.get("runs", [])} for one in (asked, other.provenance.get(ASKED, {}))
    )
    told = {"runs": list(runs)} | {name: run for name, run in runs.items() if name in theirs}
    return {name: one for name, one in said.items() if name != "runs"} | {ASKED: {**asked, **told}}


def _versions(result: ResultTable) -> Mapping[str, Any]:
    versions: Mapping[str, Any] = result.made.get("versions", {})
    return versions


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What a JSON object holds at any depth, by its path; arguments by their names alone."""
    for key, one in value.items():
        if isinstance(one, dict):
            yield from _leaves(one, "" if key in (ASKED, "arguments") else f"{prefix}{key}.")
        elif isinstance(one, list) and one and all(isinstance(item, dict) for item in one):
            for n, item in enumerate(one):
                told = {name: value for name, value in item.items() if name != "run"}  # `runs` has it
                yield from _leaves(told, f"{prefix}{key}[{n}].")
        else:
            yield prefix + key, one


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
