"""A user's SQL: the tables of the catalog as users see them, all vectors, and functions of both."""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from threading import RLock, Thread
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from repstore.errors import QueryError, RepstoreError, is_utf8
from repstore.storage.catalog.reading import Catalog
from repstore.storage.catalog.refusals import told, too_many_rows
from repstore.storage.catalog.statements import check_statement
from repstore.storage.catalog.views import RunShown, create_views
from repstore.storage.waiting import HEARD, awaited

T = TypeVar("T")

COLUMNS = """
SELECT table_name AS "table", column_name AS "column", data_type AS "type" FROM duckdb_columns()
WHERE database_name = 'memory' AND schema_name = 'main' ORDER BY table_name, column_index
"""
BATCH = 2048
"""Rows that are taken from DuckDB at a time: as many as it computes at a time."""
HUGEINT = pa.decimal128(38, 0)
NOT_OF_ARROW = re.compile(r"\b(UHUGEINT|BIT|BIGNUM|VARIANT)\b")
"""Types of which Arrow would make negative numbers, or bytes."""
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
"""Names within a type, which may have such words in them. A quote in one is doubled, and parts it in two."""
TABLE_MACROS = (
    "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
)


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
        functions: functions in Python; one of them is ``_vector(word_id, run, layer)``.
        tables: more tables, by name, as they are at first (`Session.show`).
        statements: more views and macros, each as one CREATE statement; they may use all of the above.
    """

    runs: Sequence[RunShown]
    functions: Sequence[PythonFunction]
    tables: Mapping[str, pa.Table]
    statements: Sequence[str]


class Session:
    """A user's connection to the catalog, which is closed with it; made when it is first asked something."""

    def __init__(self, catalog: Catalog, contents: Contents) -> None:
        self._catalog = catalog
        self._contents = contents
        self._turn = RLock()  # a connection answers one query at a time
        self._failed: list[RepstoreError] = []
        self._tables: dict[str, pa.Table] = {}
        self._connection: duckdb.DuckDBPyConnection
        self._table_functions: frozenset[str] = frozenset()  # none before all is shown

    def select(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, memory: int, threads: int
    ) -> pa.Table:
        """Run a user's query. Ctrl-C stops it.

        Args:
            sql: one SELECT statement (or WITH, FROM, VALUES, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN).
            parameters: values for ``?`` or ``$name``.
            memory: bytes that DuckDB may take to find the rows, and the rows themselves.
            threads: how many it may use.

        Raises:
            QueryError: it is not one such statement, or DuckDB refuses it.
        """
        if not isinstance(sql, str) or not is_utf8(sql):
            raise QueryError(f"{sql!r} is no SQL: it has to be text, in UTF-8.")
        values = _plain(parameters)
        try:
            with self._prepared():
                table = self._interruptibly(lambda: self._answer(sql, values, memory, threads))
            return _with_int64(table.rename_columns(_distinct(table.column_names)))
        except duckdb.ConnectionException:
            raise self._catalog.closed() from None
        except (duckdb.Error, OSError) as error:  # once rows come, Arrow says what DuckDB does
            for failed in self._failed:  # in a function of ours, which says it better
                if str(failed) in str(error):
                    raise failed from None
            raise QueryError(self._told(str(error), sql, memory)) from error

    def _answer(self, sql: str, values: list[Any] | dict[str, Any], memory: int, threads: int) -> pa.Table:
        with self._limited(memory, threads):
            self._failed.clear()
            check_statement(self._connection, sql, self._table_functions)
            return self._rows(sql, values, memory)

    def _rows(self, sql: str, values: list[Any] | dict[str, Any], memory: int) -> pa.Table:
        """All rows, taken some at a time: DuckDB does not count what it has given away."""
        batches: list[pa.RecordBatch] = []
        n_bytes = 0
        try:
            found = self._connection.sql(sql, params=values)
            for name, kind in zip(found.columns, found.types, strict=True):
                if unknown := NOT_OF_ARROW.search(QUOTED.sub("", str(kind))):
                    raise QueryError(f'"{name}" holds {unknown[1]}, which Arrow has not. Cast it to VARCHAR.')
            with found.to_arrow_reader(BATCH) as reader:
                for batch in reader:
                    n_bytes += batch.nbytes
                    if n_bytes > memory:
                        raise QueryError(too_many_rows(memory))
                    batches.append(batch)
                return pa.Table.from_batches(batches, reader.schema)
        except (duckdb.BinderException, duckdb.CatalogException):
            self._connection.execute(sql, values)  # fails likewise, but says where in the query
            raise

    def _told(self, said: str, sql: str, memory: int) -> str:
        tables = list(dict.fromkeys(self.columns()["table"].to_pylist()))
        results = self._tables["results"]["name"].to_pylist() if "results" in self._tables else []
        return told(said, sql, memory, tables, results)

    @contextmanager
    def _limited(self, memory: int, threads: int) -> Iterator[None]:
        """Within, DuckDB keeps to limits. They are those of all connections, so they are lifted again."""
        try:
            self._connection.execute(f"SET memory_limit = '{memory}B'")
            self._connection.execute(f"SET threads = {threads}")
            yield
        finally:
            with suppress(duckdb.ConnectionException):  # it is closed
                self._connection.execute("RESET memory_limit")
                self._connection.execute("RESET threads")

    def show(self, name: str, rows: pa.Table) -> None:
        """Show a table, with these rows instead of those that it had."""
        with self._prepared(), self._catalog.trusted():
            if not rows.equals(self._tables[name]):
                self._fill(name, rows)

    def _fill(self, name: str, rows: pa.Table) -> None:
        self._connection.register("given", rows)
        self._connection.execute(f'CREATE OR REPLACE TABLE memory.main."{name}" AS FROM given')
        self._connection.unregister("given")
        self._tables[name] = rows

    def columns(self) -> pa.Table:
        """All columns of all tables and views: table, column, type."""
        with self._prepared(), self._catalog.trusted():
            return self._connection.sql(COLUMNS).to_arrow_table()

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """Within, all is shown, and no other thread asks. Ctrl-C before that leaves all of it, or nothing."""
        with self._turn:
            if not self._table_functions:
                self._connection = self._catalog.beside()
                try:
                    with self._catalog.trusted():
                        self._interruptibly(self._show)
                except BaseException:
                    if not self._table_functions:
                        self._connection.close()  # which undoes all of it, so that it can be made again
                    raise
            yield

    def _interruptibly(self, work: Callable[[], T]) -> T:
        """What `work` returns. DuckDB does not look out for signals, so another thread has to wait for it."""
        running: Future[T] = Future()
        try:
            Thread(target=_run, args=(work, running)).start()
            return awaited(running)
        except BaseException:
            while not (running.cancel() or running.done()):  # it is, if it has not begun
                with suppress(KeyboardInterrupt):  # who is impatient has to wait for it all the same
                    self._connection.interrupt()  # in vain, if the query had not begun
                    wait([running], timeout=HEARD)
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
        """Make all that is shown, or nothing."""
        self._connection.execute("USE memory")
        self._connection.execute("BEGIN")
        for at, function in enumerate(self._contents.functions):
            self._connection.create_function(
                function.name,
                _called(weakref.ref(self), at, len(function.parameters)),
                list(function.parameters),
                function.returns,
                type=PythonUDFType.ARROW,
                null_handling=FunctionNullHandling.SPECIAL,
            )
        create_views(self._connection, self._contents.runs)
        for name, rows in self._contents.tables.items():
            self._fill(name, rows)
        for statement in self._contents.statements:
            self._connection.execute(statement)
        found = self._connection.execute(TABLE_MACROS).fetchall()
        self._connection.execute("COMMIT")
        self._table_functions = frozenset(name for (name,) in found)


def _run(work: Callable[[], T], running: Future[T]) -> None:
    """Do some work, unless it was cancelled, and tell what came of it."""
    if running.set_running_or_notify_cancel():
        try:
            running.set_result(work())
        except BaseException as error:
            running.set_exception(error)


def _called(session: weakref.ref[Session], at: int, n_parameters: int) -> Callable[..., pa.Array]:
    """A function as DuckDB calls it: DuckDB would keep alive whatever it holds, the store among it."""

    def call(*columns: pa.ChunkedArray) -> pa.Array:
        asking = session()
        assert asking is not None  # it is what asks
        return asking._compute(at, columns)

    names = [inspect.Parameter(f"p{n}", inspect.Parameter.POSITIONAL_ONLY) for n in range(n_parameters)]
    call.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]  # DuckDB counts them
    return call


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
    if isinstance(parameters, str) or not isinstance(parameters, Iterable):
        raise QueryError(f"{parameters!r} is no list of parameters. Write [{parameters!r}].")
    if isinstance(parameters, Mapping):
        return dict(zip(parameters, _plain(list(parameters.values())), strict=True))
    return [value.item() if isinstance(value, np.generic) else value for value in parameters]
