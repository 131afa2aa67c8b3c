"""What could come next in SQL: a table, a column, a function, a keyword, or the name of a run in a string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repstore.sql_functions import FUNCTIONS, Function
from repstore.storage.catalog.lexing import Token, statements, tokens

if TYPE_CHECKING:
    from repstore.store import Store

BUILT_IN = """
SELECT DISTINCT function_name AS name FROM duckdb_functions()
WHERE internal AND function_type IN ('scalar', 'aggregate', 'macro', 'window')
  AND NOT starts_with(function_name, '_') ORDER BY name
"""
KEYWORDS = """
ALL AND ANY AS ASC ASOF BETWEEN BY CASE CAST COLUMNS CROSS DESC DESCRIBE DISTINCT ELSE END EXCEPT EXCLUDE
EXISTS EXPLAIN FALSE FILTER FIRST FROM FULL GROUP HAVING ILIKE IN INNER INTERSECT IS JOIN LAST LATERAL
LEFT LIKE LIMIT MATERIALIZED NATURAL NOT NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PIVOT QUALIFY
RECURSIVE REPLACE RIGHT ROWS SAMPLE SELECT SEMI SHOW SUMMARIZE THEN TRUE UNION UNNEST UNPIVOT USING
VALUES WHEN WHERE WINDOW WITH
"""
"""Of statements that read, the only ones that a store takes."""

BEFORE_TABLES = {"FROM", "JOIN", "DESCRIBE", "SUMMARIZE", "SHOW", "TABLE"}
COMPARISONS = {"=", "==", "<>", "!=", ":=", "=>", "like", "ilike"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could stand in place of the last letters before the cursor.

    Attributes:
        text: to insert.
        n_replaced: how many letters before the cursor it takes the place of.
        about: what it is.
    """

    text: str
    n_replaced: int
    about: str = ""


@dataclass(frozen=True)
class Names:
    """What can be named in a query.

    Attributes:
        tables: the type of every column, by table.
        runs: names of the runs.
        built_in: names of DuckDB's functions.
        functions: repstore's own.
    """

    tables: Mapping[str, Mapping[str, str]]
    runs: Sequence[str] = ()
    built_in: Sequence[str] = ()
    functions: Sequence[Function] = FUNCTIONS


def names_of(store: Store) -> Names:
    """What can be named in a query over a store."""
    tables: dict[str, dict[str, str]] = {}
    for row in store.tables():
        tables.setdefault(row["table"], {})[row["column"]] = row["type"]
    built_in = [name for name in store.sql(BUILT_IN)["name"] if name.isidentifier()]
    return Names(tables, store.runs()["run"], built_in)


def suggestions(names: Names, before: str, after: str = "") -> Iterator[Suggestion]:
    """What could come next.

    Args:
        names: what there is to name.
        before: text before the cursor.
        after: text after the cursor, which may say what a table is called.
    """
    begun = statements(before)[1]
    context = tokens(begun)
    last = context[-1] if context else None
    if last is not None and last.kind == "comment" and not last.text.endswith(("\n", "*/")):
        return
    if last is not None and last.text[0] == "'" and last.text.count("'") % 2:
        if _asks_for_run(context[:-1], names):
            yield from _runs(names.runs, last.text[1:], after)
        return
    prefix = ""
    if last is not None and last.kind in ("identifier", "keyword") and not last.text[-1].isspace():
        prefix = context.pop().text
    words = [token for token in context if token.kind != "comment"]
    seen = set()
    for text, about in _candidates(names, words, prefix, begun + after):
        if text.lower().startswith(prefix.lower()) and text.lower() not in seen:
            seen.add(text.lower())
            yield Suggestion(text, len(prefix), about)


def _candidates(
    names: Names, context: Sequence[Token], prefix: str, statement: str
) -> Iterator[tuple[str, str]]:
    """What may follow these tokens, and what each is."""
    before = context[-1].text.strip().upper() if context else ""
    if before == "." and len(context) > 1:
        table = _called(names, statement).get(context[-2].text.lower(), "")
        yield from names.tables.get(table, {}).items()
        return
    if before in BEFORE_TABLES:
        yield from ((table, "table") for table in names.tables)
        yield from _functions(one for one in names.functions if one.kind == "table")
        return
    if context:
        yield from _columns(names, statement)
    yield from ((table, "table") for table in names.tables)
    yield from _functions(names.functions)
    if prefix:
        keywords = KEYWORDS if prefix.isupper() else KEYWORDS.lower()
        yield from ((word, "keyword") for word in keywords.split())
        yield from ((f"{name}(", "function") for name in names.built_in)


def _functions(functions: Iterable[Function]) -> Iterator[tuple[str, str]]:
    return ((f"{one.name}(", one.signature) for one in functions)


def _columns(names: Names, statement: str) -> Iterable[tuple[str, str]]:
    """The columns of the tables that a statement names, or of all, each with the tables that have it."""
    named = set(_called(names, statement).values()) or set(names.tables)
    holders: dict[str, list[str]] = {}
    for table in names.tables:
        for column in names.tables[table] if table in named else ():
            holders.setdefault(column, []).append(table)
    return ((column, f"column of {', '.join(tables)}") for column, tables in holders.items())


def _called(names: Names, statement: str) -> dict[str, str]:
    """The tables that a statement names, by what it calls them: ``words AS w``, ``words w``, ``words``."""
    words = [token for token in tokens(statement) if token.kind != "comment"]
    called = {}
    for n, token in enumerate(words):
        table = token.text.strip().lower()
        if table not in names.tables:
            continue
        called[table] = table
        following = [word for word in words[n + 1 : n + 3] if word.text.upper() != "AS"][:1]
        for word in following:
            if word.kind == "identifier":
                called[word.text.strip().lower()] = table
    return called


def _asks_for_run(context: Sequence[Token], names: Names) -> bool:
    """Whether the string after these tokens is compared with a column ``run`` or is an argument ``run``."""
    words = [token.text.strip().lower() for token in context if token.kind != "comment"]
    if words and words[-1] in COMPARISONS:
        return words[-2:-1] == ["run"]
    depth, place = 0, 0
    for n in range(len(words) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(words[n], 0)
        place += words[n] == "," and depth == 0
        if depth < 0:
            before = words[n - 1]
            return (before == "in" and words[n - 2] == "run") or (
                "run" in _parameters(names, before)[place : place + 1]
            )
    return False


def _parameters(names: Names, function: str) -> list[str]:
    """What the parameters of one of repstore's functions are called, in turn."""
    signatures = [one.signature for one in names.functions if one.name == function]
    return [
        parameter.partition(":=")[0].strip()
        for signature in signatures
        for parameter in signature.partition("(")[2].removesuffix(")").split(",")
    ]


def _runs(runs: Sequence[str], prefix: str, after: str) -> Iterator[Suggestion]:
    """Runs whose names begin like this, each with the quote that ends the string."""
    quote = "" if after.startswith("'") else "'"
    for run in runs:
        written = run.replace("'", "''")
        if written.startswith(prefix):
            yield Suggestion(written + quote, len(prefix), "run")
