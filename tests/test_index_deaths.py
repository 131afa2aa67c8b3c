"""Index builds that die at any step, or find the disk full, leave the old index, the new one, or none."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from deaths import after_every_death
from indexed import build, clustered, index_files, neighbors, problems, stale_store, store_of
from program import repstore as command

import repstore
from repstore.errors import StoreError
from repstore.storage.index import Sketch

N_WORDS = 300


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory) -> Path:
    layers = [clustered(N_WORDS, seed) for seed in (0, 1)]
    return store_of(tmp_path_factory.mktemp("plain") / "store", *layers, rows_per_part=100)


@pytest.fixture
def plain(plain_store, tmp_path) -> Path:
    return shutil.copytree(plain_store, tmp_path / "store")


@pytest.fixture
def store(plain) -> Path:
    build(plain)
    return plain


@pytest.fixture
def stale(tmp_path) -> Path:
    return stale_store(tmp_path / "store", N_WORDS)


@pytest.mark.parametrize(
    ("state", "kind"), [("plain", "rabitq"), ("store", "ivf"), ("stale", "rabitq"), ("store", "dropped")]
)
def test_a_death_at_any_step_leaves_the_old_index_or_the_new_or_none(state, kind, request):
    store = request.getfixturevalue(state)
    work = repstore.drop_index if kind == "dropped" else lambda folder: build(folder, kind=kind)
    old = index_files(store)
    exact = neighbors(store, "exact")[0]
    whole = shutil.copytree(store, store.with_name("built"))
    work(whole)
    new = index_files(whole)
    for died in after_every_death(store, work):
        found = problems(died)
        assert set(found.values()) <= {"unfinished", "stale"}
        assert command("verify", died).code == 0
        counts = {name: data for name, data in index_files(died).items() if found.get(name) != "unfinished"}
        assert counts in (old, new)
        if counts and "stale" not in found.values():
            assert neighbors(died)[0] == exact
        assert neighbors(died, "auto")[0] == exact
        again = shutil.copytree(died, died.with_name(f"{died.name}-again"))
        work(again)
        assert index_files(again) == new or found
        repstore.repair(again)
        assert index_files(again) == new
        repstore.repair(died)
        assert set(problems(died).values()) <= {"stale"}


@pytest.mark.parametrize("step", ["write", "flush"])
def test_a_full_disk_is_one_error_and_leaves_nothing(store, step, monkeypatch):
    before = index_files(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(
            *((Sketch, "write", lambda sketch, into: full()) if step == "write" else (os, "fsync", full))
        )
        with pytest.raises(StoreError, match="No space left on device"):
            build(store, kind="hnsw")
    assert index_files(store) == before
    assert problems(store) == {}
