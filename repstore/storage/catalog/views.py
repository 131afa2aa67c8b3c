"""The catalog as users see it: its tables with the labels of runs, and all vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from repstore.storage.catalog.reading import quoted

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
SELECT run, layer, word_id, _vector(word_id, run, layer) AS vector FROM ({words})
"""


@dataclass(frozen=True)
class RunShown:
    """A run in SQL: what it is called, and how many layers it has."""

    run_id: str
    label: str
    n_layers: int


def create_views(connection: duckdb.DuckDBPyConnection, runs: Sequence[RunShown]) -> None:
    """Create the views, where there is a function ``_vector(word_id, run, layer)``."""
    connection.execute(LABELS)
    for run in runs:
        connection.execute("INSERT INTO memory.shown.labels VALUES (?, ?)", [run.run_id, run.label])
    for table in OF_RUNS:
        connection.execute(LABELLED.format(table=table))
    for table in OTHERS:
        connection.execute(AS_IT_IS.format(table=table))
    words = [query for run in runs if (query := _words_of(connection, run)) is not None]
    connection.execute(VECTORS.format(words=" UNION ALL ".join(words) or NO_WORDS))


def _words_of(connection: duckdb.DuckDBPyConnection, run: RunShown) -> str | None:
    """A query for the words that have vectors in a run, once for every layer."""
    ranges: list[list[int]] = []
    before = None
    for part, first, last in connection.execute(COMMITTED, {"run_id": run.run_id}).fetchall():
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
