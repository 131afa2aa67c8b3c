"""The catalog: one DuckDB file that says what the store holds, and SQL over all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
import pyarrow as pa

from repstore.errors import QueryError, StoreDamagedError, StoreError
from repstore.schemas import FORMAT_VERSION, catalog_ddl, layer_column
from repstore.spec import RunInfo
from repstore.storage.corpora import read_corpora
from repstore.storage.files import TEMPORARY, publish, read_json, sha256_of, sync_file, unwritten, write_json
from repstore.storage.layout import Layout
from repstore.storage.manifest import committed_parts
from repstore.storage.processes import of_process
from repstore.storage.runs import format_of, read_runs

INSERT_CORPUS = "INSERT INTO corpora VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_RUN = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_PART = "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
LISTED_PARTS = """
SELECT runs.run_id, coalesce(list(sha256 ORDER BY part) FILTER (WHERE part IS NOT NULL), []) AS shas
FROM runs LEFT JOIN parts USING (run_id) GROUP BY runs.run_id ORDER BY runs.run_id
"""
LISTED_CORPORA = "SELECT corpus_id FROM corpora ORDER BY corpus_id"
CORPUS = "SELECT corpus_id FROM corpora WHERE corpus_id = $corpus_id"
COPY_TABLE = "INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?)"
COPY_SKIPPED = "INSERT INTO skipped BY NAME SELECT ? AS run_id, * FROM read_parquet(?)"
MACROS = """
CREATE MACRO memory.main.dot(a, b) AS list_inner_product(a, b);
CREATE MACRO memory.main.norm(a) AS sqrt(list_inner_product(a, a));
CREATE MACRO memory.main.cosine(a, b) AS list_cosine_similarity(a, b);
"""
VIEW_OF_NOTHING = (
    "SELECT ''::VARCHAR AS run, 0::INTEGER AS layer, 0::BIGINT AS word_id, []::FLOAT[] AS vector LIMIT 0"
)


def publish_catalog(layout: Layout) -> None:
    """Build the catalog anew from the other files of the store, and put it in place by rename.

    Its digest is written first and names the catalog that is replaced, too, so that there is no instant at
    which a sound catalog looks damaged.
    """
    draft = layout.catalog.with_name(layout.catalog.name + TEMPORARY)
    _remove(draft)
    try:
        with closing(duckdb.connect(str(draft))) as connection:
            _build(connection, layout)
            connection.execute("CHECKPOINT")  # closing would not say that the disk is full
    except duckdb.Error as error:
        _remove(draft)
        raise unwritten(layout.catalog, error) from error
    sync_file(draft)
    replaces = sha256_of(layout.catalog) if layout.catalog.exists() else None
    digest = {"file": layout.catalog.name, "sha256": sha256_of(draft), "replaces": replaces}
    write_json(layout.catalog_digest, digest)
    publish(draft, layout.catalog)


def _remove(draft: Path) -> None:
    """Remove an unfinished catalog, and what DuckDB keeps beside it."""
    for path in draft.parent.glob(f"{draft.name}*"):
        path.unlink()


def _build(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Create and fill the tables of a catalog."""
    connection.execute(catalog_ddl())
    connection.execute("BEGIN")
    for corpus in read_corpora(layout):
        files = layout.corpus(corpus.corpus_id)
        counts = (corpus.n_texts, corpus.n_words, corpus.n_pairs, corpus.n_edges)
        connection.execute(INSERT_CORPUS, [corpus.corpus_id, corpus.name, corpus.source, *counts])
        for table, path in files.tables.items():
            connection.execute(COPY_TABLE.format(table=table), [str(path)])
    for run in read_runs(layout):
        _insert_run(connection, layout, run)
    connection.execute("COMMIT")


def is_current(layout: Layout) -> bool:
    """Whether the catalog lists just the corpora and runs that exist, and the parts of their manifests."""
    if not layout.catalog.exists() or not layout.catalog_digest.exists():
        return False
    try:
        if read_json(layout.catalog_digest)["sha256"] != sha256_of(layout.catalog):
            return False
        with closing(Catalog(layout)) as catalog:
            listed, corpora = (catalog.query(sql).to_pylist() for sql in (LISTED_PARTS, LISTED_CORPORA))
    except StoreDamagedError:
        return False
    runs = [
        {"run_id": run.run_id, "shas": [part.sha256 for part in committed_parts(layout.run(run.run_id))]}
        for run in sorted(read_runs(layout), key=lambda run: run.run_id)
    ]
    there = sorted(corpus.corpus_id for corpus in read_corpora(layout))
    return listed == runs and [row["corpus_id"] for row in corpora] == there


def _insert_run(connection: duckdb.DuckDBPyConnection, layout: Layout, run: RunInfo) -> None:
    folder = layout.run(run.run_id)
    parts = committed_parts(folder)
    spec = run.spec
    connection.execute(
        INSERT_RUN,
        [
            *(run.run_id, run.name, run.origin, spec.model.name, spec.template, spec.reading, spec.pooling),
            *(spec.dtype, spec.corpus_id, run.corpus, run.n_words),
            *(spec.model.n_layers, spec.model.d_model, run.n_parts, len(parts)),
            *(sum(p.n_words for p in parts), sum(p.n_skipped for p in parts)),
        ],
    )
    for p in parts:
        row = [run.run_id, p.part, p.file, p.bytes, p.sha256]
        connection.execute(INSERT_PART, [*row, p.first_word_id, p.last_word_id, p.n_words, p.n_windowed])
        if p.skipped_file is not None:
            connection.execute(COPY_SKIPPED, [run.run_id, str(folder.root / p.skipped_file)])


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
    def _has_vectors(self) -> bool:
        return False

    @of_process
    def _connection(self) -> duckdb.DuckDBPyConnection:
        layout, connection = self._layout, duckdb.connect(":memory:")
        try:
            if layout.catalog.exists() and format_of(layout) == FORMAT_VERSION:
                connection.execute(f"ATTACH {_quoted(str(layout.catalog))} AS store (READ_ONLY)")
            else:  # lost, or of an older format; a reader writes nothing, so it builds one for itself
                connection.execute("ATTACH ':memory:' AS store")
                connection.execute("USE store")
                _build(connection, layout)
        except duckdb.Error as error:
            raise StoreDamagedError(
                f'{layout.catalog} cannot be opened ({error}). Rebuild it with "repstore repair".'
            ) from error
        connection.execute("SET search_path = 'store.main,memory.main'")
        # A query may read the store, and nothing else.
        connection.execute(f"SET allowed_directories = [{_quoted(str(layout.root))}]")
        connection.execute("SET temp_directory = ''")  # it would be readable, too
        connection.execute("SET enable_external_access = false")
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
            connection.execute("SET enable_progress_bar = false")  # refused in a notebook without ipywidgets
        connection.execute("SET python_enable_replacements = false")
        return connection

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> pa.Table:
        """Run one of repstore's own queries over the catalog."""
        try:
            with self._turn:
                return self._connection.sql(sql, params=parameters).to_arrow_table()
        except duckdb.ConnectionException:
            raise StoreError(f"{self._layout.root} is closed. Open it again to ask more.") from None
        except duckdb.Error as error:
            raise StoreDamagedError(
                f'{self._layout.catalog} is damaged ({error}). Rebuild it with "repstore repair".'
            ) from error

    def filtered(self, sql: str, parameters: dict[str, Any], where: str, column: str) -> pa.Table:
        """One column of those rows of one of repstore's own queries for which a user's expression is true.

        Raises:
            QueryError: it is not one expression over the columns of the query.
        """
        if not isinstance(where, str) or not _is_utf8(where):
            raise QueryError(f"{where!r} is not a condition on words: it has to be text, in UTF-8.")
        try:
            with self._turn:
                rows = self._connection.sql(sql, params=parameters)
                kind = rows.select(duckdb.SQLExpression(where)).types[0]
                if kind != duckdb.sqltypes.BOOLEAN:
                    raise QueryError(
                        f'"{where}" is not a condition on words: it is {kind}, not true or false.'
                    )
                return rows.filter(where).project(column).to_arrow_table()
        except duckdb.ConnectionException:
            raise StoreError(f"{self._layout.root} is closed. Open it again to ask more.") from None
        except duckdb.Error as error:
            why = str(error).split("\n\nLINE")[0].replace("\n", " ")
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

    def select(
        self,
        sql: str,
        parameters: Sequence[Any] | dict[str, Any],
        labels: Mapping[str, str],
    ) -> pa.Table:
        """Run a user's query, which may read the catalog and the view ``vectors``.

        Args:
            sql: one SELECT statement (or WITH, FROM, VALUES, SHOW, DESCRIBE, EXPLAIN).
            parameters: values for ``?`` or ``$name``.
            labels: what ``vectors`` calls each run, by run_id.

        Raises:
            QueryError: it is not one such statement, or DuckDB refuses it.
        """
        try:
            with self._turn:
                self._check(sql)
                if not self._has_vectors:
                    self._create_vectors(labels)
                    self._has_vectors = True
                table = self._connection.sql(sql, params=parameters).to_arrow_table()
            return table.rename_columns(_distinct(table.column_names))
        except duckdb.ConnectionException:
            raise StoreError(f"{self._layout.root} is closed. Open it again to ask more.") from None
        except duckdb.Error as error:
            raise QueryError(f"DuckDB: {error}") from error

    def _check(self, sql: str) -> None:
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"Expected one SQL statement, not {len(statements)}.")
        kind = statements[0].type
        if kind == duckdb.StatementType.EXPLAIN:
            self._check(_explained(statements[0].query))
        elif kind != duckdb.StatementType.SELECT:
            raise QueryError(
                f"A store is read by SELECT; {kind.name} statements are refused. "
                'Write results elsewhere with "--format csv" or ResultTable.to_parquet.'
            )

    def _create_vectors(self, labels: Mapping[str, str]) -> None:
        """The view ``vectors``: one sub-query per run and layer; a filter on either leaves one column."""
        selects = []
        for run_id, label in labels.items():
            files = self._connection.execute(
                "SELECT file FROM parts WHERE run_id = ? AND file IS NOT NULL ORDER BY part",
                [run_id],
            ).fetchall()
            if not files:
                continue
            n_layers = self._connection.execute(
                "SELECT n_layers FROM runs WHERE run_id = ?", [run_id]
            ).fetchall()[0][0]
            folder = self._layout.run(run_id).root
            paths = ", ".join(_quoted(str(folder / file)) for (file,) in files)
            selects += [
                f"SELECT {_quoted(label)} AS run, {layer} AS layer, word_id, "
                f"{layer_column(layer)}::FLOAT[] AS vector FROM read_parquet([{paths}])"
                for layer in range(n_layers)
            ]
        body = " UNION ALL ".join(selects) or VIEW_OF_NOTHING
        self._connection.execute(f"CREATE VIEW memory.main.vectors AS {body}")
        self._connection.execute(MACROS)
        self._connection.execute("SET lock_configuration = true")


def _explained(sql: str) -> str:
    """The statement that an EXPLAIN explains, found by DuckDB's own lexer: EXPLAIN ANALYZE runs it."""
    tokens = [at for at, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    words = [sql.encode()[at:] for at in tokens]
    after = 2 if words[1][:7].upper() == b"ANALYZE" else 1
    return words[after].decode()


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names, those that were there before with a number."""
    taken: list[str] = []
    for name in names:
        numbered = (name if n == 0 else f"{name}_{n}" for n in count())
        taken.append(next(new for new in numbered if new not in taken))
    return taken


def _is_utf8(text: str) -> bool:
    """Whether a text has no half of a character, as the command line gives for bytes that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _quoted(text: str) -> str:
    """A string literal of SQL, where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"
