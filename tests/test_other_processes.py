"""Stores, runs and layers in other processes: forked, spawned, or as workers of PyTorch's DataLoader."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mixing import arrays_of, put_mix
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import StoreDamagedError, StoreNotFoundError, StoreVersionError
from repstore.schemas import FORMAT_VERSION
from repstore.storage.files import write_json

N_WORDS, D_MODEL = 80, 6
LAYERS = random_layers(N_WORDS, D_MODEL, 3)
COUNT = "SELECT count(*) AS n FROM vectors WHERE layer = 1"
FORKING = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # as said of processes with threads

Elsewhere = Callable[[Callable[[Any], Any], Any], Any]


def build(root: Path, n_committed: int | None = None) -> Path:
    return build_store(root, small_corpus(), [SyntheticRun("m", LAYERS, 33, n_committed=n_committed)])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = build(tmp_path_factory.mktemp("stores") / "store")
    put_mix(root, "x", "attention", range(3), arrays_of("attention", 3, D_MODEL))
    repstore.fit_transform(root, "t", kind="whiten", layer=[1])
    return root


@pytest.fixture
def store(root):
    with repstore.open(root) as opened:
        yield opened


@pytest.fixture(scope="module", params=["here", "spawn"])
def elsewhere(request) -> Iterator[Elsewhere]:
    """Calls a function with something that was pickled: in this process, and in a new one."""
    if request.param == "here":
        yield lambda call, thing: call(pickle.loads(pickle.dumps(thing)))
    else:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            yield lambda call, thing: pool.apply(call, (thing,))


def layers_of(store: repstore.Store) -> dict[str, repstore.Layer]:
    return {
        "stored": store.run()[1],
        "mixed": store.run()["mix:x"],
        "transformed": store.transformed("t").run()[1],
    }


@pytest.mark.parametrize("kind", ["stored", "mixed", "transformed"])
def test_a_layer_has_the_same_rows_elsewhere(store, elsewhere, kind):
    layer = layers_of(store)[kind]
    for thing in (layer, layer.vectors):
        np.testing.assert_array_equal(elsewhere(np.asarray, thing), np.asarray(layer))
    np.testing.assert_array_equal(elsewhere(attrgetter("word_ids"), layer), layer.word_ids)
    assert elsewhere(repr, layer) == repr(layer)


def test_a_store_answers_the_same_elsewhere(store, elsewhere):
    words = methodcaller("words", lemma="bank")
    assert list(elsewhere(words, store)) == list(words(store))
    assert elsewhere(methodcaller("sql", COUNT), store)["n"] == [N_WORDS]
    assert elsewhere(repr, store) == repr(store)
    seen = store.transformed("t")
    found = elsewhere(methodcaller("vectors", layer=1), seen)
    np.testing.assert_array_equal(found, seen.vectors(layer=1))


def test_a_run_has_the_same_words_elsewhere(store, elsewhere):
    run = store.run()
    assert list(elsewhere(attrgetter("words"), run)) == list(run.words)
    assert elsewhere(repr, run) == repr(run)
    assert elsewhere(len, run) == 3


def test_what_is_pickled_is_where_things_are_and_no_vectors(store):
    run = store.run()
    assert len(run.words) == len(run[1].vectors.values) == store.sql(COUNT)["n"][0]  # these are remembered
    for thing in (store, run, run[1], run[1].vectors):
        pickled = pickle.dumps(thing)
        assert len(pickled) < 4096
        assert LAYERS[1].tobytes()[:12] not in pickled


def test_a_run_keeps_the_rows_it_had_when_more_are_committed(tmp_path):
    with repstore.open(build(tmp_path / "store", n_committed=1)) as store:
        before = pickle.dumps([store, store.run(), store.run()[1], store.run()[1].vectors])
    build(tmp_path / "store")
    after, run, layer, vectors = pickle.loads(before)
    assert (len(run[0]), len(layer), len(vectors), len(layer.words)) == (33, 33, 33, 33)
    np.testing.assert_array_equal(layer, LAYERS[1][:33])
    assert len(after.run()[0]) == N_WORDS


def test_a_mix_that_was_learned_anew_is_what_it_was_where_it_was_pickled(tmp_path):
    root = build(tmp_path / "store")
    put_mix(root, "x", "scalar", range(3), arrays_of("scalar", 3, D_MODEL))
    with repstore.open(root) as store:
        run = store.run()
        expected = run["mix:x"].to_numpy()
        pickled = pickle.dumps([run, run["mix:x"]])
    put_mix(root, "x", "scalar", range(3), arrays_of("scalar", 3, D_MODEL, seed=1))
    again, layer = pickle.loads(pickled)
    np.testing.assert_array_equal(layer, expected)
    np.testing.assert_array_equal(again["mix:x"], expected)
    with repstore.open(root) as store:
        assert not np.array_equal(store.run()["mix:x"], expected)


def test_vectors_whose_files_are_gone_say_so(tmp_path):
    root = build(tmp_path / "store")
    with repstore.open(root) as store:
        pickled = pickle.dumps(store.vectors(layer=0))
    next(root.glob("runs/*/parts/part-00001.parquet")).unlink()
    with pytest.raises(StoreDamagedError, match=r"part-00001\.parquet"):
        pickle.loads(pickled)


def test_a_store_that_is_gone_or_newer_elsewhere_is_not_taken_for_an_empty_one(tmp_path):
    root = build(tmp_path / "store")
    with repstore.open(root) as store:
        pickled = pickle.dumps(store)
    write_json(root / "store.json", {"format_version": FORMAT_VERSION + 1})
    with pytest.raises(StoreVersionError, match="Upgrade repstore"):
        pickle.loads(pickled).runs()
    root.rename(tmp_path / "moved")
    with pytest.raises(StoreNotFoundError, match="any more"):
        pickle.loads(pickled).runs()


def in_fork(work: Callable[[], object]) -> Any:
    """What `work` returns in a forked process."""
    with multiprocessing.get_context("fork").Pool(1, initializer=_keep, initargs=(work,)) as pool:
        return pool.apply_async(_kept).get(timeout=30)


def _keep(work: Callable[[], object]) -> None:
    global _work
    _work = work


def _kept() -> object:
    return _work()


@FORKING
def test_a_forked_process_asks_on_its_own_and_the_parent_goes_on(store):
    run, layer = store.run(), store.run()[1]

    def ask() -> list[Any]:
        words, nearest = store.words(lemma="palm"), store.neighbors("bank", text="004", layer=1, k=3)
        return [*words, *nearest, store.sql(COUNT)["n"], run.words["text"], layer.to_numpy().tolist()]

    expected = ask()
    assert in_fork(ask) == expected
    assert ask() == expected


@FORKING
def test_a_process_forked_while_others_ask_does_not_wait_for_them(store):
    layer = store.run()["mix:x"]
    with store._catalog._turn, layer.vectors._turn:  # held by a thread that the fork leaves behind
        assert in_fork(lambda: (len(store.words()), len(layer.to_numpy()))) == (N_WORDS, N_WORDS)


@FORKING
def test_a_forked_process_may_let_go_of_a_store_and_end(root):
    """DuckDB would crash if a connection of the parent's were closed in the child."""
    program = f"""
import os, repstore
store = repstore.open({str(root)!r})
n = len(store.words())
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    assert (status, len(store.words())) == (0, n), status
else:
    assert len(store.words()) == n
    del store
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@FORKING
@pytest.mark.parametrize(("how", "n_workers"), [("fork", 2), ("spawn", 1)])
def test_a_data_loader_gives_the_rows_of_a_layer(store, how, n_workers):
    data = pytest.importorskip("torch.utils.data")
    layer = store.run()[1]
    loader = data.DataLoader(layer, batch_size=32, num_workers=n_workers, multiprocessing_context=how)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [32, 32, 16]
    np.testing.assert_array_equal(np.concatenate(batches), np.asarray(layer))


def test_a_data_loader_shuffles_a_layer(store):
    torch = pytest.importorskip("torch")
    layer, order = store.run()[1], torch.Generator().manual_seed(0)
    rows = torch.cat(list(torch.utils.data.DataLoader(layer, batch_size=7, shuffle=True, generator=order)))
    assert rows.dtype == torch.float16
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, np.asarray(layer).tolist()))
    assert not np.array_equal(rows, layer)


def test_the_class_of_a_store_can_be_looked_into():
    """As editors, documentation and ``mock.create_autospec`` do."""
    assert "probe" in dict(inspect.getmembers(repstore.Store))
