"""Ingests that die at every step they take in the file system, or find the disk full: a program for the tests
and ``make soak``.

    python tests/injected.py MODEL CORPUS FOLDER --sample 40 --seed 0

A step is opening a file for writing, half a write, the other half, a flush, a rename, a new folder, a
removal; dying before a step is dying after the one before it. The libraries and the model are loaded once;
every ingest is a fork of that process, so that its death takes nothing along. After each death a second fork
reads what is there, runs the same ingest again, and compares the store with the one never interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pathlib
import random
import re
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from folders import files_of
from interrupted import check_readable

import repstore
from repstore import schemas
from repstore.errors import StoreError, StoreNotFoundError

TEMPLATES = ("base", "prompt2")
ROWS_PER_PART = 4
DIED = 86
ROOM = [0, 100, 1_000, 1_500, 2_000, 13_000, 300_000, 2_000_000]
"""Bytes a file may have before the operating system refuses to write on, as it does on a full disk."""

CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
HARMLESS = {"unfinished", "incomplete", "foreign", "stale"}
"""What `verify` may find after a death; that the first catalog is missing, too, but never that what was
committed is damaged."""


class Steps:
    """Counts the steps of this process below a folder, and dies before the one of number `last`."""

    def __init__(self, folder: Path, last: int | None) -> None:
        self.n = 0
        self._last = last
        self._folder = str(folder)

    def __call__(self) -> None:
        if self.n == self._last:
            os._exit(DIED)
        self.n += 1

    def watch(self) -> None:
        """From now on. There is no way back, so only a fork calls this."""
        sys.addaudithook(self._hear)
        steps, flush, opened = self, os.fsync, pathlib.Path.open

        class Torn(io.FileIO):
            """A file whose writes come in two halves."""

            is_torn = False

            def write(self, data: Any) -> int:
                view = memoryview(data).cast("B")
                self.is_torn = not self.is_torn and len(view) > 1
                steps()
                return super().write(view[: len(view) // 2] if self.is_torn else view)

        def open_(path: Path, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
            if (mode, buffering) == ("wb", 0):
                return Torn(path, mode)
            return opened(path, mode, buffering, *args, **options)

        def fsync(descriptor: int) -> None:
            steps()
            flush(descriptor)

        pathlib.Path.open = open_
        os.fsync = fsync

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITES)
        # A removal in the course of rmtree names a file relative to a folder that is open.
        if changes and (str(arguments[0]).startswith(self._folder) or event in ("os.remove", "os.rmdir")):
            self()


def fork(work: Callable[[], object]) -> int:
    """Run `work` in a fork; its exit status, 1 after an error."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def count_steps(ingest: Callable[[Path], object], store: Path) -> int:
    """How many steps an uninterrupted ingest takes. The store is left behind."""
    with tempfile.TemporaryFile("w+") as told:

        def work() -> None:
            steps = Steps(store, None)
            steps.watch()
            ingest(store)
            print(steps.n, file=told, flush=True)

        assert fork(work) == 0, "an uninterrupted ingest failed"
        told.seek(0)
        return int(told.read())


def check(ingest: Callable[[Path], object], store: Path, whole: Path) -> None:
    """Read what a death left, resume, and compare."""
    with repstore.open(whole) as reference:
        check_readable(store, reference)
    with contextlib.suppress(StoreNotFoundError):
        for finding in repstore.verify(store):
            is_late = finding["path"] == "catalog.duckdb" and finding["problem"] == "missing"
            assert is_late or finding["problem"] in HARMLESS, finding
    ingest(store)
    resumed, expected = files_of(store), files_of(whole)
    assert resumed.keys() == expected.keys(), resumed.keys() ^ expected.keys()
    assert all(resumed[name] == expected[name] for name in expected)
    assert not list(repstore.verify(store))


def fill(ingest: Callable[[Path], object], store: Path, room: int) -> None:
    """Ingest where no file gets larger than this. Python ignores the signal, so that writing fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        ingest(store)
    except StoreError as error:
        message = str(error)
        assert re.fullmatch(r".+ cannot be written: .*File too large.* the same command again\.", message)
        assert not [path for path in store.rglob("*.tmp") if path.is_file()], "its space is given back"
    else:
        raise AssertionError("it was written all the same")


def run(model: str, corpus: str, folder: Path, sample: int | None, seed: int) -> str:
    """Die at `sample` of the steps, or at every one; returns a line that says what was seen."""
    ingest = prepare(model, corpus)
    whole = folder / "whole"
    n_steps = count_steps(ingest, whole)
    chosen = range(n_steps)
    if sample is not None:
        chosen = sorted(random.Random(seed).sample(chosen, min(sample, n_steps)))
    failed = []
    store = folder / "killed"
    for n in chosen:

        def die(n: int = n) -> None:
            Steps(store, n).watch()
            ingest(store)

        status = fork(die)
        assert status == DIED, f"step {n} of {n_steps}: exit code {status}"
        if fork(lambda: check(ingest, store, whole)):
            failed.append(n)
        shutil.rmtree(store, ignore_errors=True)
    assert not failed, f"deaths before these steps of {n_steps} left something wrong: {failed}"
    for room in ROOM:
        assert fork(lambda room=room: fill(ingest, store, room)) == 0, f"{room} bytes of room"
        assert fork(lambda: check(ingest, store, whole)) == 0, f"{room} bytes of room"
        shutil.rmtree(store)
    return (
        f"{len(chosen)} deaths at {n_steps} steps and {len(ROOM)} full disks, all resumed to the same bytes"
    )


def prepare(model: str, corpus: str) -> Callable[[Path], object]:
    """Load a model, and return an ingest that uses it. No threads run when it returns."""
    import pandas  # noqa: F401  # pyarrow would import it in every fork
    import torch

    import repstore.groups
    import repstore.ingestion
    import repstore.store
    import repstore.upkeep
    from repstore.encode import blocks, encoder  # noqa: F401
    from repstore.encode.models import find_model

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    schemas.MAX_PART_ROWS = ROWS_PER_PART
    loaded = encoder.Encoder(find_model(model, print), "float32", "cpu")
    encoder.Encoder = lambda *args, **options: loaded
    return lambda store: repstore.ingest(corpus, store, model=model, templates=TEMPLATES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, help="die at so many steps instead of all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(run(arguments.model, arguments.corpus, arguments.folder, arguments.sample, arguments.seed))
