"""``repstore ingest`` on a tiny model: what it prints where, and that a second call does nothing."""

import json
import re
import shlex
import signal
from pathlib import Path

import pytest
from program import repstore as command

from repstore.cli.render import showing_progress
from repstore.spec import Progress

PAIRS = [
    ("bank", "N", "3-2", "We walked along the bank .", "Open a bank account .", "F"),
    ("bank", "N", "3-1", "We walked along the bank .", "River banks flood .", "T"),
    ("run", "V", "1-2", "They ran home .", "Children often run .", "T"),
    ("run", "V", "1-1", "They ran home .", "She runs a shop .", "F"),
]


@pytest.fixture(scope="module")
def wic(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wic")
    for split in ("train", "dev", "test"):
        (folder / split).mkdir()
        rows = ["\t".join(pair[:5]).replace("bank", f"bank{split}") for pair in PAIRS]
        (folder / split / f"{split}.data.txt").write_text("\n".join(rows) + "\n")
        (folder / split / f"{split}.gold.txt").write_text("\n".join(pair[5] for pair in PAIRS) + "\n")
    return folder


@pytest.fixture(scope="module")
def ingested(wic, tiny_model, tmp_path_factory):
    """The exact form of the README, once; the store and what was said."""
    store = tmp_path_factory.mktemp("stores") / "store"
    arguments = ["ingest", f"wic:{wic}", store, "--model", tiny_model("llama")]
    arguments += ["--template", "base", "--template", "repeat"]
    return store, arguments, command(*arguments)


def test_an_ingest_reports_its_runs_to_stdout_and_its_progress_to_stderr(ingested):
    _, _, outcome = ingested
    assert outcome.code == 0
    assert outcome.out == (
        "llama/base: 18 word vectors, 0 words skipped\nllama/repeat: 18 word vectors, 0 words skipped\n"
    )
    assert "Reading the corpus" in outcome.err
    assert "Encoding" in outcome.err
    assert "llama/base: " not in outcome.err


def test_the_same_ingest_again_says_that_there_is_nothing_to_do(ingested):
    store, arguments, _ = ingested
    before = {path: path.stat().st_mtime_ns for path in store.rglob("part-*")}
    outcome = command(*arguments)
    assert outcome.code == 0
    assert [line.split(";")[0] for line in outcome.out.splitlines()] == [
        "llama/base: nothing to do",
        "llama/repeat: nothing to do",
    ]
    assert {path: path.stat().st_mtime_ns for path in store.rglob("part-*")} == before


def test_the_ingested_runs_have_the_default_names_and_can_be_probed(ingested):
    store, _, _ = ingested
    runs = json.loads(command("runs", store, "--format", "json").out)
    assert [(run["run"], run["n_vectors"]) for run in runs] == [("llama/base", 18), ("llama/repeat", 18)]
    for run in runs:
        rows = json.loads(command("probe", "wic", store, "--run", run["run"], "--format", "json").out)
        assert [row["layer"] for row in rows] == list(range(run["n_layers"]))
        assert {row["n_pairs"] for row in rows} == {4}
        assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_a_model_that_is_missing_is_one_message_and_leaves_no_store(wic, tmp_path):
    outcome = command("ingest", f"wic:{wic}", tmp_path / "store", "--model", tmp_path / "no model")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-1].startswith("repstore: ")
    assert "no model" in outcome.err
    assert not (tmp_path / "store").exists()


def test_a_folder_that_is_no_store_is_left_alone(wic, tiny_model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    outcome = command("ingest", f"wic:{wic}", tmp_path, "--model", tiny_model("llama"))
    assert outcome.code == 1
    assert "is not a store and not empty" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_ingest_that_is_asked_to_end_says_how_to_resume(wic, tiny_model, tmp_path, monkeypatch):
    """SIGTERM, as a scheduler sends it, in the middle of the first batch."""

    def end(*args) -> None:
        signal.raise_signal(signal.SIGTERM)

    arguments = ["ingest", f"wic:{wic}", tmp_path / "store", "--model", tiny_model("llama")]
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr("repstore.encode.encoder.Encoder.start", end)
        outcome = command(*arguments)
    assert outcome.code == 143
    assert outcome.err.splitlines()[-1].endswith(
        f"To resume: {shlex.join(['repstore', *map(str, arguments)])}"
    )
    assert signal.getsignal(signal.SIGTERM) == before
    assert command(*arguments).code == 0


def test_the_plan_of_a_dry_run_is_its_result(wic, tiny_model, tmp_path):
    outcome = command("ingest", f"wic:{wic}", tmp_path / "store", "--model", tiny_model("llama"), "--dry-run")
    assert outcome.code == 0
    assert outcome.out.startswith("Plan: ")
    assert "Plan: " not in outcome.err
    assert not (tmp_path / "store").exists()


def test_without_a_terminal_every_tenth_is_a_line_with_the_time_left(capsys):
    with showing_progress() as progress:
        for n_done in range(0, 1001, 5):
            progress(Progress("Encoding", n_done, 1000))
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == [f"Encoding {10 * n} %" for n in range(11)]
    assert all(re.fullmatch(r"Encoding \d+ %, about \d:\d\d:\d\d left", line) for line in said[1:-1])
