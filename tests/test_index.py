"""Indexes find what they claim to find, whatever the words, and are the same bytes every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from indexed import D_MODEL, N_WORDS, clustered, index_files, store_of, true_neighbors

import repstore
from repstore import indexing
from repstore.errors import ArgumentError, NotFoundError, ResultError
from repstore.spec import IndexInfo
from repstore.storage.index import read_info
from repstore.storage.layout import RunLayout

KINDS = ("rabitq", "ivf", "hnsw")
K = 10


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return store_of(tmp_path_factory.mktemp("plain") / "store", clustered())


@pytest.fixture(scope="module", params=KINDS)
def built(request, plain, tmp_path_factory) -> Path:
    store = tmp_path_factory.mktemp(request.param) / "store"
    shutil.copytree(plain, store)
    repstore.build_index(store, kind=request.param)
    return store


def info_of(store: Path, name: str = "layer-00-none.json") -> IndexInfo:
    (path,) = store.glob(f"runs/*/index/{name}")
    return read_info(path)


def n_found(cosines: np.ndarray, truth: np.ndarray) -> int:
    return int((np.asarray(cosines) >= truth[K - 1] - 1e-9).sum())


def test_recall_is_what_is_claimed_on_queries_that_are_not_in_the_index(built):
    """Fresh vectors, and words of the store with themselves left out."""
    info, rows = info_of(built), clustered()
    fresh = clustered(120, seed=1)
    shares, n_scanned = [], 0
    with repstore.open(built) as store:
        word_ids = store.vectors(layer=0).word_ids
        queries = [(query, query, None) for query in fresh]
        queries += [(int(word_ids[row]), rows[row], row) for row in range(0, N_WORDS, 10)]
        for given, vector, row in queries:
            found = store.neighbors(given, layer=0, k=K, search="index")
            truth = true_neighbors(rows, vector, row)
            shares.append(n_found(found["cosine"], truth) / K)
            n_scanned += found.provenance["search"] == ["exact"]
    assert n_scanned / len(queries) < 0.5, "this tells little of the index"
    claimed, measured = info.recall.recall, float(np.mean(shares))
    assert info.recall.n_queries == len(info.held_out) == N_WORDS // 10
    # A share of a query varies at most as much as a coin that falls on all or nothing.
    spread = max(np.std(shares), 0.02) * np.sqrt(1 / len(shares) + 1 / info.recall.n_queries)
    assert measured >= claimed - 3 * spread
    assert claimed >= 0.9


def test_a_recall_that_falls_short_is_said(tmp_path, monkeypatch):
    """A graph that is searched too narrowly, among words that have no clusters."""
    monkeypatch.setattr(indexing, "CANDIDATES", (12,))
    words, fresh = np.split(np.random.default_rng(0).normal(size=(1500, D_MODEL)).astype(np.float16), [1300])
    store = store_of(tmp_path / "store", words)
    repstore.build_index(store, kind="hnsw")
    recall = info_of(store).recall
    with repstore.open(store) as opened:
        shares = [
            n_found(
                opened.neighbors(query, layer=0, k=K, search="index")["cosine"], true_neighbors(words, query)
            )
            / K
            for query in fresh
        ]
    assert recall.recall < 0.98
    spread = np.std(shares) * np.sqrt(1 / len(shares) + 1 / recall.n_queries)
    assert np.mean(shares) == pytest.approx(recall.recall, abs=3 * spread)


def test_cosines_found_by_an_index_are_those_of_the_words(built):
    rows = clustered()
    with repstore.open(built) as store:
        word_ids = store.vectors(layer=0).word_ids
        for row in (0, 499, 500, N_WORDS - 1):
            found = store.neighbors(int(word_ids[row]), layer=0, k=K, search="index")
            assert found.provenance["search"] != ["exact"]
            assert f"recall@{K}" in " ".join(found.notes)
            vectors = rows[np.searchsorted(word_ids, found["word_id"])].astype(np.float64)
            query = rows[row].astype(np.float64)
            cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
            assert found["cosine"] == pytest.approx(cosines.tolist(), abs=1e-12)
            assert int(word_ids[row]) not in found["word_id"]


def test_every_word_is_in_the_index_at_the_row_that_is_said(built):
    """Those held out, too: asked for themselves, they are found."""
    info, rows = info_of(built), clustered()
    with repstore.open(built) as store:
        word_ids = store.vectors(layer=0).word_ids
        for row in info.held_out[::20]:
            found = store.neighbors(rows[row], layer=0, k=1, search="index")
            assert found["word_id"] == [word_ids[row]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame", ["center", "corpus"])
def test_an_index_searches_in_its_space(plain, tmp_path, kind, frame):
    store = shutil.copytree(plain, tmp_path / "store")
    repstore.build_index(store, kind=kind, standardize=frame)
    with repstore.open(store) as opened:
        word_id = int(opened.vectors(layer=0).word_ids[7])
        by_index, exact = (
            opened.neighbors(word_id, layer=0, k=K, search=how, standardize=frame)
            for how in ("index", "exact")
        )
        assert by_index["word_id"] == exact["word_id"]
        assert by_index["cosine"] == pytest.approx(exact["cosine"], abs=1e-12)
        with pytest.raises(NotFoundError, match="no index in this space"):
            opened.neighbors(word_id, layer=0, search="index")


def test_two_builds_are_the_same_bytes(built, plain, tmp_path):
    store = shutil.copytree(plain, tmp_path / "store")
    repstore.build_index(store, kind=info_of(built).kind)
    assert index_files(store) == index_files(built)


def test_another_seed_holds_other_words_out(plain, tmp_path):
    stores = [shutil.copytree(plain, tmp_path / name) for name in ("one", "other")]
    for seed, store in enumerate(stores):
        repstore.build_index(store, kind="rabitq", seed=seed)
    assert info_of(stores[0]).held_out != info_of(stores[1]).held_out


LAYERS = {
    "two words": clustered(2),
    "three words": clustered(3),
    "eleven words": clustered(11),
    "equal words": np.tile(clustered(1), (300, 1)),
    "zeros": np.zeros((300, D_MODEL), np.float16),
    "some zeros": clustered(300) * (np.arange(300) % 3 > 0)[:, None].astype(np.float16),
    "few distinct": clustered(7)[np.arange(300) % 7],
    "large": clustered(300).astype(np.float32) * 1e6,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_words_that_are_hard_to_tell_apart_are_found_exactly(tmp_path, kind, name):
    rows = LAYERS[name]
    store = store_of(tmp_path / "store", rows, rows_per_part=100)
    repstore.build_index(store, kind=kind)
    assert repstore.verify(store)["problem"] == []
    assert 0 <= info_of(store).recall.recall <= 1
    with repstore.open(store) as opened:
        word_ids = opened.vectors(layer=0).word_ids
        for row in {0, 1, len(rows) - 1}:
            for k in (1, 5, 60, 1000):
                by_index, exact = (
                    opened.neighbors(int(word_ids[row]), layer=0, k=k, search=how)
                    for how in ("index", "exact")
                )
                assert by_index["word_id"] == exact["word_id"]
                assert by_index["cosine"] == pytest.approx(exact["cosine"], abs=1e-12)
                assert len(by_index) == min(k, len(rows) - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_two_number_formats_are_one_layer(tmp_path, plain, kind):
    mixed = store_of(tmp_path / "mixed", clustered(), widened=frozenset({(1, 0)}))
    uniform = shutil.copytree(plain, tmp_path / "uniform")
    for store in (mixed, uniform):
        repstore.build_index(store, kind=kind)
    faiss_files = [
        [data for name, data in index_files(store).items() if name.endswith(".faiss")]
        for store in (mixed, uniform)
    ]
    assert faiss_files[0] == faiss_files[1]


def test_a_skipped_word_is_in_no_index(tmp_path):
    store = store_of(tmp_path / "store", clustered(200), skipped=frozenset({0, 5, 199}))
    repstore.build_index(store, kind="rabitq")
    assert info_of(store).n_words == 197
    with repstore.open(store) as opened:
        word_ids = opened.vectors(layer=0).word_ids
        by_index, exact = (
            opened.neighbors(int(word_ids[3]), layer=0, search=how)["word_id"] for how in ("index", "exact")
        )
    assert by_index == exact


def test_one_word_has_no_index(tmp_path):
    store = store_of(tmp_path / "store", clustered(1))
    with pytest.raises(ResultError, match="at least 2"):
        repstore.build_index(store, kind="rabitq")
    assert index_files(store) == {}


def test_a_small_store_gets_no_index_unless_a_kind_is_given(tmp_path):
    store = store_of(tmp_path / "store", clustered(50))
    result = repstore.build_index(store)
    assert len(result) == 0
    assert "a scan is fast and exact, so no index was built" in result.notes[0]
    assert index_files(store) == {}


def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path):
    store = store_of(tmp_path / "store", clustered(50))
    with pytest.raises(ArgumentError, match="of memory to build"):
        repstore.build_index(store, kind="hnsw", memory=1000)
    with pytest.raises(NotFoundError, match='No kind of index "rabbit"'):
        repstore.build_index(store, kind="rabbit")
    with pytest.raises(ArgumentError, match='No standardize "centre"'):
        repstore.build_index(store, kind="rabitq", standardize="centre")
    with pytest.raises(ArgumentError, match="seed is -1"):
        repstore.build_index(store, kind="rabitq", seed=-1)
    with pytest.raises(NotFoundError, match="no layer 1"):
        repstore.build_index(store, kind="rabitq", layer=[0, 1])
    with pytest.raises(NotFoundError, match="No run"):
        repstore.build_index(store, kind="rabitq", run="other")
    assert index_files(store) == {}
    assert not any(RunLayout(path).indexes.exists() for path in store.glob("runs/*"))
