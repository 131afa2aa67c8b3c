"""Index builds that die at any step, or find the disk full, leave the old index, the new one, or none."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
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


class Dead(BaseException):
    """A process that is killed: nothing it would do after that is done."""


class Steps:
    """Counts what a build does to the files of runs, and dies before the step of number `last`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int | None) -> None:
        self.n, self._last = 0, last
        for owner, name in (
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (Path, "open"),
            (os, "fsync"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))
        write = Sketch.write

        def torn(sketch: Sketch, into: Callable[[bytes], object]) -> None:
            pieces: list[bytes] = []
            write(sketch, pieces.append)
            data = b"".join(pieces)
            into(data[: len(data) // 2])
            self.step()
            into(data[len(data) // 2 :])

        monkeypatch.setattr(Sketch, "write", torn)

    def step(self) -> None:
        if self._last is not None and self.n >= self._last:
            raise Dead
        self.n += 1

    def _counted(self, change: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **options: object) -> object:
            reads = change.__name__ == "open" and "w" not in "".join(map(str, args[1:]))
            if not reads and (not isinstance(args[0], Path) or "runs" in args[0].parts):
                self.step()
            return change(*args, **options)

        return counted


def after_every_death(store: Path, work: Callable[[Path], object]) -> Iterator[Path]:
    """Copies of a store in which the work died, before each of its steps in turn."""
    for last in range(1000):
        copy = shutil.copytree(store, store.with_name(f"died-{last}"))
        with pytest.MonkeyPatch.context() as monkeypatch:
            steps = Steps(monkeypatch, last)
            try:
                work(copy)
            except Dead:
                pass
            else:
                assert steps.n == last >= 3
                return
        yield copy


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
