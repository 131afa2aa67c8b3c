"""The probe over pairs: which pairs, which runs, which numbers; on a store made from known arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import oracles
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.analysis.bootstrap import Resampling
from repstore.corpus import Corpus
from repstore.errors import ArgumentError, NotFoundError, RepstoreError, ResultError, StoreDamagedError
from repstore.spec import Pair

N_WORDS, N_LAYERS, D_MODEL = 80, 4, 12
ALL = frozenset(range(N_WORDS))


def both(name: str = "both") -> Corpus:
    """Pairs with labels, ratings, or both; every tenth has no split."""
    plain = small_corpus(N_WORDS, name=name)
    random = np.random.default_rng(1)
    pairs = []
    for n, pair in enumerate(plain.pairs()):
        score = None if n % 9 == 0 else float(random.integers(1, 6))
        label = None if n % 7 == 0 else pair.label
        split = None if n % 10 == 0 else pair.split
        pairs.append(dataclasses.replace(pair, label=label, score=score, split=split))
    return corpus_of(list(plain.texts()), pairs, name)


def rated() -> Corpus:
    """Ratings only, no splits."""
    plain = small_corpus(N_WORDS, name="rated")
    pairs = [Pair(pair.word_a, pair.word_b, score=float(n % 5)) for n, pair in enumerate(plain.pairs())]
    return corpus_of(list(plain.texts()), pairs, "rated")


CORPUS, OTHER, RATED = both(), small_corpus(N_WORDS, name="other", seed=7), rated()
WORDS = [word for text in CORPUS.texts() for word in text.words]
A = SyntheticRun("m/a", random_layers(N_WORDS, D_MODEL, N_LAYERS), 33)
B = SyntheticRun("m/b", random_layers(N_WORDS, D_MODEL, N_LAYERS, seed=1), skipped=frozenset({3, 40, 79}))
C = SyntheticRun("m/c", [layer[::-1].copy() for layer in A.layers], 20, skipped=frozenset({40, 41}))
SHORT = SyntheticRun("m/short", random_layers(N_WORDS, D_MODEL, 2, seed=2))
NARROW = SyntheticRun("m/narrow", random_layers(N_WORDS, 6, N_LAYERS, seed=3))
FLAT = SyntheticRun("m/flat", [np.full((N_WORDS, D_MODEL), 0.1, np.float16), A.layers[0]])
O = SyntheticRun("o/base", random_layers(N_WORDS, D_MODEL, N_LAYERS, seed=4))  # noqa: E741
R = SyntheticRun("r/base", random_layers(N_WORDS, D_MODEL, N_LAYERS, seed=5))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[repstore.Store]:
    root = tmp_path_factory.mktemp("stores") / "store"
    build_store(root, CORPUS, [A, B, C, SHORT, NARROW, FLAT])
    build_store(root, OTHER, [O])
    build_store(root, RATED, [R])
    with repstore.open(root) as opened:
        yield opened


def chosen(
    split: str, *runs: SyntheticRun, target: str = "label", pos: str | None = None, corpus: Corpus = CORPUS
) -> list[Pair]:
    """The pairs that the documentation promises, in file order."""
    return [
        pair
        for pair in corpus.pairs()
        if split in ("all", pair.split)
        and getattr(pair, target) is not None
        and pos in (None, WORDS[pair.word_a].pos)
        and not any({pair.word_a, pair.word_b} & run.skipped for run in runs)
    ]


def words_of(run: SyntheticRun, layer: int) -> tuple[np.ndarray, dict[int, int]]:
    """The vectors of a layer, and which row each word has."""
    kept = sorted(ALL - run.skipped)
    return run.layers[layer][kept], {word: row for row, word in enumerate(kept)}


def cosines(
    run: SyntheticRun, layer: int, pairs: list[Pair], standardize: str, second: SyntheticRun | None = None
) -> list[float]:
    (first, rows), (other, other_rows) = words_of(run, layer), words_of(second or run, layer)
    at = [(rows[pair.word_a], other_rows[pair.word_b], True) for pair in pairs]
    return oracles.pair_similarities(first, at, standardize, other)


def answers(
    run: SyntheticRun,
    layer: int,
    dev: list[Pair],
    test: list[Pair],
    standardize: str = "corpus",
    second: SyntheticRun | None = None,
) -> tuple[float, list[bool]]:
    """The threshold of the grid, and for every test pair whether the answer is right."""
    threshold = oracles.first_best_threshold(
        cosines(run, layer, dev, standardize, second), [bool(pair.label) for pair in dev]
    )
    scored = cosines(run, layer, test, standardize, second)
    return threshold, [(cosine > threshold) == pair.label for cosine, pair in zip(scored, test, strict=True)]


def resampled_means(values: list[float], n: int, seed: int) -> list[float]:
    """The mean over the pairs of every resample, each pair as often as it was drawn."""
    blocks = np.concatenate(list(Resampling(n, seed).counts(len(values))), axis=1).T.tolist()
    return [sum(c * float(v) for c, v in zip(counts, values, strict=True)) / len(values) for counts in blocks]


def ends(values: list[float]) -> tuple[float, float]:
    return oracles.percentile(values, 0.025), oracles.percentile(values, 0.975)


def columns(result: repstore.ResultTable, *names: str) -> list[tuple]:
    return list(zip(*(result[name] for name in names), strict=True))


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_runs_over_one_corpus_are_scored_over_the_pairs_with_vectors_in_all(store, standardize):
    result = store.probe(
        "wic", run=["m/b", "m/a", "m/c"], standardize=standardize, threshold="grid", resamples=0
    )
    dev, test = chosen("dev", A, B, C), chosen("test", A, B, C)
    n_missing = len(chosen("dev")) - len(dev) + len(chosen("test")) - len(test)
    assert n_missing > 5
    rows = iter(result)
    for run in (B, A, C):
        for layer in range(N_LAYERS):
            row = next(rows)
            threshold, right = answers(run, layer, dev, test, standardize)
            assert (row["run"], row["layer"]) == (run.name, layer)
            assert (row["threshold"], row["accuracy"]) == (threshold, sum(right) / len(right))
            assert (row["n_pairs"], row["n_missing"]) == (len(test), n_missing)
            n_same = sum(bool(pair.label) for pair in test)
            assert row["majority"] == pytest.approx(max(n_same, len(test) - n_same) / len(test), abs=1e-15)
    assert any(note.startswith('n_missing pairs of "test" and "dev" are left out') for note in result.notes)


@pytest.mark.parametrize(
    ("select_on", "evaluate_on"), [("all", "all"), ("test", "test"), ("all", "test"), ("dev", "all")]
)
def test_pairs_that_are_scored_and_choose_the_threshold_are_missed_once(store, select_on, evaluate_on):
    asked = {"run": ["m/b", "m/a", "m/c"], "select_on": select_on, "evaluate_on": evaluate_on}
    result = store.probe("wic", **asked, layer=0, resamples=0)
    of_either = "test" if select_on == evaluate_on == "test" else "all"
    n_missing = len(chosen(of_either)) - len(chosen(of_either, A, B, C))
    assert n_missing > 3
    assert set(result["n_missing"]) == {n_missing}


def test_a_run_alone_is_scored_over_all_its_own_pairs(store):
    (n_pairs,), (n_missing,) = (
        set(store.probe("wic", run="m/a", resamples=0)[name]) for name in ("n_pairs", "n_missing")
    )
    assert (n_pairs, n_missing) == (len(chosen("test")), 0)
    assert not any("n_missing" in note for note in store.probe("wic", run="m/a", resamples=0).notes)


@pytest.mark.parametrize("threshold", ["grid", "exact"])
def test_auc_and_rank_correlation_are_of_the_scored_pairs(store, threshold):
    result = store.probe("wic", run="m/b", threshold=threshold, resamples=0)
    test = chosen("test", B)
    same = [bool(pair.label) for pair in test]
    for layer, row in enumerate(result):
        similar = cosines(B, layer, test, "corpus")
        assert row["auc"] == pytest.approx(oracles.auc(similar, same), abs=1e-9)
        assert row["spearman"] == pytest.approx(oracles.rank_correlation(similar, same), abs=1e-9)


@pytest.mark.parametrize("pos", ["N", "V"])
@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_pairs_of_one_part_of_speech_are_chosen_before_they_are_standardized(store, standardize, pos):
    result = store.probe("wic", run="m/a", standardize=standardize, threshold="grid", pos=pos, resamples=0)
    dev, test = chosen("dev", pos=pos), chosen("test", pos=pos)
    assert 0 < len(test) < len(chosen("test"))
    for layer, row in enumerate(result):
        threshold, right = answers(A, layer, dev, test, standardize)
        assert (row["threshold"], row["accuracy"]) == (threshold, sum(right) / len(right))
        assert row["n_pairs"] == len(test)
    assert f"test, {pos}" in result.title


def test_batches_are_of_the_pairs_of_that_part_of_speech_and_not_of_all(store):
    result = store.probe("wic", run="m/a", standardize="batch30", pos="N", resamples=0)
    everything = chosen("test")
    nouns = [n for n, pair in enumerate(everything) if WORDS[pair.word_a].pos == "N"]
    same = [bool(everything[n].label) for n in nouns]
    for layer, row in enumerate(result):
        filtered_after = cosines(A, layer, everything, "batch30")
        assert row["auc"] != pytest.approx(oracles.auc([filtered_after[n] for n in nouns], same), abs=1e-6)


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_ratings_are_correlated_with_cosines_of_all_pairs(store, standardize):
    result = store.probe("pairs", run="m/b", standardize=standardize, resamples=0)
    names = "run layer spearman low high pearson best n_pairs n_missing"
    assert result.columns == names.split()
    pairs = chosen("all", B, target="score")
    scores = [pair.score for pair in pairs]
    for layer, row in enumerate(result):
        similar = cosines(B, layer, pairs, standardize)
        assert row["spearman"] == pytest.approx(oracles.rank_correlation(similar, scores), abs=2e-4)
        assert row["pearson"] == pytest.approx(oracles.correlation(similar, scores), abs=1e-5)
        assert row["n_pairs"] == len(pairs)
        assert row["n_missing"] == len(chosen("all", target="score")) - len(pairs)


def test_the_target_decides_between_labels_and_ratings(store):
    assert list(store.probe("pairs", run="m/a")) == list(store.probe("pairs", run="m/a", target="score"))
    assert list(store.probe("wic", run="m/a")) == list(store.probe("pairs", run="m/a", target="label"))
    assert list(store.probe("pairs", run="o/base")) == list(store.probe("wic", run="o/base"))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_ratings_of_one_split_are_scored_if_it_is_named(store, split):
    result = store.probe("pairs", run="m/a", evaluate_on=split, resamples=0)
    pairs = chosen(split, target="score")
    expected = oracles.rank_correlation(cosines(A, 2, pairs, "corpus"), [pair.score for pair in pairs])
    assert result["spearman"][2] == pytest.approx(expected, abs=1e-9)
    assert result["n_pairs"][2] == len(pairs)


def test_all_as_a_split_is_every_pair_those_without_a_split_too(store):
    result = store.probe("wic", run="m/a", threshold="grid", select_on="all", evaluate_on="all", resamples=0)
    pairs = chosen("all")
    assert any(pair.split is None for pair in pairs)
    for layer, row in enumerate(result):
        threshold, right = answers(A, layer, pairs, pairs)
        assert (row["threshold"], row["accuracy"]) == (threshold, sum(right) / len(right))
        assert row["n_pairs"] == len(pairs)


@pytest.mark.parametrize("threshold", ["grid", "exact"])
def test_the_accuracy_on_the_pairs_that_chose_the_threshold_is_reported(store, threshold):
    chosen_on = {"threshold": threshold, "resamples": 0, "select_on": "dev"}
    result = store.probe("wic", run="m/b", **chosen_on)
    assert result["selection"] == store.probe("wic", run="m/b", evaluate_on="dev", **chosen_on)["accuracy"]
    dev = chosen("dev", B)
    same = [bool(pair.label) for pair in dev]
    for layer, row in enumerate(result):
        similar = cosines(B, layer, dev, "corpus")
        first_best = oracles.n_correct(similar, same, oracles.first_best_threshold(similar, same))
        most, _ = oracles.most_correct(oracles.rounded(similar), same)
        assert row["selection"] == (first_best if threshold == "grid" else most) / len(dev)


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_the_second_word_of_every_pair_can_be_of_another_run(store, standardize):
    result = store.probe(
        "wic", run="m/c", run_b="m/b", standardize=standardize, threshold="grid", resamples=0
    )
    dev, test = chosen("dev", B, C), chosen("test", B, C)
    for layer, row in enumerate(result):
        threshold, right = answers(C, layer, dev, test, standardize, B)
        assert (row["threshold"], row["accuracy"]) == (threshold, sum(right) / len(right))
        assert row["n_pairs"] == len(test)
    swapped = store.probe("wic", run="m/b", run_b="m/c", standardize=standardize, resamples=0)
    assert swapped["auc"] != result["auc"]


def test_layers_can_be_chosen_in_any_order(store):
    whole = list(store.probe("wic", run="m/a", resamples=0))
    part = list(store.probe("wic", run="m/a", layer=[3, 1], resamples=0))
    without = [{name: value for name, value in row.items() if name != "best"} for row in part]
    assert without == [{n: v for n, v in whole[at].items() if n != "best"} for at in (3, 1)]
    assert [row["layer"] for row in store.probe("wic", run="m/a", layer=np.int64(2))] == [2]


@pytest.mark.parametrize("n", [40, 700])
def test_intervals_are_of_the_pairs_drawn_again_and_again(store, n):
    result = store.probe("wic", run="m/b", threshold="grid", resamples=n, seed=3)
    dev, test = chosen("dev", B), chosen("test", B)
    for layer, row in enumerate(result):
        _, right = answers(B, layer, dev, test)
        assert (row["low"], row["high"]) == pytest.approx(ends(resampled_means(right, n, 3)), abs=1e-12)
        assert row["low"] <= row["accuracy"] <= row["high"]


@pytest.mark.parametrize(
    ("against", "run", "layers"),
    [
        ("m/b", B, range(N_LAYERS)),
        (("m/b", 2), B, [2] * N_LAYERS),
        (1, A, [1] * N_LAYERS),
        (np.int64(0), A, [0] * N_LAYERS),
        ("m/a", A, range(N_LAYERS)),
    ],
    ids=["run", "run and layer", "layer", "layer from numpy", "itself"],
)
def test_differences_are_those_of_two_probes_over_the_same_pairs(store, against, run, layers):
    result = store.probe("wic", run="m/a", threshold="grid", against=against, resamples=60, seed=2)
    dev, test = chosen("dev", A, run), chosen("test", A, run)
    for layer, other, row in zip(range(N_LAYERS), layers, result, strict=True):
        (_, mine), (_, theirs) = answers(A, layer, dev, test), answers(run, other, dev, test)
        assert row["accuracy"] == sum(mine) / len(test)
        differences = [float(a) - float(b) for a, b in zip(mine, theirs, strict=True)]
        assert row["difference"] == pytest.approx(sum(differences) / len(test), abs=1e-12)
        expected = ends(resampled_means(differences, 60, 2))
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(expected, abs=1e-12)
        assert row["n_pairs"] == len(test)


def test_the_difference_to_itself_is_exactly_zero(store):
    names = ("difference", "difference_low", "difference_high")
    for probe in ("wic", "pairs"):
        assert columns(store.probe(probe, run="m/a", against="m/a", resamples=50), *names) == [(0, 0, 0)] * 4
    assert columns(store.probe("wic", run="m/a", against=2, resamples=50), *names)[2] == (0, 0, 0)


def test_differences_of_correlations_are_those_of_two_probes(store):
    result = store.probe("pairs", run="m/a", against=("m/b", 1), resamples=30)
    both = store.probe("pairs", run=["m/a", "m/b"], resamples=30)
    theirs = both["spearman"][N_LAYERS + 1]
    assert result["spearman"] == both["spearman"][:N_LAYERS]
    assert result["difference"] == pytest.approx([mine - theirs for mine in result["spearman"]], abs=1e-12)


def test_against_a_layer_of_the_same_pair_of_runs(store):
    """The second words stay those of run_b."""
    result = store.probe("wic", run="m/a", run_b="m/c", against=1, resamples=0)
    assert result["difference"] == [value - result["accuracy"][1] for value in result["accuracy"]]


def test_the_seed_decides_the_intervals_and_nothing_else(store):
    def row(seed: int, *names: str) -> list[tuple]:
        return columns(store.probe("wic", run="m/a", resamples=200, seed=seed), *names)

    assert row(1, "low", "high") == row(1, "low", "high") != row(2, "low", "high")
    assert row(1, "threshold", "accuracy", "auc") == row(2, "threshold", "accuracy", "auc")


def test_without_resamples_there_are_no_intervals_and_only_the_best_is_known(store):
    result = store.probe("wic", run="m/a", against=1, resamples=0)
    for name in ("low", "high", "difference_low", "difference_high"):
        assert result[name] == [None] * N_LAYERS
    assert sorted(result["best"], key=str) == [None] * (N_LAYERS - 1) + ["best"]
    assert result["best"].index("best") == np.argmax(result["accuracy"])
    assert not any("as good" in note for note in result.notes)
    assert "resamples" not in repr(result)


def test_the_best_layer_of_each_run_is_marked_and_explained(store):
    result = store.probe("wic", run=["m/a", "m/b"], resamples=100)
    for rows in (list(result)[:N_LAYERS], list(result)[N_LAYERS:]):
        accuracies = [row["accuracy"] for row in rows]
        assert rows[accuracies.index(max(accuracies))]["best"] == "best"
        assert [row["best"] for row in rows].count("best") == 1
        assert {row["best"] for row in rows} <= {"best", "as good", None}
    assert any("as good" in note for note in result.notes)


def test_a_score_that_is_not_defined_is_null(store):
    result = store.probe("pairs", run="m/flat", resamples=20)
    first, second = result
    assert [first[name] for name in ("spearman", "low", "high", "pearson", "best")] == [None] * 5
    assert second["best"] == "best"
    labelled = list(store.probe("wic", run="m/flat", resamples=20))
    assert (labelled[0]["auc"], labelled[0]["spearman"]) == (0.5, None)


def test_runs_over_different_corpora_are_each_scored_over_their_own(store):
    result = list(store.probe("wic", run=["m/a", "o/base"], resamples=20))
    alone = [row for run in ("m/a", "o/base") for row in store.probe("wic", run=run, resamples=20)]
    assert result == alone


def test_results_say_what_they_were_computed_from(store):
    result = store.probe("wic", run=["m/a", "m/b"], against=("m/c", 1), pos="N", resamples=7, seed=5)
    wanted = {
        "probe": "wic",
        "standardize": "corpus",
        "threshold": "exact",
        "select_on": "dev",
        "evaluate_on": "test",
        "target": "label",
        "pos": "N",
        "resamples": 7,
        "seed": 5,
    }
    assert result.provenance.items() >= wanted.items()
    ids = {row["name"]: row["run_id"] for row in store.sql("SELECT name, run_id FROM runs")}
    assert result.provenance["runs"] == [ids["m/a"], ids["m/b"]]
    assert result.provenance["against"] == [ids["m/c"], 1]


@pytest.mark.parametrize(
    "options", [{}, {"resamples": 0}, {"against": 1}, {"run": ["m/flat", "m/b"]}], ids=str
)
@pytest.mark.parametrize("probe", ["wic", "pairs"])
def test_every_result_can_be_written_and_drawn(store, tmp_path, probe, options):
    result = store.probe(probe, **{"run": "m/a", "resamples": 20} | options)
    result.plot(tmp_path / "figure.svg")
    result.to_parquet(tmp_path / "result.parquet")
    assert len(result.to_csv().splitlines()) == len(result) + 1
    assert repr(result)


REFUSED: dict[str, tuple[type[RepstoreError], str, dict]] = {
    "no rated pairs": (
        ResultError,
        '"other" has no rated pairs',
        {"name": "pairs", "target": "score", "run": "o/base"},
    ),
    "no labelled pairs": (ResultError, '"rated" has no labelled pairs', {"run": "r/base"}),
    "unknown target": (
        ArgumentError,
        'No target "labels". Did you mean "label"',
        {"name": "pairs", "target": "labels"},
    ),
    "ratings of a probe of labels": (
        ArgumentError,
        'The probe "wic" is of labels, not of "score". Ask for the probe "pairs"',
        {"target": "score"},
    ),
    "unknown part of speech": (NotFoundError, 'has part of speech "ADJ". Known: N, V', {"pos": "ADJ"}),
    "unknown split to score": (
        NotFoundError,
        'in split "tset". Did you mean "test"',
        {"evaluate_on": "tset"},
    ),
    "split without a name": (
        NotFoundError,
        'in split "test". They are in no split: select on and evaluate on "all"',
        {"name": "pairs", "run": "r/base", "evaluate_on": "test"},
    ),
    "negative resamples": (ArgumentError, "resamples is -1; it must not be negative", {"resamples": -1}),
    "negative seed": (ArgumentError, "seed is -1; it must not be negative", {"seed": -1}),
    "second run over another corpus": (
        ArgumentError,
        "m/a is over corpus both and o/base over other",
        {"run_b": "o/base"},
    ),
    "second run of another width": (ArgumentError, "m/a and m/narrow differ in width", {"run_b": "m/narrow"}),
    "second run with fewer layers": (
        NotFoundError,
        "m/short has no layer 2",
        {"run_b": "m/short"},
    ),
    "unknown second run": (NotFoundError, 'No run "m/bb". Did you mean "m/b"', {"run_b": "m/bb"}),
    "empty second run": (NotFoundError, 'No run ""', {"run_b": ""}),
    "against another corpus": (ArgumentError, "runs are compared over the same pairs", {"against": "o/base"}),
    "against an unknown run": (NotFoundError, 'No run "m/bb"', {"against": "m/bb"}),
    "against an unknown layer": (NotFoundError, "m/a has no layer 9; it has 0", {"against": 9}),
    "against an unknown layer of a run": (
        NotFoundError,
        "m/b has no layer 9; it has 0",
        {"against": ("m/b", 9)},
    ),
    "against a negative layer": (NotFoundError, "m/a has no layer -1", {"against": -1}),
    "against a run with fewer layers": (
        NotFoundError,
        "m/short ends at layer 1. Ask for layers up to it",
        {"against": "m/short"},
    ),
    "against a fraction": (ArgumentError, "1.5. is no layer", {"against": ("m/b", 1.5)}),
    "labels and ratings at once": (
        ArgumentError,
        "Say which with target",
        {"name": "pairs", "run": ["m/a", "o/base"]},
    ),
    "unknown layer": (NotFoundError, "m/a has no layer 4", {"layer": [0, 4]}),
    "no layers": (ArgumentError, "No layer is given", {"layer": []}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_scored_is_refused_with_the_reason(store, case):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message.replace("(", r"\(")):
        store.probe(**{"name": "wic", "run": "m/a"} | options)


def test_a_part_of_speech_that_a_split_lacks_is_not_suggested(tmp_path):
    corpus = small_corpus()
    texts = [
        dataclasses.replace(
            text, words=tuple(dataclasses.replace(word, pos="N" if n < 40 else "V") for word in text.words)
        )
        for n, text in enumerate(corpus.texts())
    ]
    pairs = [
        Pair(0, 1, "dev", True),
        Pair(2, 3, "dev", False),
        Pair(4, 5, "test", True),
        Pair(50, 51, "dev", True),
    ]
    path = build_store(
        tmp_path / "store", corpus_of(texts, pairs), [SyntheticRun("m/base", random_layers(80, 6, 2))]
    )
    with repstore.open(path) as store, pytest.raises(NotFoundError, match=r'part of speech "V"\. Known: N\.'):
        store.probe("wic", pos="V")


def test_labels_in_no_split_say_how_to_ask(tmp_path):
    pairs = [Pair(n, n + 1, None, bool(n % 2)) for n in range(30)]
    path = build_store(
        tmp_path / "store",
        corpus_of(list(small_corpus().texts()), pairs),
        [SyntheticRun("m/base", random_layers(80, 6, 2))],
    )
    with repstore.open(path) as store:
        with pytest.raises(NotFoundError, match='in no split: select on and evaluate on "all"'):
            store.probe("wic")
        assert store.probe("wic", select_on="all", evaluate_on="all")["n_pairs"] == [30, 30]


def test_a_shallower_run_to_compare_with_says_where_it_ends(tmp_path):
    runs = [SyntheticRun("m/deep", random_layers(80, 6, 4)), SyntheticRun("m/flat", random_layers(80, 6, 2))]
    path = build_store(tmp_path / "store", small_corpus(), runs)
    with repstore.open(path) as store:
        with pytest.raises(ArgumentError, match=r"m/flat ends at layer 1\. .* such as m/flat:1\.$"):
            store.probe("wic", run="m/deep", against="m/flat")
        assert len(store.probe("wic", run="m/deep", against="m/flat", layer=[0, 1])) == 2
        assert len(store.probe("wic", run="m/deep", against=("m/flat", 1))) == 4


def test_a_run_whose_corpus_is_lost_says_so(tmp_path):
    path = build_store(tmp_path / "store", small_corpus(), [SyntheticRun("m/base", random_layers(80, 6, 2))])
    (words,) = path.glob("corpora/*/words.parquet")
    words.write_bytes(words.read_bytes()[:100])
    repstore.repair(path)
    with repstore.open(path) as store:
        first = int(store.vectors(layer=0).word_ids[0])
        with pytest.raises(StoreDamagedError, match='Corpus "synthetic" is missing'):
            store.probe("wic")
        with pytest.raises(NotFoundError, match=f"no word {first}"):
            store.neighbors(first, layer=0)
