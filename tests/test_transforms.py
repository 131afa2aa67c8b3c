"""Transforms of a store: fitted, kept, applied by every question, refused where they cannot answer."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import files_of
from synthetic import SyntheticRun, build_store, corpus_of, in_parts, random_layers, small_corpus

import repstore
from repstore.analysis.fitting import fit
from repstore.errors import ArgumentError, NotFoundError, QueryError, RepstoreError, ResultError, StoreError
from repstore.spec import EncodedWord, Pair, Text, Word
from repstore.storage import made, transformed
from repstore.storage.layout import Layout
from repstore.storage.transforms import read_info, read_map

N_WORDS, D_MODEL = 80, 6
CORPUS = small_corpus()
KINDS = {
    "standardize": {},
    "center": {},
    "all-but-the-top": {"k": 2},
    "whiten": {},
    "pca": {"k": 4},
    "drop-outliers": {},
}


def layers_of(seed: int) -> list[np.ndarray]:
    """Three layers; a dimension of the second exceeds the others."""
    layers = random_layers(N_WORDS, D_MODEL, 3, seed=seed)
    layers[1][:, 3] *= 100
    return layers


BASE = SyntheticRun("m/base", layers_of(0), 33, skipped=frozenset({5}))
REPEAT = SyntheticRun("m/repeat", layers_of(1), skipped=frozenset({5}))


def fitted_rows(layer: np.ndarray, kind: str, k: int | None = None) -> np.ndarray:
    """A layer of a run as a transform fitted on all its words maps it. Row 5 has no vector."""
    kept = np.setdiff1d(np.arange(N_WORDS), [5])
    return fit(in_parts(layer), kept, kind, k).map.apply(layer)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    """Both runs with a transform of every kind, named after it."""
    root = build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [BASE, REPEAT])
    for kind, options in KINDS.items():
        for run in ("m/base", "m/repeat"):
            repstore.fit_transform(root, kind, kind=kind, run=run, **options)
    return root


@pytest.fixture(scope="module", params=KINDS)
def both(request, fitted, tmp_path_factory):
    """A store seen through a transform, and one of the vectors that it should show."""
    kind, options = request.param, KINDS[request.param]
    runs = [
        SyntheticRun(run.name, [fitted_rows(layer, kind, **options) for layer in run.layers], 33, run.skipped)
        for run in (BASE, REPEAT)
    ]
    shown = build_store(tmp_path_factory.mktemp("shown") / "store", CORPUS, runs)
    with repstore.open(fitted) as opened, repstore.open(shown) as expected:
        yield kind, opened.transformed(kind), expected


QUESTIONS: dict[str, Callable[[repstore.Store], repstore.ResultTable]] = {
    "wic": lambda store: store.probe("wic", run=["m/base", "m/repeat"], standardize="none"),
    "wic, standardized": lambda store: store.probe("wic", run="m/base", standardize="corpus"),
    "wic, by sides": lambda store: store.probe("wic", run="m/base", standardize="side", against="m/repeat"),
    "knn-wsd": lambda store: store.probe("knn-wsd", run="m/base", k=3, standardize="none"),
    "centroid-wsd": lambda store: store.probe("centroid-wsd", run="m/base", standardize="center"),
    "wsi": lambda store: store.probe("wsi", run="m/base", layer=1, resamples=20),
    "neighbors": lambda store: store.neighbors("bank", text="004", run="m/base", layer="all", k=5),
    "neighbors among some": lambda store: store.neighbors(
        "bank", text="004", run="m/base", layer=1, k=5, metric="l2", where="pos = 'N'", other_lemmas=True
    ),
    "neighbors, csls": lambda store: store.neighbors(
        "bank", text="004", run="m/base", layer=2, metric="csls"
    ),
    "graph": lambda store: store.neighbors_graph(run="m/base", layer=1, k=3),
    "hubness": lambda store: store.hubness(run="m/repeat", k=3),
    "cka": lambda store: store.compare("cka", run=["m/base", "m/repeat"], sample=None),
    "procrustes": lambda store: store.compare("procrustes", run=["m/base", "m/repeat"], sample=40),
    "geometry": lambda store: store.geometry(
        ["anisotropy", "norms", "isotropy", "uniformity", "separability"], run="m/base", standardize="center"
    ),
    "common neighbors": lambda store: store.compare("knn", run="m/base", k=5, standardize="corpus"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered_as_if_the_mapped_vectors_were_stored(both, question):
    kind, opened, expected = both
    found, wanted = QUESTIONS[question](opened), QUESTIONS[question](expected)
    assert found.columns == wanted.columns
    for column in found.columns:
        if column == "run":
            assert found[column] == [f"{label}, {kind}" for label in wanted[column]]
        elif isinstance(found[column][0], float):
            np.testing.assert_allclose(found[column], wanted[column], rtol=2e-6, atol=2e-6)
        else:
            assert found[column] == wanted[column]
    assert f"+{kind}@" in str(found.provenance), "whoever reads the result knows what it is of"


def test_vectors_are_shown_mapped_whole_or_by_word(both):
    _, opened, expected = both
    layer, wanted = (store.vectors(run="m/base", layer=1) for store in (opened, expected))
    some = wanted.word_ids[[40, 2, 77]]
    np.testing.assert_allclose(layer.of(some), wanted.of(some), rtol=1e-6, atol=1e-6)
    assert (layer.dtype, layer.d_model) == (np.float32, wanted.values.shape[1])
    np.testing.assert_allclose(layer.values, wanted.values, rtol=1e-6, atol=1e-6)
    assert [len(block) for block in layer.blocks] == [32, 33, 14]
    assert np.array_equal(layer.of(some), layer.values[layer.word_ids.searchsorted(some)])


def test_standardize_as_a_transform_is_standardize_corpus(fitted):
    with repstore.open(fitted) as store:
        for run in ("m/base", "m/repeat"):
            wanted = store.probe("wic", run=run, standardize="corpus")
            found = store.transformed("standardize").probe("wic", run=run, standardize="none")
            for column in ("threshold", "selection", "accuracy", "auc", "spearman", "low", "high"):
                np.testing.assert_allclose(found[column], wanted[column], atol=1e-6)


def test_vectors_on_disk_stay_as_they_are(fitted, tmp_path):
    plain = files_of(build_store(tmp_path / "store", CORPUS, [BASE, REPEAT]))
    there = files_of(fitted)
    assert {name: there[name] for name in plain} == plain
    assert all("/transforms/" in name for name in there.keys() - plain.keys())
    assert not len(repstore.verify(fitted))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A store without a transform, which is to stay so."""
    return build_store(tmp_path_factory.mktemp("plain") / "store", CORPUS, [BASE])


@pytest.fixture
def store(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


def place_of(root: Path, name: str = "t"):
    (folder,) = root.glob("runs/*/")
    return Layout(root).run(folder.name).frozen("transform", name)


def test_a_transform_is_kept_with_the_words_it_was_fitted_on(store):
    shown = repstore.fit_transform(
        store, "t", kind="pca", k=3, layer=[2, 1], where="pos = 'V'", sample=9, seed=4
    )
    place = place_of(store)
    info = read_info(place)
    assert (info.kind, info.k, info.n_words, [one.layer for one in info.layers]) == ("pca", 3, 9, [1, 2])
    with repstore.open(store) as opened:
        verbs = opened.sql("SELECT word_id FROM words WHERE pos = 'V' ORDER BY word_id")["word_id"]
        stored = opened.vectors(layer=2)
    words = np.load(place.words)
    assert set(words) < set(verbs)
    assert list(words) == sorted(words)
    rows = stored.word_ids.searchsorted(words)
    expected = fit(stored, rows, "pca", 3).map
    found = read_map(place, info.layers[1])
    assert np.array_equal(found.matrix, expected.matrix)
    with np.load(place.root / "layer-02.npz") as arrays:  # with numpy alone
        by_hand = (stored.values.astype(np.float64) - arrays["shift"]) * arrays["scale"] @ arrays["matrix"]
    with repstore.open(store) as opened:
        np.testing.assert_allclose(
            opened.transformed("t").vectors(layer=2).values, by_hand, rtol=1e-6, atol=1e-6
        )
    assert shown["width"] == [3, 3]
    assert (
        shown.title == "Transform \"t\" of m/base: pca, k 3, on 9 words (where pos = 'V'; sample 9, seed 4)"
    )


def test_words_of_a_side_or_a_split_are_fitted_on_each_once(tmp_path):
    splits = ["dev"] * 6 + ["test"] * 6
    texts = [Text(f"{n:02} bank", (Word(1, 3, 7, "bank"),), split=split) for n, split in enumerate(splits)]
    pairs = [Pair(n, 11 - n, "dev", True) for n in range(4)] + [Pair(0, 7, "test", False)]
    root = build_store(tmp_path / "s", corpus_of(texts, pairs), [SyntheticRun("r", random_layers(12, 3, 1))])
    first = repstore.open(root).vectors(layer=0).word_ids[0]
    for name, options, expected in (
        ("a", {"side": "a"}, [0, 1, 2, 3]),
        ("b", {"side": "b"}, [7, 8, 9, 10, 11]),
        ("dev", {"split": "dev"}, [0, 1, 2, 3, 4, 5]),
        ("both", {"side": "a", "split": "dev", "where": "text <> '02 bank'"}, [0, 1, 3]),
    ):
        repstore.fit_transform(root, name, kind="center", **options)
        place = place_of(root, name)
        assert list(np.load(place.words) - first) == expected
    words = repstore.list_transforms(root)["words"]
    assert words == ["side a", "side b", "where text <> '02 bank'; side a; split dev", "split dev"]


def test_fitted_again_as_it_was_nothing_is_done_and_otherwise_it_is_refused(store):
    asked: dict[str, Any] = {"kind": "pca", "k": 2, "layer": [0, 1]}
    repstore.fit_transform(store, "t", **asked)
    before = {path: path.stat().st_mtime_ns for path in place_of(store).root.iterdir()}
    again = repstore.fit_transform(store, "t", **asked | {"layer": [1, 0]})
    assert again.notes == ["It was there already: nothing was done."]
    others = ({"k": 3}, {"layer": "all"}, {"sample": 20}, {"where": "true"}, {"kind": "whiten", "k": None})
    for other in others:
        with pytest.raises(ArgumentError, match=r'frozen transform "t" .*repstore transform drop STORE t'):
            repstore.fit_transform(store, "t", **asked | other)
    assert {path: path.stat().st_mtime_ns for path in place_of(store).root.iterdir()} == before


def test_dropped_nothing_is_left_and_fitted_anew_it_has_the_same_bytes(store):
    plain = files_of(store)
    for kind, options in KINDS.items():
        repstore.fit_transform(store, "t", kind=kind, sample=40, **options)
        with_it = files_of(store)
        assert repstore.drop_transform(store, "t")
        assert files_of(store) == plain
        assert not list(store.glob("runs/*/transforms/*"))
        repstore.fit_transform(store, "t", kind=kind, sample=40, **options)
        assert files_of(store) == with_it
        assert repstore.drop_transform(store, "t")
    assert not repstore.drop_transform(store, "t")


def test_parts_change_no_byte_of_the_maps(store, tmp_path):
    in_one = SyntheticRun(BASE.name, BASE.layers, skipped=BASE.skipped, widened=frozenset({(0, 1)}))
    other = build_store(tmp_path / "other", CORPUS, [in_one])
    for root in (store, other):
        repstore.fit_transform(root, "t", kind="whiten")
    for name in ("words.npy", "layer-00.npz", "layer-01.npz"):
        assert (place_of(store).root / name).read_bytes() == (place_of(other).root / name).read_bytes()


def test_transforms_are_listed(store):
    repstore.fit_transform(store, "t", kind="pca", k=2)
    repstore.fit_transform(store, "a.b-c_1", kind="center", layer=0)
    listed = list(repstore.list_transforms(store))
    assert [row["transform"] for row in listed] == ["a.b-c_1", "t"]
    (place_of(store).root / "layer-01.npz").write_bytes(b"")
    place_of(store, "a.b-c_1").info.write_text("{}")
    assert repstore.list_transforms(store)["state"] == ["damaged", "damaged"]
    files = [path.name for path in place_of(store).files()]
    assert listed[1] == {
        "run": "m/base",
        "transform": "t",
        "kind": "pca",
        "k": 2,
        "state": "current",
        "n_layers": 3,
        "n_words": 79,
        "words": "all",
        "bytes": listed[1]["bytes"],
    }
    assert files == ["layer-00.npz", "layer-01.npz", "layer-02.npz", "transform.json", "words.npy"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../t", "a/b", ".t", "-t", "_t", "a b", "t\n", "t\0", "naïve", "x" * 65, None, 5]
)
def test_a_name_that_is_not_one_is_refused_everywhere(plain, name):
    before = files_of(plain)
    for ask in (
        lambda: repstore.fit_transform(plain, name, kind="center"),
        lambda: repstore.drop_transform(plain, name),
        lambda: repstore.open(plain).transformed(name),
    ):
        with pytest.raises(ArgumentError, match="is no name for a transform"):
            ask()
    assert files_of(plain) == before


@pytest.mark.parametrize("name", ["t.tmp", "transform.json", "layer-00.npz", "CON", "0", "x" * 64])
def test_a_name_that_looks_like_a_file_is_one_like_others(store, name):
    repstore.fit_transform(store, name, kind="center")
    assert not len(repstore.verify(store))
    assert repstore.list_transforms(store)["transform"] == [name]
    assert len(repstore.open(store).transformed(name).hubness(k=2)) == 3
    assert repstore.repair(store) == ["Rebuilt the catalog."]
    assert repstore.drop_transform(store, name)


REFUSED: dict[str, tuple[type[RepstoreError], str, dict[str, Any]]] = {
    "unknown kind": (ArgumentError, 'No kind "pcaa". Did you mean "pca"', {"kind": "pcaa", "k": 2}),
    "no k": (ArgumentError, "k is None; pca takes a number", {"kind": "pca"}),
    "k of nothing": (ArgumentError, "k is 0", {"kind": "all-but-the-top", "k": 0}),
    "needless k": (ArgumentError, "k is 2; whiten takes none", {"kind": "whiten", "k": 2}),
    "k beyond the width": (ArgumentError, "k is 7, but vectors of m/base have 6", {"kind": "pca", "k": 7}),
    "all removed": (
        ArgumentError,
        "k is 6, but .*; all-but-the-top takes at most 5",
        {"kind": "all-but-the-top", "k": 6},
    ),
    "too few words": (
        ResultError,
        "has 1 words .*needs at least 2",
        {"where": "starts_with(text, 'Sentence 007')"},
    ),
    "a skipped word": (ResultError, "has 0 words .*where text", {"where": "text LIKE '%005%'"}),
    "fewer words than k": (
        ResultError,
        r"has 4 words .*\(sample 4, seed 0\); pca needs at least 5",
        {"kind": "pca", "k": 4, "sample": 4},
    ),
    "no split": (NotFoundError, 'corpus "synthetic" is in split "dve". They are in none', {"split": "dve"}),
    "no condition": (QueryError, "not a condition", {"where": "lemma"}),
    "two statements": (QueryError, "not a condition", {"where": "true; DROP TABLE words"}),
    "small sample": (ArgumentError, "sample is 1", {"sample": 1}),
    "negative seed": (ArgumentError, "seed is -1", {"seed": -1}),
    "no such side": (ArgumentError, 'No side "c"', {"side": "c"}),
    "no such layer": (NotFoundError, "no layer 3", {"layer": 3}),
    "no such run": (NotFoundError, 'Did you mean "m/base"', {"run": "m/bsae"}),
    "little memory": (ArgumentError, "takes about 0.03 GB .*0.00 GB are allowed", {"memory": 1000}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_fitted_is_refused_and_leaves_nothing(plain, case):
    error, message, options = REFUSED[case]
    before = files_of(plain)
    with pytest.raises(error, match=message):
        repstore.fit_transform(plain, "t", **{"kind": "center"} | options)
    assert files_of(plain) == before
    assert not list(plain.glob("runs/*/transforms"))


def test_what_is_not_there_is_said_with_the_command_that_fits_it(fitted):
    with repstore.open(fitted) as store:
        with pytest.raises(NotFoundError, match=r'm/base has no transform "whitne"\. Did you mean "whiten"'):
            store.transformed("whitne").hubness(run="m/base")
        with pytest.raises(NotFoundError, match="repstore transform fit STORE whitne --run m/base --kind"):
            store.transformed("whitne").vectors(run="m/base", layer=0)
        with pytest.raises(NotFoundError, match='No run "m/bsae"'):
            store.transformed("whiten").vectors(run="m/bsae", layer=0)


def test_all_layers_are_those_it_was_fitted_on_and_others_are_refused(store):
    repstore.fit_transform(store, "t", kind="center", layer=[0, 2])
    with repstore.open(store) as opened:
        seen = opened.transformed("t")
        assert seen.hubness(k=2)["layer"] == [0, 2]
        with pytest.raises(NotFoundError, match='"t" of m/base was not fitted on layer 1, but on 0, 2'):
            seen.probe("wic", layer=[0, 1])
        with pytest.raises(NotFoundError, match=r"no layer 3; it has 0 \(embeddings\) to 2"):
            seen.vectors(layer=3)


def test_what_shows_or_searches_vectors_as_stored_is_refused(fitted):
    with repstore.open(fitted) as store:
        seen = store.transformed("whiten")
        assert 'seen through "whiten"' in repr(seen)
        with pytest.raises(ArgumentError, match='SQL shows vectors as stored, not through "whiten"'):
            seen.sql("SELECT 1")
        with pytest.raises(ArgumentError, match='Indexes are of vectors as stored, not through "whiten"'):
            seen.neighbors("bank", text="004", run="m/base", layer=1, search="index")
        with pytest.raises(ArgumentError, match='seen through "whiten"'):
            seen.transformed("pca")
        assert store.sql("SELECT 1 AS one")["one"] == [1]
        assert len(seen.runs()) == 2


def test_no_cosine_is_taken_between_coordinates_that_two_runs_have_each_for_itself(fitted):
    with repstore.open(fitted) as store:
        with pytest.raises(ArgumentError, match="of m/base, pca and m/repeat, pca have coordinates of their"):
            store.transformed("pca").probe("wic", run="m/base", run_b="m/repeat")
        assert len(store.transformed("whiten").probe("wic", run="m/base", run_b="m/repeat")) == 3


@pytest.mark.parametrize("k", [3, D_MODEL])
def test_nor_between_a_run_with_coordinates_of_its_own_and_one_without(tmp_path, k):
    root = build_store(tmp_path / "store", CORPUS, [BASE, REPEAT])
    repstore.fit_transform(root, "t", kind="pca", k=k, run="m/base")
    repstore.fit_transform(root, "t", kind="center", run="m/repeat")
    with repstore.open(root) as store:
        seen = store.transformed("t")
        for run, run_b in (("m/base", "m/repeat"), ("m/repeat", "m/base")):
            with pytest.raises(ArgumentError, match="of m/base, t have coordinates of their own"):
                seen.probe("wic", run=run, run_b=run_b)
        assert len(seen.probe("wic", run="m/base", run_b="m/base")) == 3


def test_a_store_seen_through_a_transform_is_no_path_of_one(fitted):
    before = files_of(fitted)
    with repstore.open(fitted) as store:
        seen = store.transformed("whiten")
        for ask in (
            lambda: repstore.fit_transform(seen, "t", kind="center", run="m/base"),
            lambda: repstore.drop_transform(seen, "whiten", run="m/base"),
            lambda: repstore.build_index(seen, kind="rabitq", layer=0, run="m/base"),
            lambda: repstore.open(seen),
        ):
            with pytest.raises(ArgumentError, match=r'not on what "whiten" shows of it. Give the store as'):
                ask()
        assert len(repstore.list_transforms(store)) == 2 * len(KINDS)
    assert files_of(fitted) == before


def test_a_new_word_is_mapped_like_those_of_the_run_and_a_vector_is_one_of_those_shown(fitted):
    with repstore.open(fitted) as store:
        seen = store.transformed("pca")
        word = store.words(lemma="bank", text="004")
        word_id = word["word_id"][0]
        stored = np.stack([store.vectors(run="m/base", layer=n).of([word_id])[0] for n in range(3)])
        new = EncodedWord(_run_id(store), "x bank", 2, 6, "bank", stored.astype(np.float32))
        wanted = seen.neighbors(word_id, run="m/base", layer="all", k=4)
        itself = [(layer, word_id) for layer in range(3)]
        shown = np.stack([seen.vectors(run="m/base", layer=n).of([word_id])[0] for n in range(3)])
        for given in (new, shown):
            found = seen.neighbors(given, run="m/base", layer="all", k=5)
            places = list(zip(found["layer"], found["word_id"], strict=True))
            assert [place for place in places if place not in itself] == list(
                zip(wanted["layer"], wanted["word_id"], strict=True)
            )
            assert set(itself) < set(places)
        with pytest.raises(ArgumentError, match=r"has shape \(4,\)"):
            seen.neighbors(stored[0], run="m/base", layer=0)


def _run_id(store: repstore.Store) -> str:
    found: str = store.sql("SELECT run_id FROM runs WHERE name = 'm/base'")["run_id"][0]
    return found


def test_a_large_layer_is_in_a_temporary_file_that_nobody_sees(fitted, tmp_path, monkeypatch):
    with repstore.open(fitted) as store:
        in_memory = store.transformed("whiten").vectors(run="m/base", layer=1).values
        monkeypatch.setattr(made, "IN_MEMORY", 0)
        monkeypatch.setattr(made.tempfile, "tempdir", str(tmp_path))
        layer = store.transformed("whiten").vectors(run="m/base", layer=1)
        assert isinstance(layer.values, np.memmap)
        assert np.array_equal(layer.values, in_memory)
        assert [block.base is not None for block in layer.blocks] == [True] * 3
        assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_error_that_says_where(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "IN_MEMORY", 0)

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with repstore.open(fitted) as store:
        layer = store.transformed("whiten").vectors(run="m/base", layer=1)
        monkeypatch.setattr(made.tempfile, "TemporaryFile", full)
        with pytest.raises(StoreError, match=r"takes 0\.00 GB in .*No space left on device\. Make"):
            len(layer.values)


def test_no_folder_for_temporary_files_is_one_error_that_says_so(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with repstore.open(fitted) as store:
        layer = store.transformed("whiten").vectors(run="m/base", layer=1)
        with pytest.raises(
            StoreError, match=r"No usable temporary directory .*none.*\. Make room, or set TMPDIR"
        ):
            len(layer.values)


def test_layers_do_not_pile_up_and_are_shared_while_they_are_held(fitted):
    with repstore.open(fitted) as store:
        seen = store.transformed("whiten")
        held = seen.vectors(run="m/base", layer=0)
        passing = [weakref.ref(seen.vectors(run="m/base", layer=n)) for n in range(3)]
        assert seen.vectors(run="m/base", layer=0) is held
        assert [ref() is not None for ref in passing] == [True, False, False]


def test_several_threads_map_a_layer_once(fitted):
    with repstore.open(fitted) as store, ThreadPoolExecutor(8) as pool:
        layer = store.transformed("whiten").vectors(run="m/base", layer=1)
        assert len(set(pool.map(lambda _: id(layer.values), range(32)))) == 1


def test_several_threads_that_ask_for_a_layer_get_the_same_one(fitted, monkeypatch):
    def slow(*arguments: Any) -> object:
        time.sleep(0.05)
        return read_map(*arguments)

    monkeypatch.setattr(transformed, "read_map", slow)
    with repstore.open(fitted) as store, ThreadPoolExecutor(4) as pool:
        seen = store.transformed("whiten")
        seen.vectors(run="m/base", layer=0)
        layers = list(pool.map(lambda _: seen.vectors(run="m/base", layer=1), range(4)))
        assert all(layer is layers[0] for layer in layers)


def test_some_words_are_mapped_without_the_rest(fitted):
    with repstore.open(fitted) as store:
        layer = store.transformed("whiten").vectors(run="m/base", layer=1)
        some = layer.take(np.array([3, 70, 3]))
        assert "_values" not in vars(layer)
        assert np.array_equal(some, layer.values[[3, 70, 3]])


def test_a_store_and_what_it_is_seen_through_are_closed_together(fitted):
    with repstore.open(fitted) as store:
        seen = store.transformed("whiten")
    with pytest.raises(StoreError, match="is closed"):
        seen.words()


def test_a_copy_of_a_transform_under_another_name_or_run_is_not_used(store):
    repstore.fit_transform(store, "t", kind="center")
    shutil.copytree(place_of(store).root, place_of(store, "u").root)
    with pytest.raises(StoreError, match="is of transform t"):
        repstore.open(store).transformed("u").vectors(layer=0)
    (finding,) = repstore.verify(store)
    assert (finding["problem"], Path(finding["path"]).parent.name) == ("damaged", "u")
