"""Ingesting what is there already, in whole or in part: nothing is made twice, a resume leaves no trace."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import files_of
from tiny import save

import repstore
from repstore import schemas
from repstore.encode import encoder
from repstore.encode.encoder import Encoder
from repstore.errors import StoreError

TEMPLATES = ["base", "repeat"]


class InterruptionError(Exception):
    pass


class StopAt:
    """A progress callback that stops the ingest once this many vectors are done."""

    def __init__(self, n_done: int) -> None:
        self.n_done = n_done

    def __call__(self, progress: repstore.Progress) -> None:
        if progress.n_done >= self.n_done:
            raise InterruptionError


@pytest.fixture(scope="module", autouse=True)
def small_parts():
    """Parts of 7 words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas, "MAX_PART_ROWS", 7)
        yield


@pytest.fixture(scope="module")
def ingest(small_parts, tiny_model, sentences):
    """Ingest 60 words with two templates, so 9 parts each."""

    def run(store: Path, templates: list[str] = TEMPLATES, **options) -> repstore.IngestReport:
        model = str(tiny_model("gpt2"))
        return repstore.ingest(f"senses:{sentences}", store, model=model, templates=templates, **options)

    return run


@pytest.fixture(scope="module")
def whole(ingest, tmp_path_factory) -> dict[str, bytes]:
    """The files of a store whose ingest was not interrupted."""
    store = tmp_path_factory.mktemp("whole") / "store"
    ingest(store)
    return files_of(store)


@pytest.fixture
def no_model(monkeypatch):
    """Loading a model fails."""

    def refuse(*args) -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(Encoder, "__init__", refuse)


def test_a_second_ingest_changes_nothing_and_loads_no_model(ingest, tmp_path, request):
    first = ingest(tmp_path / "store")
    before = files_of(tmp_path / "store")
    request.getfixturevalue("no_model")

    again = ingest(tmp_path / "store")

    assert (first.n_new, again.n_new) == (120, 0)
    assert [(run.run_id, run.n_vectors) for run in again.runs] == [
        (run.run_id, run.n_vectors) for run in first.runs
    ]
    assert files_of(tmp_path / "store") == before


def test_the_same_input_gives_the_same_bytes_in_another_store(ingest, whole, tmp_path):
    ingest(tmp_path / "store")
    assert files_of(tmp_path / "store") == whole


@pytest.mark.parametrize("n_done", [1, 50, 120])
def test_an_interrupted_ingest_resumes_to_the_bytes_of_an_uninterrupted_one(ingest, whole, tmp_path, n_done):
    with pytest.raises(InterruptionError):
        ingest(tmp_path / "resumed", progress=StopAt(n_done))
    n_kept = len(list((tmp_path / "resumed").glob("runs/*/manifest/part-*.json")))
    assert n_kept < 18

    report = ingest(tmp_path / "resumed")

    assert 0 < report.n_new <= 120
    assert files_of(tmp_path / "resumed") == whole


def test_what_is_committed_when_an_ingest_stops_can_be_read(ingest, tmp_path):
    with pytest.raises(InterruptionError):
        ingest(tmp_path / "store", progress=StopAt(70))
    with repstore.open(tmp_path / "store") as store:
        rows = list(store.runs())
        assert all(0 < row["n_committed"] < row["n_parts"] for row in rows)
        for row in rows:
            vectors = store.vectors(run=row["run"], layer=4)
            assert len(vectors.word_ids) == row["n_vectors"] == len(vectors.values)
            assert np.isfinite(vectors.values).all()


def test_committed_parts_are_not_written_again(ingest, tmp_path):
    with pytest.raises(InterruptionError):
        ingest(tmp_path / "store", progress=StopAt(70))
    committed = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("runs/*/manifest/part-*.json")
    }
    ingest(tmp_path / "store")
    assert committed
    assert all(path.stat().st_mtime_ns == written for path, written in committed.items())


@pytest.mark.parametrize("lost", [["base"], ["repeat"], ["base", "repeat"]])
def test_a_crash_between_the_commits_of_two_runs_leaves_no_trace(ingest, whole, tmp_path, lost):
    report = ingest(tmp_path / "store")
    for run, template in zip(report.runs, TEMPLATES, strict=True):
        if template in lost:
            folder = tmp_path / "store" / "runs" / run.run_id
            (folder / "manifest" / "part-00003.json").unlink()
            (folder / "parts" / "part-00003.parquet").write_bytes(b"half a part")

    assert ingest(tmp_path / "store").n_new == 7 * len(lost)
    assert files_of(tmp_path / "store") == whole


def test_a_crash_before_the_second_run_was_recorded_leaves_no_trace(ingest, whole, tmp_path):
    report = ingest(tmp_path / "store")
    base, repeat = (tmp_path / "store" / "runs" / run.run_id for run in report.runs)
    shutil.rmtree(repeat)
    for path in base.glob("*/*"):
        path.unlink()

    assert ingest(tmp_path / "store").n_new == 120
    assert files_of(tmp_path / "store") == whole


def test_a_run_can_be_resumed_though_its_companion_is_gone(ingest, tmp_path):
    report = ingest(tmp_path / "store")
    base, repeat = (tmp_path / "store" / "runs" / run.run_id for run in report.runs)
    shutil.rmtree(repeat)
    (base / "manifest" / "part-00003.json").unlink()

    assert ingest(tmp_path / "store", templates=["base"]).n_new == 7


def test_a_resumed_run_keeps_its_batches(ingest, tmp_path):
    ingest(tmp_path / "whole", batch_tokens=300)
    with pytest.raises(InterruptionError):
        ingest(tmp_path / "resumed", batch_tokens=300, progress=StopAt(50))
    ingest(tmp_path / "resumed", batch_tokens=2000)
    assert files_of(tmp_path / "resumed") == files_of(tmp_path / "whole")


def test_a_run_begun_with_other_versions_is_not_resumed(ingest, tmp_path, monkeypatch):
    """Some of its vectors would differ, in their last bits, from what run.json says of all."""
    with pytest.raises(InterruptionError):
        ingest(tmp_path / "store", progress=StopAt(50))
    before = files_of(tmp_path / "store")
    monkeypatch.setattr(encoder.transformers, "__version__", "99.0")
    with pytest.raises(StoreError, match=r"was begun with versions.*Resume it as it was begun"):
        ingest(tmp_path / "store")
    assert files_of(tmp_path / "store") == before


def test_a_template_can_be_added_later(ingest, tmp_path):
    ingest(tmp_path / "store", templates=["base"])
    before = files_of(tmp_path / "store")
    report = ingest(tmp_path / "store", templates=["repeat_prev", "base"])
    assert [(run.run, run.n_new) for run in report.runs] == [("gpt2/repeat_prev", 60), ("gpt2/base", 0)]
    after = files_of(tmp_path / "store")
    assert {path: after[path] for path in before} == before


def test_other_weights_of_the_same_name_need_a_name_of_their_own(ingest, sentences, tmp_path):
    ingest(tmp_path / "store", templates=["base"])
    before = files_of(tmp_path / "store")
    other = str(save("gpt2", tmp_path / "gpt2", seed=1))

    with pytest.raises(repstore.RepstoreError, match=r"other weights or settings.*--name"):
        repstore.ingest(f"senses:{sentences}", tmp_path / "store", model=other)
    assert files_of(tmp_path / "store") == before

    report = repstore.ingest(f"senses:{sentences}", tmp_path / "store", model=other, name="gpt2-seed-1")
    assert [run.run for run in report.runs] == ["gpt2-seed-1"]
    with repstore.open(tmp_path / "store") as store:
        a, b = (store.vectors(run=run, layer=4).values for run in ("gpt2/base", "gpt2-seed-1"))
        assert not np.array_equal(a, b)


def test_the_place_of_a_model_does_not_make_another_run(ingest, tiny_model, sentences, tmp_path):
    ingest(tmp_path / "store", templates=["base"])
    moved = shutil.copytree(tiny_model("gpt2"), tmp_path / "moved")
    report = repstore.ingest(f"senses:{sentences}", tmp_path / "store", model=str(moved))
    assert report.n_new == 0
