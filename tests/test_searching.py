"""What a store answers about neighbors: whom it may find, in which space, who enters and who leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError, ResultError
from repstore.spec import Text, Word

N_WORDS = 80
CORPUS = small_corpus(N_WORDS)
WORDS = [(text.text, word) for text in CORPUS.texts() for word in text.words]
LAYERS = random_layers(N_WORDS, 12, 4)
LAYERS[0] = np.tile(LAYERS[0][:4], (20, 1))  # as embeddings are: one vector for each lemma
RUN = SyntheticRun("m/base", LAYERS, 33, skipped=frozenset({3}))
OTHER = SyntheticRun("m/other", [layer[:, ::-1] for layer in LAYERS], 80)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [RUN, OTHER])
    with repstore.open(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def first_id(store):
    return store.words(limit=1)["word_id"][0]


def cosines_to(word: int, layer: int) -> np.ndarray:
    rows = LAYERS[layer].astype(np.float64)
    return rows @ rows[word] / np.linalg.norm(rows, axis=1) / np.linalg.norm(rows[word])


CONDITIONS = {
    "pos = 'V'": lambda text, word: word.pos == "V",
    "lemma <> 'bank' and pos = 'N'": lambda text, word: word.lemma != "bank" and word.pos == "N",
    "sense in ('palm.0', 'palm.1')": lambda text, word: word.lemma == "palm",
    "text like '%01%'": lambda text, word: "01" in text,
    "contains(form, 's') -- a comment": lambda text, word: "s" in word.form,
    "position = 7": lambda text, word: False,
    "gloss is null and language = 'en'": lambda text, word: True,
}


@settings(deadline=None, max_examples=40)
@given(
    condition=st.sampled_from([None, *CONDITIONS]),
    other_lemmas=st.booleans(),
    word=st.integers(0, N_WORDS - 1).filter(lambda word: word != 3),
    k=st.integers(1, 100),
)
def test_a_filtered_answer_is_the_full_ranking_filtered(store, first_id, condition, other_lemmas, word, k):
    options = {"run": "m/base", "layer": 2}
    ranking = store.neighbors(first_id + word, **options, k=N_WORDS)["word_id"]
    assert len(ranking) == N_WORDS - 2  # not itself, and one is skipped

    def fits(word_id: int) -> bool:
        text, other = WORDS[word_id - first_id]
        holds = condition is None or CONDITIONS[condition](text, other)
        return holds and not (other_lemmas and other.lemma == WORDS[word][1].lemma)

    found = store.neighbors(first_id + word, **options, k=k, where=condition, other_lemmas=other_lemmas)
    assert found["word_id"] == [word_id for word_id in ranking if fits(word_id)][:k]


def test_other_texts_leaves_out_the_same_text_wherever_it_stands(tmp_path):
    twice = [Text("a bank and a bank", (Word(1, 2, 6, "bank"), Word(4, 13, 17, "bank")))] * 2
    texts = [*twice, Text("a bank", (Word(1, 2, 6, "bank"),))]
    run = SyntheticRun("m", random_layers(5, 4, 1))
    with repstore.open(build_store(tmp_path / "store", corpus_of(texts), [run])) as store:
        first = store.words(limit=1)["word_id"][0]
        assert store.neighbors(first, layer=0, other_texts=True)["text"] == ["a bank"]
        assert len(store.neighbors(first, layer=0)) == 4


@pytest.mark.parametrize(
    "where",
    [
        "pos",
        "1=1; DROP TABLE words",
        "pos = 'N') OR (1=1",
        "true ORDER BY 1",
        "no_such = 1",
        "",
        "count(*) > 1",
    ],
)
def test_what_is_no_condition_is_refused_and_nothing_happens(store, first_id, where):
    with pytest.raises(QueryError, match="is not a condition on words"):
        store.neighbors(first_id, run="m/base", layer=0, where=where)
    assert len(store.words()) == N_WORDS


def test_a_condition_reads_no_files(store, first_id, tmp_path):
    (tmp_path / "secret.csv").write_text("x\n1\n")
    for where in (f"(SELECT count(*) FROM '{tmp_path}/secret.csv') = 1", "length(getenv('HOME')) > 0"):
        with pytest.raises(QueryError):
            store.neighbors(first_id, run="m/base", layer=0, where=where)


@pytest.mark.parametrize("standardize", ["none", "center", "corpus"])
@pytest.mark.parametrize("metric", ["cosine", "l2", "csls"])
def test_neighbors_are_those_of_the_graph_in_every_space(store, first_id, standardize, metric):
    options = {"run": "m/base", "layer": 1, "k": 5, "metric": metric, "standardize": standardize}
    graph = store.neighbors_graph(**options)
    for word in (0, 17, 79):
        alone = store.neighbors(first_id + word, **options)
        of_word = [row for row in graph if row["word_id"] == first_id + word]
        assert [row["neighbor"] for row in of_word] == alone["word_id"]
        assert [row[metric] for row in of_word] == pytest.approx(alone[metric], abs=1e-5)


def test_a_trajectory_says_who_enters_and_who_leaves(store, first_id):
    rows = list(store.neighbors(first_id + 5, run="m/base", layer=[1, 2, 3], k=30))
    at = {layer: {row["word_id"] for row in rows if row["layer"] == layer} for layer in (1, 2, 3)}
    for row in rows:
        word_id, layer = row["word_id"], row["layer"]
        enters = layer > 1 and word_id not in at[layer - 1]
        leaves = layer < 3 and word_id not in at[layer + 1]
        expected = "passes" if enters and leaves else "enters" if enters else "leaves" if leaves else None
        assert row["change"] == expected
    assert {row["change"] for row in rows} == {"enters", "leaves", "passes", None}


def planted_senses(n_layers: int, from_layer: int) -> SyntheticRun:
    """Two senses of each lemma, told apart from some layer on; before it, they lie in the wrong order."""
    random = np.random.default_rng(0)
    layers = []
    for layer in range(n_layers):
        rows = random.normal(size=(N_WORDS, 12)) / 100
        for n, (_, word) in enumerate(WORDS):
            own = int(word.sense[-1]) if layer >= from_layer else n // 8 % 2
            rows[n, 2 * (n % 4) + own] += 1
        layers.append(rows.astype(np.float16))
    return SyntheticRun("m/planted", layers)


def test_the_layer_at_which_the_sense_first_dominates_is_said(tmp_path):
    root = build_store(tmp_path / "store", CORPUS, [planted_senses(4, from_layer=2)])
    with repstore.open(root) as store:
        word = store.words(lemma="bank", sense="bank.0")["word_id"][0]
        found = store.neighbors(word, layer="all", k=9)
    assert any(
        "(bank.0) first dominate at layer 2: 9 of 9. They do at 2-3." in note for note in found.notes
    ), found.notes


def test_a_list_that_is_cut_among_equals_says_so_and_does_not_count(store, first_id):
    found = store.neighbors(first_id, run="m/base", layer=[0, 1], k=5)
    assert any("At layer 0 other words are as near" in note for note in found.notes)
    assert found["cosine"][:5] == [1.0] * 5
    assert found["word_id"][:5] == [first_id + n for n in (4, 8, 12, 16, 20)]
    assert not any("at layer 0:" in note for note in found.notes)


def test_a_vector_is_searched_as_the_word_that_has_it(store, first_id):
    vectors = np.stack([LAYERS[layer][5] for layer in (1, 2)])
    one = store.neighbors(vectors[0].astype(np.float64), run="m/base", layer=1, k=4)
    assert one["word_id"][0] == first_id + 5
    assert one["word_id"][1:] == store.neighbors(first_id + 5, run="m/base", layer=1, k=3)["word_id"]
    both = store.neighbors(vectors, run="m/base", layer=[1, 2], k=1)
    assert both["word_id"] == [first_id + 5] * 2


REFUSED = {
    "vector of another width": (ArgumentError, r"shape \(12,\)", {"word": np.zeros(11)}),
    "vector of whole numbers": (ArgumentError, "floats", {"word": np.zeros(12, int)}),
    "vector that is not finite": (ArgumentError, "not finite", {"word": np.full(12, np.nan)}),
    "vector with a text": (ArgumentError, "no text", {"word": np.ones(12), "text": "bank"}),
    "other texts than a vector": (ArgumentError, "no text", {"word": np.ones(12), "other_texts": True}),
    "others than a vector": (ArgumentError, "no lemma", {"word": np.ones(12), "other_lemmas": True}),
    "half a neighbor": (ArgumentError, "whole number", {"word": "bank", "k": 2.5}),
    "list as vector": (ArgumentError, "is no word", {"word": [0.5] * 12}),
    "vector out of range": (ArgumentError, "range of float32", {"word": np.full(12, 1e200)}),
    "no word": (ArgumentError, "No word is given", {}),
    "unknown metric": (ArgumentError, 'No metric "cos".* "cosine"', {"word": "bank", "metric": "cos"}),
    "unknown space": (ArgumentError, "No standardize", {"word": "bank", "standardize": "side"}),
    "unknown search": (ArgumentError, "No search", {"word": "bank", "search": "fast"}),
    "index with a filter": (
        ArgumentError,
        "An index finds",
        {"word": "bank", "search": "index", "where": "true"},
    ),
    "index by distance": (
        ArgumentError,
        "An index finds",
        {"word": "bank", "search": "index", "metric": "l2"},
    ),
    "no index": (NotFoundError, "has no index", {"word": "bank", "text": "004", "search": "index"}),
    "no text like that": (NotFoundError, 'No word in a text with "xyz"', {"text": "xyz"}),
    "several words of a sense": (ArgumentError, "This has 10 uses", {"sense": "bank.1"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_searched_is_refused_with_the_reason(store, case):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message):
        store.neighbors(**{"run": "m/base", "layer": 1} | options)


def test_a_text_with_one_word_is_enough_to_name_it(store, first_id):
    by_text = store.neighbors(text="Sentence 005", run="m/base", layer=1)
    assert list(by_text) == list(store.neighbors(first_id + 5, run="m/base", layer=1))


def test_hubness_is_that_of_counted_neighbors(store):
    graph = store.neighbors_graph(run="m/base", layer=2, k=4)
    counts = np.bincount(np.array(graph["neighbor"]) - min(graph["word_id"]), minlength=N_WORDS)
    counts = np.delete(counts, 3)  # it is skipped
    [row] = store.hubness(run="m/base", layer=2, k=4)
    away = counts - counts.mean()
    assert row["skewness"] == pytest.approx((away**3).mean() / (away**2).mean() ** 1.5)
    assert (row["largest"], row["anti_hubs"], row["n_words"]) == (counts.max(), (counts == 0).mean(), 79)
    assert f"at most {counts.max()} times" in graph.notes[0]


def test_common_neighbors_equal_counting_sets(store, first_id):
    found = store.compare("knn", run=["m/base", "m/other"], layer=[1, 2], k=6, sample=None)
    graphs: dict[str, list[dict[int, set[int]]]] = {"m/base": [], "m/other": []}
    kept = [n for n in range(N_WORDS) if n != 3]
    for name, of_run in graphs.items():
        for layer in (1, 2):
            rows = np.array((RUN if name == "m/base" else OTHER).layers[layer])[kept].astype(np.float64)
            units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            cosines = units @ units.T
            np.fill_diagonal(cosines, -2)
            of_run.append({n: set(np.argsort(-row, kind="stable")[:6]) for n, row in enumerate(cosines)})
    for row in found:
        a, b = graphs["m/base"][row["layer_a"] - 1], graphs["m/other"][row["layer_b"] - 1]
        assert row["knn"] == pytest.approx(np.mean([len(a[n] & b[n]) / 6 for n in a]))


def test_cka_with_another_run_equals_the_one_with_itself_where_layers_are_equal(store):
    # The other run has the same vectors, their dimensions reversed, which is a rotation.
    here = store.compare("cka", run="m/other", layer=[1, 2, 3], sample=None)
    there = store.compare("cka", run=["m/other", "m/base"], layer=[1, 2, 3], sample=None)
    assert len(there) == 9
    diagonal = [row["cka"] for row in there if row["layer_a"] == row["layer_b"]]
    assert diagonal == pytest.approx([1.0] * 3)
    assert there["cka"] == pytest.approx(here["cka"], abs=0.05)  # one word less


def test_runs_without_common_words_are_not_compared(tmp_path):
    root = tmp_path / "store"
    build_store(root, small_corpus(20, name="a"), [SyntheticRun("m/a", random_layers(20, 4, 2))])
    build_store(root, small_corpus(20, name="b"), [SyntheticRun("m/b", random_layers(20, 4, 2))])
    with repstore.open(root) as store, pytest.raises(ResultError, match="no words in common"):
        store.compare("knn", run=["m/a", "m/b"])


@pytest.mark.parametrize("n_words", [1, 2])
def test_a_run_of_one_or_two_words_has_few_neighbors_and_no_error(tmp_path, n_words):
    run = SyntheticRun("m", random_layers(n_words, 4, 2))
    with repstore.open(build_store(tmp_path / "store", small_corpus(n_words, 0, 0), [run])) as store:
        word = store.words(limit=1)["word_id"][0]
        for metric in ("cosine", "l2", "csls"):
            found = store.neighbors(word, layer="all", metric=metric, standardize="corpus")
            assert len(found) == 2 * (n_words - 1)
            assert found.columns[:4] == ["layer", "rank", metric, "word_id"]
        assert len(store.neighbors_graph(layer=0)) == n_words * (n_words - 1)
        assert store.hubness(layer=0)["skewness"] == [None]


def test_all_equal_vectors_and_zero_vectors_have_neighbors_in_order(tmp_path):
    run = SyntheticRun("m", [np.ones((20, 4), np.float16), np.zeros((20, 4), np.float16)])
    with repstore.open(build_store(tmp_path / "store", small_corpus(20, 0, 0), [run])) as store:
        first = store.words(limit=1)["word_id"][0]
        for standardize in ("none", "center", "corpus"):
            found = store.neighbors(first + 2, layer="all", k=3, standardize=standardize)
            assert found["word_id"] == [first, first + 1, first + 3] * 2
            cosine = 1.0 if standardize == "none" else 0.0
            assert found["cosine"] == pytest.approx([cosine] * 3 + [0.0] * 3)


def test_a_trajectory_is_drawn_with_and_without_senses(store, first_id, tmp_path):
    store.neighbors(first_id, run="m/base", layer="all").plot(tmp_path / "word.png")
    store.neighbors(LAYERS[1][0], run="m/base", layer=[1, 2]).plot(tmp_path / "vector.svg")
    assert (tmp_path / "word.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "vector.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    with pytest.raises(ArgumentError, match="is a list"):
        store.neighbors(first_id, run="m/base", layer=1).plot(tmp_path / "one.png")


def test_many_threads_may_ask_one_store(store, first_id):
    def ask(word: int) -> list[int]:
        return store.neighbors(first_id + word, run="m/base", layer=[1, 2], where="pos = 'N'")["word_id"]

    words = [word for word in range(N_WORDS) if word != 3]
    alone = [ask(word) for word in words]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, words)) == alone


def test_with_other_lemmas_nothing_is_said_of_senses(store, first_id):
    found = store.neighbors(first_id, run="m/base", layer=[1, 2], other_lemmas=True)
    assert not any("same sense" in note for note in found.notes)


def test_a_word_of_another_corpus_is_named_as_such(tmp_path):
    root = tmp_path / "store"
    build_store(root, small_corpus(20, name="a"), [SyntheticRun("m/a", random_layers(20, 4, 2))])
    build_store(root, small_corpus(20, name="b"), [SyntheticRun("m/b", random_layers(20, 4, 2))])
    with repstore.open(root) as store:
        of_a = store.vectors(run="m/a", layer=0).word_ids[0]
        with pytest.raises(NotFoundError, match="is of another corpus than m/b"):
            store.neighbors(of_a, run="m/b", layer=0)
