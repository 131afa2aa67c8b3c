"""The names by which runs are asked for."""

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError

NEWS, NOVELS = small_corpus(name="news"), small_corpus(60, name="novels")
BASE = [random_layers(n, 6, 2, seed=n) for n in (80, 60)]
ONLY = SyntheticRun("m/only", random_layers(80, 6, 2, seed=9))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """m/base over two corpora, m/only over one."""
    root = tmp_path_factory.mktemp("stores") / "store"
    build_store(root, NEWS, [SyntheticRun("m/base", BASE[0]), ONLY])
    build_store(root, NOVELS, [SyntheticRun("m/base", BASE[1])])
    with repstore.open(root) as opened:
        yield opened


def test_a_name_used_over_two_corpora_gets_the_corpus_with_it_everywhere(store):
    labels = ["m/base@news", "m/base@novels", "m/only"]
    assert store.runs()["run"] == labels
    assert store.sql("SELECT DISTINCT run FROM vectors ORDER BY run")["run"] == labels
    assert set(store.probe("wic", run="m/base@novels")["run"]) == {"m/base@novels"}
    assert all(label in repr(store) for label in labels)


def test_the_full_name_tells_the_runs_apart(store):
    for label, layers in zip(("m/base@news", "m/base@novels"), BASE, strict=True):
        assert store.vectors(run=label, layer=1).values.tolist() == layers[1].tolist()


def test_the_full_name_can_be_given_where_the_short_one_would_do(store):
    assert store.vectors(run="m/only@news", layer=0).values.tolist() == ONLY.layers[0].tolist()


def test_an_ambiguous_name_is_refused_with_the_full_names(store):
    with pytest.raises(NotFoundError, match='named "m/base": m/base@news, m/base@novels'):
        store.vectors(run="m/base", layer=0)


def test_a_run_id_names_a_run(store):
    for row in store.sql("SELECT run_id, name, corpus FROM runs"):
        by_id = store.probe("wic", run=row["run_id"])["accuracy"]
        assert by_id == store.probe("wic", run=f"{row['name']}@{row['corpus']}")["accuracy"]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("m/onyl", 'Did you mean "m/only"'),
        ("m/base@novel", 'Did you mean "m/base@novels"'),
        ("zzzzz", "Known: m/base@news, m/base@novels, m/only"),
        ("", "Known: m/base@news"),
    ],
)
def test_an_unknown_run_is_refused_with_the_nearest_name(store, asked, hint):
    with pytest.raises(NotFoundError, match=f'No run "{asked}". {hint}'):
        store.vectors(run=asked, layer=0)


def test_with_several_runs_one_must_be_named(store):
    with pytest.raises(ArgumentError, match="Say which run: m/base@news, m/base@novels, m/only"):
        store.compare()


def test_a_word_is_looked_for_in_the_corpus_of_the_run(store):
    found = store.neighbors("bank", text="008", run="m/base@novels", layer=0, k=1)
    assert "of novels" in found["text"][0]


def test_the_only_run_need_not_be_named(tmp_path):
    with repstore.open(build_store(tmp_path, NEWS, [ONLY])) as opened:
        assert opened.vectors(layer=1).values.tolist() == ONLY.layers[1].tolist()
        assert set(opened.probe("wic")["run"]) == {"m/only"}
        assert len(opened.neighbors("bank", text="008", layer=0)) == 10
        assert len(opened.compare()) == 4


def test_without_runs_the_error_says_that_there_are_none(tmp_path):
    with repstore.open(build_store(tmp_path, NEWS)) as opened:
        assert len(opened.runs()) == 0
        with pytest.raises(ArgumentError, match="none yet"):
            opened.vectors(layer=0)
        with pytest.raises(NotFoundError, match="There are none"):
            opened.vectors(run="m", layer=0)
