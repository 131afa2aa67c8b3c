"""Imported vectors are a run like any other: asked, looked after, resumed after any death, made anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from deaths import Dead, Steps
from folders import files_of
from gensim.models import KeyedVectors
from jsonschema import Draft202012Validator
from program import repstore as command
from synthetic import LEMMAS, SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore import importation, schemas
from repstore.cli import imports
from repstore.errors import ArgumentError, CorpusError, NotFoundError, StoreError
from repstore.importing import Request, Source
from repstore.schemas import json_schema
from repstore.spec import Progress
from repstore.storage.layout import Layout
from repstore.storage.lock import writing


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run whose second layer is, word by word, the vector of its form and noise."""
    folder = tmp_path_factory.mktemp("made")
    forms = sorted({lemma + ending for lemma in LEMMAS for ending in ("", "s")})
    kept = KeyedVectors(6)
    kept.add_vectors(forms, np.random.default_rng(0).normal(size=(len(forms), 6)))
    kept.save_word2vec_format(folder / "static.txt")
    corpus = small_corpus()
    noise = random_layers(80, 6, 2, dtype=np.float32)
    spoken = np.stack([kept[text.words[0].form] for text in corpus.texts()])
    layers = [noise[0].astype(np.float16), (spoken + 0.05 * noise[1]).astype(np.float16)]
    build_store(folder / "store", corpus, [SyntheticRun("model/base", layers)])
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "store", tmp_path / "store")


@pytest.fixture
def source(made: Path) -> str:
    return f"word2vec:{made / 'static.txt'}"


def test_static_vectors_are_asked_what_layers_are_asked(store, source):
    repstore.import_vectors(source, store, model="word2vec")
    with repstore.open(store) as opened:
        assert opened.runs()["run"] == ["model/base", "static"]
        (about,) = opened.sql("SELECT origin, model FROM runs WHERE name = 'static'")
        assert about == {"origin": "imported", "model": "word2vec"}
        alike = opened.compare("cka", run=["static", "model/base"])
        by_layer = {row["layer_b"]: row["cka"] for row in alike}
        assert by_layer[1] > 0.95 > 0.5 > by_layer[0]
        assert len(opened.probe("wic", run="static", resamples=0)) == 1
        assert len(opened.geometry(run="static")) >= 1
        word = opened.words(form="banks")["word_id"][0]
        nearest = opened.neighbors(word, run="static", layer=0, k=3)
        assert set(nearest["form"]) == {"banks"}
        assert opened.sql("SELECT count(*) AS n FROM vectors WHERE run = 'static'")["n"] == [80]
    assert not len(repstore.verify(store))


def test_run_json_obeys_its_schema_and_says_what_was_asked(store, source):
    report = repstore.import_vectors(source, store, case="either")
    value = json.loads((store / "runs" / report.run.run_id / "run.json").read_text())
    validator = Draft202012Validator(json_schema("run"))
    assert [error.message for error in validator.iter_errors(value)] == []
    asked = {"words": None, "corpus": "synthetic", "by": "form", "case": "either", "axes": None}
    assert value["contract"]["asked"] == asked
    assert value["spec"]["pattern"] == "{form:either}"
    assert list(validator.iter_errors(value | {"origin": "encoded"}))


def test_the_same_again_does_nothing(store, source):
    first = repstore.import_vectors(source, store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if "writer" not in path.name}
    again = repstore.import_vectors(source, store)
    assert (first.n_new, again.n_new) == (80, 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(ArgumentError, match='has this run already, as "static"'):
        repstore.import_vectors(source, store, name="other")


def test_a_copy_elsewhere_is_the_same_run_and_another_content_is_not(made, store, source, tmp_path):
    first = repstore.import_vectors(source, store)
    copy = shutil.copy(made / "static.txt", tmp_path / "copy.txt")
    assert repstore.import_vectors(f"word2vec:{copy}", store).run.run_id == first.run.run_id
    text = Path(copy).read_text().replace("bank ", "bunk ")
    Path(copy).write_text(text)
    other = repstore.import_vectors(f"word2vec:{copy}", store)
    assert other.run.run == "copy"
    assert other.run.run_id != first.run.run_id


def test_an_import_that_dies_at_any_step_resumes_to_the_same_bytes(store, source, monkeypatch):
    """At every sixth of its steps."""
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 40)
    whole = shutil.copytree(store, store.with_name("whole"))
    with pytest.MonkeyPatch.context() as patched:
        n_steps = _die(patched, None, source, whole)
    expected = files_of(whole)
    assert sum("parts/part-" in name for name in expected) == 3
    assert n_steps > 15
    for last in range(0, n_steps, 6):
        copy = shutil.copytree(store, store.with_name(f"died-{last}"))
        with pytest.MonkeyPatch.context() as patched, pytest.raises(Dead):
            _die(patched, last, source, copy)
        with repstore.open(copy) as opened:
            assert len(opened.vectors(run="model/base", layer=0).values) == 80
        repstore.import_vectors(source, copy)
        assert files_of(copy) == expected
        assert not len(repstore.verify(copy))


def _die(patched: pytest.MonkeyPatch, last: int | None, source: str, store: Path) -> int:
    """Import until a step of this number; how many were taken, if there is none."""
    steps = Steps(patched, last)
    repstore.import_vectors(source, store)
    return steps.n


PROGRAM = """
import sys, repstore
from repstore import importation, schemas
schemas.MAX_PART_ROWS = 5
repstore.import_vectors(sys.argv[1], sys.argv[2], progress=lambda step: print(step.n_done, flush=True))
assert not {"torch", "transformers", "h5py"} & set(sys.modules)
"""


def test_a_killed_import_resumes_to_the_same_bytes(store, source):
    whole = shutil.copytree(store, store.with_name("whole"))
    subprocess.run([sys.executable, "-c", PROGRAM, source, str(whole)], check=True, capture_output=True)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, source, str(store)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 20:
                child.kill()
                break
    assert 1 <= len(list(store.glob("runs/*/manifest/*"))) - 1 < 16
    (incomplete,) = (one for one in repstore.verify(store) if one["problem"] == "incomplete")
    assert incomplete["detail"].split("; ")[1].startswith("repstore import ")
    subprocess.run([sys.executable, "-c", PROGRAM, source, str(store)], check=True, capture_output=True)
    assert files_of(store) == files_of(whole)


@pytest.mark.parametrize("n_done", [0, 30])
def test_an_interrupted_import_says_the_command_that_resumes_it(store, source, monkeypatch, n_done):
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 30)
    whole = shutil.copytree(store, store.with_name("whole"))
    repstore.import_vectors(source, whole)

    @contextmanager
    def interrupting(*_: object) -> Iterator[Callable[[Progress], None]]:
        def tell(progress: Progress) -> None:
            if progress.message == "Importing" and progress.n_done == n_done:
                raise KeyboardInterrupt

        yield tell

    with monkeypatch.context() as patched:
        patched.setattr(imports, "showing_progress", interrupting)
        stopped = command("import", source, store)
    assert (stopped.code, stopped.out) == (130, "")
    assert shlex.split(stopped.err.partition("To resume: ")[2]) == ["repstore", "import", source, str(store)]
    assert {one["problem"] for one in repstore.verify(store)} <= {"incomplete", "stale"}
    assert command("import", source, store).code == 0
    assert files_of(store) == files_of(whole)


def test_a_full_disk_leaves_a_sound_store(store, source, monkeypatch):
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 30)
    flush, n_left = os.fsync, 12

    def full(descriptor: int) -> None:
        nonlocal n_left
        n_left -= 1
        if n_left < 0:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space.*same command again"):
            repstore.import_vectors(source, store)
    assert {one["problem"] for one in repstore.verify(store)} <= {"incomplete", "stale", "unfinished"}
    repstore.import_vectors(source, store)
    assert not len(repstore.verify(store))


def test_a_disk_without_room_is_refused_before_anything_is_written(store, source, monkeypatch):
    """80 words of one layer of six dimensions, in float16."""
    before = files_of(store)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=80 * 6 * 2 - 1))
    with pytest.raises(StoreError, match=r"store needs 0\.0 GB; 0\.0 GB are free"):
        repstore.import_vectors(source, store)
    assert files_of(store) == before
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=80 * 6 * 2))
    repstore.import_vectors(source, store)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert repstore.import_vectors(source, store).n_new == 0


@pytest.mark.parametrize("name", ["v.npy", "ids.csv"])
@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_changes_under_way_is_refused(store, tmp_path, monkeypatch, name, late):
    """Else the run would be called by what is not in it."""
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 30)
    with repstore.open(store) as opened:
        ids = opened.sql("SELECT word_id FROM words ORDER BY word_id")["word_id"]
    (tmp_path / "ids.csv").write_text("\n".join(map(str, ["word_id", *ids])))
    np.save(tmp_path / "v.npy", np.ones((80, 3)))
    before = files_of(store)
    open_source = importation.open_source

    def change(*_: object) -> None:
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    def then_changed(request: Request) -> Source:
        found = open_source(request)
        change()
        return found

    def tell(progress: Progress) -> None:
        if late and progress.n_done == 30:
            change()

    if not late:
        monkeypatch.setattr(importation, "open_source", then_changed)
    with pytest.raises(CorpusError, match=rf"{name} changed while it was read"):
        repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", store, words=tmp_path / "ids.csv", progress=tell)
    assert (files_of(store) == before) is not late
    assert len(list(store.glob("runs/*/parts/part-*.parquet"))) == 1 + late


def test_one_writer_at_a_time(store, source):
    with writing(Layout(store)):
        failed: list[Exception] = []

        def work() -> None:
            try:
                repstore.import_vectors(source, store)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert "is being written by process" in str(failed[0])


def remade(store: Path) -> None:
    """Repair a store, and run the commands that it says."""
    for line in repstore.repair(store):
        if line.strip().startswith("repstore import"):
            outcome = command(*shlex.split(line)[1:])
            assert outcome.code == 0, outcome.err


def test_a_damaged_part_is_made_anew_by_the_command_that_repair_says(store, source):
    report = repstore.import_vectors(
        source, store, by="lemma", case="lower", name="my vectors", model="it's mine"
    )
    expected = files_of(store)
    (part,) = store.glob(f"runs/{report.run.run_id}/parts/*")
    part.write_bytes(part.read_bytes()[:-1])
    remade(store)
    shutil.rmtree(store / "quarantine")
    assert files_of(store) == expected


def test_a_corpus_that_came_along_comes_again_by_the_command_that_repair_says(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((2, 2, 3)))
    (tmp_path / "words.csv").write_text("text,char_start,char_end\nA bank,2,6\nA palm,2,6\n")
    store = tmp_path / "store"
    repstore.import_vectors(
        f"npy:{tmp_path / 'v.npy'}",
        store,
        words=tmp_path / "words.csv",
        axes="layers,words",
        corpus_name="two words",
    )
    expected = files_of(store)
    (texts,) = store.glob("corpora/*/texts.parquet")
    texts.write_bytes(b"")
    remade(store)
    shutil.rmtree(store / "quarantine")
    assert files_of(store) == expected


def test_of_a_run_over_a_corpus_that_an_import_brought_no_wrong_command_is_said(tmp_path):
    """What was ingested had the same words, and where they were the store does not know."""
    np.save(tmp_path / "v.npy", np.ones((80, 3)))
    other = build_store(tmp_path / "other", small_corpus(n_dev=0, n_test=0))
    with repstore.open(other) as opened:
        words = opened.sql("SELECT * FROM words JOIN texts USING (text_id) ORDER BY word_id")
    words.to_pandas().drop(columns="spans").to_json(tmp_path / "w.jsonl", orient="records", lines=True)
    store = tmp_path / "store"
    source = f"npy:{tmp_path / 'v.npy'}"
    brought = repstore.import_vectors(source, store, words=tmp_path / "w.jsonl", corpus_name="synthetic")
    unfinished = SyntheticRun("m", random_layers(80, 3, 1), 30, n_committed=1)
    build_store(store, small_corpus(n_dev=0, n_test=0), [unfinished])
    (incomplete,) = (one for one in repstore.verify(store) if one["problem"] == "incomplete")
    assert incomplete["path"] != f"runs/{brought.run.run_id}"
    came = f"its corpus, synthetic, had come along with words:{tmp_path / 'w.jsonl'}"
    assert incomplete["detail"].endswith(f"; the command that ingested m: {came}")


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: repstore.audit(store, run="static"),
        lambda store: repstore.encode_word(store, "bank", "The bank.", run="static"),
    ],
)
def test_what_would_run_a_model_again_is_refused(store, source, ask):
    repstore.import_vectors(source, store)
    with pytest.raises(ArgumentError, match=r"static was imported from word2vec:.*, not encoded"):
        ask(store)


def test_an_imported_run_says_what_it_was_imported_from(store, source):
    """And nothing of a template or a pooling, which it does not have."""
    repstore.import_vectors(source, store, model="counts")
    with repstore.open(store) as opened:
        shown = dict(
            zip(*(opened.run("static")._shown()[column] for column in ("property", "value")), strict=True)
        )
        assert shown == {
            "model": "counts",
            "corpus": "synthetic",
            "imported from": source,
            "words": "80 with vectors, 0 skipped, 0 to come",
            "layers": "0, of 6 dimensions",
        }
        row = next(row for row in opened.runs() if row["run"] == "static")
        assert (row["origin"], row["model"]) == ("imported", "counts")
        with pytest.raises(
            NotFoundError, match=r"static has no layer 1; it has 0 alone\. Ask of it by itself\.$"
        ):
            opened.vectors(run="static", layer=1)


def test_the_command_reports_to_stdout_and_its_progress_to_stderr(store, source):
    outcome = command("import", source, store)
    assert (outcome.code, outcome.out) == (0, "static: 80 word vectors, 0 words skipped\n")
    assert "Importing" in outcome.err
    again = command("import", source, store)
    assert again.out == "static: nothing to do; it has 80 word vectors, 0 words skipped\n"


def test_the_command_says_what_was_skipped_and_what_is_odd(store, tmp_path):
    (tmp_path / "g.txt").write_text("bank 1 2\nbank 1 2\n")
    outcome = command("import", f"glove:{tmp_path / 'g.txt'}", store, "--model", "GloVe")
    assert re.fullmatch(r"g: \d+ word vectors, \d+ words? skipped\n", outcome.out)
    assert "were skipped; see why in the table skipped" in outcome.err
    assert "the first counts" in outcome.err
    refused = command("import", "glove:absent", store)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.splitlines()[-1].startswith("repstore: absent does not exist.")
