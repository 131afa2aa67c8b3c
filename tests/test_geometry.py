"""The geometry of layers as a store measures it: right words, right groups, reasons for what has no value."""

import numpy as np
import oracles
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.belonging import linked
from repstore.errors import ArgumentError, ResultError
from repstore.measures import MEASURES
from repstore.spec import Pair, Text, Word

N_WORDS, D_MODEL = 80, 6


def clustered(spread: float) -> np.ndarray:
    """Words about a place of their sense, of which each lemma of `small_corpus` has two; none at 0."""
    random = np.random.default_rng(1)
    places = random.normal(size=(8, D_MODEL)) + 2
    sense = [(n % 4) * 2 + n // 4 % 2 for n in range(N_WORDS)]
    return (places[sense] + spread * random.normal(size=(N_WORDS, D_MODEL))).astype(np.float32)


LAYERS = [clustered(3.0), clustered(0.5), clustered(0.1)]
DEEP = random_layers(N_WORDS, 4, 5)
SKIPPED = frozenset({7, 30})
KEPT = [n for n in range(N_WORDS) if n not in SKIPPED]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("measured") / "store"
    runs = [
        SyntheticRun("m/base", LAYERS, rows_per_part=33, skipped=SKIPPED),
        SyntheticRun("m/deep", DEEP),
        SyntheticRun("m/flat", [np.ones((N_WORDS, 4), np.float16), *random_layers(N_WORDS, 4, 2)]),
    ]
    build_store(root, small_corpus(N_WORDS), runs)
    with repstore.open(root) as opened:
        yield opened


def test_all_measures_have_a_value_for_every_layer_or_a_note(store):
    found = store.geometry("all", run="m/base")
    columns = [column.name for measure in MEASURES.values() for column in measure.columns]
    assert set(found.columns) >= {"run", "layer", "depth", *columns}
    assert found["layer"] == [0, 1, 2]
    assert found["depth"] == [0, 0.5, 1]
    empty = {name for name in columns if None in found[name]}
    assert empty == {"intra_sentence", "intra_sentence_adjusted"}  # each text has one word
    for name, n in {"n_forms": 8, "n_texts": 0, "n_lemmas": 4}.items():
        assert found[name] == [n] * 3
    [note] = found.notes
    assert note.startswith("Not all of intra-sentence at any layer of m/base: no text has two of these words")


def test_measures_are_of_the_words_with_vectors(store):
    found = store.geometry(["anisotropy", "norms"], run="m/base", sample=None)
    for row, layer in zip(found, LAYERS, strict=True):
        rows = layer[KEPT].tolist()
        cosines = [oracles.cosine(a, b) for n, a in enumerate(rows) for b in rows[:n]]
        assert row["anisotropy"] == pytest.approx(np.mean(cosines), abs=1e-6)
        assert row["norm"] == pytest.approx(np.linalg.norm(layer[KEPT], axis=1).mean(), rel=1e-6)
    assert found.provenance["n_words"] == {"m/base": N_WORDS - 2}


def test_a_condition_says_over_which_words(store):
    found = store.geometry("norms", run=["m/base", "m/deep"], where="pos = 'V'", layer=0)
    words = [n for n in range(N_WORDS) if n % 5 == 0 and n not in SKIPPED]
    for norm, layer in zip(found["norm"], (LAYERS[0], DEEP[0]), strict=True):
        assert norm == pytest.approx(np.linalg.norm(layer[words].astype(float), axis=1).mean(), rel=1e-6)
    assert found.provenance["n_words"] == {"m/base": len(words), "m/deep": len(words)}
    with pytest.raises(ResultError, match="No word has a vector in m/base for which pos = 'X' holds"):
        store.geometry("norms", run="m/base", where="pos = 'X'")


def test_runs_over_one_corpus_are_measured_over_the_same_words(store):
    """m/deep has vectors for two words more; sampled alone, other words would be drawn for it."""
    both = store.geometry("norms", run=["m/base", "m/deep"], layer=1, sample=30, seed=4)
    rows = np.array(KEPT)[np.sort(np.random.default_rng(4).choice(len(KEPT), 30, replace=False))]
    for norm, layer in zip(both["norm"], (LAYERS[1], DEEP[1]), strict=True):
        assert norm == pytest.approx(np.linalg.norm(layer[rows].astype(float), axis=1).mean(), rel=1e-6)
    assert "m/deep (30 of 80 words)" in both.title


def test_a_form_that_is_several_times_in_a_text_counts_once(tmp_path):
    words = [(0, "dog"), (0, "dog"), *((n, "dog") for n in range(1, 6)), *((n, "cat") for n in range(4))]
    texts = [
        Text(f"{n}", tuple(Word(at, at, at + 3, form) for at, (text, form) in enumerate(words) if text == n))
        for n in range(6)
    ]
    order = [(n, form) for n in range(6) for text, form in words if text == n]
    layer = np.random.default_rng(0).normal(size=(len(order), 4)).astype(np.float32)
    root = build_store(tmp_path / "store", corpus_of(texts), [SyntheticRun("m/a", [layer])])
    with repstore.open(root) as opened:
        found = opened.geometry("self-similarity")["self_similarity"]
    dogs = [n for n, (text, form) in enumerate(order) if form == "dog" and order[:n].count((text, form)) == 0]
    assert len(dogs) == 6  # of 7; the 4 cats are too few
    cosines = [oracles.cosine(layer[a], layer[b]) for a in dogs for b in dogs if a < b]
    assert found == pytest.approx([np.mean(cosines)], abs=1e-6)


def test_where_the_corpus_has_senses_a_condition_does_not_make_pairs_stand_in_for_them(tmp_path):
    texts = [Text(f"w{n}", (Word(0, 0, 2, f"w{n}", "w", sense="a" if n < 2 else None),)) for n in range(6)]
    pairs = [Pair(2, 3, label=True), Pair(4, 5, label=True)]
    run = SyntheticRun("m/a", random_layers(6, 4, 1))
    root = build_store(tmp_path / "store", corpus_of(texts, pairs), [run])
    with repstore.open(root) as opened:
        assert opened.geometry("alignment", where="sense IS NULL")["alignment"] == [None]
        assert opened.geometry("alignment")["alignment"] != [None]


def test_the_type_of_a_column_does_not_hang_on_its_values(store):
    full, empty = (store.geometry("dimension", run="m/base", sample=n).table for n in (None, 2))
    assert empty["dimension"].null_count == 3
    assert full.schema.equals(empty.schema)


def test_a_figure_of_nothing_says_why(store, tmp_path):
    with pytest.raises(ArgumentError, match=r"no value to draw\. Not all of intra-sentence at any layer"):
        store.geometry("intra-sentence", run="m/base").plot(tmp_path / "none.png")


def test_groups_are_those_of_the_words_that_are_measured(store):
    """Rows of a run are not rows of its corpus: two words have no vector, and a sample leaves out more."""
    for sample in (None, 50):
        found = store.geometry(["self-similarity", "alignment"], run="m/base", layer=1, sample=sample, seed=3)
        rows = np.arange(N_WORDS)[KEPT]
        if sample is not None:
            rows = rows[np.sort(np.random.default_rng(3).choice(len(rows), sample, replace=False))]
        lemmas = ("bank", "spring", "bark", "palm")
        forms = [lemmas[n % 4] + ("s" if n % 3 == 0 else "") for n in rows]
        senses = [(n % 4, n // 4 % 2) for n in rows]
        units = LAYERS[1][rows] / np.linalg.norm(LAYERS[1][rows], axis=1, keepdims=True)
        cosines = units.astype(np.float64) @ units.T
        of_forms = []
        for form in sorted(set(forms)):
            mine = [n for n, other in enumerate(forms) if other == form]
            if len(mine) >= 5:
                of_forms.append(np.mean([cosines[a, b] for a in mine for b in mine if a < b]))
        assert found["self_similarity"] == pytest.approx([np.mean(of_forms)], abs=1e-6)
        pairs = [(a, b) for a in range(len(rows)) for b in range(a) if senses[a] == senses[b]]
        distances = [2 - 2 * cosines[a, b] for a, b in pairs]
        assert found["alignment"] == pytest.approx([np.mean(distances)], abs=1e-5)


def test_senses_that_lie_apart_are_separable(store):
    found = store.geometry(["separability", "alignment"], run="m/base")
    assert np.all(np.diff(found["between_senses"]) > 0)
    assert np.all(np.diff(found["silhouette"]) > 0)
    assert np.all(np.diff(found["alignment"]) < 0)
    assert found["silhouette"][2] > 0.8


def test_labelled_pairs_say_what_is_aligned_where_no_word_has_a_sense(tmp_path):
    texts = [Text(f"word {n}", (Word(0, 0, 4, "word"),)) for n in range(6)]
    pairs = [Pair(0, 1, label=True), Pair(1, 2, label=True), Pair(3, 4, label=True), Pair(0, 5, label=False)]
    layer = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    root = build_store(tmp_path / "store", corpus_of(texts, pairs), [SyntheticRun("m/a", [layer])])
    with repstore.open(root) as opened:
        found = opened.geometry(["alignment", "separability"])
    units = layer / np.linalg.norm(layer, axis=1, keepdims=True)
    alike = [(0, 1), (1, 2), (0, 2), (3, 4)]
    assert found["alignment"] == pytest.approx(
        [np.mean([((units[a] - units[b]) ** 2).sum() for a, b in alike])]
    )
    assert found["silhouette"] == [None]
    assert any("no lemma has two senses" in note for note in found.notes)


def test_similarities_are_adjusted_by_the_anisotropy(store):
    found = store.geometry(["anisotropy", "self-similarity"], run="m/base")
    for row in found:
        adjusted = row["self_similarity"] - row["anisotropy"]
        assert row["self_similarity_adjusted"] == pytest.approx(adjusted, abs=1e-15)


def test_without_resamples_dimensions_have_no_bands(store):
    found, usual = (store.geometry("dimension", run="m/base", resamples=n) for n in (0, 20))
    assert found["dimension"] == usual["dimension"]
    assert found["dimension_low"] == found["dimension_high"] == [None] * 3
    assert None not in usual["dimension_low"]


def test_memory_that_does_not_suffice_is_refused(store):
    for measure in ("dimension", "rank", "uniformity"):
        with pytest.raises(ResultError, match="takes at least"):
            store.geometry(measure, run="m/base", memory=1)


def test_linked_words_ignore_pairs_without_vectors():
    groups = linked(np.array([10, 11, 12, 15]), np.array([[10, 12], [12, 13], [13, 15]]))
    assert groups[0] == groups[2] >= 0
    assert groups[[1, 3]].tolist() == [-1, -1]
    assert linked(np.array([1, 2]), np.empty((0, 2), np.int64)).tolist() == [-1, -1]


def test_runs_of_several_depths_are_drawn_by_their_depth(store, tmp_path):
    both = store.geometry("norms", run=["m/base", "m/deep"])
    assert both.figure.x == "depth"
    assert len(both) == 3 + 5
    assert store.geometry("norms", run=["m/base", "m/flat"]).figure.x == "layer"
    both.plot(tmp_path / "norms.svg")
    assert "m/deep" in (tmp_path / "norms.svg").read_text()


def test_a_flat_layer_has_reasons_in_place_of_values(store):
    found = store.geometry("all", run="m/flat")
    for name in ("effective_rank", "isoscore", "dimension"):
        assert found[name][0] is None
        assert None not in found[name][1:]
    assert found["anisotropy"][0] == pytest.approx(1)
    assert any(note.startswith("Not all of rank at layer 0 of m/flat: it takes two") for note in found.notes)


@pytest.mark.parametrize("n_words", [1, 2])
def test_one_or_two_words_have_what_values_they_can(tmp_path, n_words):
    run = SyntheticRun("m/few", random_layers(n_words, 4, 2))
    root = build_store(tmp_path / "store", small_corpus(n_words, 0, 0), [run])
    with repstore.open(root) as opened:
        found = opened.geometry("all")
    assert found["norm"][0] == pytest.approx(
        np.linalg.norm(run.layers[0].astype(float), axis=1).mean(), rel=1e-6
    )
    assert (found["anisotropy"] == [None, None]) == (n_words == 1)
    assert found.notes


def test_the_same_question_has_the_same_answer(store):
    ask = ["dimension", "explained-variance"]
    first, again, other = (store.geometry(ask, run="m/base", sample=60, seed=s) for s in (1, 1, 2))
    assert first.table.equals(again.table)
    assert not first.table.equals(other.table)


def test_measures_are_named_once_and_in_order(store):
    assert store.geometry(["rank", "norms", "rank"], run="m/base").provenance["measures"] == ["norms", "rank"]
    assert store.geometry("norms", run="m/base").provenance["measures"] == ["norms"]


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        ("norm", {}, 'No measure "norm". Did you mean "norms"'),
        ([], {}, "No measure is given"),
        ("norms", {"sample": 1}, "at least 2 words"),
        ("norms", {"seed": -1}, "must not be negative"),
        ("norms", {"resamples": -1}, "must not be negative"),
        ("norms", {"standardize": "mean"}, 'No standardize "mean"'),
        ("norms", {"layer": 9}, "no layer 9"),
        ("norms", {"run": []}, "No run is given"),
    ],
)
def test_what_cannot_be_measured_is_refused(store, measure, options, message):
    with pytest.raises(ArgumentError, match=message):
        store.geometry(measure, **({"run": "m/base"} | options))
