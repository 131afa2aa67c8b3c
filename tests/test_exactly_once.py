"""An ingest may die at any instant: what it leaves is valid, and resuming it ends with the same bytes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import repstore
from repstore.errors import StoreError, StoreNotFoundError
from repstore.storage.layout import Layout
from repstore.storage.lock import writing

HERE = Path(__file__).parent


@pytest.fixture
def few_sentences(sentences: Path, tmp_path: Path) -> Path:
    path = tmp_path / "few.jsonl"
    path.write_text("".join(sentences.read_text(encoding="utf-8").splitlines(keepends=True)[:24]))
    return path


def test_a_killed_ingest_resumes_to_the_same_bytes(
    tiny_model: Callable[[str], Path], few_sentences: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(HERE / "interrupted.py"), str(tiny_model("llama"))]
    command += [f"senses:{few_sentences}", str(tmp_path), "--kills", "25", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("25 killed")


def test_an_ingest_that_dies_at_any_step_or_meets_a_full_disk_resumes_to_the_same_bytes(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """At a sample of its steps; ``make soak`` takes every one."""
    (tmp_path / "corpus.txt").write_text("The bank of the river\nA bank\n\nlast words here\n")
    command = [sys.executable, str(HERE / "injected.py"), str(tiny_model("llama"))]
    command += [f"text:{tmp_path / 'corpus.txt'}", str(tmp_path), "--sample", "25", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("25 deaths")


def test_verify_finds_nothing_wrong_while_an_ingest_works(
    tiny_model: Callable[[str], Path], few_sentences: Path, tmp_path: Path
) -> None:
    """Neither parts that are just being written nor the catalog that is just being replaced."""
    ingest = "import sys; from interrupted import ingest; ingest(*sys.argv[1:])"
    store = tmp_path / "store"
    arguments = [str(tiny_model("llama")), f"senses:{few_sentences}", str(store)]
    said: list[dict[str, str]] = []
    with subprocess.Popen([sys.executable, "-c", ingest, *arguments], cwd=HERE) as writer:
        while writer.poll() is None:
            try:
                said += repstore.verify(store)
            except StoreNotFoundError:
                continue
    assert writer.returncode == 0
    assert {finding["problem"] for finding in said} == {"writing"}
    assert f"process {writer.pid} on" in said[0]["detail"]
    assert not list(repstore.verify(store))


def test_verify_beside_a_writer_still_judges_what_is_committed(
    tiny_model: Callable[[str], Path], few_sentences: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    repstore.ingest(f"senses:{few_sentences}", store, model=str(tiny_model("llama")))
    (part,) = store.glob("runs/*/parts/*")
    part.write_bytes(part.read_bytes()[:-1])
    with writing(Layout(store)):
        found = {finding["path"]: finding["problem"] for finding in repstore.verify(store)}
    assert found == {part.relative_to(store).as_posix(): "damaged", "writer.lock": "writing"}


def test_readers_never_see_an_error_or_a_torn_row(
    tiny_model: Callable[[str], Path], few_sentences: Path, tmp_path: Path
) -> None:
    model, corpus = str(tiny_model("llama")), f"senses:{few_sentences}"
    ingest = "import sys; from interrupted import ingest; ingest(*sys.argv[1:])"
    whole, growing = tmp_path / "whole", tmp_path / "growing"
    subprocess.run([sys.executable, "-c", ingest, model, corpus, str(whole)], cwd=HERE, check=True)
    writer = subprocess.Popen([sys.executable, "-c", ingest, model, corpus, str(growing)], cwd=HERE)
    reads: list[int] = []
    failures: list[Exception] = []

    def read(seed: int) -> None:
        generator = np.random.default_rng(seed)
        with repstore.open(whole) as reference:
            while writer.poll() is None:
                try:
                    with repstore.open(growing) as store:
                        reads.append(_check_a_question(store, reference, generator))
                except StoreNotFoundError:
                    continue
                except Exception as error:
                    failures.append(error)
                    return

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert writer.returncode == 0
    assert not failures
    assert len(set(reads)) > 2, "the readers saw the store only empty or whole"


def _check_a_question(
    store: repstore.Store, reference: repstore.Store, generator: np.random.Generator
) -> int:
    """Ask the growing store something, and hold it against the finished one. Returns how much was there."""
    runs = [row for row in store.runs() if row["n_vectors"]]
    if not runs:
        return 0
    run = runs[generator.integers(len(runs))]
    layer = int(generator.integers(run["n_layers"]))
    shown, expected = (each.vectors(run=run["run"], layer=layer) for each in (store, reference))
    assert len(shown.word_ids) == run["n_vectors"]
    assert np.array_equal(shown.values, expected.values[np.searchsorted(expected.word_ids, shown.word_ids)])
    word_id = int(generator.choice(shown.word_ids))
    neighbors = store.neighbors(word_id, run=run["run"], layer=layer, k=3)
    assert set(neighbors["word_id"]) <= set(shown.word_ids.tolist())
    return sum(row["n_vectors"] for row in runs)


def test_a_full_disk_leaves_what_was_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from repstore.storage import files

    files.write_durably(tmp_path / "first", [b"whole"])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space.*same command again"):
        files.write_durably(tmp_path / "second", [b"torn"])
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
