"""``--save`` of every question, and ``repstore results``."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kept import similar, store_of
from program import repstore as program
from typer.main import get_command

import repstore
from repstore.cli.app import app
from repstore.storage.files import write_json

WIC = ["--layers", "0,2", "--resamples", "20"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return store_of(tmp_path_factory.mktemp("plain") / "store")


@pytest.fixture
def root(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


def options_of(command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_every_question_about_layers_can_be_saved():
    commands = {(name,): command for name, command in get_command(app).commands.items()}
    commands |= {("probe", name): command for name, command in commands["probe",].commands.items()}
    saving = {name for name, command in commands.items() if "--save" in options_of(command)}
    questions = {("neighbors",), ("hubness",), ("compare",), ("compare-with",), ("geometry",), ("sql",)}
    probes = {name for name in commands if len(name) == 2} - {("probe", "list"), ("probe", "drop")}
    assert saving == questions | probes
    assert {name[1] for name, command in commands.items() if "--keep-probe" in options_of(command)} == {
        "linear",
        "mlp",
        "mdl",
        "ridge",
    }


@pytest.mark.parametrize(
    "question",
    [
        ["probe", "wic", "STORE", "--run", "m/base", *WIC],
        ["probe", "wsi", "STORE", "--run", "m/base", *WIC],
        ["probe", "linear", "STORE", "--label", "pos", "--run", "m/base", "--seeds", "1", *WIC],
        ["probe", "apply", "STORE", "pos", "--run", "m/base", "--layers", "1"],
        ["compare", "STORE", "--runs", "m/base,m/repeat"],
        ["geometry", "STORE", "--run", "m/base", "--measure", "norms"],
        ["hubness", "STORE", "--run", "m/base", "-k", "3"],
        ["neighbors", "STORE", "palm", "--text", "Sentence 007", "--run", "m/base", "--layer", "1"],
        ["sql", "STORE", "SELECT count(*) AS n FROM words"],
    ],
    ids=" ".join,
)
def test_what_a_question_printed_is_what_is_kept_of_it(root, question):
    command = [str(root) if one == "STORE" else one for one in question]
    asked = program(*command, "--save", "x", "--format", "json")
    assert (asked.code, asked.err.splitlines()[-1]) == (0, 'Saved as "x".')
    shown = program("results", "show", root, "x", "--format", "json")
    assert shown.out == asked.out
    said = json.loads(program("results", "show", root, "x", "--provenance").out)
    assert said["made"]["command"] == f"repstore {' '.join(command)} --save x --format json".replace(
        "SELECT count(*) AS n FROM words", "'SELECT count(*) AS n FROM words'"
    ).replace("Sentence 007", "'Sentence 007'")
    assert said["provenance"]["asked"]["question"] in ("apply_probe", *question[0:1])


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (
            ["probe", "wic", "STORE", "--run", "m/base", *WIC],
            lambda store: store.probe("wic", run="m/base", layer=[0, 2], resamples=20),
        ),
        (
            ["probe", "linear", "STORE", "--label", "pos", "--run", "m/base", "--seeds", "1", *WIC],
            lambda store: store.probe(
                "linear", label="pos", run="m/base", layer=(0, 2), n_seeds=1, resamples=20
            ),
        ),
        (
            ["probe", "apply", "STORE", "pos", "--run", "m/base", "--layers", "1"],
            lambda store: store.apply_probe("pos", run="m/base", layer=1),
        ),
        (
            ["compare", "STORE", "--runs", "m/base,m/repeat"],
            lambda store: store.compare("cka", run=("m/base", "m/repeat")),
        ),
        (
            ["geometry", "STORE", "--run", "m/base", "--measure", "norms"],
            lambda store: store.geometry("norms", run="m/base"),
        ),
        (
            ["hubness", "STORE", "--run", "m/base", "--layer", "1"],
            lambda store: store.hubness(run="m/base", layer=1),
        ),
        (
            ["neighbors", "STORE", "palm", "--text", "Sentence 007", "--run", "m/base", "--layer", "all"],
            lambda store: store.neighbors("palm", text="Sentence 007", run="m/base", layer="all"),
        ),
        (
            ["sql", "STORE", "SELECT count(*) AS n FROM words"],
            lambda store: store.sql("SELECT count(*) AS n FROM words"),
        ),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_program_that_asks_the_same_as_a_command_keeps_the_same_bytes(root, command, question):
    assert program(*(root if one == "STORE" else one for one in command), "--save", "x").code == 0
    with repstore.open(root) as store:
        assert not repstore.save_result(store, "x", question(store))
        repstore.save_result(store, "y", question(store))
    for name in ("rows.parquet", "result.json"):
        assert (root / "results/x" / name).read_bytes() == (root / "results/y" / name).read_bytes()


def test_results_are_listed_shown_compared_drawn_and_dropped(root, tmp_path):
    for run in ("base", "repeat"):
        asked = program(
            "probe", "wic", root, "--run", f"m/{run}", *WIC, "--save", run, "--plot", tmp_path / f"{run}.png"
        )
        assert asked.code == 0
    listed = json.loads(program("results", "list", root, "--format", "json").out)
    assert [(row["name"], row["question"], row["state"]) for row in listed] == [
        ("base", "probe wic", "current"),
        ("repeat", "probe wic", "current"),
    ]
    drawn = program("results", "plot", root, "base", tmp_path / "again.png")
    assert (drawn.code, drawn.out) == (0, f"Wrote {tmp_path / 'again.png'}\n")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "base.png").read_bytes()
    changed = program(
        "results", "diff", root, "base", "repeat", "--format", "csv", "--plot", tmp_path / "diff.svg"
    )
    rows = list(csv.DictReader(io.StringIO(changed.out)))
    assert [row["layer"] for row in rows] == ["0", "2"]
    assert all(
        float(row["accuracy_change"]) == float(row["accuracy_b"]) - float(row["accuracy_a"]) for row in rows
    )
    assert "run: m/base in a, m/repeat in b." in changed.err
    assert (tmp_path / "diff.svg").exists()
    by_hand = program("results", "diff", root, "base", "repeat", "--on", "layer,n_pairs", "--format", "csv")
    assert "Rows: matched by layer, n_pairs." in by_hand.err
    assert program("results", "drop", root, "base").out == "Removed base.\n"
    assert program("results", "drop", root, "base").out.startswith('There was no result "base"')
    gone = program("results", "show", root, "base")
    assert (gone.code, gone.err) == (1, 'repstore: No result "base". Known: repeat.\n')


def test_saved_again_it_says_so_and_a_taken_name_costs_no_answer(root):
    asked = ["probe", "wic", root, "--run", "m/base", *WIC, "--format", "csv"]
    first = program(*asked, "--save", "x")
    again = program(*asked, "--save", "x")
    assert (again.code, again.out) == (0, first.out)
    assert again.err.splitlines()[-1] == '"x" is there already, just the same: nothing was done.'
    other = program(*asked, "--seed", "1", "--save", "x")
    assert (other.code, other.out) == (1, program(*asked, "--seed", "1").out)
    assert other.err.splitlines()[-1].startswith('repstore: There is another result "x" (other rows')


def test_a_name_that_is_none_is_refused_before_anything_is_asked(root):
    refused = program("probe", "wic", root, "--run", "m/base", "--save", "../x")
    assert (refused.code, refused.out) == (1, "")
    assert "is no name for a result" in refused.err


def test_a_store_that_keeps_nothing_is_refused_before_anything_is_asked(root, monkeypatch):
    asked = ["geometry", root, "--run", "m/base", "--measure", "norms"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, mode: (Path(path), mode) != (root, os.W_OK))
        refused = program(*asked, "--save", "x")
        assert (refused.code, refused.out) == (1, "")
        assert "cannot be written to: Permission denied." in refused.err
        patched.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID))
        assert "cannot be written to: Read-only file system." in program(*asked, "--save", "x").err
    write_json(root / "store.json", {"format_version": 1})
    for question in (asked, ["sql", root, "SELECT 1"], ["probe", "ridge", root, "--matrix", "none.csv"]):
        refused = program(*question, "--save", "x")
        assert (refused.code, refused.out) == (1, "")
        assert "repstore migrate" in refused.err
    assert program(*asked).code == 0


def test_a_file_whose_name_is_not_utf_8_can_be_asked_about_and_the_result_kept(root):
    with repstore.open(root) as store:
        table = similar(store).rename(root.parent / "si\udcff.csv")
    asked = program("compare-with", root, table, "--run", "m/base", "--save", "x")
    assert (asked.code, asked.err.splitlines()[-1]) == (0, 'Saved as "x".')
    said = json.loads(program("results", "show", root, "x", "--provenance").out)
    assert said["provenance"]["asked"]["arguments"]["table"] == f"{root.parent}/si\\udcff.csv"
    assert "si\\udcff.csv" in said["made"]["command"]


def test_names_of_files_are_printed_as_the_bytes_that_they_are(root):
    with repstore.open(root) as store:
        table = similar(store).rename(root.parent / "si\udcff.csv")
    call = [sys.executable, "-m", "repstore", "compare-with", root, table, "--run", "m/base"]
    in_utf8 = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(call, capture_output=True, check=False, env=in_utf8)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"similarities of si\xff.csv\n" in done.stdout


def test_a_probe_and_what_it_scores_are_kept_apart(root):
    asked = ["probe", "linear", root, "--label", "pos", "--run", "m/base", "--seeds", "1", *WIC]
    both = program(*asked, "--keep-probe", "mine", "--save", "scores")
    assert both.code == 0
    with repstore.open(root) as store:
        assert "mine" in repstore.list_probes(root)["probe"]
        kept = store.result("scores")
        assert kept.provenance["asked"]["question"] == "fit_probe"
        assert [run["run"] for run in kept.provenance["asked"]["runs"]] == ["m/base"]
        assert (
            kept["accuracy"]
            == store.probe("linear", label="pos", run="m/base", layer=[0, 2], n_seeds=1, resamples=20)[
                "accuracy"
            ]
        )
    again = program(*asked, "--keep-probe", "mine", "--save", "scores")
    assert again.err.splitlines()[-1] == '"scores" is there already, just the same: nothing was done.'
