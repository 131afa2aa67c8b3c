"""A user's SQL: the tables of the catalog as users see them, all vectors, and functions of both."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from threading import RLock
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from repstore.errors import QueryError, RepstoreError
from repstore.spec import MIX
from repstore.storage.catalog.reading import Catalog, is_utf8, quoted
from repstore.storage.catalog.statements import check_statement

OF_RUNS = ("runs", "parts", "skipped")
OTHERS = ("corpora", "texts", "words", "pairs", "edges")
"""Tables of the catalog: those whose rows are of a run get its label as their first column."""

LABELS = """
CREATE SCHEMA memory.shown;
CREATE TABLE memory.shown.labels (run_id VARCHAR, run VARCHAR);
"""
LABELLED = """
CREATE VIEW memory.main.{table} AS
SELECT labels.run, rows.* FROM store.main.{table} AS rows JOIN memory.shown.labels AS labels USING (run_id)
"""
AS_IT_IS = "CREATE VIEW memory.main.{table} AS FROM store.main.{table}"
COMMITTED = """
SELECT part, first_word_id, last_word_id FROM store.main.parts
WHERE run_id = $run_id AND first_word_id IS NOT NULL ORDER BY part
"""
WORDS_OF_RUN = """
SELECT {run} AS run, layer::INTEGER AS layer, word_id
FROM store.main.words AS words, range({n_layers}) AS layers(layer)
WHERE ({ranges}) AND word_id NOT IN (SELECT word_id FROM store.main.skipped WHERE run_id = {run_id})
"""
NO_WORDS = "SELECT ''::VARCHAR AS run, 0::INTEGER AS layer, 0::BIGINT AS word_id LIMIT 0"
VECTORS = """
CREATE VIEW memory.main.vectors AS
SELECT run, layer, word_id, vector(word_id, run, layer) AS vector FROM ({words})
"""
COLUMNS = """
SELECT table_name AS "table", column_name AS "column", data_type AS "type" FROM duckdb_columns()
WHERE database_name = 'memory' AND schema_name = 'main' ORDER BY table_name, column_index
"""
HUGEINT = pa.decimal128(38, 0)
TABLE_MACROS = (
    "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
)


@dataclass(frozen=True)
class RunShown:
    """A run in SQL: what it is called, and how many layers it has."""

    run_id: str
    label: str
    n_layers: int


@dataclass(frozen=True)
class PythonFunction:
    """A scalar function that Python computes, some thousand rows at a time.

    Attributes:
        name: in SQL.
        parameters, returns: types of SQL, such as BIGINT or FLOAT[].
        compute: takes an Arrow array for each parameter, never with a null in it, and returns one.
    """

    name: str
    parameters: tuple[str, ...]
    returns: str
    compute: Callable[..., pa.Array]


@dataclass(frozen=True)
class Contents:
    """What a session shows beside the tables of the catalog.

    Attributes:
        runs: the runs, by the names that users call them.
        functions: functions in Python; one of them is ``vector(word_id, run, layer)``.
        tables: more tables, by name, as they are at first (`Session.show`).
        statements: more views and macros, each as one CREATE statement; they may use all of the above.
    """

    runs: Sequence[RunShown]
    functions: Sequence[PythonFunction]
    tables: Mapping[str, pa.Table]
    statements: Sequence[str]


class Session:
    """A user's connection to the catalog, which is closed with it."""

    def __init__(self, catalog: Catalog, contents: Contents) -> None:
        self._catalog = catalog
        self._contents = contents
        self._turn = RLock()  # a connection answers one query at a time
        self._failed: list[RepstoreError] = []
        self._tables: dict[str, pa.Table] = {}
        self._connection = catalog.beside()
        with catalog.trusted():
            self._show()
            found = self._connection.execute(TABLE_MACROS).fetchall()
        self._table_functions = frozenset(name for (name,) in found)

    def select(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, memory: int, threads: int
    ) -> pa.Table:
        """Run a user's query. Ctrl-C stops it.

        Args:
            sql: one SELECT statement (or WITH, FROM, VALUES, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN).
            parameters: values for ``?`` or ``$name``.
            memory: bytes that DuckDB may take.
            threads: how many it may use.

        Raises:
            QueryError: it is not one such statement, or DuckDB refuses it.
        """
        if not isinstance(sql, str) or not is_utf8(sql):
            raise QueryError(f"{sql!r} is no SQL: it has to be text, in UTF-8.")
        values = _plain(parameters)
        try:
            with self._turn:
                self._failed.clear()
                check_statement(self._connection, sql, self._table_functions)
                self._connection.execute(f"SET memory_limit = '{memory}B'")
                self._connection.execute(f"SET threads = {threads}")
                table = self._interruptibly(lambda: self._connection.sql(sql, params=values).to_arrow_table())
            return _with_int64(table.rename_columns(_distinct(table.column_names)))
        except duckdb.ConnectionException:
            raise self._catalog.closed() from None
        except duckdb.Error as error:
            if self._failed:  # in a function of ours, which says it better
                raise self._failed[0] from None
            raise QueryError(_told(error, memory)) from error

    def show(self, name: str, rows: pa.Table) -> None:
        """Show a table, with these rows instead of those that it had."""
        with self._turn:
            if not rows.equals(self._tables.get(name, pa.table({}))):
                self._connection.register("given", rows)
                self._connection.execute(f'CREATE OR REPLACE TABLE memory.main."{name}" AS FROM given')
                self._connection.unregister("given")
                self._tables[name] = rows

    def columns(self) -> pa.Table:
        """All columns of all tables and views: table, column, type."""
        with self._turn, self._catalog.trusted():
            return self._connection.sql(COLUMNS).to_arrow_table()

    def _interruptibly(self, work: Callable[[], pa.Table]) -> pa.Table:
        """What `work` returns. DuckDB does not look out for signals, so another thread has to wait for it."""
        with ThreadPoolExecutor(1) as pool:
            running: Future[pa.Table] = pool.submit(work)
            try:
                return running.result()
            except BaseException:
                while wait([running], timeout=0.05).not_done:
                    self._connection.interrupt()  # in vain, if the query had not begun
                raise

    def _compute(self, at: int, columns: Sequence[pa.ChunkedArray]) -> pa.Array:
        """A column of what a function gives; null wherever one of its arguments is."""
        given = [column.combine_chunks() for column in columns]
        known = np.logical_and.reduce([column.is_valid().to_numpy(zero_copy_only=False) for column in given])
        compute = self._contents.functions[at].compute
        try:
            if known.all():
                return compute(*given)
            found = compute(*(column.filter(pa.array(known)) for column in given))
        except RepstoreError as error:
            self._failed.append(error)  # DuckDB would say where in Python it was raised
            raise
        return found.take(pa.array(np.cumsum(known) - 1, mask=~known))

    def _show(self) -> None:
        run = self._connection.execute
        run("USE memory")
        run(LABELS)
        for shown in self._contents.runs:
            run("INSERT INTO memory.shown.labels VALUES (?, ?)", [shown.run_id, shown.label])
        for table in OF_RUNS:
            run(LABELLED.format(table=table))
        for table in OTHERS:
            run(AS_IT_IS.format(table=table))
        for at, function in enumerate(self._contents.functions):
            self._connection.create_function(
                function.name,
                _called(weakref.ref(self), at, len(function.parameters)),
                list(function.parameters),
                function.returns,
                type=PythonUDFType.ARROW,
                null_handling=FunctionNullHandling.SPECIAL,
            )
        words = " UNION ALL ".join(filter(None, map(self._words_of, self._contents.runs)))
        run(VECTORS.format(words=words or NO_WORDS))
        for name, rows in self._contents.tables.items():
            self.show(name, rows)
        for statement in self._contents.statements:
            run(statement)

    def _words_of(self, run: RunShown) -> str | None:
        """A query for the words that have vectors in a run, once for every layer."""
        parts = self._connection.execute(COMMITTED, {"run_id": run.run_id}).fetchall()
        ranges: list[list[int]] = []
        before = None
        for part, first, last in parts:
            if before is not None and part == before + 1:
                ranges[-1][1] = last  # what is between them was skipped
            else:
                ranges.append([first, last])
            before = part
        if not ranges:
            return None
        return WORDS_OF_RUN.format(
            run=quoted(run.label),
            run_id=quoted(run.run_id),
            n_layers=run.n_layers,
            ranges=" OR ".join(f"word_id BETWEEN {first} AND {last}" for first, last in ranges),
        )


def _called(session: weakref.ref[Session], at: int, n_parameters: int) -> Callable[..., pa.Array]:
    """A function as DuckDB calls it: DuckDB would keep alive whatever it holds, the store among it."""

    def call(*columns: pa.ChunkedArray) -> pa.Array:
        asking = session()
        assert asking is not None  # it is what asks
        return asking._compute(at, columns)

    names = [inspect.Parameter(f"p{n}", inspect.Parameter.POSITIONAL_ONLY) for n in range(n_parameters)]
    call.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]  # DuckDB counts them
    return call


def _told(error: duckdb.Error, memory: int) -> str:
    """What DuckDB says, and what to do where it does not say that."""
    said = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return (
            f"The query needs more than the {memory / 1e9:.1f} GB of memory that it may take. Allow it more, "
            "or ask for less."
        )
    if isinstance(error, duckdb.ConversionException) and f"'{MIX}" in said:
        return (
            "SQL shows layers as they are stored, by their numbers. Ask about mixes and transforms in Python "
            "or by the other commands."
        )
    return f"DuckDB: {said}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names, those that were there before with a number."""
    taken: list[str] = []
    for name in names:
        numbered = (name if n == 0 else f"{name}_{n}" for n in count())
        taken.append(next(new for new in numbered if new not in taken))
    return taken


def _with_int64(table: pa.Table) -> pa.Table:
    """Sums of integers, which DuckDB makes of 128 bits, as int64 where they fit: what pandas counts with."""
    for at, field in enumerate(table.schema):
        if field.type == HUGEINT:
            with suppress(pa.ArrowInvalid):  # they do not fit, and stay
                table = table.set_column(at, field.name, table.column(at).cast(pa.int64()))
    return table


def _plain(parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    """Values of parameters, numbers of numpy as numbers of Python."""
    if isinstance(parameters, Mapping):
        return dict(zip(parameters, _plain(list(parameters.values())), strict=True))
    return [value.item() if isinstance(value, np.generic) else value for value in parameters]
