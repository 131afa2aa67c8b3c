"""Runs and layers as one holds them in Python, beside the arrays and the corpus they were made from."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mixing import arrays_of, put_mix
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, MissingExtraError, NotFoundError, StoreDamagedError

CORPUS = small_corpus()
TEXTS = list(CORPUS.texts())
N_WORDS, N_LAYERS, D_MODEL = 80, 5, 12
SKIPPED = frozenset({3, 40, 79})
KEPT = [n for n in range(N_WORDS) if n not in SKIPPED]
LAYERS = random_layers(N_WORDS, D_MODEL, N_LAYERS)
RUNS = [
    SyntheticRun("m/parts", LAYERS, 33, skipped=SKIPPED, widened=frozenset({(1, 2)})),
    SyntheticRun("m/whole", LAYERS),
    SyntheticRun("m/begun", LAYERS, 33, n_committed=1),
    SyntheticRun("m/empty", LAYERS, 33, n_committed=0),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, RUNS)
    put_mix(root, "x", "scalar", range(N_LAYERS), arrays_of("scalar", N_LAYERS, D_MODEL), run="m/whole")
    repstore.fit_transform(root, "t", kind="center", run="m/whole", layer=[1, 3])
    return root


@pytest.fixture(scope="module")
def store(root):
    with repstore.open(root) as opened:
        yield opened


def test_a_run_says_what_it_is(store):
    run = store.run("m/parts")
    assert (run.name, run.corpus, run.model, run.template) == ("m/parts", "synthetic", "synthetic", "base")
    assert (run.reading, run.pooling, run.dtype, run.contract) == (
        "target",
        "mean",
        "float32",
        {"device": "cpu"},
    )
    assert (run.origin, len(run.run_id)) == ("encoded", 16)
    assert (run.n_words, run.n_vectors, run.n_skipped) == (80, 77, 3)
    assert (run.n_layers, run.d_model, run.layers) == (5, 12, [0, 1, 2, 3, 4])
    assert {"run": run.name, "n_vectors": 77}.items() <= list(store.runs())[2].items()


def test_layers_are_found_by_number_from_either_end_by_slice_and_by_mix(store):
    run = store.run("m/whole")
    assert [layer.key for layer in run] == [0, 1, 2, 3, 4]
    assert len(run) == 5
    assert (run[3].key, run[-1].key, run[-5].key, run[np.int64(2)].key) == (3, 4, 0, 2)
    assert [layer.key for layer in run[1:3]] == [1, 2]
    assert [layer.key for layer in run[-2:]] == [3, 4]
    assert [layer.key for layer in run[::-2]] == [4, 2, 0]
    assert run["mix:x"].key == "mix:x"
    there = [0, 4, -1, -5, "mix:x", np.int64(1), run[2]]
    assert all(key in run for key in there)
    assert not any(key in run for key in (5, -6, "mix:y", "all", "8", 1.0, None, store.run("m/parts")[2]))


def test_a_mix_of_the_same_run_in_another_store_is_not_in_a_run_without_it(store, tmp_path):
    with repstore.open(build_store(tmp_path / "store", CORPUS, RUNS[1:2])) as other:
        run = store.run("m/whole")
        assert other.run()[2] in run
        assert run[2] in other.run()
        assert run["mix:x"] not in other.run()


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (5, NotFoundError),
        (-6, NotFoundError),
        ("mix:y", NotFoundError),
        ("all", ArgumentError),
        (1.5, ArgumentError),
    ],
)
def test_a_layer_that_is_not_there_is_refused(store, key, error):
    with pytest.raises(error):
        store.run("m/whole")[key]


def test_a_run_must_be_named_if_there_are_several(store):
    with pytest.raises(ArgumentError, match="m/begun"):
        store.run()
    with pytest.raises(NotFoundError, match="m/whole"):
        store.run("m/whol")


def test_through_a_transform_a_run_has_the_layers_it_was_fitted_on(store):
    run = store.transformed("t").run("m/whole")
    assert (run.layers, [layer.key for layer in run], [layer.key for layer in run[2:]]) == (
        [1, 3],
        [1, 3],
        [3],
    )
    assert (2 in run, 3 in run) == (False, True)
    stored = LAYERS[3].astype(np.float64)
    np.testing.assert_allclose(run[3], stored - stored.mean(axis=0), atol=1e-6)
    assert "1, 3, as t shows them" in repr(run)


@pytest.mark.parametrize("name", ["m/parts", "m/whole", "m/begun"])
def test_row_i_of_a_layer_is_of_row_i_of_the_words(store, name):
    run = store.run(name)
    kept = {"m/parts": KEPT, "m/whole": range(N_WORDS), "m/begun": range(33)}[name]
    assert run.words["text"] == [TEXTS[n].text for n in kept]
    assert run.words["form"] == [TEXTS[n].words[0].form for n in kept]
    for number, layer in enumerate(run):
        assert layer.word_ids.tolist() == layer.words["word_id"] == run.words["word_id"]
        np.testing.assert_array_equal(layer, LAYERS[number][kept])
    frame = run[0].to_pandas()
    assert (frame["sense"].tolist(), frame.index.tolist()) == (run.words["sense"], list(range(len(kept))))
    is_noun = np.array([TEXTS[n].words[0].pos == "N" for n in kept])
    np.testing.assert_array_equal(run[1][frame["pos"] == "N"], LAYERS[1][kept][is_noun])


def test_skipped_words_are_listed_with_their_reason(store):
    skipped = store.run("m/parts").skipped
    assert skipped["text"] == [TEXTS[n].text for n in sorted(SKIPPED)]
    assert skipped["reason"] == ["truncated"] * 3
    assert len(store.run("m/whole").skipped) == 0


def test_a_run_without_vectors_can_be_looked_at(store):
    run = store.run("m/empty")
    assert "0 with vectors, 0 skipped, 80 to come" in repr(run)
    for ask in (lambda: run[0], lambda: run.words):
        with pytest.raises(NotFoundError, match="m/empty has no vectors"):
            ask()


def test_the_vectors_of_a_layer_are_those_of_the_store(store):
    for run, layer in (("m/parts", 2), ("m/whole", "mix:x")):
        assert store.run(run)[layer].vectors is store.vectors(run=run, layer=layer)


@pytest.mark.parametrize("name", ["m/parts", "m/whole"])
def test_what_is_no_list_of_word_ids_is_refused(store, name):
    vectors = store.run(name)[1].vectors
    first = vectors.word_ids[0]
    assert (vectors.of(pa.array([first])) == vectors[:1]).all()
    assert vectors.of([]).shape == (0, vectors.d_model)
    for given in (first, [[first]], [first + 0.5], ["bank"], "bank", None):
        with pytest.raises(ArgumentError, match="is no list of word_ids"):
            vectors.of(given)


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


@pytest.mark.parametrize("name", ["m/parts", "m/whole"])
def test_nothing_is_copied_until_rows_are_asked_for(store, name):
    layer = store.run(name)[1]
    assert all(is_mapped(block) for block in layer.vectors.blocks)
    assert is_mapped(layer[5:20])
    assert not layer[5:20].flags.writeable
    assert layer[[5, 6]].flags.writeable


@pytest.mark.parametrize("of", ["stored in parts", "mix", "transformed"])
def test_no_view_of_what_is_kept_in_memory_can_be_written_to(store, of):
    layer = {
        "stored in parts": lambda: store.run("m/parts")[1],
        "mix": lambda: store.run("m/whole")["mix:x"],
        "transformed": lambda: store.transformed("t").run("m/whole")[1],
    }[of]()
    before = layer.to_numpy()
    vectors = layer.vectors
    for view in (vectors.values, vectors[:], vectors[2:5], vectors[:, 1], np.asarray(layer), *vectors.blocks):
        if view.flags.writeable:
            view[...] = 7
    np.testing.assert_array_equal(layer, before)
    np.testing.assert_array_equal(vectors.values, before)
    mine = layer.to_numpy()
    mine[...] = 7
    np.testing.assert_array_equal(layer, before)


@pytest.mark.parametrize("name", ["m/parts", "m/whole"])
@pytest.mark.parametrize("n_rows", [1, 10, 33, 1000])
def test_blocks_are_all_rows_in_order(store, name, n_rows):
    layer = store.run(name)[2]
    word_ids, rows = zip(*layer.blocks(n_rows), strict=True)
    assert {len(some) for some in rows[:-1]} <= {n_rows}
    assert len(rows[-1]) <= n_rows
    assert [len(some) for some in rows] == [len(some) for some in word_ids]
    np.testing.assert_array_equal(np.concatenate(word_ids), layer.word_ids)
    np.testing.assert_array_equal(np.concatenate(rows), np.asarray(layer))


def test_a_block_has_at_least_a_row(store):
    with pytest.raises(ArgumentError, match="n_rows"):
        store.run("m/whole")[0].blocks(0)


def test_a_mix_is_made_row_by_row_as_it_is_asked_for(root):
    with repstore.open(root) as store:
        few = store.run("m/whole")["mix:x"]
        some = few[[70, 3]], few[10:12], few[5]
        assert "_values" not in vars(few.vectors)
        whole = np.asarray(few)
        for found, rows in zip(some, ([70, 3], slice(10, 12), 5), strict=True):
            np.testing.assert_array_equal(found, whole[rows])


def test_vectors_become_a_tensor(store):
    torch = pytest.importorskip("torch")
    layer = store.run("m/parts")[2]
    tensor = layer.to_torch()
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.float32, layer.shape)
    tensor[:] = 0
    np.testing.assert_array_equal(layer, LAYERS[2][KEPT])


def test_a_tensor_needs_torch(store, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match="pip install torch"):
        store.run("m/whole")[0].to_torch()


def test_words_whose_corpus_is_lost_are_not_left_out_in_silence(tmp_path):
    root = build_store(tmp_path / "store", CORPUS, RUNS[1:2])
    for file in [*root.glob("corpora/*/*"), *root.glob("catalog.*")]:
        file.unlink()
    for folder in root.glob("corpora/*"):
        folder.rmdir()
    with repstore.open(root) as store, pytest.raises(StoreDamagedError, match="corpus is missing"):
        assert store.run().words


def test_what_is_held_says_what_it_is_in_a_line_or_a_few(store, root):
    assert repr(store).splitlines() == [
        f"Store {root}",
        " run      corpus     n_vectors  n_layers  d_model",
        " m/begun  synthetic         33         5       12",
        " m/empty  synthetic          0         5       12",
        " m/parts  synthetic         77         5       12",
        " m/whole  synthetic         80         5       12",
        "store.run('m/begun') has its layers and words; store.words() finds words.",
    ]
    assert repr(store.transformed("t")).splitlines()[0] == f'Store {root}, seen through "t"'
    run = store.run("m/parts")
    assert repr(run).splitlines()[0] == "Run m/parts"
    assert " words     77 with vectors, 3 skipped, 0 to come" in repr(run).splitlines()
    assert repr(run[2:4]) == (
        "[Layer(2 of m/parts, 77 x 12, float32), Layer(3 of m/parts, 77 x 12, float16)]"
    )


def test_a_closed_or_empty_store_can_be_looked_at(tmp_path, root):
    closed = repstore.open(root)
    closed.close()
    assert "is closed" in repr(closed)
    with repstore.open(build_store(tmp_path / "empty", CORPUS)) as store:
        assert repr(store).splitlines() == [f"Store {tmp_path / 'empty'}", "It has no runs yet."]
