"""Names and texts with every character that SQL, rich, CSV or JSON might take for its own."""

import csv
import io
import json

import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.spec import Pair, Text, Word

HOSTILE = [
    "Robert'); DROP TABLE words;--",
    "\"double\" and 'single'",
    "[bold]red[/bold]",
    "[/]",
    "two\nlines\tand a tab",
    "back\\slash\\",
    "$name ? %s {0} {run}",
    "x_$^$",
    ":apple:",
    "ünï 漢字 \U0001f642 אב",
    "_underscore, comma",
    "/../*?",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A word, a sense, a text and a run of each name; the words of two texts make a pair."""
    texts = [
        Text(f"{name} {name}", (Word(0, 0, len(name), name, name, name, name, name),), split=name)
        for name in HOSTILE
    ]
    pairs = [Pair(n, (n + 1) % len(HOSTILE), name, n % 2 == 0) for n, name in enumerate(HOSTILE)]
    corpus = corpus_of(texts, pairs, name='it\'s; "quoted" [corpus]')
    layers = random_layers(len(HOSTILE), 4, 2)
    root = tmp_path_factory.mktemp("it's a [folder]") / 'of "stores"'
    build_store(root, corpus, [SyntheticRun(name, layers) for name in HOSTILE])
    with repstore.open(root) as opened:
        yield opened


@pytest.mark.parametrize("name", HOSTILE)
def test_words_are_found_by_any_name(store, name):
    for criterion in ("form", "lemma", "pos", "sense", "text"):
        found = store.words(**{criterion: name})
        assert (found["form"], found["sense"], found["text"]) == ([name], [name], [f"{name} {name}"])


@pytest.mark.parametrize("name", HOSTILE)
def test_runs_words_and_splits_of_any_name_can_be_asked_about(store, name):
    assert name in store.runs()["run"]
    assert set(store.probe("wic", run=name, select_on=name, evaluate_on=name)["run"]) == {name}
    assert len(store.neighbors(name, run=name, layer=1, sense=name, text=name)) == 10
    assert len(store.compare(run=name)) == 4
    query = "SELECT count(*) AS n FROM vectors JOIN words USING (word_id) WHERE run = ? AND lemma = ?"
    assert store.sql(query, [name, name])["n"] == [2]


@pytest.mark.parametrize("name", [*HOSTILE, "a\x00b"])
def test_functions_of_sql_take_any_name_for_a_name(store, name):
    tables = sorted(store.sql("SHOW TABLES")["name"])
    if name in HOSTILE:
        assert store.sql("SELECT DISTINCT run FROM vectors WHERE run = ?", [name])["run"] == [name]
        assert len(store.sql("FROM similarity(?, 1)", [name])) == len(HOSTILE)
        word_id = store.words(lemma=name)["word_id"][0]
        assert len(store.sql("FROM neighbors($word_id, $run, 1, 3)", {"word_id": word_id, "run": name})) == 3
    else:
        with pytest.raises(repstore.RepstoreError, match="No run"):
            store.sql("FROM similarity(?)", [name])
    quoted = name.replace("'", "''")
    assert store.sql(f"SELECT '{quoted}' AS name, count(*) AS n FROM runs")["name"] == [name]
    assert sorted(store.sql("SHOW TABLES")["name"]) == tables


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\n" not in name])
def test_what_is_printed_is_what_is_stored(store, name):
    assert repr(store.words(lemma=name)).splitlines()[0] == f"Words with lemma={name}"
    query = "SELECT sense, text, char_start, char_end FROM words JOIN texts USING (text_id) WHERE lemma = ?"
    row = repr(store.sql(query, [name])).splitlines()[2]
    assert row.split() == f"{name} [{name}] {name}".split()


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_and_json_give_the_name_back(store, name):
    found = store.words(lemma=name)
    assert json.loads(found.to_json())[0]["sense"] == name
    header, row = csv.reader(io.StringIO(found.to_csv(), newline=""))
    assert dict(zip(header, row, strict=True))["sense"] == name


@pytest.mark.parametrize("name", HOSTILE)
def test_an_unknown_name_is_repeated_in_the_error_as_it_is(store, name):
    with pytest.raises(repstore.RepstoreError) as caught:
        store.vectors(run=f"no {name}", layer=0)
    assert f'No run "no {name}"' in str(caught.value)
