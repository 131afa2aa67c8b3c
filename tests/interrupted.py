"""Ingests that are killed: a program for the tests and for ``make soak``.

    python tests/interrupted.py MODEL CORPUS FOLDER --kills 200 --seed 0

Every ingest runs in a process of its own, forked from a server that has loaded the libraries but not used
them, and is killed at a random instant; the next one resumes. Whenever one gets through, its store must be,
file by file, the one that was never interrupted. After every kill the store is read: whatever is committed
must be right.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
from folders import files_of

import repstore
from repstore import schemas
from repstore.errors import StoreNotFoundError

TEMPLATES = ("base", "repeat", "prompt2")
ROWS_PER_PART = 8


def ingest(model: str, corpus: str, store: str) -> None:
    """Ingest in small parts. Runs in a child process."""
    import torch

    torch.set_num_threads(1)
    schemas.MAX_PART_ROWS = ROWS_PER_PART
    repstore.ingest(corpus, store, model=model, templates=TEMPLATES)


def check_readable(store: Path, reference: repstore.Store) -> int:
    """Compare whatever the store shows with the finished one. Returns the number of vectors seen."""
    try:
        opened = repstore.open(store)
    except StoreNotFoundError:
        return 0
    n_seen = 0
    with opened:
        for run in opened.runs():
            if not run["n_vectors"]:
                continue
            for layer in (0, run["n_layers"] - 1):
                shown, expected = (each.vectors(run=run["run"], layer=layer) for each in (opened, reference))
                rows = np.searchsorted(expected.word_ids, shown.word_ids)
                assert np.array_equal(expected.word_ids[rows], shown.word_ids)
                assert np.array_equal(expected.values[rows], shown.values)
                n_seen += len(shown.word_ids)
    return n_seen


def run(model: str, corpus: str, folder: Path, kills: int, seed: int) -> str:
    """Kill ingests until `kills` of them died; returns a line that says what was seen."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "transformers", "repstore.groups", "repstore.encode.blocks"])

    def start(store: Path) -> ForkServerProcess:
        process = context.Process(target=ingest, args=(model, corpus, str(store)))
        process.start()
        return process

    for name in ("warm-up", "whole"):
        began = time.monotonic()
        uninterrupted = start(folder / name)
        uninterrupted.join()
        assert uninterrupted.exitcode == 0, "an uninterrupted ingest failed"
        duration = time.monotonic() - began
    whole = folder / "whole"
    expected = files_of(whole)
    assert files_of(folder / "warm-up") == expected
    instants = random.Random(seed)
    n_killed = n_finished = n_seen = 0
    store = folder / "killed"
    with repstore.open(whole) as reference:
        while n_killed < kills or n_finished == 0:
            process = start(store)
            process.join(instants.uniform(0, duration) if n_killed < kills else None)
            if process.exitcode is None:
                process.kill()
                process.join()
                n_killed += 1
                n_seen += check_readable(store, reference)
                continue
            assert process.exitcode == 0, "an ingest that was not killed failed"
            n_finished += 1
            resumed = files_of(store)
            assert resumed.keys() == expected.keys()
            assert all(resumed[name] == expected[name] for name in expected)
            assert not len(repstore.verify(store))
            shutil.rmtree(store)
    return f"{n_killed} killed, {n_finished} finished with the same bytes, {n_seen} vectors read in between"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(run(arguments.model, arguments.corpus, arguments.folder, arguments.kills, arguments.seed))
