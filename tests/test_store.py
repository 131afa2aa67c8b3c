"""The questions an open store answers, on a store made from known arrays."""

import mmap

import numpy as np
import oracles
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import NotFoundError, SeveralWordsError

CORPUS = small_corpus()
TEXTS = list(CORPUS.texts())
WORDS = [word for text in TEXTS for word in text.words]
N_WORDS, N_LAYERS, D_MODEL = len(WORDS), 5, 12
SKIPPED = frozenset({3, 40, 79})
KEPT = [n for n in range(N_WORDS) if n not in SKIPPED]
LAYERS = random_layers(N_WORDS, D_MODEL, N_LAYERS)
LAYERS[4] = LAYERS[4].astype(np.float32) * 1e6  # a layer that overflows float16
LAYERS[3][:] = 0.1

WHOLE = SyntheticRun("m/whole", random_layers(N_WORDS, D_MODEL, 2, seed=1))
PARTS = SyntheticRun("m/parts", LAYERS, 33, skipped=SKIPPED, widened=frozenset({(1, 2)}))
BEGUN = SyntheticRun("m/begun", LAYERS, 33, n_committed=1)
EMPTY = SyntheticRun("m/empty", LAYERS, 33, n_committed=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [WHOLE, PARTS, BEGUN, EMPTY])
    with repstore.open(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def first_id(store):
    """word_id of the first word; the others follow."""
    return store.words(limit=1)["word_id"][0]


def test_a_question_with_an_argument_that_it_does_not_take_is_named(store):
    with pytest.raises(TypeError, match=r"^geometry\(\): got an unexpected keyword argument 'layers'$"):
        store.geometry("norms", layers=[0])


def test_runs_say_what_is_stored_and_what_is_missing(store):
    rows = {row["run"]: row for row in store.runs()}
    assert list(rows) == ["m/begun", "m/empty", "m/parts", "m/whole"]
    shape = {"n_words": 80, "n_layers": 5, "d_model": 12, "n_parts": 3}
    assert rows["m/parts"].items() >= (shape | {"n_vectors": 77, "n_skipped": 3, "n_committed": 3}).items()
    assert rows["m/begun"].items() >= (shape | {"n_vectors": 33, "n_skipped": 0, "n_committed": 1}).items()
    assert rows["m/empty"].items() >= (shape | {"n_vectors": 0, "n_skipped": 0, "n_committed": 0}).items()
    assert rows["m/whole"]["n_parts"] == 1
    assert rows["m/parts"]["reading"], rows["m/parts"]["pooling"] == ("target", "mean")


def test_info_counts_what_is_stored(store):
    values = {row["property"]: row["value"] for row in store.info() if row["run"] is None}
    expected = {"n_corpora": 1, "n_texts": 80, "n_words": 80, "n_pairs": 126, "n_runs": 4, "n_skipped": 3}
    assert values.items() >= {name: str(n) for name, n in expected.items()}.items()
    assert values["n_vectors"] == str(80 + 77 + 33)


def test_info_accounts_for_every_word_of_every_run(store):
    accounts = {}
    for row in store.info():
        accounts.setdefault(row["run"], {})[row["property"]] = row["value"]
    assert list(accounts) == [None, *store.runs()["run"]]
    for run in store.runs()["run"]:
        account = {name: int(n) for name, n in accounts[run].items()}
        assert account["n_words"] == account["n_vectors"] + account["n_skipped"] + account["n_to_come"] == 80
        by_reason = [n for name, n in account.items() if name.startswith("skipped: ")]
        assert sum(by_reason) == account["n_skipped"]
    assert accounts["m/parts"]["skipped: truncated"] == "3"
    assert accounts["m/begun"]["n_to_come"] == "47"


def test_corpora_are_listed_with_their_counts(store):
    (row,) = store.corpora()
    expected = {"name": "synthetic", "source": "test:synthetic", "n_texts": 80, "n_words": 80, "n_pairs": 126}
    assert row.items() >= expected.items()


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, lambda text, word: True),
        ({"form": "banks"}, lambda text, word: word.form == "banks"),
        ({"lemma": "bank"}, lambda text, word: word.lemma == "bank"),
        ({"pos": "V"}, lambda text, word: word.pos == "V"),
        ({"sense": "palm.1"}, lambda text, word: word.sense == "palm.1"),
        ({"text": "02"}, lambda text, word: "02" in text.text),
        ({"lemma": "bank", "pos": "V"}, lambda text, word: (word.lemma, word.pos) == ("bank", "V")),
        ({"lemma": "Bank"}, lambda text, word: False),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_words_are_found_by_each_property(store, first_id, wanted, fits):
    found = store.words(**wanted)
    expected = [
        (first_id + n, word.form, word.lemma, word.pos, word.sense, text.text, word.char_start, word.char_end)
        for n, (text, word) in enumerate(zip(TEXTS, WORDS, strict=True))
        if fits(text, word)
    ]
    columns = ["word_id", "form", "lemma", "pos", "sense", "text", "char_start", "char_end"]
    assert found.columns[: len(columns)] == columns
    assert list(zip(*(found[column] for column in columns), strict=True)) == expected
    assert store.words(**wanted, limit=2)["word_id"] == found["word_id"][:2]


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_vectors_of_one_part_are_the_mapped_file(store, first_id):
    for layer in range(2):
        vectors = store.vectors(run="m/whole", layer=layer)
        assert is_mapped(vectors.values)
        assert not vectors.values.flags.writeable
        assert vectors.word_ids.tolist() == list(range(first_id, first_id + N_WORDS))
        np.testing.assert_array_equal(vectors.values, WHOLE.layers[layer])


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_vectors_of_several_parts_leave_out_skipped_words(store, first_id, layer):
    vectors = store.vectors(run="m/parts", layer=layer)
    assert vectors.word_ids.tolist() == [first_id + n for n in KEPT]
    assert vectors.values.dtype == (np.float32 if layer in (2, 4) else np.float16)
    np.testing.assert_array_equal(vectors.values, LAYERS[layer][KEPT])
    assert all(is_mapped(block) for block in vectors.blocks)


def test_vectors_of_a_run_that_was_interrupted_are_those_committed(store):
    assert len(store.vectors(run="m/begun", layer=0).word_ids) == 33
    with pytest.raises(NotFoundError, match="m/empty has no vectors"):
        store.vectors(run="m/empty", layer=0)


def pairs_of(split: str, kept: list[int]) -> list[tuple[int, int, bool]]:
    row_of = {ordinal: row for row, ordinal in enumerate(kept)}
    return [
        (row_of[pair.word_a], row_of[pair.word_b], pair.label)
        for pair in CORPUS.pairs()
        if pair.split == split and pair.word_a in row_of and pair.word_b in row_of
    ]


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_the_probe_equals_the_procedure_in_plain_loops_at_every_layer(store, standardize):
    result = store.probe("wic", run="m/parts", standardize=standardize, threshold="grid")
    columns = "run layer threshold selection accuracy low high auc spearman best n_pairs n_missing majority"
    assert result.columns == columns.split()
    dev, test = pairs_of("dev", KEPT), pairs_of("test", KEPT)
    same = sum(label for _, _, label in test)
    for layer, row in enumerate(result):
        assert (row["threshold"], row["accuracy"]) == oracles.wic(LAYERS[layer][KEPT], dev, test, standardize)
        assert row["majority"] == max(same, len(test) - same) / len(test)
    assert result["layer"] == list(range(N_LAYERS))
    assert set(result["run"]) == {"m/parts"}
    assert set(result["n_pairs"]) == {len(test)}


def test_the_probe_can_select_and_evaluate_on_other_splits(store):
    splits = {"select_on": "test", "evaluate_on": "dev"}
    result = store.probe("wic", run="m/whole", **splits, standardize="none", threshold="grid")
    splits = [pairs_of(split, list(range(N_WORDS))) for split in ("test", "dev")]
    expected = [oracles.wic(layer, *splits, "none") for layer in WHOLE.layers]
    assert list(zip(result["threshold"], result["accuracy"], strict=True)) == expected


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_the_probe_with_the_best_of_all_thresholds_equals_trying_them_all(store, standardize):
    result = store.probe("wic", run="m/parts", standardize=standardize)
    dev, test = pairs_of("dev", KEPT), pairs_of("test", KEPT)
    for layer, row in enumerate(result):
        threshold, accuracy = oracles.wic_exact(LAYERS[layer][KEPT], dev, test, standardize)
        assert row["threshold"] == pytest.approx(threshold, abs=2e-6)
        assert row["accuracy"] == accuracy


def test_neighbors_equal_brute_force_at_every_layer(store, first_id):
    word = 8
    result = store.neighbors(first_id + word, run="m/parts", layer="all", k=6)
    columns = "layer rank cosine word_id form lemma pos sense text char_start char_end change"
    assert result.columns == columns.split()
    rows = list(result)
    for layer in range(N_LAYERS):
        row = KEPT.index(word)
        expected = oracles.nearest(LAYERS[layer][KEPT], LAYERS[layer][word], 6, [row])
        found = rows[6 * layer : 6 * (layer + 1)]
        assert [one["rank"] for one in found] == [1, 2, 3, 4, 5, 6]
        assert [one["word_id"] - first_id for one in found] == [KEPT[row] for row, _ in expected]
        assert [one["cosine"] for one in found] == pytest.approx([c for _, c in expected], abs=1e-6)
        for one in found:
            of = one["word_id"] - first_id
            about = {"form": WORDS[of].form, "sense": WORDS[of].sense, "text": TEXTS[of].text}
            assert one.items() >= about.items()


def test_a_word_can_be_named_by_form_or_lemma_with_part_of_its_text_or_its_sense(store, first_id):
    by_id = list(store.neighbors(first_id + 4, run="m/whole", layer=[1, 0], k=3))
    assert list(store.neighbors("bank", text="004", run="m/whole", layer=[1, 0], k=3)) == by_id
    assert (
        list(store.neighbors("bank", text="004", sense="bank.1", run="m/whole", layer=(1, 0), k=3)) == by_id
    )
    assert [row["layer"] for row in by_id] == [1, 1, 1, 0, 0, 0]
    assert store.neighbors("palms", text="003", run="m/whole", layer=0)["rank"] == list(range(1, 11))


def test_the_numbers_that_numpy_gives_name_words_and_layers(store, first_id):
    expected = list(store.neighbors(first_id + 5, run="m/whole", layer=[0, 1], k=2))
    word_id = store.vectors(run="m/whole", layer=0).word_ids[5]
    assert list(store.neighbors(word_id, run="m/whole", layer=np.arange(2), k=2)) == expected
    alone = store.neighbors(word_id, run="m/whole", layer=np.int64(0), k=2)
    assert [
        row | {"change": before["change"]} for row, before in zip(alone, expected, strict=False)
    ] == expected[:2]
    assert store.vectors(run="m/whole", layer=np.int64(1)).layer == 1


def test_a_word_with_several_uses_is_refused_with_the_uses_listed(store, first_id):
    with pytest.raises(SeveralWordsError, match='"bank" has 20 uses') as caught:
        store.neighbors("bank", run="m/whole", layer=0)
    lines = str(caught.value).splitlines()
    assert lines[1].split(maxsplit=2) == [str(first_id), "bank.0", TEXTS[0].text.replace("banks", "[banks]")]
    assert len(lines) == 12
    assert [use["word_id"] for use in caught.value.uses] == [first_id + 4 * n for n in range(20)]
    assert lines[-1].strip() == "... 10 more"


def test_cka_between_layers_equals_plain_loops_over_the_words_with_vectors(store):
    result = store.compare("cka", run="m/parts", layer=[0, 2, 4])
    assert result.columns == ["layer_a", "layer_b", "cka", "best"]
    assert list(zip(result["layer_a"], result["layer_b"], strict=True)) == [
        (a, b) for a in (0, 2, 4) for b in (0, 2, 4)
    ]
    expected = [oracles.cka(LAYERS[a][KEPT], LAYERS[b][KEPT]) for a in (0, 2, 4) for b in (0, 2, 4)]
    assert result["cka"] == pytest.approx(expected, abs=1e-4)


def test_a_constant_layer_compares_to_nothing_and_a_note_says_why(store):
    result = store.compare("cka", run="m/parts", layer=[3, 0])
    assert result["cka"][:3] == [None] * 3
    assert result["cka"][3] == pytest.approx(1)
    assert result["best"] == [False] * 4
    assert "No value at layer 3: all words have one vector." in result.notes


def test_a_sample_of_words_is_decided_by_its_seed(store):
    first, again, other = (store.compare(run="m/whole", sample=20, seed=seed)["cka"] for seed in (1, 1, 2))
    assert first == again != other
    assert store.compare(run="m/whole", sample=80)["cka"] == store.compare(run="m/whole", sample=None)["cka"]
