"""The catalog as repstore itself reads it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import duckdb
import pyarrow as pa

from repstore.errors import QueryError, StoreDamagedError, StoreError, StoreNotFoundError, check_utf8, is_utf8
from repstore.schemas import FORMAT_VERSION
from repstore.storage.catalog.filling import fill
from repstore.storage.catalog.refusals import in_few_words
from repstore.storage.catalog.statements import check_condition
from repstore.storage.layout import Layout
from repstore.storage.processes import of_process
from repstore.storage.runs import check_not_newer, format_of
from repstore.storage.waiting import hearing

CORPUS = "SELECT corpus_id FROM corpora WHERE corpus_id = $corpus_id"


class Catalog:
    """A read-only connection to the catalog as it was when this was opened.

    In another process, forked or unpickled there, it connects anew when it is first asked something.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        _ = self._connection  # at once, since this is the catalog as it is now

    def __getstate__(self) -> dict[str, Any]:
        return {"_layout": self._layout}

    @of_process
    def _turn(self) -> RLock:  # a connection answers one query at a time
        return RLock()

    @of_process
    def _opened(self) -> list[duckdb.DuckDBPyConnection]:
        """All connections, to be closed before Python ends and unloads DuckDB, or it complains of leaks."""
        opened: list[duckdb.DuckDBPyConnection] = []
        weakref.finalize(self, _close, opened, os.getpid())
        return opened

    @of_process
    def _connection(self) -> duckdb.DuckDBPyConnection:
        layout = self._layout
        if not layout.catalog.exists() and not layout.marker.exists():
            raise StoreNotFoundError(f"No store at {layout.root} any more. Open it where it is now.")
        check_not_newer(layout)
        connection = duckdb.connect(":memory:")
        self._opened.append(connection)
        try:
            if layout.catalog.exists() and format_of(layout) == FORMAT_VERSION:
                connection.execute(f"ATTACH {quoted(str(layout.catalog))} AS store (READ_ONLY)")
            else:  # lost, or of an older format; a reader writes nothing, so it builds one for itself
                connection.execute("ATTACH ':memory:' AS store")
                connection.execute("USE store")
                with hearing():
                    fill(connection, layout)
        except duckdb.Error as error:
            raise StoreDamagedError(
                f'{layout.catalog} cannot be opened ({error}). Rebuild it with "repstore repair".'
            ) from error
        connection.execute("USE store")
        # From here on no file is read but the catalog itself and results, and none of this can be undone.
        connection.execute(f"SET allowed_directories = [{quoted(str(layout.results))}]")
        connection.execute("SET temp_directory = ''")
        connection.execute("SET enable_external_access = false")
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
            connection.execute("SET enable_progress_bar = false")  # refused in a notebook without ipywidgets
        connection.execute("SET python_enable_replacements = false")
        return connection

    def close(self) -> None:
        """Close the connection, and all that were opened beside it.

        Raises:
            StoreError: one of them is in use.
        """
        try:
            _close(self._opened, os.getpid())
        except duckdb.OperationalError:
            raise StoreError(
                f"{self._layout.root} is answering another thread. Close it when it has answered."
            ) from None

    def beside(self) -> duckdb.DuckDBPyConnection:
        """Another connection to the same catalog, as confined as this one; closed with it."""
        with self.trusted():
            connection = self._connection.cursor()
        self._opened.insert(0, connection)
        return connection

    def closed(self) -> StoreError:
        """What to raise when it is."""
        return StoreError(f"{self._layout.root} is closed. Open it again to ask more.")

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> pa.Table:
        """Run one of repstore's own queries over the catalog.

        Raises:
            ArgumentError: a value, which a user gave, is text that is not UTF-8.
        """
        check_utf8(*(parameters.values() if isinstance(parameters, dict) else parameters))
        with self._turn, self.trusted():
            return self._connection.sql(sql, params=parameters).to_arrow_table()

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Within, what DuckDB refuses is no fault of a user's SQL.

        Raises:
            StoreError: the store is closed, or a query of another thread has all memory that it may take.
            StoreDamagedError: the catalog is not as it was written.
        """
        try:
            with hearing():
                yield
        except duckdb.ConnectionException:
            raise self.closed() from None
        except duckdb.OutOfMemoryException:
            raise StoreError(
                f"A query in SQL leaves no memory to read {self._layout.catalog}. Allow it more, or ask "
                "again when it has ended."
            ) from None
        except duckdb.Error as error:
            raise StoreDamagedError(
                f'{self._layout.catalog} is damaged ({error}). Rebuild it with "repstore repair".'
            ) from error

    def filtered(self, sql: str, parameters: dict[str, Any], where: str, column: str) -> pa.Table:
        """One column of those rows of one of repstore's own queries for which a user's expression is true.

        Raises:
            QueryError: it is not one expression over the columns of the query.
        """
        if not isinstance(where, str) or not is_utf8(where):
            raise QueryError(f"{where!r} is not a condition on words: it has to be text, in UTF-8.")
        try:
            with self._turn, hearing():
                check_condition(self._connection, where)
                rows = self._connection.sql(sql, params=parameters)
                kind = rows.select(duckdb.SQLExpression(where)).types[0]
                if kind != duckdb.sqltypes.BOOLEAN:
                    raise QueryError(
                        f'"{where}" is not a condition on words: it is {kind}, not true or false.'
                    )
                return rows.filter(where).project(column).to_arrow_table()
        except duckdb.ConnectionException:
            raise self.closed() from None
        except duckdb.Error as error:
            why = in_few_words(str(error), where).split("\n\nLINE")[0].replace("\n", " ")
            raise QueryError(
                f"\"{where}\" is not a condition on words, such as \"pos = 'N' AND lemma <> 'bank'\": {why}"
            ) from error

    def require_corpus(self, corpus_id: str, name: str) -> None:
        """Refuse to ask about a corpus that was lost.

        Raises:
            StoreDamagedError: it is not in the store.
        """
        if not self.query(CORPUS, {"corpus_id": corpus_id}).num_rows:
            raise StoreDamagedError(
                f'Corpus "{name}" is missing. Ingest it again, as "repstore verify" says.'
            )


def quoted(text: str) -> str:
    """A string literal of SQL, where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def _close(connections: list[duckdb.DuckDBPyConnection], process: int) -> None:
    if os.getpid() == process:  # those of a parent are not this process's to close
        for connection in connections:
            connection.close()
