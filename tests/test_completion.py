"""What shells may offer next: commands, options, choices, and the names that the store on the line knows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.cli import completing
from repstore.storage.layout import Layout

HEAVY = {"duckdb", "pyarrow", "numpy", "torch", "sklearn", "faiss"}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    runs = [
        SyntheticRun("m/base", random_layers(80, 6, 12)),
        SyntheticRun("m/repeat", random_layers(80, 6, 3, seed=1)),
    ]
    root = build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), runs)
    build_store(root, small_corpus(name="other"), [SyntheticRun("m/base", random_layers(80, 6, 12))])
    for name, run in (("pca3", "m/repeat"), ("center", "m/repeat")):
        repstore.fit_transform(root, name, kind="center", run=run, layer=0)
    return root


@pytest.fixture
def offered(store, monkeypatch):
    """What is offered after a line whose last word is still being written."""

    def offered(line: str) -> list[str]:
        words = line.replace("STORE", str(store)).split(" ")
        monkeypatch.setenv("_REPSTORE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        outcome = command()
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out.split()

    return offered


OFFERED = {
    "repstore ru": ["runs"],
    "repstore probe cent": ["centroid-wsd"],
    "repstore runs STORE --form": ["--format"],
    "repstore runs STORE --qu": ["--quiet"],
    "repstore runs STORE --format ": ["table", "json", "csv"],
    "repstore probe wic STORE --standardize c": ["corpus"],
    "repstore compare STORE --run ": ["m/base@other", "m/base@synthetic", "m/repeat"],
    "repstore compare STORE --runs m/repeat,m/r": ["m/repeat,m/repeat"],
    "repstore probe wic STORE --run m/r": ["m/repeat"],
    "repstore probe wic --run m/r": [],
    "repstore probe wic STORE --run m/repeat --layers ": ["all", "0", "1", "2"],
    "repstore probe wic STORE --layers 1": ["1", "10", "11"],
    "repstore probe wic STORE --layers 3,1": ["3,1", "3,10", "3,11"],
    "repstore probe wic STORE --transform p": ["pca3"],
    "repstore probe wic STORE --run m/repeat --transform ": ["center", "pca3"],
    "repstore probe wic STORE --run m/base@other --transform ": [],
    "repstore transform drop STORE ": ["center", "pca3"],
    "repstore mix drop STORE ": [],
    "repstore words STORE --lemma ba": ["bank", "bark"],
    "repstore words STORE --pos ": ["N", "V"],
    "repstore neighbors STORE pa": ["palm"],
    "repstore neighbors STORE palm --sense pa": ["palm.0", "palm.1"],
    "repstore probe wic STORE --select-on d": ["dev"],
}


@pytest.mark.parametrize("line", OFFERED)
def test_what_could_stand_next_is_offered(offered, line):
    assert offered(line) == OFFERED[line]


def test_what_is_offered_is_what_the_store_takes(store, offered):
    with repstore.open(store) as opened:
        for run in offered("repstore compare STORE --run "):
            for layer in offered(f"repstore compare STORE --run {run} --layers ")[1:]:
                assert opened.vectors(run=run, layer=int(layer)).values.shape == (80, 6)


def test_mixes_and_probes_are_offered_by_their_names(offered, store):
    for run in Layout(store).runs.iterdir():
        for kind in ("mixes/wic/mix.json", "probes/pos/probe.json"):
            file = run / kind
            file.parent.mkdir(parents=True)
            file.write_text("{}")
    assert offered("repstore mix drop STORE ") == ["wic"]
    assert offered("repstore probe apply STORE ") == ["pos"]
    assert offered("repstore compare STORE --layers mi") == ["mix:wic"]
    for split_by_bash in ("mix :", "mix : w"):
        assert offered(f"repstore compare STORE --layers {split_by_bash}") == ["wic"]


@pytest.mark.parametrize("split_by_bash", ["m/base @", "m/base @ o", "m/repeat,m/base @ o"])
def test_of_a_name_that_bash_splits_only_the_last_piece_is_offered(offered, split_by_bash):
    assert "other" in offered(f"repstore compare STORE --runs {split_by_bash}")


def test_results_are_offered_by_their_names(offered, store):
    rows = repstore.ResultTable(pa.table({"layer": [0]}), "Layers")
    for name in ("wic-base", "wic-repeat"):
        repstore.save_result(store, name, rows)
    assert offered("repstore results show STORE wic-b") == ["wic-base"]
    assert offered("repstore results diff STORE wic-base wic") == ["wic-base", "wic-repeat"]


@pytest.mark.parametrize("what", ["none", "empty", "damaged"])
@pytest.mark.parametrize("option", ["--run ", "--layers ", "--transform ", "--pos "])
def test_where_no_store_is_nothing_is_offered_and_nothing_is_said(tmp_path, offered, what, option):
    path = tmp_path / what
    if what == "empty":
        path.mkdir()
    if what == "damaged":
        build_store(path, small_corpus(), [SyntheticRun("m/base", random_layers(80, 6, 2))])
        for file in (*Layout(path).runs.glob("*/run.json"), Layout(path).catalog):
            file.write_bytes(b"nonsense")
    assert offered(f"repstore probe wic {path} {option}") == []


def test_names_of_runs_are_offered_without_the_libraries_that_read_vectors(store):
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    line = f"repstore\nprobe\nwic\n{store}\n--layers\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}from repstore.cli import main; main()"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"_REPSTORE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "5"},
    )
    assert "11" in done.stdout.split()
    assert not HEAVY & {name.split(".")[0] for name in done.stderr.split()}


def test_a_home_is_found(store, monkeypatch, offered):
    monkeypatch.setenv("HOME", str(store.parent))
    assert offered("repstore compare ~/store --run m/r") == ["m/repeat"]


def test_values_are_offered_as_they_begin_and_not_too_many(store, monkeypatch, offered):
    monkeypatch.setattr(completing, "OFFERED", 2)
    assert offered("repstore words STORE --lemma ") == ["bank", "bark"]
    assert offered("repstore words STORE --lemma s") == ["spring"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_asks_this_program(monkeypatch, shell):
    monkeypatch.setenv("_REPSTORE_COMPLETE", f"source_{shell}")
    outcome = command()
    assert (outcome.code, outcome.err) == (0, "")
    assert "_REPSTORE_COMPLETE" in outcome.out
    assert f"complete_{shell}" in outcome.out


SCRIPTS = {
    "bash": """
eval "$(_REPSTORE_COMPLETE=source_bash repstore)"
COMP_WORDS=(repstore compare {store} --run m/r); COMP_CWORD=4
_repstore_completion repstore; echo "${{COMPREPLY[@]}}"
""",
    "fish": """
_REPSTORE_COMPLETE=source_fish repstore | source
complete --do-complete 'repstore compare {store} --run m/r'
""",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_real_shell_completes_the_name_of_a_run(store, tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "repstore"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m repstore "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [shell, "-c", SCRIPTS[shell].format(store=store)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert (done.stdout.split(), done.stderr) == (["m/repeat"], "")


def test_completion_is_installed_for_the_shell_that_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "repstore", "--install-completion", "bash"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "bash completion installed in" in done.stdout
    assert any("_REPSTORE_COMPLETE" in file.read_text() for file in tmp_path.rglob("*.sh"))
