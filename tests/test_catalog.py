"""The catalog as a derived file: what it says, when readers see it, and names that look like SQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.errors import RepstoreError
from repstore.spec import Text, Word
from repstore.storage.catalog import Catalog, publish_catalog
from repstore.storage.layout import Layout
from repstore.storage.runs import check_place

TABLES = ("corpora", "texts", "words", "pairs", "runs", "parts", "skipped")
EVIL = ["o'clock", 'say "no"', "'; DROP TABLE words; --", "a\\", "$1 ? %s {}", "x'||'y", "日本"]


def build(root: Path, *names: str, n_words: int = 20, **options: Any) -> Layout:
    """A store with runs of two parts each over one corpus, the last word skipped."""
    layers = random_layers(n_words, 4, 3)
    settings = {"rows_per_part": 12, "skipped": frozenset([n_words - 1])} | options
    runs = [SyntheticRun(name, layers, **settings) for name in names]
    return Layout(build_store(root, small_corpus(n_words, 6, 4, name=f"of {n_words}"), runs))


def ask(catalog: Catalog, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    rows = catalog.query(sql, list(parameters)).to_pylist()
    return [tuple(row.values()) for row in rows]


def everything(layout: Layout) -> dict[str, list[tuple[Any, ...]]]:
    with closing(Catalog(layout)) as catalog:
        return {table: ask(catalog, f"FROM {table} ORDER BY ALL") for table in TABLES}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return build(tmp_path / "store", "a", "b")


def test_the_catalog_says_what_the_store_holds(layout):
    found = everything(layout)
    sizes = {table: len(rows) for table, rows in found.items()}
    assert sizes == {
        "corpora": 1, "texts": 20, "words": 20, "pairs": 10, "runs": 2, "parts": 4, "skipped": 2
    }  # fmt: skip
    with closing(Catalog(layout)) as catalog:
        columns = "name, corpus, n_words, n_layers, d_model, n_parts, n_committed, n_vectors, n_skipped"
        runs = ask(catalog, f"SELECT {columns} FROM runs ORDER BY name")
        assert runs == [(name, "of 20", 20, 3, 4, 2, 2, 19, 1) for name in "ab"]
        parts = "SELECT part, p.n_words, last_word_id - first_word_id FROM parts p JOIN runs USING (run_id)"
        assert ask(catalog, f"{parts} WHERE name = 'a' ORDER BY part") == [(0, 12, 11), (1, 7, 6)]
        files = ask(catalog, "SELECT run_id, file, bytes FROM parts")
        assert all(layout.run(run).root.joinpath(file).stat().st_size == n for run, file, n in files)
        skipped = "SELECT w.word_id - min FROM skipped JOIN words w USING (word_id)"
        first = "(SELECT min(word_id) AS min FROM words)"
        assert ask(catalog, f"{skipped}, {first}") == [(19,), (19,)]


def test_a_deleted_catalog_is_rebuilt_to_the_same_tables(layout):
    build(layout.root, "c", n_words=13)
    before = everything(layout)
    for file in layout.root.glob("catalog*"):
        file.unlink()
    repstore.open(layout.root).close()
    assert everything(layout) == before


def test_publishing_leaves_no_litter_and_sweeps_up_that_of_a_crash(layout):
    names = {path.name for path in layout.root.iterdir()}
    (layout.root / "catalog.duckdb.tmp").write_bytes(b"half a catalog")
    (layout.root / "catalog.duckdb.tmp.wal").write_bytes(b"its log")
    publish_catalog(layout)
    assert {path.name for path in layout.root.iterdir()} == names
    assert len(everything(layout)["runs"]) == 2


def test_a_reader_keeps_what_it_opened(tmp_path):
    """Its first query over the vectors comes after the store has grown."""
    layout = build(tmp_path / "store", "a", n_committed=1)
    with repstore.open(layout.root) as before:
        build(layout.root, "a", "b")
        with repstore.open(layout.root) as after:
            count = "SELECT run, count(*) AS n FROM vectors WHERE layer = 1 GROUP BY run ORDER BY run"
            assert list(before.sql(count)) == [{"run": "a", "n": 12}]
            assert list(after.sql(count)) == [{"run": "a", "n": 19}, {"run": "b", "n": 19}]
            assert len(before.vectors(run="a", layer=0).word_ids) == 12
            assert len(after.vectors(run="a", layer=0).word_ids) == 19


@pytest.mark.parametrize("folder", ["it's", 'a "b"', "a; b", "100%", "[1]", "{a,b}", "ünï 日本"])
def test_a_store_may_stand_in_a_folder_with_an_odd_name(tmp_path, folder):
    layout = build(tmp_path / folder, "a")
    assert len(everything(layout)["words"]) == 20
    with repstore.open(layout.root) as store:
        assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [3 * 19]


@pytest.mark.parametrize("folder", ["a*b", "a?b"])
def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path, folder):
    """DuckDB would read the parts of every store that fits, or none."""
    build(tmp_path / "a1b", "a")
    with pytest.raises(RepstoreError, match=r"[*?]"):
        check_place(tmp_path / folder)
    (tmp_path / "a1b").rename(tmp_path / folder)
    with pytest.raises(RepstoreError, match=r"[*?]"):
        repstore.open(tmp_path / folder)


def test_names_that_look_like_sql_are_data(tmp_path):
    texts = [
        Text(f"{name} {n}", (Word(0, 0, len(name), name, name, "N", name, name),))
        for n, name in enumerate(EVIL)
    ]
    layers = random_layers(len(EVIL), 4, 2)
    for name in EVIL:
        corpus = corpus_of([*texts, Text(name, ())], name=name)
        build_store(tmp_path / "store", corpus, [SyntheticRun(name, layers)])
    with repstore.open(tmp_path / "store") as store:
        assert sorted(row["name"] for row in store.corpora()) == sorted(EVIL)
        for name in EVIL:
            found = store.words(lemma=name)
            assert found["lemma"] == [name] * len(EVIL)
            assert sorted(found["corpus"]) == sorted(EVIL)
            assert len(store.words(form=name, sense=name, text=name)) == len(EVIL)
            assert store.vectors(run=name, layer=1).values.tobytes() == layers[1].tobytes()
            counted = store.sql("SELECT count(*) AS n FROM vectors WHERE run = ?", [name])
            assert counted["n"] == [2 * len(EVIL)]


def test_no_vector_of_a_part_that_is_not_committed_is_seen(tmp_path):
    layout = build(tmp_path / "store", "a")
    (run_id,) = (path.name for path in layout.runs.iterdir())
    layout.run(run_id).entry(1).unlink()
    publish_catalog(layout)
    with repstore.open(layout.root) as store:
        by_layer = store.sql("SELECT layer, count(*) AS n FROM vectors GROUP BY layer")
        assert by_layer["n"] == [12, 12, 12]
        (run,) = store.runs()
        assert (run["n_parts"], run["n_committed"], run["n_vectors"]) == (2, 1, 12)


def test_two_runs_of_one_name_are_told_apart_by_corpus(tmp_path):
    for name in ("x", "y"):
        corpus = small_corpus(5, name=name)
        build_store(tmp_path / "store", corpus, [SyntheticRun("a", random_layers(5, 4, 1))])
    with repstore.open(tmp_path / "store") as store:
        assert store.sql("SELECT DISTINCT run FROM vectors ORDER BY run")["run"] == ["a@x", "a@y"]
