"""Trained probes, asked of stores whose vectors a test made: what is in them is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.corpus import Corpus
from repstore.errors import ArgumentError, NotFoundError, ResultError
from repstore.spec import Edge, Pair, Text, Word

N_LEMMAS, PER_LEMMA, WIDTH = 60, 6, 16
N_WORDS = N_LEMMAS * PER_LEMMA
POS = ("N", "V", "A")


def words_of(n_words: int = N_WORDS, pos: Sequence[str] | None = None) -> list[Word]:
    """Six words of each lemma; the part of speech is that of the lemma; two senses to a lemma."""
    words = []
    for n in range(n_words):
        lemma = n // PER_LEMMA
        form = f"w{lemma}" + ("s" if n % 2 else "")
        tag = pos[n] if pos else POS[lemma % 3]
        words.append(Word(0, 0, len(form), form, f"w{lemma}", tag, f"w{lemma}.{n % 2}"))
    return words


def corpus(name: str = "made", words: Sequence[Word] = (), pairs: Sequence[Pair] = ()) -> Corpus:
    words = words or words_of()
    texts = [
        Text(f"{word.form} stands in text {n}", (word,), split=("train", "dev", "test")[n % 3])
        for n, word in enumerate(words)
    ]
    return corpus_of(texts, pairs, name)


def classes() -> np.ndarray:
    return np.arange(N_WORDS) // PER_LEMMA % 3


def planted(targets: np.ndarray, strength: float = 4.0, seed: int = 0) -> np.ndarray:
    """Noise, and the class along directions of its own."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(targets), WIDTH))
    vectors[:, :3] += strength * np.eye(3)[targets % 3]
    return vectors.astype(np.float16)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> repstore.Store:
    """Layer 0 is noise, layer 1 knows parts of speech, layer 2 is other noise."""
    layers = random_layers(N_WORDS, WIDTH, 3)
    layers[1] = planted(classes())
    pairs = [
        Pair(n, n + 1 + k, ("train", "dev", "test")[n // PER_LEMMA % 3], label=(k % 2 == 1))
        for n in range(N_WORDS - 4)
        for k in range(2)
        if n // PER_LEMMA == (n + 1 + k) // PER_LEMMA
    ]
    folder = tmp_path_factory.mktemp("frame") / "store"
    return repstore.open(build_store(folder, corpus(pairs=pairs), [SyntheticRun("made", layers)]))


def test_a_planted_class_is_read_of_lemmas_that_training_lacks(store):
    rows = list(store.probe("linear", label="pos", layer=[1, 2], n_seeds=3))
    assert [row["layer"] for row in rows] == [1, 2]
    assert rows[0]["accuracy"] > 0.95
    assert rows[0]["best"] == "best"
    assert rows[0]["low"] <= rows[0]["accuracy"] <= rows[0]["high"]
    assert rows[0]["selectivity"] > 0.3


def test_random_vectors_score_chance(store):
    row = next(iter(store.probe("linear", label="pos", layer=[2], n_seeds=5)))
    assert row["low"] <= 1 / 3 <= row["high"]
    assert row["selectivity_low"] <= 0 <= row["selectivity_high"]


def test_selectivity_is_said_to_mean_little_only_where_types_are_new(store):
    assert "Selectivity" not in " ".join(store.probe("linear", label="pos", layer=[1], n_seeds=1).notes)


def test_layer_0_is_a_baseline_though_not_asked_for(store):
    alone = next(iter(store.probe("linear", label="pos", layer=[1], n_seeds=2)))
    asked = list(store.probe("linear", label="pos", layer=[0, 1], n_seeds=2))
    assert alone["layer_0"] == asked[0]["accuracy"] == asked[1]["layer_0"]
    assert alone == asked[1] | {"best": "best"}


def test_the_same_seed_gives_the_same_table(store):
    first, again, other = (
        store.probe("linear", label="pos", layer=[1, 2], n_seeds=2, seed=seed).to_csv() for seed in (3, 3, 4)
    )
    assert first == again != other


def test_lemmas_that_are_shared_can_be_learned_by_heart(tmp_path):
    """A random label for each lemma: nothing to learn but lemmas, which layer 1 holds."""
    random = np.random.default_rng(1)
    of_lemma = random.integers(0, 2, N_LEMMAS)
    tags = [POS[of_lemma[n // PER_LEMMA]] for n in range(N_WORDS)]
    known = np.eye(N_LEMMAS)[np.arange(N_WORDS) // PER_LEMMA].astype(np.float16)
    layers = [random.normal(size=known.shape).astype(np.float16), known]
    made = corpus(words=words_of(pos=tags))
    store = repstore.open(build_store(tmp_path / "store", made, [SyntheticRun("made", layers)]))
    row = next(iter(store.probe("linear", label="pos", layer=[1], n_seeds=3)))
    assert row["lemmas_shared"] > 0.95
    assert abs(row["accuracy"] - 0.5) < 0.25
    by_text = store.probe("linear", label="pos", layer=[1], n_seeds=3, split_by="text")
    assert by_text["accuracy"] == [row["lemmas_shared"]]
    assert "lemmas_shared" not in by_text.columns


def test_senses_of_one_lemma_each_are_refused_by_lemma(store):
    with pytest.raises(ResultError, match=r"Every sense is of one lemma.*--split-by text"):
        store.probe("linear", label="sense", at_least=1)
    assert len(store.probe("linear", label="lemma", layer=[1], n_seeds=1, resamples=0)) == 1
    with pytest.raises(ArgumentError, match="cannot be learned"):
        store.probe("linear", label="lemma", split_by="lemma")


def test_a_table_gives_words_labels_even_several(store, tmp_path):
    table = tmp_path / "classes.csv"
    lines = [
        f"w{n}.{k},{'even' if n % 2 else 'odd'}\nw{n}.{k},all" for n in range(N_LEMMAS) for k in range(2)
    ]
    table.write_text("sense,label\n" + "\n".join(lines) + "\n")
    row = next(iter(store.probe("linear", label=table, layer=[1], n_seeds=2)))
    assert "accuracy" not in row
    assert 0 <= row["f1"] <= 1
    assert row["n_classes"] == 3


def test_one_class_too_few_examples_and_unknown_columns_are_refused(store):
    with pytest.raises(ResultError, match="one class of pos"):
        store.probe("linear", label="pos", where="pos = 'N'")
    with pytest.raises(ResultError, match=r"fewer than 5 examples.*--at-least 5"):
        store.probe("linear", label="pos", where="pos <> 'V' OR lemma = 'w1' AND form = 'w1'")
    kept = store.probe(
        "linear",
        label="pos",
        where="pos <> 'V' OR lemma = 'w1' AND form = 'w1'",
        at_least=5,
        layer=[1],
        n_seeds=1,
    )
    assert kept["n_classes"] == [2]
    assert any("1 classes with fewer than 5 examples are left out" in note for note in kept.notes)
    with pytest.raises(NotFoundError, match="pos"):
        store.probe("linear", label="poss")


def test_overlapping_and_unknown_splits_are_refused(store):
    with pytest.raises(ArgumentError, match="overlap"):
        store.probe("linear", label="pos", train_on="train", evaluate_on="train")
    with pytest.raises(ArgumentError, match="go together"):
        store.probe("linear", label="pos", train_on="train")
    with pytest.raises(NotFoundError, match='split "tests"'):
        store.probe("linear", label="pos", train_on="train", evaluate_on="tests")


def test_lemmas_of_the_test_split_leave_training(store):
    """Every lemma is in every split, so by lemma nothing is left."""
    with pytest.raises(ResultError, match="none is left to train on"):
        store.probe("linear", label="pos", train_on="train", select_on="dev", evaluate_on="test")
    rows = store.probe(
        "linear",
        label="pos",
        layer=[1],
        train_on="train",
        select_on="dev",
        evaluate_on="test",
        split_by="text",
    )
    assert rows["n_train"] == rows["n_test"] == [N_WORDS // 3]
    ends = rows["seeds_low"] + rows["seeds_high"]
    assert ends == pytest.approx(rows["accuracy"] * 2, abs=1e-12)  # nothing is drawn but the control


def test_what_tells_pairs_apart_is_found_by_the_feature_that_shows_it(tmp_path):
    """The same sense has the same sign, on one dimension: the product shows it, [a; b] cannot."""
    random = np.random.default_rng(2)
    signs = random.choice([-1, 1], N_WORDS)
    vectors = random.normal(size=(N_WORDS, WIDTH))
    vectors[:, 0] = 4 * signs
    pairs = [
        Pair(n, n + k, "train", label=bool(signs[n] == signs[n + k]))
        for n in range(0, N_WORDS, PER_LEMMA)
        for k in range(1, PER_LEMMA)
    ]
    layers = [random.normal(size=vectors.shape), vectors]
    store = repstore.open(
        build_store(
            tmp_path / "store",
            corpus(pairs=pairs),
            [SyntheticRun("made", [layer.astype(np.float16) for layer in layers])],
        )
    )
    table = store.probe("linear", label="pairs", layer=[1], n_seeds=3)
    scores = dict(zip(table["feature"], table["accuracy"], strict=True))
    assert list(scores) == ["difference", "product", "concat", "cosine"]
    assert scores["product"] > 0.95
    assert scores["difference"] > 0.95
    assert scores["concat"] < 0.7
    assert dict(zip(table["feature"], table["n_parameters"], strict=True))["concat"] == 2 * (2 * WIDTH + 1)


def test_one_answer_to_all_test_examples_is_told(tmp_path):
    """Of five lemmas far apart: seen from the others, all words of one are alike, whatever their senses."""
    random = np.random.default_rng(2)
    senses, lemmas = np.arange(N_WORDS) % 2, np.arange(N_WORDS) // PER_LEMMA
    known = random.normal(size=(N_LEMMAS, WIDTH))[lemmas] + random.normal(size=(2, WIDTH))[senses]
    noise = random.normal(size=(N_WORDS, WIDTH))
    pairs = [
        Pair(n, k, label=bool(senses[n] == senses[k]))
        for n in range(5 * PER_LEMMA)
        for k in range(n + 1, PER_LEMMA * (lemmas[n] + 1))
    ]
    layers = [layer.astype(np.float16) for layer in (noise, 9 * known + noise)]
    path = build_store(tmp_path / "store", corpus(pairs=pairs), [SyntheticRun("made", layers)])
    asked = {"label": "pairs", "features": ["difference", "cosine"], "n_seeds": 2}
    table = repstore.open(path).probe("linear", layer=1, **asked)
    assert table["accuracy"] == [1, 6 / 15], "of the pairs of a lemma 6 of 15 have one sense"
    assert table["lemmas_shared"] == [1, 1]
    [told] = [note for note in table.notes if "one answer" in note]
    assert told.startswith("At layer 1 of made every seed gives all its test examples one answer by cosine:")


def test_pairs_of_lemmas_that_are_shared_are_learned_by_heart(tmp_path):
    """Layer 1 says nothing but the lemma, so it knows the control task and no sense."""
    known = np.eye(N_LEMMAS)[np.arange(N_WORDS) // PER_LEMMA].astype(np.float16)
    random = np.random.default_rng(3)
    pairs = [
        Pair(n, n + k, label=bool(random.random() < 0.5))
        for n in range(N_WORDS)
        for k in range(1, PER_LEMMA - n % PER_LEMMA)
    ]
    layers = [random.normal(size=known.shape).astype(np.float16), known]
    path = build_store(tmp_path / "store", corpus(pairs=pairs), [SyntheticRun("made", layers)])
    row = next(
        iter(repstore.open(path).probe("linear", label="pairs", features="concat", layer=1, n_seeds=3))
    )
    assert row["control"] > 0.95
    assert row["lemmas_shared"] < 0.7
    assert row["selectivity_high"] < -0.2


def test_a_code_is_short_where_the_label_is_there(store):
    known, noise = store.probe("mdl", label="pos", layer=[1, 2], n_seeds=2)
    assert known["compression"] > 3 > 1.2 > noise["compression"]
    assert known["majority"] == pytest.approx(1.0)  # three classes as frequent as each other
    assert known["selectivity"] > 1


def test_arcs_are_told_from_other_words_of_the_dependent(tmp_path):
    """Sentences of six; the first word is the head of all others, and layer 1 marks it."""
    n_sentences, length = 60, 6
    texts, edges = [], []
    for n in range(n_sentences):
        forms = [f"w{n * length + k}" for k in range(length)]
        text = " ".join(forms)
        starts = np.cumsum([0, *(len(form) + 1 for form in forms[:-1])])
        words = [
            Word(k, int(start), int(start) + len(form), form, form)
            for k, (start, form) in enumerate(zip(starts, forms, strict=True))
        ]
        texts.append(Text(text, tuple(words)))
        edges += [
            Edge("tree", n * length, n * length + k, "one" if k % 2 else "two") for k in range(1, length)
        ]
        edges.append(Edge("tree", None, n * length, "root"))
    made = Corpus("trees", "test:trees", lambda: iter(texts), lambda: iter(()), edges=lambda: iter(edges))
    layers = random_layers(n_sentences * length, WIDTH, 2)
    layers[1][:, 0] = 6 * (np.arange(n_sentences * length) % length == 0)
    layers[1][:, 1] = 6 * (np.arange(n_sentences * length) % length % 2)
    store = repstore.open(build_store(tmp_path / "store", made, [SyntheticRun("made", layers)]))
    arcs = store.probe("linear", label="arcs", features="concat", layer=[0, 1], n_seeds=3)
    assert arcs["majority"] == [0.5, 0.5]
    assert "the types of 0.0% of its test examples" in " ".join(arcs.notes)  # no form is there twice
    assert arcs["accuracy"][1] > 0.95
    assert arcs["low"][0] <= 0.5 <= arcs["high"][0]
    relations = store.probe("linear", label="relations", features="concat", layer=[0, 1], n_seeds=3)
    assert relations["accuracy"][1] > 0.95
    assert relations["n_classes"] == [2, 2]
    with pytest.raises(ArgumentError, match="divided by text"):
        store.probe("linear", label="arcs", split_by="lemma")


def test_a_probe_is_kept_and_applied(tmp_path, store):
    layers = random_layers(N_WORDS, WIDTH, 3)
    layers[1] = planted(classes())
    path = build_store(tmp_path / "store", corpus(), [SyntheticRun("made", layers)])
    asked = {"label": "pos", "layer": [1], "n_seeds": 2}
    table = repstore.fit_probe(path, "pos", **asked)
    opened = repstore.open(path)
    assert table.to_csv() == opened.probe("linear", **asked).to_csv()
    said = opened.apply_probe("pos")
    assert said["label"] == [POS[k] for k in classes()]
    new = [row for row in said if not row["was_trained_on"]]
    share = sum(row["predicted"] == row["label"] for row in new) / len(new)
    assert f"right for {share:.1%} of the {len(new)} words" in said.notes[-1]
    right = np.array([POS[k] for k in classes()]) == np.array(said["predicted"])
    assert right.mean() > 0.95
    files = sorted((path / "runs").glob("*/probes/pos/*"))
    before = [file.read_bytes() for file in files]
    assert "already" in repstore.fit_probe(path, "pos", **asked).notes[-1]
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(seed\)"):
        repstore.fit_probe(path, "pos", **asked, seed=7)
    assert [file.read_bytes() for file in files] == before
    assert repstore.drop_probe(path, "pos")
    with pytest.raises(ArgumentError, match='"mdl" is not kept'):
        repstore.fit_probe(path, "pos", probe="mdl", label="pos")


def test_runs_are_probed_over_the_words_that_all_have(tmp_path):
    layers = random_layers(N_WORDS, WIDTH, 2)
    path = build_store(
        tmp_path / "store",
        corpus(),
        [SyntheticRun("whole", layers), SyntheticRun("lacks", layers, skipped=frozenset(range(20)))],
    )
    table = repstore.open(path).probe("linear", label="pos", run=["whole", "lacks"], layer=[1], n_seeds=2)
    assert table["accuracy"][0] == table["accuracy"][1]
    assert any("20 examples are left out" in note for note in table.notes)


def test_progress_counts_layers(store):
    seen = []
    store.probe("linear", label="pos", layer=[1, 2], n_seeds=1, progress=seen.append)
    assert [one.n_done for one in seen] == [0, 1, 2, 3]
    assert {one.n_total for one in seen} == {3}


def test_rows_of_a_table_of_labels_that_are_of_no_word_are_told(store, tmp_path):
    table = tmp_path / "classes.csv"
    rows = [f"w{lemma},{'ab'[lemma % 2]}" for lemma in range(N_LEMMAS)]
    table.write_text("\n".join(["lemma,label", *rows, "w60,a", "W1,b"]) + "\n", encoding="utf-8")
    result = store.probe("linear", label=table, layer=1, n_seeds=1, resamples=0)
    assert f"2 of the {N_LEMMAS + 2} keys of classes.csv are of no word of made" in " ".join(result.notes)
    assert 'the first lemma "w60"' in " ".join(result.notes)
    assert result.provenance["labels"] == [str(table)]
    table.write_text("\n".join(["lemma,label", *rows]) + "\n", encoding="utf-8")
    result = store.probe("linear", label=table, layer=1, n_seeds=1, resamples=0)
    assert "keys of" not in " ".join(result.notes)


def test_a_title_counts_seeds(store):
    titles = [store.probe("linear", label="pos", layer=1, n_seeds=n, resamples=0).title for n in (1, 2)]
    assert [title[-8:] for title in titles] == [", 1 seed)"[-8:], " 2 seeds)"[-8:]]


def test_what_is_missing_is_said_where_a_transform_has_no_layer_0(store):
    repstore.fit_transform(store, "mean", kind="center", layer=[1])
    mapped = store.transformed("mean")
    notes = " ".join(mapped.probe("linear", label="pos", layer=1, n_seeds=1, resamples=0).notes)
    assert "There is no layer_0 of made, mean to compare with" in notes
    assert "layer_0" not in " ".join(store.probe("linear", label="pos", layer=1, n_seeds=1).notes)


def test_an_interval_that_cannot_be_is_told(store):
    few = "lemma IN ('w0', 'w1', 'w3')"  # two of one part of speech
    result = store.probe("linear", label="pos", where=few, layer=1, n_seeds=1)
    assert "low" not in result.table.column_names
    assert "There is no interval: all test examples are of one lemma." in result.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r'The probe "linear" needs label, which is not given'),
        ({"label": "pos", "seeds": 3}, r'no option "seeds".*It has .*n_seeds'),
        ({"label": {"bank": "place"}}, "label is a name or the path of a file, not a dict"),
    ],
)
def test_options_that_are_missing_or_no_options_are_refused(store, options, message):
    with pytest.raises(ArgumentError, match=message):
        store.probe("linear", **options)


def test_a_code_that_keeps_no_lemmas_apart_is_not_asked_to(store):
    with pytest.raises(ArgumentError, match="keeps no lemmas apart"):
        store.probe("mdl", label="pos", split_by="lemma", layer=1)


@pytest.mark.parametrize("name", ["form.csv", "lemma.csv", "archaic.csv", "relations.csv"])
def test_how_a_table_of_labels_is_called_does_not_decide_how_words_are_divided(store, tmp_path, name):
    table = tmp_path / name
    rows = [f"w{lemma},{'ab'[lemma % 2]}" for lemma in range(N_LEMMAS)]
    table.write_text("\n".join(["lemma,label", *rows]) + "\n", encoding="utf-8")
    result = store.probe("linear", label=table, layer=1, n_seeds=1, resamples=0)
    assert result.provenance["split_by"] == "lemma"
