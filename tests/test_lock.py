"""One writer per store, whatever becomes of it; the other writer is another process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import StoreError, StoreLockedError
from repstore.storage.layout import Layout
from repstore.storage.lock import writer_of, writing
from repstore.storage.runs import create_store

HOLD = """
import pathlib, sys
from repstore.storage.layout import Layout
from repstore.storage.lock import writing
with writing(Layout(pathlib.Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def layout(tmp_path) -> Layout:
    return new_store(tmp_path / "store")


def new_store(root: Path) -> Layout:
    create_store(root)
    return Layout(root)


@contextmanager
def another_writer(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_told_who_holds_the_lock(layout):
    refused = pytest.raises(StoreLockedError)
    with another_writer(layout.root) as holder, refused as refusal, writing(layout):
        pass
    assert f"process {holder.pid} on {socket.gethostname()}" in str(refusal.value)
    assert str(layout.root) in str(refusal.value)


def test_the_lock_is_free_when_its_holder_is_done(layout):
    with another_writer(layout.root) as holder:
        holder.communicate()
        assert holder.returncode == 0
        with writing(layout):
            pass


def test_the_lock_is_free_when_its_holder_was_killed(layout):
    with another_writer(layout.root) as holder:
        holder.kill()
        holder.wait()
        with writing(layout):
            pass


def test_the_holder_named_is_the_present_one_not_one_that_was_killed(layout):
    with another_writer(layout.root) as dead:
        dead.kill()
        dead.wait()
    refused = pytest.raises(StoreLockedError)
    with another_writer(layout.root) as holder, refused as refusal, writing(layout):
        pass
    assert f"process {holder.pid} on" in str(refusal.value)


def test_a_writer_is_refused_in_its_own_process_too(layout):
    with writing(layout):
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()} on"), writing(layout):
            pass
        with pytest.raises(StoreLockedError), writing(layout):
            pass


def test_an_error_while_writing_frees_the_lock(layout):
    with pytest.raises(ZeroDivisionError), writing(layout):
        1 / 0  # noqa: B018
    with writing(layout):
        pass


def test_a_holder_that_cannot_be_named_still_holds(layout):
    """Between taking the lock and leaving its name, and the other way round."""
    with another_writer(layout.root):
        for file in layout.root.glob("*.json"):
            if file != layout.marker:
                file.write_text("")
        with pytest.raises(StoreLockedError, match="another process"), writing(layout):
            pass


def test_stores_are_locked_one_by_one(tmp_path):
    with writing(new_store(tmp_path / "one")), writing(new_store(tmp_path / "other")):
        pass


def test_readers_need_no_lock(tmp_path):
    root = build_store(tmp_path / "store", small_corpus(5, 0, 0), [SyntheticRun("a", random_layers(5, 2, 1))])
    with another_writer(root), repstore.open(root) as store:
        assert len(store.words()) == 5
        assert len(store.vectors(layer=0).word_ids) == 5


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path, monkeypatch):
    def refuse(path: Path, *args, **options) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    refused = pytest.raises(StoreError, match="store cannot be written to: Read-only file system")
    with refused, writing(Layout(tmp_path / "new" / "store")):
        pass


def test_asking_who_writes_names_the_writer_and_writes_nothing(layout):
    before = sorted(layout.root.iterdir())
    assert writer_of(layout) is None
    assert sorted(layout.root.iterdir()) == before
    with another_writer(layout.root) as holder:
        assert writer_of(layout) == f"process {holder.pid} on {socket.gethostname()}"
    assert writer_of(layout) is None


def test_asking_who_writes_does_not_keep_a_writer_away(layout):
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            writer_of(layout)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(100):
            with writing(layout):
                pass
    finally:
        stop.set()
        asking.join()


def test_an_ingest_is_refused_while_another_writes(tmp_path, tiny_model, sentences):
    root = new_store(tmp_path / "store").root
    with another_writer(root) as holder:
        before = sorted(path.name for path in root.iterdir())
        with pytest.raises(StoreLockedError, match=f"process {holder.pid} on"):
            repstore.ingest(f"senses:{sentences}", root, model=str(tiny_model("bert")))
        assert sorted(path.name for path in root.iterdir()) == before
