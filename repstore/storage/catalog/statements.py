"""What a user's SQL may be: one statement that reads, from nothing but the tables of the store.

DuckDB itself refuses files and changes of the catalog (`storage.catalog.reading`). It does not refuse table
functions that log or profile into files, that take addresses in memory, or that change settings; so a
statement may call none but those that are listed here, wherever in it they stand. And a SELECT may hold
statements that write, WITH names for what they return.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from repstore.errors import QueryError, did_you_mean
from repstore.storage.catalog.lexing import tokens
from repstore.storage.catalog.refusals import TOO_DEEP

HARMLESS = frozenset(
    {
        *("unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree"),
        *("histogram", "histogram_values", "summary"),
        *("duckdb_columns", "duckdb_functions", "duckdb_tables", "duckdb_types", "duckdb_views"),
        *("pragma_table_info", "pragma_version"),
    }
)
"""DuckDB's table functions that read neither files nor memory, and change nothing."""

READING = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Kinds of queries, alone or within others, that read; COPY_QUERY_NODE is among the rest."""

REFUSED = frozenset({"setseed", "setval", "nextval", "write_log", "json_serialize_plan"})
"""DuckDB's other functions that change what later queries give, or plan SQL that was not checked."""

INTERNAL = "_"
"""How names begin of functions that only others call: some of DuckDB's trust their arguments."""

PATH = re.compile(r"[./\\:*?]")
"""What names of files have and names of tables do not."""

HOLDERS = frozenset(
    {"store", "memory", "main", "shown", "system", "temp", "information_schema", "pg_catalog"}
)
"""Databases and schemas, which stand before the names of tables. DuckDB takes ``words.csv`` for a file."""

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
        raise _refused(kind.name if kind else "other")
    else:
        check_reading(connection, query, known)


def _kind_of(statement: duckdb.Statement) -> duckdb.StatementType | None:
    """The kind of a statement; None of the few that DuckDB has no name for in Python."""
    try:
        return statement.type
    except ValueError:
        return None


def check_reading(
    connection: duckdb.DuckDBPyConnection, sql: str, known: frozenset[str] = frozenset()
) -> None:
    """Refuse, anywhere in a SELECT, what does more than to read tables.

    That are statements that write (a WITH may hold them), names of files where tables stand, table functions
    that are neither `HARMLESS` nor `known`, and functions that are `REFUSED` or `INTERNAL`.

    Raises:
        QueryError: there is one.
        duckdb.Error: it is no SELECT.
    """
    for node in _nodes(connection, sql):
        match node:
            case {"type": "BASE_TABLE", "qualified_name": {"path": [*path]}} if _may_be_a_file(path):
                raise QueryError(
                    f'SQL reads the tables of the store, and no files: "{".".join(path)}" is refused.'
                )
            case {"type": "TABLE_FUNCTION", "function": called}:
                name = called.get("function_name", "?")
                if name.lower() not in HARMLESS | known:
                    raise QueryError(
                        f"SQL reads the tables of the store, and nothing else: {name}() is refused. "
                        + did_you_mean(name, sorted(known))
                    )
            case {"function_name": str(name)} if name.lower() in REFUSED or name.startswith(INTERNAL):
                raise QueryError(f"SQL reads the tables of the store, and nothing else: {name}() is refused.")
            case {"type": str(kind)} if kind.endswith("_NODE") and kind not in READING:
                raise _refused(kind.split("_")[0])


def check_condition(connection: duckdb.DuckDBPyConnection, where: str) -> None:
    """Refuse, anywhere in a condition on words, what does more than to read tables of the catalog.

    Sessions of SQL stand in the same DuckDB. Their functions ask the catalog in turn, which would wait for
    itself; and a condition would hold or not by whether there is one.

    Raises:
        QueryError: there is such a thing.
        duckdb.Error: it is no condition.
    """
    check_reading(connection, f"SELECT {where}")
    for node in _nodes(connection, f"SELECT {where}"):
        match node:
            case {"qualified_name": {"path": [_, _, *_] as path}}:
                name = ".".join(path)
                raise QueryError(f'A condition on words asks the tables of the catalog: "{name}" is refused.')


def _may_be_a_file(path: list[str]) -> bool:
    """Whether DuckDB may read a file where a table of this name, with what stands before it, is none."""
    return any(map(PATH.search, path)) or (len(path) > 1 and path[0].lower() not in HOLDERS)


def _refused(kind: str) -> QueryError:
    return QueryError(
        f"A store is read by SELECT; {kind} statements are refused. "
        'Write results elsewhere with "--format csv" or ResultTable.to_parquet.'
    )


def _nodes(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[dict[str, Any]]:
    """All objects in the tree of a SELECT, as DuckDB serializes it."""
    try:
        tree = json.loads(connection.execute(SERIALIZED, {"sql": sql}).fetchall()[0][0])
    except RecursionError:
        raise QueryError(TOO_DEEP) from None
    if tree["error"]:
        raise duckdb.ParserException(tree["error_message"])
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, list):
            left += node


def _explained(sql: str) -> str:
    """The statement that an EXPLAIN explains, found by DuckDB's own lexer: EXPLAIN ANALYZE runs it."""
    words = [token for token in tokens(sql) if token.kind != "comment"]
    after = 2 if words[1].text.upper() == "ANALYZE" else 1
    return sql[words[after].start :]
