"""The word-sense probes of a store: which words, which runs, which numbers."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import get_overloads

import numpy as np
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.analysis.bootstrap import Resampling
from repstore.errors import ArgumentError, NotFoundError, RepstoreError, ResultError
from repstore.spec import Text, Word

N, N_LAYERS = 120, 3
LEMMAS = ("bank", "spring", "bark", None)
SENSES = ["1", "2", "3"]


def word(n: int) -> Word:
    """Lemma "bark" has one sense; the last has no lemma, so that its form counts; every 17th has no sense."""
    lemma = LEMMAS[n % 4]
    sense = "1" if lemma == "bark" else SENSES[n // 4 % 3 if n % 20 else 0]
    if n % 31 == 5 and lemma != "bark":
        sense = "1;3"
    return Word(
        0, 0, 4, "palm" if n % 4 == 3 else "form", lemma, "VN"[n % 3 > 0], None if n % 17 == 8 else sense
    )


WORDS = [word(n) for n in range(N)]
SPLITS = ["train" if n % 5 < 3 else "test" if n % 5 == 3 else None for n in range(N)]
CORPUS = corpus_of(
    [Text(f"{w.form} {n}", (w,), s) for n, (w, s) in enumerate(zip(WORDS, SPLITS, strict=True))]
)
A = SyntheticRun("m/a", random_layers(N, 6, N_LAYERS), 33, skipped=frozenset({3, 9, 14, 22, 43}))
B = SyntheticRun("m/b", random_layers(N, 8, 2, seed=1), skipped=frozenset({3, 40}))
O = SyntheticRun("o/base", random_layers(80, 5, 2, seed=2))  # noqa: E741
PLANTED = SyntheticRun(
    "o/planted",
    [
        np.array(
            [[n % 4 == m for m in range(4)] + [3 * (n // 4 % 2), 3 - 3 * (n // 4 % 2)] for n in range(80)],
            np.float16,
        )
    ],
)
PROBES = ("knn-wsd", "centroid-wsd", "wsi")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[repstore.Store]:
    root = tmp_path_factory.mktemp("stores") / "store"
    build_store(root, CORPUS, [A, B])
    build_store(root, small_corpus(name="other"), [O, PLANTED])
    plain = [Text("A word", (Word(1, 2, 6, "word"),))]
    build_store(root, corpus_of(plain, name="plain"), [SyntheticRun("p/base", random_layers(1, 4, 1))])
    with repstore.open(root) as opened:
        yield opened


def asked_for(n: int, split: str, *runs: SyntheticRun, pos: str | None = None) -> bool:
    return (
        WORDS[n].sense is not None
        and split in ("all", SPLITS[n])
        and pos in (None, WORDS[n].pos)
        and not any(n in run.skipped for run in runs)
    )


def key_of(n: int) -> tuple[str, str | None]:
    return WORDS[n].lemma or WORDS[n].form, WORDS[n].pos


def nearest_answers(
    run: SyntheticRun,
    layer: int,
    train_on: str,
    evaluate_on: str,
    *runs: SyntheticRun,
    pos: str | None = None,
) -> list[bool]:
    """By plain loops over all words: is the sense of the nearest training word of the lemma right? k = 1."""
    vectors = run.layers[layer].astype(float)
    training = [n for n in range(N) if asked_for(n, train_on, *runs, pos=pos)]
    scored = [n for n in range(N) if asked_for(n, evaluate_on, *runs, pos=pos)]
    right = []
    for n in scored:
        mine = [m for m in training if key_of(m) == key_of(n)]
        senses = {s for m in [*mine, *scored] if key_of(m) == key_of(n) for s in WORDS[m].sense.split(";")}
        if len(senses) == 1 and mine:
            continue
        cosine = {
            m: vectors[n] @ vectors[m] / np.linalg.norm(vectors[n]) / np.linalg.norm(vectors[m])
            for m in mine
            if m != n
        }
        nearest = WORDS[max(cosine, key=cosine.__getitem__)].sense.split(";") if cosine else []
        counts = [sum(s in WORDS[m].sense.split(";") for m in mine) for s in nearest]
        answer = min(zip([-c for c in counts], nearest, strict=True))[1] if nearest else None
        right.append(answer in WORDS[n].sense.split(";"))
    return right


@pytest.mark.parametrize("train_on", [None, "train", "all"])
@pytest.mark.parametrize("pos", [None, "N"])
def test_the_nearest_word_of_every_layer_gives_the_sense(store, train_on, pos):
    result = list(
        store.probe("knn-wsd", run="m/a", train_on=train_on, standardize="none", pos=pos, resamples=0)
    )
    split = "all" if train_on is None else "test"
    for row in result:
        right = nearest_answers(A, row["layer"], train_on or split, split, A, pos=pos)
        assert row["accuracy"] == pytest.approx(np.mean(right))
        assert row["n_words"] == len(right)
        assert 0 < row["macro_f1"] < 1
    wanted = [n for n in range(N) if asked_for(n, split, pos=pos) or asked_for(n, train_on or split, pos=pos)]
    assert row["n_missing"] == sum(n in A.skipped for n in wanted) > 0
    here = [n for n in range(N) if asked_for(n, split, A, pos=pos)]
    assert row["n_words"] + row["n_monosemous"] == len(here)


def test_runs_over_one_corpus_are_scored_over_the_words_with_vectors_in_all(store):
    result = list(store.probe("knn-wsd", run=["m/b", "m/a"], standardize="none", resamples=0))
    rows = iter(result)
    for run in (B, A):
        for layer in range(len(run.layers)):
            row, right = next(rows), nearest_answers(run, layer, "all", "all", A, B)
            assert (row["run"], row["layer"], row["n_words"]) == (run.name, layer, len(right))
            assert row["accuracy"] == pytest.approx(np.mean(right))


def test_intervals_are_of_resampled_words(store):
    row = next(iter(store.probe("knn-wsd", run="m/a", layer=1, standardize="none", resamples=200, seed=3)))
    accuracies = []
    right = np.array(_in_order_of_lemmas(nearest_answers(A, 1, "all", "all", A)))
    for block in Resampling(200, 3).counts(len(right)):
        accuracies += (right @ block.astype(float) / len(right)).tolist()
    assert (row["low"], row["high"]) == pytest.approx(np.percentile(accuracies, [2.5, 97.5]), abs=1e-6)
    assert row["low"] < row["accuracy"] < row["high"]


def _in_order_of_lemmas(right: list[bool]) -> list[bool]:
    """Answers lemma by lemma, lemmas by their first word, instead of word by word."""
    words = [n for n in range(N) if asked_for(n, "all", A)]
    open_ones = [n for n in words if len({WORDS[m].sense for m in words if key_of(m) == key_of(n)}) > 1]
    firsts = list(dict.fromkeys(map(key_of, words)))
    order = sorted(range(len(open_ones)), key=lambda at: (firsts.index(key_of(open_ones[at])), at))
    return [right[at] for at in order]


def test_planted_senses_have_every_probe_right(store):
    for name, main in (("knn-wsd", "accuracy"), ("centroid-wsd", "accuracy"), ("wsi", "ari")):
        result = store.probe(name, run="o/planted")
        assert result[main] == pytest.approx([1.0])
        assert result["best"] == ["best"]
        assert (result["low"], result["high"]) == ([1.0], [1.0])


def test_the_baseline_is_the_most_frequent_sense_and_is_drawn(store, tmp_path):
    result = store.probe("centroid-wsd", run="o/base", resamples=50)
    assert result["baseline"] == [0.5, 0.5]  # four lemmas with two senses, equally many words of each
    result.plot(tmp_path / "curve.svg")
    assert "baseline (most frequent sense)" in (tmp_path / "curve.svg").read_text()


def test_only_one_lemma(store):
    result = list(store.probe("knn-wsd", run="o/base", lemma="bank", resamples=20))
    assert [(row["n_words"], row["n_lemmas"]) for row in result] == [
        (20, 2),
        (20, 2),
    ]  # of two parts of speech
    result = list(store.probe("wsi", run="o/base", lemma="bank", pos="N", resamples=20))
    assert [(row["n_lemmas"], row["low"], row["high"]) for row in result] == [(1, None, None)] * 2
    assert [row["ari"] for row in result] == [row["macro_ari"] for row in result]


def test_clusters_are_of_words_with_one_sense_and_lemmas_weigh_by_their_words(store):
    result = list(store.probe("wsi", run="m/a", evaluate_on=["train", "test"], resamples=100))
    words = [n for n in range(N) if SPLITS[n] and asked_for(n, "all")]
    assert result[0]["n_several"] == sum(";" in WORDS[n].sense for n in words) > 0
    kept = [n for n in words if ";" not in WORDS[n].sense and n not in A.skipped]
    by_lemma = {name: [n for n in kept if key_of(n) == name] for name in map(key_of, kept)}
    asked = [some for some in by_lemma.values() if 1 < len({WORDS[n].sense for n in some}) < len(some)]
    for row in result:
        assert (row["n_words"], row["n_lemmas"]) == (sum(map(len, asked)), len(asked))
        assert row["n_words"] + row["n_trivial"] == len(kept)
        assert row["low"] <= row["ari"] <= row["high"]
        assert row["random_v_measure"] > 0
    of_one = []
    for some in asked:
        lemma, pos = key_of(some[0])
        options = {"evaluate_on": ["train", "test"], "lemma": lemma, "pos": pos, "resamples": 0}
        of_one.append((len(some), store.probe("wsi", run="m/a", **options)["ari"][1]))
    mean = sum(n * ari for n, ari in of_one) / sum(n for n, _ in of_one)
    assert result[1]["ari"] == pytest.approx(mean)
    assert result[1]["macro_ari"] == pytest.approx(np.mean([ari for _, ari in of_one]))


@pytest.mark.parametrize("name", PROBES)
def test_runs_over_different_corpora_are_each_scored_over_their_own(store, name):
    result = list(store.probe(name, run=["m/a", "o/base"], resamples=20))
    alone = [row for run in ("m/a", "o/base") for row in store.probe(name, run=run, resamples=20)]
    assert result == alone


@pytest.mark.parametrize("name", PROBES)
def test_every_result_says_what_it_is_and_can_be_written_and_drawn(store, tmp_path, name):
    for resamples in (0, 20):
        result = store.probe(name, run="m/a", evaluate_on="all", resamples=resamples, seed=5)
        assert result.provenance.items() >= {"probe": name, "standardize": "corpus", "seed": 5}.items()
        assert set(result.units) <= set(result.columns)
        assert result["low"] == [None] * N_LAYERS or resamples
        assert any("n_missing" in note for note in result.notes)
        result.plot(tmp_path / "figure.svg")
        result.to_parquet(tmp_path / "result.parquet")
        assert result["best"].count("best") == 1
    assert list(result) == list(store.probe(name, run="m/a", resamples=20, seed=5))


REFUSED: dict[str, tuple[type[RepstoreError], str, dict]] = {
    "no senses": (ResultError, 'Corpus "plain" has no senses', {"run": "p/base"}),
    "unknown probe": (NotFoundError, 'No probe "knn-wds". Did you mean "knn-wsd"', {"name": "knn-wds"}),
    "option of another probe": (
        ArgumentError,
        'The probe "knn-wsd" has no option "threshold"',
        {"threshold": "grid"},
    ),
    "option spelled wrong": (ArgumentError, 'no option "layers". Did you mean "layer"', {"layers": 1}),
    "no neighbors": (ArgumentError, "k is 0; ask for at least 1", {"k": 0}),
    "unknown space": (ArgumentError, 'No standardize "batch30"', {"standardize": "batch30"}),
    "unknown method": (
        ArgumentError,
        'No method "k-means". Did you mean "kmeans"',
        {"name": "wsi", "method": "k-means"},
    ),
    "unknown split": (NotFoundError, 'in split "tset". Did you mean "test"', {"evaluate_on": "tset"}),
    "unknown split to train on": (
        NotFoundError,
        'in split "trian". Did you mean "train"',
        {"train_on": "trian"},
    ),
    "no split": (ArgumentError, "No split to evaluate on", {"evaluate_on": []}),
    "in no split": (
        NotFoundError,
        'in no split: evaluate on "all"',
        {"run": "o/base", "evaluate_on": "test"},
    ),
    "unknown part of speech": (NotFoundError, 'part of speech "X". Known: N, V', {"pos": "X"}),
    "unknown lemma": (NotFoundError, 'lemma "bnk". Did you mean "bank"', {"lemma": "bnk"}),
    "one sense": (
        ResultError,
        'No lemma of "synthetic" that is asked for has several senses',
        {"lemma": "bark", "evaluate_on": "test"},
    ),
    "negative resamples": (ArgumentError, "resamples is -1", {"resamples": -1}),
    "negative seed": (ArgumentError, "seed is -1", {"seed": -1}),
    "no run": (ArgumentError, "No run is given", {"run": []}),
    "unknown layer": (NotFoundError, "m/a has no layer 3", {"layer": 3}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused_with_the_reason(store, case):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message):
        store.probe(**{"name": "knn-wsd", "run": "m/a"} | options)


def test_a_run_without_any_of_the_words_says_so(tmp_path):
    corpus = small_corpus()
    texts = [
        text if n < 40 else dataclasses.replace(text, split="test") for n, text in enumerate(corpus.texts())
    ]
    run = SyntheticRun("m/begun", random_layers(80, 4, 1), 20, n_committed=2)
    path = build_store(tmp_path / "store", corpus_of(texts), [run])
    with repstore.open(path) as store:
        with pytest.raises(ResultError, match="No word that is asked for has a vector in m/begun"):
            store.probe("knn-wsd", evaluate_on="test")
        assert store.probe("knn-wsd")["n_missing"] == [40]


def test_every_probe_has_its_own_options():
    options = [set(inspect.signature(one).parameters) for one in get_overloads(repstore.Store.probe)]
    assert all({"run", "layer", "resamples", "seed"} <= some for some in options)
    own = {"k", "method", "threshold", "label", "rank", "matrix", "scale"}
    assert [own & some for some in options[:4]] == [{"threshold"}, {"k"}, set(), {"method"}]
    of_others = [{"label"}, {"rank"}, {"matrix"}, {"matrix", "scale"}]
    assert [own & some for some in options[4:]] == of_others
