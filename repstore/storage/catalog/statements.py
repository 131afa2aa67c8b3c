"""What a user's SQL may be: one statement that reads, from nothing but the tables of the store.

DuckDB itself refuses files and changes of the catalog (`storage.catalog.reading`). It does not refuse table
functions that log or profile into files, that take addresses in memory, or that change settings; so a
statement may call none but those that are listed here, wherever in it they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import duckdb

from repstore.errors import QueryError, did_you_mean

HARMLESS = frozenset(
    {
        *("unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree"),
        *("histogram", "histogram_values", "summary"),
        *("duckdb_columns", "duckdb_functions", "duckdb_tables", "duckdb_types", "duckdb_views"),
        *("pragma_table_info", "pragma_version"),
    }
)
"""DuckDB's table functions that read neither files nor memory, and change nothing."""

PATH = re.compile(r"[./\\:*?]")
"""What names of files have and names of tables do not."""

SERIALIZED = "SELECT json_serialize_sql($sql::VARCHAR)"


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str, known: frozenset[str]) -> None:
    """Refuse what is not one statement that reads the tables of the store.

    Args:
        connection: to parse with.
        sql: what a user wrote.
        known: table functions that are made for the store.

    Raises:
        QueryError: it is none, or several, or does something else.
        duckdb.Error: it is no SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"Expected one SQL statement, not {len(statements)}.")
    kind, query = _kind_of(statements[0]), statements[0].query
    if kind == duckdb.StatementType.EXPLAIN:
        check_statement(connection, _explained(query), known)
    elif kind == duckdb.StatementType.MULTI:
        raise QueryError(
            "PIVOT has to know its columns here: say which values, as in PIVOT t ON pos IN ('N', 'V')."
        )
    elif kind != duckdb.StatementType.SELECT:
        raise QueryError(
            f"A store is read by SELECT; {kind.name if kind else 'other'} statements are refused. "
            'Write results elsewhere with "--format csv" or ResultTable.to_parquet.'
        )
    else:
        check_tables(connection, query, known)


def _kind_of(statement: duckdb.Statement) -> duckdb.StatementType | None:
    """The kind of a statement; None of the few that DuckDB has no name for in Python."""
    try:
        return statement.type
    except ValueError:
        return None


def check_tables(
    connection: duckdb.DuckDBPyConnection, sql: str, known: frozenset[str] = frozenset()
) -> None:
    """Refuse table functions that are neither `HARMLESS` nor `known`, and names of files where tables stand.

    Raises:
        QueryError: there is one.
    """
    tree = json.loads(connection.execute(SERIALIZED, {"sql": sql}).fetchall()[0][0])
    for name in _named(tree, "BASE_TABLE"):
        if PATH.search(name):
            raise QueryError(f'SQL reads the tables of the store, and no files: "{name}" is refused.')
    for name in _named(tree, "TABLE_FUNCTION"):
        if name.lower() not in HARMLESS | known:
            raise QueryError(
                f"SQL reads the tables of the store, and nothing else: {name}() is refused. "
                + did_you_mean(name, sorted(known))
            )


def _named(node: Any, kind: Literal["BASE_TABLE", "TABLE_FUNCTION"]) -> Iterator[str]:
    """Names of the tables or table functions in a tree of JSON, as DuckDB serializes a statement."""
    if isinstance(node, dict):
        if node.get("type") == kind:
            yield node["table_name"] if kind == "BASE_TABLE" else node["function"]["function_name"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _named(child, kind)


def _explained(sql: str) -> str:
    """The statement that an EXPLAIN explains, found by DuckDB's own lexer: EXPLAIN ANALYZE runs it."""
    tokens = [at for at, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    words = [sql.encode()[at:] for at in tokens]
    after = 2 if words[1][:7].upper() == b"ANALYZE" else 1
    return words[after].decode()
