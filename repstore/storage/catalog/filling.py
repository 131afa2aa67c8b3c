"""Filling the tables of a catalog from the other files of a store."""

from __future__ import annotations

import duckdb

from repstore.schemas import catalog_ddl
from repstore.spec import RunInfo
from repstore.storage.corpora import read_corpora
from repstore.storage.layout import Layout
from repstore.storage.manifest import committed_parts
from repstore.storage.runs import read_runs

INSERT_CORPUS = "INSERT INTO corpora VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_RUN = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_PARTS = f"INSERT INTO parts SELECT ?{', unnest(?)' * 8}"
OF_PART = ("part", "file", "bytes", "sha256", "first_word_id", "last_word_id", "n_words", "n_windowed")
COPY_TABLE = "INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?)"
COPY_SKIPPED = "INSERT INTO skipped BY NAME SELECT ? AS run_id, * FROM read_parquet(?)"


def fill(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Create the tables of a catalog and fill them."""
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
    # All at once: one by one takes a millisecond each.
    connection.execute(INSERT_PARTS, [run.run_id, *([getattr(p, name) for p in parts] for name in OF_PART)])
    for p in parts:
        if p.skipped_file is not None:
            connection.execute(COPY_SKIPPED, [run.run_id, str(folder.root / p.skipped_file)])
