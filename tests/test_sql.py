"""SQL over a store: the catalog's tables, the view of all vectors, and its functions."""

from itertools import pairwise

import numpy as np
import oracles
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import QueryError

CORPUS = small_corpus()
WORDS = [word for text in CORPUS.texts() for word in text.words]
LAYERS = random_layers(80, 6, 3)
RUN = SyntheticRun("m/base", LAYERS, 33, skipped=frozenset({3, 79}), widened=frozenset({(1, 2)}))
OTHER = SyntheticRun("m/other", random_layers(80, 4, 12, seed=1))
BEGUN = SyntheticRun("m/begun", LAYERS, n_committed=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [RUN, OTHER, BEGUN])
    with repstore.open(root) as opened:
        yield opened


def test_the_view_of_vectors_holds_every_run_layer_and_word(store):
    rows = store.sql(
        "SELECT run, layer, count(*) AS n, len(any_value(vector)) AS d FROM vectors GROUP BY ALL"
    )
    counts = {(row["run"], row["layer"]): (row["n"], row["d"]) for row in rows}
    expected = {("m/base", layer): (78, 6) for layer in range(3)}
    assert counts == expected | {("m/other", layer): (80, 4) for layer in range(12)}


@pytest.mark.parametrize("layer", range(3))
def test_the_vectors_of_sql_are_those_of_the_arrays(store, layer):
    query = "SELECT word_id, vector FROM vectors WHERE run = $run AND layer = $layer ORDER BY word_id"
    result = store.sql(query, {"run": "m/base", "layer": layer})
    mapped = store.vectors(run="m/base", layer=layer)
    kept = [n for n in range(80) if n not in RUN.skipped]
    assert result["word_id"] == mapped.word_ids.tolist()
    assert np.array_equal(np.array(result["vector"], np.float32), LAYERS[layer][kept].astype(np.float32))


def test_functions_of_vectors_equal_plain_loops(store):
    result = store.sql("""
        SELECT cosine(a.vector, b.vector) AS cosine, dot(a.vector, b.vector) AS dot, norm(a.vector) AS norm
        FROM vectors AS a JOIN vectors AS b ON b.word_id = a.word_id + 1
        WHERE a.run = 'm/other' AND a.layer = 10 AND b.run = 'm/other' AND b.layer = 10 ORDER BY a.word_id
    """)
    rows = OTHER.layers[10]
    pairs = list(pairwise(rows))
    assert result["cosine"] == pytest.approx([oracles.cosine(a, b) for a, b in pairs], abs=1e-6)
    assert result["dot"] == pytest.approx([oracles.dot(a, b) for a, b in pairs], abs=1e-5)
    assert result["norm"] == pytest.approx([oracles.dot(a, a) ** 0.5 for a, _ in pairs], rel=1e-6)


def test_tables_join_by_their_ids(store):
    result = store.sql("""
        SELECT corpora.name, texts.text, a.form, b.form AS form_b, label, pairs.split
        FROM pairs JOIN words AS a ON a.word_id = word_a JOIN words AS b ON b.word_id = word_b
        JOIN texts ON texts.text_id = a.text_id JOIN corpora ON corpora.corpus_id = texts.corpus_id
        ORDER BY pair_id
    """)
    texts = [text.text for text in CORPUS.texts()]
    expected = [
        ("synthetic", texts[p.word_a], WORDS[p.word_a].form, WORDS[p.word_b].form, p.label, p.split)
        for p in CORPUS.pairs()
    ]
    assert [tuple(row.values()) for row in result] == expected


def test_skipped_words_and_parts_are_tables(store):
    skipped = store.sql("SELECT form, reason FROM skipped JOIN words USING (word_id) ORDER BY word_id")
    assert [tuple(row.values()) for row in skipped] == [(WORDS[n].form, "truncated") for n in (3, 79)]
    parts = store.sql(
        "SELECT parts.n_words FROM parts JOIN runs USING (run_id) WHERE name = 'm/base' ORDER BY part"
    )
    assert parts["n_words"] == [32, 33, 13]


def test_columns_of_the_same_name_are_all_kept(store):
    query = "SELECT a.form, b.form FROM words a, words b WHERE a.form = 'banks' AND b.form = 'palm' LIMIT 1"
    result = store.sql(query)
    assert len(set(result.columns)) == 2
    assert list(next(iter(result)).values()) == ["banks", "palm"]


def test_values_are_given_as_parameters_never_as_sql(store):
    hostile = "x' OR 1 = 1 --"
    assert len(store.sql("SELECT * FROM words WHERE form = ?", [hostile])) == 0
    assert store.sql("SELECT $a AS a, $b AS b", {"a": hostile, "b": 2})["a"] == [hostile]


@pytest.mark.parametrize(
    "query",
    [
        "SHOW TABLES",
        "DESCRIBE words",
        "EXPLAIN SELECT * FROM vectors WHERE layer = 1 AND run = 'm/base'",
        "FROM runs",
        "VALUES (1), (2)",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a;  -- a comment",
    ],
)
def test_other_ways_to_read_are_understood(store, query):
    assert len(store.sql(query)) > 0


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT 1 / 'a'", "a"),
        ("SELECT ?", "parameter"),
        ("", "not 0"),
        ("SELECT 1; SELECT 2", "not 2"),
        ("DROP TABLE words", "DROP statements are refused"),
        ("INSERT INTO words SELECT * FROM words", "INSERT statements are refused"),
        ("COPY words TO 'words.csv'", "COPY statements are refused"),
        ("ATTACH 'other.duckdb'", "ATTACH statements are refused"),
        ("EXPLAIN ANALYZE DELETE FROM words", "DELETE statements are refused"),
        ("SET threads = 1", "SET statements are refused"),
        ("SELECT * FROM read_text('/etc/hostname')", r"read_text\(\) is refused"),
        ("SELECT * FROM '/etc/hostname.csv'", "no files"),
    ],
)
def test_what_is_not_one_query_of_the_store_is_refused(store, query, problem):
    with pytest.raises(QueryError, match=problem):
        store.sql(query)


def test_a_store_without_vectors_has_an_empty_view(tmp_path):
    with repstore.open(build_store(tmp_path, CORPUS)) as opened:
        nothing = opened.sql("SELECT * FROM vectors")
        assert nothing.columns == ["run", "layer", "word_id", "vector"]
        assert len(nothing) == 0
