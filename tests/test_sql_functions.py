"""Functions of vectors in SQL: values by plain loops, words that have no vector, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError
from repstore.sql import SEVERAL
from repstore.sql_functions import FUNCTIONS
from repstore.storage.parts import PartFile
from repstore.storage.vectors import LayerVectors
from repstore.store import Store

CORPUS = small_corpus()
PAIRS = list(CORPUS.pairs())
LAYERS = random_layers(80, 6, 3)
SKIPPED = frozenset({3, 40, 79})
RUN = SyntheticRun("m/base", LAYERS, 33, skipped=SKIPPED, widened=frozenset({(1, 2)}))
TIED = SyntheticRun("m/tied", [np.round(layer) for layer in random_layers(80, 2, 2, seed=1)])
ELSEWHERE = SyntheticRun("m/base", random_layers(8, 5, 2, seed=2))
BASE = "m/base@synthetic"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Two runs of one corpus, and one of the same name of another."""
    folder = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [RUN, TIED])
    return build_store(folder, small_corpus(8, 6, 4, name="other"), [ELSEWHERE])


@pytest.fixture(scope="module")
def store(root) -> Iterator[Store]:
    with repstore.open(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def first(store) -> int:
    return ids_of(store)[0]


def ids_of(store: Store, run: str = BASE) -> list[int]:
    return store.vectors(run=run, layer=0).word_ids.tolist()


NUMBERS = arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(-100, 100, width=16))


@given(NUMBERS, st.data())
def test_functions_of_two_vectors_equal_plain_loops(store, a, data):
    b = data.draw(arrays.arrays(np.float32, a.shape, elements=st.floats(-100, 100, width=16)))
    (row,) = store.sql("SELECT cosine($a, $b) AS c, dot($a, $b) AS d, l2($a, $b) AS l", {"a": a, "b": b})
    x, y = a.tolist(), b.tolist()
    size = 1 + oracles.dot(x, x) + oracles.dot(y, y)
    assert row["d"] == pytest.approx(oracles.dot(x, y), abs=1e-5 * size)
    assert row["l"] == pytest.approx(sum((i - j) ** 2 for i, j in zip(x, y, strict=True)) ** 0.5, rel=1e-4)
    if any(x) and any(y):
        assert row["c"] == pytest.approx(oracles.cosine(x, y), abs=1e-5)
    else:
        assert row["c"] == 0


@pytest.mark.parametrize("call", ["cosine(NULL, [1.0])", "dot([1.0], NULL)", "l2(NULL, NULL)", "norm(NULL)"])
def test_a_function_of_null_is_null(store, call):
    assert store.sql(f"SELECT {call} AS value")["value"] == [None]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT cosine([1.0], [1.0, 2.0])", "dimensions must be equal"),
        ("SELECT dot([1.0], [1.0, 2.0])", "dimensions must be equal"),
        ("SELECT l2([1.0], [1.0, 2.0])", "dimensions must be equal"),
        ("SELECT cosine([1.0, NULL], [1.0, 2.0])", "can not contain NULL"),
        ("SELECT centroid(v) FROM (VALUES ([1.0]), ([1.0, 2.0])) AS t(v)", "of 1 and of 2 dimensions"),
        ("SELECT centroid(v) FROM (VALUES ([1.0, NULL])) AS t(v)", "NULL among its numbers"),
        ("SELECT centroid(vector) FROM vectors WHERE layer = 1", "of 2 and of 6 dimensions have no mean"),
        ("FROM vectors WHERE layer = 'mix:x'", "Ask about mixes and transforms in Python"),
        (f"SELECT vector(1, '{BASE}', 'mix:x')", "Ask about mixes and transforms in Python"),
        (f"FROM similarity('{BASE}', 'mix:x')", "Ask about mixes and transforms in Python"),
        (f"FROM neighbors(1, '{BASE}', 'mix:x')", "Ask about mixes and transforms in Python"),
    ],
)  # fmt: skip
def test_what_has_no_answer_is_refused(store, query, reason):
    with pytest.raises(QueryError, match=reason):
        store.sql(query)


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        ("similarity('m/bose')", NotFoundError, 'No run "m/bose". Known: m/base@other'),
        ("similarity('m/base')", NotFoundError, "m/base@other, m/base@synthetic. Say which"),
        ("similarity('m/tied', -1)", NotFoundError, "m/tied has no layer -1; it has 0 (embeddings) to 1"),
        ("similarity('m/tied', 2)", NotFoundError, "m/tied has no layer 2; it has 0 (embeddings) to 1"),
        ("neighbors(1, 'm/tied', 2)", NotFoundError, "m/tied has no layer 2"),
        ("neighbors(1, 'm/tied', 1, 0)", ArgumentError, "k is 0; ask for at least 1"),
        ("(SELECT vector(1, 'm/tied', -1))", NotFoundError, "m/tied has no layer -1"),
        (
            "(SELECT vector(1, 'm/tied', l) FROM (VALUES (1), (4294967297)) AS t(l))",
            NotFoundError,
            "4294967297",
        ),
        ("(SELECT vector(1, 'x; DROP TABLE words', 1))", NotFoundError, 'No run "x; DROP TABLE words"'),
    ],
)
def test_errors_of_functions_are_those_of_the_library(store, call, error, reason):
    with pytest.raises(error, match=re.escape(reason)):
        store.sql(f"FROM {call}")
    assert store.sql("SELECT 1 AS x")["x"] == [1]


def test_vectors_of_words_are_those_of_the_arrays(store, first):
    query = f"""
        SELECT n, layer, vector($first + n, '{BASE}', layer) AS vector FROM range(82) AS w(n), range(3) AS l(layer)
    """  # noqa: E501
    for row in store.sql(query, {"first": first}):
        if row["n"] in SKIPPED or row["n"] >= 80:
            assert row["vector"] is None
        else:
            assert row["vector"] == LAYERS[row["layer"]][row["n"]].astype(np.float32).tolist()


def test_the_centroid_is_the_mean(store):
    query = f"""
        SELECT lemma, centroid(vector) AS c, centroid(CASE WHEN pos = 'V' THEN vector END) AS of_verbs
        FROM vectors JOIN words USING (word_id) WHERE run = '{BASE}' AND layer = 2
        GROUP BY lemma ORDER BY lemma
    """
    words = [word for text in CORPUS.texts() for word in text.words]
    rows = list(store.sql(query))
    assert len(rows) == 4
    for row in rows:
        mine = [n for n in range(80) if words[n].lemma == row["lemma"] and n not in SKIPPED]
        verbs = [n for n in mine if words[n].pos == "V"]
        for found, chosen in ((row["c"], mine), (row["of_verbs"], verbs)):
            assert found == pytest.approx(
                LAYERS[2][chosen].astype(np.float64).mean(axis=0).tolist(), rel=1e-6
            )


def test_the_centroid_of_no_vector_is_null(store):
    assert store.sql("SELECT centroid(NULL::FLOAT[]) AS c FROM range(3)")["c"] == [None]
    assert store.sql("SELECT centroid(vector) AS c FROM vectors WHERE run = 'none'")["c"] == [None]


@pytest.mark.parametrize("layer", [None, 0, 2])
def test_similarity_is_the_cosine_of_every_pair_of_the_corpus_of_the_run(store, first, layer):
    asked = "" if layer is None else f", {layer}"
    found = store.sql(f"FROM similarity('{BASE}'{asked}) ORDER BY pair_id, layer")
    assert found.columns == ["pair_id", "split", "word_a", "word_b", "label", "score", "layer", "cosine"]
    expected = list(product(PAIRS, range(3) if layer is None else [layer]))
    assert len(found) == len(expected)
    for row, (pair, at) in zip(found, expected, strict=True):
        assert (row["word_a"] - first, row["word_b"] - first) == (pair.word_a, pair.word_b)
        assert (row["split"], row["label"], row["layer"]) == (pair.split, pair.label, at)
        if {pair.word_a, pair.word_b} & SKIPPED:
            assert row["cosine"] is None
        else:
            a, b = LAYERS[at][pair.word_a], LAYERS[at][pair.word_b]
            assert row["cosine"] == pytest.approx(oracles.cosine(a, b), abs=1e-5)


def test_a_run_without_vectors_yet_is_one_whose_words_have_none(tmp_path):
    """And does not spoil a query over all runs."""
    begun = SyntheticRun("begun", random_layers(80, 6, 3), n_committed=0)
    of_all = "SELECT run, count(*), count(cosine) FROM runs, similarity(run, 1) GROUP BY run ORDER BY run"
    with repstore.open(build_store(tmp_path, CORPUS, [begun, TIED])) as store:
        first = ids_of(store, "m/tied")[0]
        assert [tuple(row.values()) for row in store.sql(of_all)] == [
            ("begun", len(PAIRS), 0), ("m/tied", len(PAIRS), len(PAIRS))
        ]  # fmt: skip
        assert store.sql("SELECT vector(?, 'begun', 0) AS v", [first])["v"] == [None]
        assert len(store.sql("FROM neighbors(?, 'begun', 0)", [first])) == 0
        with pytest.raises(NotFoundError, match="begun has no layer 3"):
            store.sql("SELECT vector(?, 'begun', 3)", [first])


def test_similarity_joins_with_words(store):
    query = f"""
        SELECT a.lemma = b.lemma AS same, avg(cosine) AS mean, count(*) AS n
        FROM similarity('{BASE}', layer := 1)
        JOIN words AS a ON a.word_id = word_a JOIN words AS b ON b.word_id = word_b GROUP BY ALL ORDER BY ALL
    """
    assert store.sql(query)["n"] == [
        sum((pair.word_a % 4 == pair.word_b % 4) is same for pair in PAIRS) for same in (False, True)
    ]


@pytest.mark.parametrize(("run", "layer", "k"), [(BASE, 1, 5), ("m/tied", 0, 3), ("m/tied", 1, 200)])
def test_neighbors_are_those_of_the_library_one_by_one_and_all_at_once(store, run, layer, k):
    word_ids = ids_of(store, run)
    assert len(word_ids) > SEVERAL
    one = f"FROM neighbors(?, '{run}', {layer}, {k})"
    every = f"""
        SELECT w.word_id AS word, n.* FROM words AS w, neighbors(w.word_id, '{run}', {layer}, {k}) AS n
        ORDER BY word, rank
    """
    at_once = [tuple(row.values()) for row in store.sql(every)]
    assert sorted({word for word, *_ in at_once}) == word_ids
    for word_id in word_ids[::9]:
        exact = store.neighbors(word_id, run=run, layer=layer, k=k, search="exact")
        expected = [(row["rank"], row["word_id"], row["cosine"]) for row in exact]
        assert [tuple(row.values()) for row in store.sql(one, [word_id])] == expected
        assert [row[1:] for row in at_once if row[0] == word_id] == expected


def test_a_word_without_a_vector_has_no_neighbors(store, first):
    assert len(store.sql(f"FROM neighbors(?, '{BASE}', 1)", [first + 3])) == 0
    assert len(store.sql(f"FROM neighbors(?, '{BASE}', 1)", [first + 4])) == 10
    assert len(store.sql(f"FROM neighbors(NULL::BIGINT, '{BASE}', 1)")) == 0
    found = store.sql(f"FROM range(3, 6) AS w(n), neighbors(? + n, '{BASE}', 1)", [first])
    assert sorted(found["n"]) == [4] * 10 + [5] * 10


def test_runs_parts_and_skipped_are_named_as_vectors_names_runs(store):
    labels = sorted(store.runs()["run"])
    assert labels == ["m/base@other", BASE, "m/tied"]
    assert store.sql("SELECT run FROM runs ORDER BY run")["run"] == labels
    assert store.sql("SELECT DISTINCT run FROM parts ORDER BY run")["run"] == labels
    assert store.sql("SELECT run FROM skipped")["run"] == [BASE] * 3
    joined = (
        "SELECT DISTINCT run, len(vector) = d_model AS fits FROM vectors JOIN runs USING (run) ORDER BY run"
    )
    assert [tuple(row.values()) for row in store.sql(joined)] == [(label, True) for label in labels]


def test_every_function_is_there_as_it_is_described(store):
    query = """
        SELECT DISTINCT function_name AS name, parameters FROM duckdb_functions()
        WHERE database_name = 'memory' AND function_type LIKE '%macro%'
    """
    made = {row["name"]: row["parameters"] for row in store.sql(query)}
    described = {one.name: re.findall(r"(\w+)(?: := \w+)?[,)]", one.signature) for one in FUNCTIONS}
    assert made == described


def test_tables_are_listed_with_their_columns(store):
    rows = list(store.tables())
    tables = {row["table"] for row in rows}
    of_catalog = {"corpora", "edges", "pairs", "parts", "runs", "skipped", "texts", "words"}
    assert tables == of_catalog | {"results", "vectors"}
    assert sorted(tables) == sorted(store.sql("SHOW TABLES")["name"])
    of_vectors = [(row["column"], row["type"]) for row in rows if row["table"] == "vectors"]
    assert of_vectors == [
        ("run", "VARCHAR"),
        ("layer", "INTEGER"),
        ("word_id", "BIGINT"),
        ("vector", "FLOAT[]"),
    ]


# What is read


@pytest.fixture
def touched(monkeypatch) -> list[int]:
    """The layers that are mapped, one after another."""
    layers: list[int] = []
    mapped = PartFile.layer
    monkeypatch.setattr(PartFile, "layer", lambda part, n: layers.append(n) or mapped(part, n))
    return layers


@pytest.mark.parametrize(
    ("query", "layers"),
    [
        (f"SELECT sum(norm(vector)) FROM vectors WHERE run = '{BASE}' AND layer = 2", {2}),
        (f"SELECT sum(norm(vector)) FROM vectors WHERE run = '{BASE}' AND layer IN (0, 2)", {0, 2}),
        (
            f"SELECT layer, any_value(vector) FROM vectors WHERE run = '{BASE}' AND layer < 2 GROUP BY ALL",
            {0, 1},
        ),
        (f"SELECT count(*) FROM vectors JOIN words USING (word_id) WHERE run = '{BASE}'", set()),
        ("SELECT run, layer, word_id FROM vectors", set()),
        ("SELECT vector FROM vectors WHERE run = 'none'", set()),
        ("SELECT vector FROM vectors WHERE layer = 99", set()),
        (f"EXPLAIN SELECT vector FROM vectors WHERE run = '{BASE}'", set()),
        (f"SELECT avg(cosine) FROM similarity('{BASE}', 1)", {1}),
        (f"SELECT avg(label::INT) FROM similarity('{BASE}', 1)", set()),
    ],
)
def test_a_filter_decides_which_layers_are_read(root, touched, query, layers):
    with repstore.open(root) as fresh:
        fresh.sql(query)
    assert set(touched) == layers


def test_a_filter_on_the_run_leaves_the_others_out_of_the_plan(store):
    every = "EXPLAIN SELECT count(*) FROM vectors"
    conditions = ("", f"WHERE run = '{BASE}' AND layer = 1", "WHERE layer = 1")
    plans = [store.sql(f"{every} {condition}")["explain_value"][0] for condition in conditions]
    assert [plan.count("Table: store.main.words") for plan in plans] == [3, 1, 3]


@pytest.mark.parametrize(
    "condition",
    [
        "word_id IN ($first, $first + 41)",
        "(word_id = $first OR word_id = $first + 41)",
        "word_id BETWEEN $first AND $first + 41 AND word_id NOT BETWEEN $first + 1 AND $first + 40",
    ],
)
def test_a_filter_on_the_word_decides_which_vectors_are_read(store, first, monkeypatch, condition):
    taken: list[int] = []
    take = LayerVectors.take
    monkeypatch.setattr(LayerVectors, "take", lambda of, rows: taken.extend(rows) or take(of, rows))
    query = f"SELECT vector FROM vectors WHERE run = '{BASE}' AND layer = 1 AND {condition}"
    assert len(store.sql(query, {"first": first})) == 2
    assert taken == [0, 39]  # two words before it were skipped


def test_the_vectors_of_some_words_are_read_alone(store, monkeypatch):
    taken: list[int] = []
    take = LayerVectors.take
    monkeypatch.setattr(LayerVectors, "take", lambda of, rows: taken.extend(rows) or take(of, rows))
    found = store.sql(f"SELECT vector(word_id, '{BASE}', 1) AS v FROM words WHERE form = 'banks'")["v"]
    assert len(taken) == len([vector for vector in found if vector is not None]) == 7


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the kernel does not say what is mapped")
def test_no_more_of_the_file_is_read_than_the_layer(tmp_path):
    """Of 12 layers of 1 MB, one: the kernel says how much of a mapping was touched, and what was read."""
    layers = random_layers(1000, 512, 12)
    root = build_store(tmp_path, small_corpus(1000, 4, 4), [SyntheticRun("m", layers)])
    with repstore.open(root) as fresh:
        fresh.sql("SELECT 1")
        before = read_by_calls()
        fresh.sql("SELECT sum(norm(vector)) FROM vectors WHERE run = 'm' AND layer = 5")
        read = read_by_calls() - before  # the footer, tables of the catalog, modules of Python
        assert layers[0].nbytes <= resident(root) <= resident(root) + read < 4 * layers[0].nbytes


def resident(root: Path) -> int:
    """Bytes of mapped parts that this process has touched; the kernel maps some more around them."""
    maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    mine = [entry for entry in maps if f"{root}/runs" in entry]
    return sum(int(re.findall(r"^Rss:\s+(\d+) kB", entry, re.MULTILINE)[0]) * 1024 for entry in mine)


def read_by_calls() -> int:
    """Bytes that this process has read otherwise than by mapping."""
    return int(Path("/proc/self/io").read_text().split()[1])
