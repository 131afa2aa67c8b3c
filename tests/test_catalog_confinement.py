"""A user's SQL reads one store: it writes nothing, and reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import QueryError
from repstore.storage.catalog import Catalog
from repstore.storage.layout import Layout
from repstore.store import Store

SECRET = "nobody else's business"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A store, with a secret beside it, a link to it in the store, and a folder whose name begins like it."""
    folder = tmp_path_factory.mktemp("confined")
    (folder / "secret.csv").write_text(SECRET)
    (folder / "store-secret").mkdir()
    (folder / "store-secret" / "secret.csv").write_text(SECRET)
    root = build_store(folder / "store", small_corpus(10, 6, 4), [SyntheticRun("a", random_layers(10, 4, 2))])
    (root / "link.csv").symlink_to(folder / "secret.csv")
    left = root / "results" / "left"  # of a result that was not finished: DuckDB may read this folder
    left.mkdir(parents=True)
    pq.write_table(pa.table({"x": [SECRET]}), left / "rows.parquet")
    return root


@pytest.fixture(scope="module")
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
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) FROM n",
    f"SELECT {'1 + ' * 200}1",
    f"SELECT count(*) FROM words WHERE {' OR '.join(['lemma = 1::VARCHAR'] * 900)}",
]


@pytest.mark.parametrize("sql", READING)
def test_statements_that_read_are_answered(store, sql):
    assert store.sql(sql).to_arrow().num_columns > 0


STATEMENT = r"^A store is read by SELECT; \w+ statements are refused\. "
CALLED = r"^SQL reads the tables of the store, and nothing else: {}\(\) is refused"
NO_FILES = r"^SQL reads the tables of the store, and no files: .* is refused"
ONE = "^Expected one SQL statement, not "

STATEMENTS = [
    "INSERT INTO words (word_id) VALUES (1)",
    "UPDATE words SET lemma = 'x'",
    "DELETE FROM words",
    "TRUNCATE words",
    "MERGE INTO words USING (SELECT 1 AS n) s ON word_id = s.n WHEN MATCHED THEN DELETE",
    "DROP TABLE words",
    "DROP VIEW vectors",
    "ALTER TABLE words ADD COLUMN x INTEGER",
    "CREATE TABLE mine (x INTEGER)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW vectors AS SELECT 1",
    "CREATE OR REPLACE MACRO cosine(a, b) AS 0",
    "CREATE TYPE mine AS ENUM ('a')",
    "CREATE SCHEMA mine",
    "CREATE SEQUENCE mine",
    "CREATE INDEX mine ON words (word_id)",
    "CREATE SECRET mine (TYPE s3)",
    "CREATE PERSISTENT SECRET mine (TYPE s3)",
    "COMMENT ON TABLE words IS 'x'",
    "COPY words TO '{root}/words.csv'",
    "COPY words TO '{root}/catalog.duckdb'",
    "COPY words TO '{outside}/words.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY words FROM '{outside}/secret.csv'",
    "EXPORT DATABASE '{outside}/export'",
    "IMPORT DATABASE '{outside}'",
    "EXPLAIN ANALYZE INSERT INTO words (word_id) VALUES (1)",
    "EXPLAIN ANALYZE COPY words TO '{root}/words.csv'",
    "/* explain */ EXPLAIN ANALYZE COPY words TO '{root}/words.csv'",
    "/* / explain * */ EXPLAIN ANALYZE COPY words TO '{root}/words.csv' -- */ SELECT 1",
    "-- explain\nEXPLAIN ANALYZE COPY words TO $a${root}/\nselect $a$ (FORMAT csv) --$a$",
    "-- explain\nEXPLAIN ANALYZE CREATE OR REPLACE VIEW memory.main.vectors AS\nSELECT 1",
    "EXPLAIN/**/ANALYZE COPY words TO '{root}/words.csv'",
    "EXPLAIN ANALYZE/**/COPY words TO '{root}/words.csv'",
    "EXPLAIN ANALYZE CREATE OR REPLACE TEMP VIEW words AS".replace(" ", "\u00a0") + " SELECT 1",
    "PREPARE p AS DELETE FROM words",
    "EXECUTE p",
    "DEALLOCATE p",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "ATTACH '{outside}/mine.duckdb' AS mine",
    "ATTACH '{root}/catalog.duckdb' AS mine",
    "ATTACH ':memory:' AS mine",
    "DETACH store",
    "USE memory",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://localhost'",
    "UPDATE EXTENSIONS",
    "LOAD httpfs",
    "LOAD '{outside}/mine.duckdb_extension'",
    "SET enable_external_access = true",
    "SET memory_limit = '1TB'",
    "SET VARIABLE mine = 1",
    "RESET allowed_directories",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{outside}/profile.json'",
    "PRAGMA json_execute_serialized_sql('{{}}')",
    "CALL enable_logging()",
    "CALL force_checkpoint()",
]
CALLS = [
    "FROM read_text('{outside}/secret.csv')",
    "FROM read_text('{root}/../secret.csv')",
    "FROM read_text('{root}-secret/secret.csv')",
    "FROM read_text('{root}/link.csv')",
    "FROM read_text('~/.bashrc')",
    "FROM memory.main.READ_TEXT('{outside}/secret.csv')",
    "FROM read_blob('{outside}/*.csv')",
    "FROM read_csv('{outside}/secret.csv')",
    "FROM read_csv('https://example.com/x.csv')",
    "FROM read_json('{outside}/secret.csv')",
    "FROM read_parquet('{outside}/secret.csv')",
    "FROM read_parquet('{root}/runs/*/parts/*.parquet')",
    "FROM read_duckdb('{root}/catalog.duckdb')",
    "FROM glob('{outside}/*')",
    "FROM sniff_csv('{outside}/secret.csv')",
    "FROM parquet_metadata('{outside}/secret.csv')",
    "FROM sqlite_scan('{outside}/secret.csv', 'x')",
    "FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{outside}/log'}})",
    "FROM enable_profiling(save_location = '{outside}/profile.json')",
    "FROM checkpoint()",
    "FROM arrow_scan(1, 2, 3)",
    "FROM pandas_scan(140000000)",
    "FROM python_arrow_scan(1, 1, 1)",
    "FROM register_external_resource('x')",
    "FROM duckdb_settings()",
    "FROM duckdb_secrets()",
    "FROM query('DELETE FROM words')",
    "FROM query_table('words')",
    "FROM json_execute_serialized_sql('{{}}')",
]
HIDDEN = [
    "SELECT * FROM words WHERE EXISTS ({call})",
    "SELECT (SELECT count(*) {call})",
    "SELECT 1 ORDER BY (SELECT count(*) {call})",
    "SELECT 1 LIMIT (SELECT count(*) {call})",
    "WITH x AS MATERIALIZED ({call}) FROM words, x",
    "SELECT 1 UNION ALL SELECT count(*) {call}",
    "SELECT CASE WHEN 1 = 1 THEN 1 ELSE (SELECT 2 {call}) END",
    "FROM words AS w, LATERAL ({call})",
    "FROM (PIVOT ({call}) ON file IN ('x') USING count(*))",
    "DESCRIBE {call}",
    "SUMMARIZE {call}",
    "EXPLAIN ANALYZE {call}",
]
WITHIN = [
    "WITH w AS (DELETE FROM words RETURNING *) FROM w",
    "WITH w AS (DELETE FROM store.main.words RETURNING *) FROM w",
    "WITH w AS (DELETE FROM memory.shown.labels RETURNING *) FROM w",
    "WITH w AS (UPDATE memory.shown.labels SET run = 'b' RETURNING *) FROM w",
    "WITH w AS (INSERT INTO memory.shown.labels VALUES ('a', 'b') RETURNING *) FROM w",
    "WITH w AS (COPY words TO '{root}/words.csv') FROM w",
    "WITH w AS (COPY (SELECT 1) TO '{root}/catalog.duckdb' (FORMAT csv)) FROM w",
    "SELECT (WITH w AS (COPY words TO '{outside}/words.csv') SELECT count(*) FROM w)",
    "FROM words UNION ALL (WITH w AS (DELETE FROM words RETURNING *) FROM w)",
    "EXPLAIN ANALYZE WITH w AS (COPY words TO '{root}/words.csv') FROM w",
    "DESCRIBE WITH w AS (COPY words TO '{root}/words.csv') FROM w",
]
ESCAPES = [
    *((sql, STATEMENT) for sql in STATEMENTS),
    *((sql, CALLED.format(sql.split("(")[0].split()[1].split(".")[-1].lower())) for sql in CALLS),
    *((sql.format(call="FROM glob('{outside}/*')"), CALLED.format("glob")) for sql in HIDDEN),
    ("FROM '{outside}/secret.csv'", NO_FILES),
    ('FROM "{outside}/secret.csv"', NO_FILES),
    ("FROM '{root}/link.csv'", NO_FILES),
    ("FROM '{root}/store.json'", NO_FILES),
    ("FROM '{root}/catalog.duckdb'", NO_FILES),
    ("FROM '{root}/runs/*/parts/*.parquet'", NO_FILES),
    ("SELECT * FROM words WHERE EXISTS (FROM 'secret.csv')", NO_FILES),
    ("FROM secret.csv", NO_FILES),
    ('FROM "{outside}/secret".csv', NO_FILES),
    ('FROM "{root}/results/left/rows".parquet', NO_FILES),
    ('DESCRIBE "{root}/results/left/rows".parquet', NO_FILES),
    ("DESCRIBE '{outside}/secret.csv'", "syntax error|no files"),
    ("SUMMARIZE '{outside}/secret.csv'", "syntax error|no files"),
    *((sql, STATEMENT) for sql in WITHIN),
    (f"SELECT {'1 + ' * 900}1", "nested too deeply"),
    (f"SELECT {'(' * 2000}1{')' * 2000}", "nested too deeply"),
    ("SELECT st_point(1, 2)", "has this in its extension spatial, and SQL over a store loads none"),
    ("SELECT '10.0.0.1'::INET", "has this in its extension inet, and SQL over a store loads none"),
    ("SELECT * FROM (DELETE FROM words RETURNING *)", "syntax error"),
    ("EXPLAIN (ANALYZE) COPY words TO '{root}/words.csv'", "syntax error"),
    *(
        (f"SELECT {call}", CALLED.format(call.split("(")[0]))
        for call in (
            "setseed(0.5)",
            "write_log('x')",
            "nextval('x')",
            "__internal_decompress_string(1)",
            "_layers('a')",
            "json_serialize_plan('FROM enable_logging()')",
        )
    ),
    ("SELECT getenv('HOME')", "getenv does not exist"),
    ("SELECT set_config('threads', '1')", "set_config does not exist"),
    ("SELECT read_text('{outside}/secret.csv')", "is a table function"),
    ("FROM a_table_of_python", "a_table_of_python does not exist"),
    ("SELECT 1; DROP TABLE words", ONE),
    ("SELECT 1; SELECT 2", ONE),
    ("SELECT 1\x00; DROP TABLE words", ONE),
    ("", ONE),
    ("  \n", ONE),
    ("-- only a comment", ONE),
    ("SELEC 1", "syntax error"),
    ("SELECT * FROM wrods", 'Did you mean "words"'),
    ("SELECT * FROM embeddings", "not exist!\nTables: .*runs.* vectors, words\\."),
    ('FROM words WHERE lemma = "bank"', "text has single ones: 'bank'"),
    ("SELECT layre FROM vectors", 'Candidate bindings: "layer"'),
    ("FROM similarty('a')", 'Did you mean "similarity"'),
    ("SELECT '\ud800'", "is no SQL: it has to be text, in UTF-8"),
]


@pytest.mark.parametrize(("sql", "reason"), ESCAPES)
def test_everything_else_is_refused(store, root, sql, reason):
    """And leaves the store, what is around it, and the session, as they were.

    DuckDB runs what EXPLAIN ANALYZE explains, and takes a no-break space for a blank.
    """
    a_table_of_python = pa.table({"x": [1]})
    before = files_around(root)
    with pytest.raises(QueryError, match=reason):
        store.sql(sql.format(root=root, outside=root.parent))
    assert files_around(root) == before
    assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [2 * 10]
    assert a_table_of_python.num_rows == 1


@pytest.mark.parametrize(
    "where",
    [
        "EXISTS (FROM glob('{outside}/*'))",
        "word_id IN (SELECT 1 FROM read_text('{outside}/secret.csv'))",
        "EXISTS (FROM enable_logging('QueryLog', storage = 'file'))",
        "EXISTS (FROM '{outside}/secret.csv')",
        'EXISTS (FROM "{root}/results/left/rows".parquet)',
        "EXISTS (WITH w AS (COPY words TO '{outside}/words.csv') FROM w)",
    ],
)
def test_a_condition_on_words_is_as_confined(store, root, where):
    before = files_around(root)
    with pytest.raises(QueryError, match=f"{CALLED.format('.*')}|{NO_FILES}|{STATEMENT}"):
        store.neighbors("bark", layer=1, text="002", where=where.format(root=root, outside=root.parent))
    assert files_around(root) == before
    assert len(store.neighbors("bark", layer=1, text="002", where="pos = 'N'")) > 0


@pytest.mark.parametrize(
    "where",
    [
        "system.main._vector(word_id, 'a', 0) IS NOT NULL",
        "_vector(word_id, 'a', 0) IS NOT NULL",
        "memory.main.norm([word_id]) > 0",
        "EXISTS (FROM memory.main.vectors WHERE vector IS NULL)",
        "EXISTS (FROM memory.shown.labels)",
        "setseed(0.5) IS NULL",
    ],
)
def test_a_condition_on_words_knows_nothing_of_a_session(root, where):
    """Whose functions would wait for the answer that waits for them."""
    for statements in ([], ["SELECT 1"]):
        with repstore.open(root) as store:
            for sql in statements:
                store.sql(sql)
            with pytest.raises(QueryError, match="is refused"):
                store.neighbors("bark", layer=1, text="002", where=where)


@pytest.mark.parametrize("call", ["read_text('{}')", "read_csv('{}')", "glob('{}')", "'{}'"])
def test_duckdb_itself_reads_no_file_either(root, call):
    """So what the list of harmless functions overlooks is refused all the same."""
    with closing(Catalog(Layout(root))) as catalog:
        connection = catalog.beside()
        for path in (root / "link.csv", root.parent / "secret.csv", root.parent / "store-secret" / "*.csv"):
            with pytest.raises(duckdb.Error, match="operations are disabled by configuration"):
                connection.execute(f"FROM {call.format(path)}")
        for setting in ("enable_external_access = true", "allowed_directories = ['/']"):
            with pytest.raises(duckdb.Error, match="Cannot"):
                connection.execute(f"SET {setting}")


def test_a_result_is_not_read_by_the_name_of_its_file(root, monkeypatch):
    monkeypatch.chdir(root / "results" / "left")
    with repstore.open(root) as store, pytest.raises(QueryError, match=NO_FILES):
        store.sql("FROM rows.parquet")


@pytest.mark.parametrize("folder", [".", ".tmp"])
def test_the_current_folder_is_not_the_store(root, tmp_path, monkeypatch, folder):
    """DuckDB counts its temporary folder, by default ".tmp" of the current one, as allowed."""
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "secret.csv").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    with repstore.open(root) as store, pytest.raises(QueryError, match=NO_FILES):
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
