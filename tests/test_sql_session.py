"""A session of SQL: it can be stopped, keeps to its limits, gives types that others know, and is shared."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError, StoreDamagedError, StoreError
from repstore.storage.catalog import Catalog, Contents, PythonFunction, Session, session
from repstore.storage.layout import Layout
from repstore.store import Store

ENDLESS = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range * b.range % 7 = 3"
LAYERS = random_layers(40, 4, 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    runs = [SyntheticRun("a", LAYERS), SyntheticRun("b", LAYERS)]
    return build_store(tmp_path_factory.mktemp("session") / "store", small_corpus(40, 6, 4), runs)


@pytest.fixture
def store(root) -> Iterator[Store]:
    with repstore.open(root) as opened:
        yield opened


@pytest.mark.parametrize("query", [ENDLESS, f"FROM ({ENDLESS}), vectors", f"EXPLAIN ANALYZE {ENDLESS}"])
def test_ctrl_c_stops_a_query_and_the_store_can_be_asked_again(store, query):
    store.sql("SELECT 1")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        store.sql(query)
    assert time.monotonic() - began < 20  # it would take hours
    assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [2 * 2 * 40]


@pytest.mark.usefixtures("interrupted_waits_go_on")
def test_ctrl_c_stops_a_query_where_a_library_has_interrupted_waits_go_on(store):
    store.sql("SELECT 1")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    last_resort = threading.Timer(10, store._session._connection.interrupt)
    last_resort.start()
    with pytest.raises(KeyboardInterrupt):
        store.sql(ENDLESS)
    assert last_resort.is_alive()
    last_resort.cancel()


def test_an_impatient_ctrl_c_stops_it_too(store, monkeypatch):
    presses = [KeyboardInterrupt, KeyboardInterrupt]

    def wait_impatiently(*waiting: object, timeout: float) -> object:
        if presses:
            raise presses.pop()
        return wait(*waiting, timeout=timeout)

    store.sql("SELECT 1")
    monkeypatch.setattr(session, "wait", wait_impatiently)
    last_resort = threading.Timer(10, store._session._connection.interrupt)
    last_resort.start()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        store.sql(ENDLESS)
    assert (presses, last_resort.is_alive()) == ([], True)
    last_resort.cancel()
    assert store.sql("SELECT 1 AS x")["x"] == [1]


@pytest.mark.parametrize("has_started", [True, False])
def test_ctrl_c_is_heard_while_the_query_begins(store, monkeypatch, has_started):
    class Interrupted(threading.Thread):
        def start(self) -> None:
            if has_started:
                super().start()
            raise KeyboardInterrupt

    store.sql("SELECT 1")
    last_resort = threading.Timer(10, store._session._connection.interrupt)
    last_resort.start()
    with monkeypatch.context() as patched:
        patched.setattr(session, "Thread", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.sql(ENDLESS)
    assert last_resort.is_alive()
    last_resort.cancel()
    assert store.sql("SELECT 1 AS x")["x"] == [1]


@pytest.mark.parametrize("place", ["create_views", "awaited"])
def test_ctrl_c_while_a_session_is_made_leaves_a_store_that_can_be_asked(store, monkeypatch, place):
    """Be it in the midst of it, or when all is made and nobody has been told."""
    real = getattr(session, place)

    def interrupted(*arguments: object) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(session, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.sql("SELECT 1")
    assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [2 * 2 * 40]


def test_ctrl_c_in_what_the_store_itself_asks_of_duckdb_is_no_other_error(store):
    """DuckDB looks out for signals between its tasks, in the main thread."""
    in_tasks = " UNION ALL ".join(
        f"SELECT sum(range % {n}) AS n FROM range(30_000_000)" for n in range(7, 207)
    )
    (word,) = store.words(limit=1)["word_id"]
    for ask in (
        lambda: store._catalog.query(in_tasks),
        lambda: store.neighbors(word, run="a", layer=1, where=f"(SELECT sum(n) FROM ({in_tasks})) > 0"),
    ):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            ask()


def test_ctrl_c_ends_the_command_with_a_line(root):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    outcome = command("sql", root, ENDLESS)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "repstore: Interrupted.\n"


def test_the_command_takes_limits(root):
    asked = "SELECT current_setting('threads') AS n, current_setting('memory_limit') AS m"
    outcome = command("sql", root, asked, "--threads", 1, "--memory", "1GB", "--format", "csv")
    assert outcome.out == "n,m\n1,953.6 MiB\n"


def test_a_function_that_takes_no_vectors_is_refused_in_a_few_lines(store):
    with pytest.raises(QueryError, match=r"'-\(FLOAT\[\], FLOAT\[\]\)'.*\n\nLINE 1") as refused:
        store.sql("SELECT vector - vector FROM vectors")
    assert len(str(refused.value)) < 300


def test_a_query_that_needs_more_memory_than_it_may_take_says_so(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    query = "SELECT list(a.range ORDER BY random()) AS l FROM range(3000000) AS a"
    with pytest.raises(QueryError, match=r"needs more than the 0\.0 GB of memory that it may take"):
        store.sql(query, memory=20 << 20)
    assert list(tmp_path.iterdir()) == []  # nor was it written elsewhere
    assert len(store.words(lemma="bank")) == 10  # what repstore itself asks has no such limit
    assert len(store.sql(query)["l"][0]) == 3_000_000


def test_a_result_that_needs_more_memory_than_it_may_take_is_not_taken_whole(store):
    """4 kB a row, so 200 MB; to find them takes less."""
    store.sql("SELECT 1")
    rows = "SELECT range AS n, repeat('a', 4096) AS text FROM range(50000)"
    with pytest.raises(QueryError, match=r"rows of the result need more than the 0\.0 GB .* Ask for fewer"):
        store.sql(rows, memory=30 << 20, threads=1)
    assert store.sql(f"SELECT count(*) AS n, max(len(text)) AS m FROM ({rows})", memory=30 << 20)["n"] == [
        50_000
    ]
    assert len(store.sql(f"{rows} LIMIT 3000", memory=30 << 20)) == 3000


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT CASE WHEN range < 900000 THEN 'a' ELSE error('boom') END FROM range(1000000)", "boom"),
        ("SELECT CASE WHEN range = 5000 THEN vector(1, 'none', 0) END FROM range(10000)", 'No run "none"'),
        ("SELECT error('mine'), try(vector(1, 'none', 0))", "mine"),
        ("SELECT if(range = 1, error('mine'), try(vector(1, 'none', range))) FROM range(2)", "mine"),
    ],
)
def test_an_error_is_the_one_that_happened_be_it_after_many_rows(store, query, reason):
    with pytest.raises((QueryError, NotFoundError), match=reason):
        store.sql(query)
    assert store.sql("SELECT 1 AS x")["x"] == [1]


@pytest.mark.parametrize(("asked", "n_threads"), [(1, 1), (2, 2), (100_000, 2)])
def test_a_query_takes_as_many_threads_as_it_may(store, monkeypatch, asked, n_threads):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # as many processors
    assert store.sql("SELECT current_setting('threads') AS n", threads=asked)["n"] == [n_threads]
    assert store.sql("SELECT current_setting('memory_limit') AS m")["m"] == ["1.8 GiB"]  # 2 GB


def test_numbers_lists_structs_and_dates_keep_their_types(store, tmp_path):
    found = store.sql("""
        SELECT sum(n_words) AS total, 170141183460469231731687303715884105727 AS huge,
               1.50::DECIMAL(10, 2) AS price,
               DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:00:00' AS moment, [1, 2] AS list,
               {'a': 1, 'b': ['x']} AS struct, MAP {'k': 1} AS map, true AS yes, NULL AS nothing,
               'nan'::DOUBLE AS nan, [[0.5::FLOAT]] AS vectors
        FROM runs
    """)
    row = {
        "total": 80,
        "huge": Decimal(2**127 - 1),
        "price": Decimal("1.50"),
        "day": date(2024, 2, 29),
        "moment": datetime(2024, 2, 29, 12),
        "list": [1, 2],
        "struct": {"a": 1, "b": ["x"]},
        "map": [("k", 1)],
        "yes": True,
        "nothing": None,
        "vectors": [[0.5]],
    }
    kept = {name: value for name, value in next(iter(found)).items() if name != "nan"}
    assert kept == row
    types = {field.name: field.type for field in found.to_arrow().schema}
    assert types["total"] == pa.int64()
    assert types["huge"] == pa.decimal128(38, 0)
    assert types["day"] == pa.date32()
    assert types["vectors"].value_type.value_type == pa.float32()
    frame = found.to_pandas()
    assert frame["total"].dtype == np.int64
    assert frame["moment"].dtype.kind == "M"
    as_json = json.loads(found.to_json())[0]
    assert (as_json["map"], as_json["struct"], as_json["day"], as_json["nan"], as_json["price"]) == (
        [["k", 1]], {"a": 1, "b": ["x"]}, "2024-02-29", None, 1.5
    )  # fmt: skip
    found.to_parquet(tmp_path / "found.parquet")
    assert pq.read_table(tmp_path / "found.parquet").schema.types == found.to_arrow().schema.types


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.array([1.5, 2.5], np.float32), [1.5, 2.5]),
        (np.array([1.5, 2.5], np.float16), [1.5, 2.5]),
    ],
)
def test_numbers_and_vectors_of_numpy_are_parameters(store, value, found):
    assert store.sql("SELECT ? AS value", [value])["value"] == [found]
    assert store.sql("SELECT $v AS value", {"v": value})["value"] == [found]


@pytest.mark.parametrize("query", [None, 5, b"SELECT 1", ["SELECT 1"]])
def test_what_is_no_text_is_no_query(store, query):
    with pytest.raises(QueryError, match="is no SQL"):
        store.sql(query)


@pytest.mark.parametrize("parameters", ["bank", "x", 5, None])
def test_a_value_alone_is_no_list_of_parameters(store, parameters):
    with pytest.raises(QueryError, match=r" is no list of parameters\. Write \["):
        store.sql("SELECT ?", parameters)


@pytest.mark.parametrize(
    "limits", [{"memory": 0}, {"memory": -5}, {"memory": "2GB"}, {"threads": 0}, {"threads": -1}]
)
def test_limits_are_numbers_of_bytes_and_of_threads(store, limits):
    with pytest.raises(
        ArgumentError, match=r"^memory is .* give a number of bytes|^threads is .* at least 1"
    ):
        store.sql("SELECT 1", **limits)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UHUGEINT", f"'{2**128 - 1}'::UHUGEINT"),
        ("UHUGEINT", "[{'a': md5_number('b')}]"),
        ("BIT", "BIT '101'"),
        ("BIGNUM", "1::BIGNUM"),
        ("VARIANT", "MAP {'a': 1::VARIANT}"),
    ],
)
def test_values_of_types_that_arrow_has_not_are_refused(store, kind, value):
    with pytest.raises(QueryError, match=f'^"n" holds {kind}, which Arrow has not. Cast it to VARCHAR.$'):
        store.sql(f"SELECT {value} AS n")
    assert isinstance(store.sql(f"SELECT ({value})::VARCHAR AS n")["n"][0], str)


def test_names_like_those_of_types_are_names(store):
    for field, value in (("BIT", "VARIANT"), ("a BIT of", 'an "x BIT y"'), ('a" BIT "b', "VARIANT, it")):
        found = store.sql(f"SELECT {{'{field}': '{value}'::ENUM('{value}')}} AS \"BIGNUM\"")
        assert found["BIGNUM"] == [{field: value}]


def test_threads_of_python_may_share_a_store(store):
    """Functions that look runs up and functions that read them are called from threads of DuckDB."""
    query = "SELECT count(cosine) AS n FROM similarity(?) UNION ALL SELECT count(*) FROM vectors"
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(store.sql, query, [name]) for name in "abab" * 3]
        looked_up = [pool.submit(store.words, lemma="bank") for _ in range(12)]
        assert [one.result()["n"] for one in asked] == [[20, 160]] * 12
        assert {len(one.result()) for one in looked_up} == {10}


def test_a_closed_store_says_so(root):
    store = repstore.open(root)
    store.sql("SELECT 1")
    store.close()
    unasked = repstore.open(root)
    unasked.close()
    for closed in (store, unasked):
        with pytest.raises(StoreError, match="Open it again"):
            closed.sql("SELECT 1")
        with pytest.raises(StoreError, match="Open it again"):
            closed.tables()


def test_a_store_that_answers_another_thread_is_not_closed(root):
    store = repstore.open(root)
    store.sql("SELECT 1")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(store.sql, "SELECT sleep_ms(1000) AS x")
        time.sleep(0.3)
        with pytest.raises(
            StoreError, match=r"is answering another thread\. Close it when it has answered\."
        ):
            store.close()
        assert len(asked.result()) == 1
    store.close()
    with pytest.raises(StoreError, match="Open it again"):
        store.sql("SELECT 1")


def test_a_store_whose_memory_a_query_has_taken_is_not_damaged(store, monkeypatch):
    catalog = store._catalog
    monkeypatch.setattr(catalog, "_connection", TakenMemory())
    with pytest.raises(StoreError, match="leaves no memory to read") as refused:
        store.words(lemma="bank")
    assert not isinstance(refused.value, StoreDamagedError)


class TakenMemory:
    """A connection to a DuckDB all of whose memory another query holds."""

    def sql(self, *_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")


def test_a_catalog_that_lacks_a_table_is_damaged(root, tmp_path):
    shutil.copytree(root, tmp_path / "store")
    with duckdb.connect(str(tmp_path / "store" / "catalog.duckdb")) as connection:
        connection.execute("DROP TABLE edges")
    with (
        repstore.open(tmp_path / "store") as store,
        pytest.raises(StoreDamagedError, match="repstore repair"),
    ):
        store.sql("SELECT 1")


def test_a_store_that_is_let_go_of_is_let_go_of(root):
    """DuckDB holds the functions that it calls; they hold no store."""
    store = repstore.open(root)
    store.sql("SELECT vector(word_id, 'a', 0) FROM words")
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("last", ["pass", "store.sql('SELECT oops')"])
def test_a_program_that_ends_says_nothing_of_leaks(root, last):
    program = f"""
import repstore
store = repstore.open({str(root)!r})
store.sql("SELECT * FROM vectors")
try:
    {last}
except repstore.RepstoreError as error:
    pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_more_tables_are_shown_and_may_change_while_the_store_is_open(root):
    first, second = pa.table({"name": ["first"]}), pa.table({"name": ["first", "second"], "n": [1, 2]})
    vector = PythonFunction("_vector", ("BIGINT", "VARCHAR", "BIGINT"), "FLOAT[]", lambda *columns: None)
    named = "CREATE MACRO memory.main.named(x) AS TABLE FROM results WHERE name = x"
    catalog = Catalog(Layout(root))
    session = Session(catalog, Contents([], [vector], {"results": first}, [named]))

    def ask(sql: str) -> list[dict[str, object]]:
        return session.select(sql, memory=1 << 30, threads=1).to_pylist()

    assert ask("FROM results") == ask("FROM named('first')") == [{"name": "first"}]
    session.show("results", second)
    assert ask("FROM named('second')") == [{"name": "second", "n": 2}]
    assert {"table": "results", "column": "n", "type": "BIGINT"} in session.columns().to_pylist()
    catalog.close()
