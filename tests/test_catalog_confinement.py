"""A user's SQL reads one store: it writes nothing, and reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import QueryError
from repstore.store import Store

SECRET = "nobody else's business"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A store, with a secret beside it and one in a folder whose name begins like the store's."""
    folder = tmp_path_factory.mktemp("confined")
    (folder / "secret.csv").write_text(SECRET)
    (folder / "store-secret").mkdir()
    (folder / "store-secret" / "secret.csv").write_text(SECRET)
    return build_store(folder / "store", small_corpus(10, 6, 4), [SyntheticRun("a", random_layers(10, 4, 2))])


@pytest.fixture
def store(root) -> Iterator[Store]:
    with repstore.open(root) as opened:
        yield opened


def files_around(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()}


READING = [
    "SELECT count(*) FROM words",
    "select 1;",
    "(SELECT 1)",
    "FROM words LIMIT 1",
    "VALUES (1), (2)",
    "WITH w AS (FROM words) SELECT count(*) FROM w",
    "-- how many?\nSELECT count(*) /* all */ FROM texts -- of them",
    "SHOW TABLES",
    "DESCRIBE vectors",
    "SUMMARIZE words",
    "EXPLAIN SELECT 1",
    "explain analyze\n select count(*) from vectors",
    "-- why so slow?\nEXPLAIN ANALYZE SELECT count(*) FROM words",
    "SELECT 'explain analyze' AS explain",
    "EXPLAIN SELECT 'explain ' AS explain",
    "SELECT lemma, pos FROM words GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL",
    "SELECT run, layer, avg(norm(vector)) FROM vectors GROUP BY ALL",
    "FROM (PIVOT words ON pos IN ('N', 'V') USING count(*) GROUP BY lemma)",
]


@pytest.mark.parametrize("sql", READING)
def test_statements_that_read_are_answered(store, sql):
    assert store.sql(sql).to_arrow().num_columns > 0


WRITING = [
    "INSERT INTO words (word_id) VALUES (1)",
    "UPDATE words SET lemma = 'x'",
    "DELETE FROM words",
    "TRUNCATE words",
    "MERGE INTO words USING (SELECT 1 AS n) s ON word_id = s.n WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM words RETURNING *) SELECT * FROM gone",
    "DROP TABLE words",
    "DROP VIEW vectors",
    "ALTER TABLE words ADD COLUMN x INTEGER",
    "CREATE TABLE mine (x INTEGER)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW vectors AS SELECT 1",
    "CREATE OR REPLACE MACRO cosine(a, b) AS 0",
    "COMMENT ON TABLE words IS 'x'",
    "COPY words TO '{root}/words.csv'",
    "COPY words TO '{root}/catalog.duckdb'",
    "COPY words TO '{outside}/words.csv'",
    "COPY words FROM '{outside}/secret.csv'",
    "EXPORT DATABASE '{outside}/export'",
    "EXPLAIN ANALYZE INSERT INTO words (word_id) VALUES (1)",
    "EXPLAIN ANALYZE COPY words TO '{root}/words.csv'",
    "/* explain */ EXPLAIN ANALYZE COPY words TO '{root}/words.csv'",
    "/* / explain * */ EXPLAIN ANALYZE COPY words TO '{root}/words.csv' -- */ SELECT 1",
    "-- explain\nEXPLAIN ANALYZE COPY words TO $a${root}/\nselect $a$ (FORMAT csv) --$a$",
    "-- explain\nEXPLAIN ANALYZE CREATE OR REPLACE VIEW memory.main.vectors AS\nSELECT 1",
    "EXPLAIN/**/ANALYZE COPY words TO '{root}/words.csv'",
    "EXPLAIN ANALYZE/**/COPY words TO '{root}/words.csv'",
    "EXPLAIN (ANALYZE) COPY words TO '{root}/words.csv'",
    "EXPLAIN ANALYZE CREATE OR REPLACE TEMP VIEW words AS".replace(" ", "\u00a0") + " SELECT 1",
    "PREPARE p AS DELETE FROM words",
    "FROM query('DELETE FROM words')",
    "SELECT 1; DROP TABLE words",
    "BEGIN",
    "CHECKPOINT",
]
REACHING_OUT = [
    "FROM read_text('{outside}/secret.csv')",
    "FROM read_text('{root}/../secret.csv')",
    "FROM read_text('{root}-secret/secret.csv')",
    "FROM read_blob('{outside}/*.csv')",
    "FROM read_csv('{outside}/secret.csv')",
    "FROM read_json('{outside}/secret.csv')",
    "FROM read_parquet('{outside}/secret.csv')",
    "FROM '{outside}/secret.csv'",
    "FROM glob('{outside}/*')",
    "FROM sniff_csv('{outside}/secret.csv')",
    "FROM parquet_metadata('{outside}/secret.csv')",
    "FROM read_csv('https://example.com/x.csv')",
    "FROM read_text('~/.bashrc')",
    "ATTACH '{outside}/mine.duckdb' AS mine",
    "ATTACH '{root}/catalog.duckdb' AS mine",
    "DETACH store",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FROM sqlite_scan('{outside}/secret.csv', 'x')",
    "SET enable_external_access = true",
    "RESET allowed_directories",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{outside}/profile.json'",
    "CALL enable_logging()",
    "FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{outside}/log'}})",
    "FROM enable_profiling(save_location = '{outside}/profile.json')",
    "CREATE SECRET mine (TYPE s3)",
    "SELECT getenv('HOME')",
    "FROM a_table_of_python",
]
NO_STATEMENT = ["", "  \n", "-- only a comment", "SELEC 1", "SELECT 1; SELECT 2", "SELECT * FROM wrods"]


@pytest.mark.parametrize("sql", WRITING + REACHING_OUT + NO_STATEMENT)
def test_everything_else_is_refused(store, root, sql):
    """And leaves the store, and the session, as they were.

    DuckDB runs what EXPLAIN ANALYZE explains, and takes a no-break space for a blank.
    """
    a_table_of_python = pa.table({"x": [1]})
    before = files_around(root)
    with pytest.raises(QueryError):
        store.sql(sql.format(root=root, outside=root.parent))
    assert files_around(root) == before
    assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [2 * 10]
    assert a_table_of_python.num_rows == 1


@pytest.mark.parametrize("folder", [".", ".tmp"])
def test_the_current_folder_is_not_the_store(root, tmp_path, monkeypatch, folder):
    """DuckDB counts its temporary folder, by default ".tmp" of the current one, as allowed."""
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "secret.csv").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    with repstore.open(root) as store, pytest.raises(QueryError, match="secret"):
        store.sql(f"FROM '{folder}/secret.csv'")


@pytest.mark.parametrize(
    "value", [0, -(2**63), 1.5, True, None, "bank", "'; DROP TABLE words; --", [1, 2], date(2024, 2, 29)]
)
def test_parameters_are_values(store, value):
    assert store.sql("SELECT ? AS value", [value])["value"] == [value]
    assert store.sql("SELECT $it AS value, $it AS again", {"it": value})["again"] == [value]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", []),
        ("SELECT ?, ?", [1]),
        ("SELECT 1", [1]),
        ("SELECT $a", {"b": 1}),
        ("SELECT $a", {}),
        ("SELECT ?", [object()]),
    ],
)
def test_parameters_that_do_not_fit_are_refused(store, sql, parameters):
    with pytest.raises(QueryError):
        store.sql(sql, parameters)
