"""Comparing the layers of runs: every metric, over the right words, with its words said."""

import numpy as np
import oracles
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError, ResultError
from repstore.results import ResultTable

N_WORDS, D_MODEL, N_LAYERS = 60, 5, 4
METRICS = ("cka", "rbf-cka", "rsa", "svcca", "pwcca", "procrustes", "knn", "ridge")
SYMMETRIC = ("cka", "rbf-cka", "rsa", "svcca", "procrustes", "knn")


def drifting(seed: int = 0) -> list[np.ndarray]:
    """Layers that drift away from the first: each is the one before and some noise."""
    random = np.random.default_rng(seed)
    layers = [random.normal(size=(N_WORDS, D_MODEL))]
    for _ in range(N_LAYERS - 1):
        layers.append(layers[-1] + 0.4 * random.normal(size=(N_WORDS, D_MODEL)))
    return [layer.astype(np.float16) for layer in layers]


BASE = drifting()
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(D_MODEL, D_MODEL)))[0]
TURNED = [(3 * (layer.astype(np.float64) @ ROTATION)).astype(np.float32) for layer in reversed(BASE)]
OTHER = random_layers(N_WORDS, 3, 3, seed=7)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared") / "store"
    runs = [
        SyntheticRun("m/base", BASE, rows_per_part=22),
        SyntheticRun("m/turned", TURNED, rows_per_part=60, skipped=frozenset({3, 40})),
        SyntheticRun("m/other", OTHER),
    ]
    build_store(root, small_corpus(N_WORDS), runs)
    with repstore.open(root) as opened:
        yield opened


def grid(result: ResultTable, metric: str) -> np.ndarray:
    n_up = len(set(result["layer_b"]))
    return np.array(result[metric], float).reshape(-1, n_up)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_finds_a_layer_in_a_run_that_is_turned_around_and_rotated(store, metric):
    found = store.compare(metric, run=["m/base", "m/turned"], sample=None)
    values = grid(found, metric)
    assert values.shape == (N_LAYERS, N_LAYERS)
    best = [(row["layer_a"], row["layer_b"]) for row in found if row["best"]]
    assert sorted(best) == [(a, N_LAYERS - 1 - a) for a in range(N_LAYERS)]
    assert np.fliplr(values).diagonal() == pytest.approx([1] * N_LAYERS, abs=1e-3)
    assert found.provenance["n_words"] == N_WORDS - 2


@pytest.mark.parametrize("metric", METRICS)
def test_a_layer_is_itself_and_no_metric_exceeds_that(store, metric):
    values = grid(store.compare(metric, run="m/base"), metric)
    assert values.diagonal() == pytest.approx([1] * N_LAYERS, abs=1e-3)
    assert (values <= 1 + 1e-6).all()
    if metric in SYMMETRIC:
        np.testing.assert_allclose(values, values.T, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_comparing_with_a_second_run_gives_what_comparing_with_itself_does(store, metric):
    """The second is compared by another way through the code; two names of one run are one run."""
    here = grid(store.compare(metric, run="m/base", layer=[0, 2]), metric)
    again = grid(store.compare(metric, run=["m/base", "m/base"], layer=[0, 2]), metric)
    np.testing.assert_array_equal(here, again)


@pytest.mark.parametrize("metric", METRICS)
def test_widths_and_numbers_of_layers_may_differ(store, metric):
    values = grid(store.compare(metric, run=["m/base", "m/other"]), metric)
    assert values.shape == (N_LAYERS, 3)
    assert np.isfinite(values).all()
    assert values.max() < 0.8  # they have nothing to do with each other


def test_the_most_alike_of_the_other_layers_is_marked_in_every_column(store):
    result = store.compare("cka", run="m/base")
    values = grid(result, "cka")
    np.fill_diagonal(values, -1)
    best = grid(result, "best").astype(bool)
    assert best.sum(axis=0).tolist() == [1] * N_LAYERS
    assert best.argmax(axis=0).tolist() == values.argmax(axis=0).tolist()


@pytest.mark.parametrize("metric", ["cka", "rbf-cka", "rsa", "procrustes", "pwcca"])
def test_standardized_vectors_are_compared_standardized(store, metric):
    plain, standardized = (
        grid(store.compare(metric, run="m/base", layer=[0, 1], standardize=frame), metric)[0, 1]
        for frame in ("none", "corpus")
    )
    assert plain != pytest.approx(standardized, abs=1e-4)
    rows = [np.array(oracles.z_scores(layer.tolist(), layer.tolist())) for layer in BASE[:2]]
    if metric == "cka":
        assert standardized == pytest.approx(oracles.cka(*rows), abs=1e-5)


def test_a_sample_is_recorded_and_decided_by_its_seed(store):
    first, again, other = (store.compare("rsa", run="m/base", sample=30, seed=s) for s in (1, 1, 2))
    assert first["rsa"] == again["rsa"] != other["rsa"]
    assert first.provenance["n_words"] == 30
    assert (first.provenance["sample"], first.provenance["n_common"]) == (30, N_WORDS)
    assert "30 of 60 words" in first.title
    assert "60 words" in store.compare("rsa", run="m/base", sample=None).title


def test_a_condition_says_over_which_words(store):
    found = store.compare("cka", run=["m/base", "m/turned"], where="pos = 'V'", layer=1)
    words = [n for n in range(N_WORDS) if n % 5 == 0 and n not in (3, 40)]
    expected = oracles.cka(BASE[1][words].astype(float), TURNED[1][words].astype(float))
    assert found["cka"] == pytest.approx([expected], abs=1e-4)
    assert found.provenance["where"] == "pos = 'V'"
    assert found.provenance["n_common"] == len(words)
    assert found.title.endswith("11 words where pos = 'V'")
    with pytest.raises(ResultError, match="for which pos = 'X' holds; there are 0"):
        store.compare("cka", run="m/base", where="pos = 'X'")
    with pytest.raises(QueryError):
        store.compare("cka", run="m/base", where="pos = 'V'; DROP TABLE words")


def test_layers_that_can_be_gone_through_once_are_asked_of_both_runs(store):
    runs = ["m/base", "m/turned"]
    expected = store.compare("cka", run=runs, layer=[0, 2])
    assert store.compare("cka", run=runs, layer=iter([0, 2])).table.equals(expected.table)
    expected = store.geometry("norms", run=runs, layer=[0, 2])
    assert store.geometry("norms", run=runs, layer=iter([0, 2])).table.equals(expected.table)
    expected = store.probe("wic", run=runs, layer=[0, 2], resamples=0)
    assert store.probe("wic", run=runs, layer=iter([0, 2]), resamples=0).table.equals(expected.table)
    expected = store.probe("knn-wsd", run=runs, layer=[0, 2], resamples=0)
    assert store.probe("knn-wsd", run=runs, layer=iter([0, 2]), resamples=0).table.equals(expected.table)


def test_options_are_those_of_the_metric(store):
    biased = store.compare("cka", run="m/base", estimator="biased")
    assert grid(biased, "cka").mean() > grid(store.compare("cka", run="m/base"), "cka").mean()
    assert biased.provenance["estimator"] == "biased"
    wide = grid(store.compare("rbf-cka", run="m/base", bandwidth=100), "rbf-cka")
    np.testing.assert_allclose(wide, grid(store.compare("cka", run="m/base"), "cka"), atol=1e-2)
    pearson = store.compare("rsa", run="m/base", correlation="pearson", layer=[0, 1])
    cosines = [
        [oracles.cosine(a, b) for a in layer for b in layer] for layer in map(np.ndarray.tolist, BASE[:2])
    ]
    upper = np.triu_indices(N_WORDS, 1)
    x, y = (np.reshape(values, (N_WORDS, N_WORDS))[upper] for values in cosines)
    assert pearson["rsa"][1] == pytest.approx(oracles.correlation(x.tolist(), y.tolist()), abs=1e-5)
    assert store.compare("knn", run="m/base", k=3).provenance["k"] == 3


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("cka", {"k": 5}, 'The metric "cka" has no k; it is an option of knn.'),
        ("knn", {"estimator": "biased"}, "no estimator; it is an option of cka, rbf-cka"),
        ("svcca", {"correlation": "pearson"}, "no correlation"),
        ("rbf-cka", {"bandwidth": 0.0}, "must be above 0"),
        ("rbf-cka", {"bandwidth": float("nan")}, "must be above 0"),
        ("cka", {"estimator": "unbiasd"}, 'Did you mean "unbiased"'),
        ("cka", {"sample": 3}, "at least 4 words"),
        ("cka", {"seed": -1}, "must not be negative"),
        ("cka", {"standardize": "corpse"}, 'Did you mean "corpus"'),
        ("knn", {"k": 0}, "at least 1 neighbor"),
        ("cka", {"memory": 0}, "memory is 0; give a number of bytes"),
        ("cka", {"memory": "1GB"}, "memory is '1GB'"),
        ("cka", {"run": ["m/base", "m/turned", "m/other"]}, "Compare two"),
        ("cka", {"run": ["m/base", "m/other"], "layer": 3}, "m/other has no layer 3"),
        ("ckaa", {}, 'No metric "ckaa"'),
    ],
)
def test_what_cannot_be_compared_is_refused(store, metric, options, message):
    with pytest.raises(ArgumentError, match=message):
        store.compare(metric, **({"run": "m/base"} | options))


@pytest.mark.parametrize("metric", METRICS)
def test_layers_without_variation_have_no_value_and_a_reason(tmp_path, metric):
    layers = [np.ones((N_WORDS, D_MODEL), np.float16), *BASE[:2]]
    root = build_store(tmp_path / "store", small_corpus(N_WORDS), [SyntheticRun("m/flat", layers)])
    with repstore.open(root) as opened:
        found = opened.compare(metric)
    values = grid(found, metric)
    assert np.isnan(values[0]).all()
    assert np.isnan(values[:, 0]).all()
    assert np.isfinite(values[1:, 1:]).all()
    assert "No value at layer 0: all words have one vector." in found.notes


def test_another_reason_for_having_no_value_is_not_said_to_be_equal_vectors(tmp_path):
    """Words of two vectors, one of which nearly all have: the median distance is 0."""
    few = np.zeros((N_WORDS, D_MODEL), np.float16)
    few[:5] = 1
    root = build_store(tmp_path / "store", small_corpus(N_WORDS), [SyntheticRun("m/few", [few, BASE[0]])])
    with repstore.open(root) as opened:
        assert opened.compare("rbf-cka").notes == ["No value at layer 0: its words differ too little."]
        assert not opened.compare("cka").notes


@pytest.mark.parametrize("metric", METRICS)
def test_runs_of_one_word_and_of_three_are_too_small(tmp_path, metric):
    for n_words in (1, 3):
        layers = random_layers(n_words, 4, 2)
        root = build_store(
            tmp_path / f"{n_words}", small_corpus(n_words, 0, 0), [SyntheticRun("m/a", layers)]
        )
        with repstore.open(root) as opened, pytest.raises(ResultError, match=f"there are {n_words}"):
            opened.compare(metric)


def test_runs_without_common_words_are_refused(tmp_path):
    root = tmp_path / "store"
    for name in ("a", "b"):
        run = SyntheticRun(f"m/{name}", random_layers(20, 4, 2))
        build_store(root, small_corpus(20, name=name), [run])
    with repstore.open(root) as opened, pytest.raises(ResultError, match="no words in common"):
        opened.compare(run=["m/a", "m/b"])
    with repstore.open(root) as opened, pytest.raises(NotFoundError, match="No run"):
        opened.compare(run=["m/a", "m/c"])
