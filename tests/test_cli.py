"""The command line: each command prints what the library answers, and nothing else, to stdout."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import oracles
import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore

CORPUS = small_corpus()
BASE = SyntheticRun("smollm2/base", random_layers(80, 12, 14), 33)
REPEAT = SyntheticRun("smollm2/repeat", random_layers(80, 12, 14, seed=1))
REPEAT.layers[3][:] = 0.1  # its CKA is NaN


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return build_store(tmp_path_factory.mktemp("stores") / "store", CORPUS, [BASE, REPEAT])


ANSWERS = {
    "runs": (["runs", "STORE"], lambda store: store.runs()),
    "info": (["info", "STORE"], lambda store: store.info()),
    "words": (["words", "STORE", "--lemma", "bank"], lambda store: store.words(lemma="bank")),
    "words of text and sense": (
        ["words", "STORE", "--text", "01", "--sense", "palm.1", "--pos", "N", "--form", "palms"],
        lambda store: store.words(text="01", sense="palm.1", pos="N", form="palms"),
    ),
    "first words": (["words", "STORE", "--limit", "3"], lambda store: store.words(limit=3)),
    "probe": (
        ["probe", "wic", "STORE", "--run", "smollm2/base"],
        lambda s: s.probe("wic", run="smollm2/base"),
    ),
    "probe of runs": (
        ["probe", "wic", "STORE", "--run", "smollm2/base", "--run", "smollm2/repeat"],
        lambda store: store.probe("wic", run=["smollm2/base", "smollm2/repeat"]),
    ),
    "probe with every option": (
        [
            *("probe", "wic", "STORE", "--run", "smollm2/base", "--run-b", "smollm2/repeat"),
            *("--layers", "2,5-7", "--target", "label", "--standardize", "side", "--threshold", "grid"),
            *("--pos", "N", "--select-on", "test", "--evaluate-on", "all", "--against", ":3"),
            *("--resamples", "50", "--seed", "4"),
        ],
        lambda store: store.probe(
            "wic",
            run="smollm2/base",
            run_b="smollm2/repeat",
            layer=[2, 5, 6, 7],
            target="label",
            standardize="side",
            threshold="grid",
            pos="N",
            select_on="test",
            evaluate_on="all",
            against=3,
            resamples=50,
            seed=4,
        ),
    ),
    "probe against a run": (
        ["probe", "wic", "STORE", "--run", "smollm2/base", "--against", "smollm2/repeat"],
        lambda store: store.probe("wic", run="smollm2/base", against="smollm2/repeat"),
    ),
    "probe against a layer of a run": (
        [*("probe", "wic", "STORE", "--run", "smollm2/base", "--against", "smollm2/repeat:12")],
        lambda store: store.probe("wic", run="smollm2/base", against=("smollm2/repeat", 12)),
    ),
    "probe without intervals": (
        ["probe", "wic", "STORE", "--run", "smollm2/base", "--resamples", "0"],
        lambda store: store.probe("wic", run="smollm2/base", resamples=0),
    ),
    "probe of pairs": (
        ["probe", "pairs", "STORE", "--run", "smollm2/base", "--layers", "all"],
        lambda store: store.probe("pairs", run="smollm2/base"),
    ),
    "probe of nearest words with every option": (
        [
            *("probe", "knn-wsd", "STORE", "--run", "smollm2/base", "--run", "smollm2/repeat", "-k", "3"),
            *("--layers", "2,5", "--train-on", "all", "--evaluate-on", "all", "--standardize", "center"),
            *("--pos", "N", "--lemma", "bank", "--resamples", "50", "--seed", "4"),
        ],
        lambda store: store.probe(
            "knn-wsd",
            run=["smollm2/base", "smollm2/repeat"],
            k=3,
            layer=[2, 5],
            train_on="all",
            evaluate_on=["all"],
            standardize="center",
            pos="N",
            lemma="bank",
            resamples=50,
            seed=4,
        ),
    ),
    "probe of centroids": (
        ["probe", "centroid-wsd", "STORE", "--run", "smollm2/base"],
        lambda store: store.probe("centroid-wsd", run="smollm2/base"),
    ),
    "probe of clusters": (
        ["probe", "wsi", "STORE", "--run", "smollm2/base", "--layers", "0,1", "--method", "agglomerative"],
        lambda store: store.probe("wsi", run="smollm2/base", layer=[0, 1], method="agglomerative"),
    ),
    "neighbors": (
        [
            "neighbors",
            "STORE",
            "bank",
            "--text",
            "004",
            "--run",
            "smollm2/base",
            "--layer",
            "0,4,8-12",
            "-k",
            "2",
        ],
        lambda store: store.neighbors(
            "bank", text="004", run="smollm2/base", layer=[0, 4, 8, 9, 10, 11, 12], k=2
        ),
    ),
    "neighbors at all layers": (
        ["neighbors", "STORE", "palm", "--text", "019", "--sense", "palm.0", "--run", "smollm2/base"],
        lambda store: store.neighbors("palm", text="019", sense="palm.0", run="smollm2/base", layer="all"),
    ),
    "compare": (
        [
            "compare",
            "STORE",
            "--metric",
            "cka",
            "--run",
            "smollm2/repeat",
            "--layers",
            "0,2-4",
            "--sample",
            "50",
        ],
        lambda store: store.compare("cka", run="smollm2/repeat", layer=[0, 2, 3, 4], sample=50),
    ),
    "compare over all words": (
        ["compare", "STORE", "--run", "smollm2/base", "--layers", "5-6", "--sample", "0", "--seed", "7"],
        lambda store: store.compare("cka", run="smollm2/base", layer=[5, 6], sample=None, seed=7),
    ),
    "neighbors with every option": (
        [
            *("neighbors", "STORE", "--sense", "palm.0", "--text", "019", "--run", "smollm2/base"),
            *("--layer", "1-2", "-k", "4", "--metric", "csls", "--standardize", "center"),
            *("--where", "pos = 'N'", "--other-lemmas", "--other-texts", "--search", "exact"),
        ],
        lambda store: store.neighbors(
            sense="palm.0",
            text="019",
            run="smollm2/base",
            layer=[1, 2],
            k=4,
            metric="csls",
            standardize="center",
            where="pos = 'N'",
            other_lemmas=True,
            other_texts=True,
            search="exact",
        ),
    ),
    "neighbors by distance": (
        [
            "neighbors",
            "STORE",
            "palm",
            "--text",
            "019",
            "--run",
            "smollm2/base",
            "--layer",
            "1",
            "--metric",
            "l2",
        ],
        lambda store: store.neighbors("palm", text="019", run="smollm2/base", layer=1, metric="l2"),
    ),
    "common neighbors": (
        [
            *("compare", "STORE", "--metric", "knn", "--runs", "smollm2/base,smollm2/repeat"),
            *("--layers", "1,2", "-k", "4", "--standardize", "corpus"),
        ],
        lambda store: store.compare(
            "knn", run=["smollm2/base", "smollm2/repeat"], layer=[1, 2], k=4, standardize="corpus"
        ),
    ),
    "compare with every option": (
        [
            *("compare", "STORE", "--metric", "rbf-cka", "--run", "smollm2/base", "--run", "smollm2/repeat"),
            *("--layers", "1-2", "--standardize", "center", "--estimator", "biased", "--bandwidth", "0.5"),
            *("--where", "pos = 'N'", "--sample", "30", "--seed", "3", "--memory", "64MB"),
        ],
        lambda store: store.compare(
            "rbf-cka",
            run=["smollm2/base", "smollm2/repeat"],
            layer=[1, 2],
            standardize="center",
            estimator="biased",
            bandwidth=0.5,
            where="pos = 'N'",
            sample=30,
            seed=3,
            memory=64_000_000,
        ),
    ),
    "similarities of cosines": (
        [
            *("compare", "STORE", "--metric", "rsa", "--correlation", "pearson"),
            *("--runs", "smollm2/repeat,smollm2/base", "--layers", "0-2"),
        ],
        lambda store: store.compare(
            "rsa", run=["smollm2/repeat", "smollm2/base"], layer=[0, 1, 2], correlation="pearson"
        ),
    ),
    "geometry": (
        ["geometry", "STORE", "--run", "smollm2/base", "--layer", "all"],
        lambda store: store.geometry(run="smollm2/base"),
    ),
    "geometry with every option": (
        [
            *("geometry", "STORE", "--measure", "dimension, norms", "--measure", "rank"),
            *("--runs", "smollm2/base, smollm2/repeat"),
            *("--layers", "1,3", "--standardize", "corpus", "--where", "pos = 'N'", "--sample", "50"),
            *("--resamples", "20", "--seed", "3", "--memory", "1G"),
        ],
        lambda store: store.geometry(
            ["dimension", "norms", "rank"],
            run=["smollm2/base", "smollm2/repeat"],
            layer=[1, 3],
            standardize="corpus",
            where="pos = 'N'",
            sample=50,
            resamples=20,
            seed=3,
            memory=10**9,
        ),
    ),
    "sql": (
        ["sql", "STORE", "SELECT lemma, count(*) AS uses FROM words GROUP BY lemma ORDER BY lemma"],
        lambda store: store.sql("SELECT lemma, count(*) AS uses FROM words GROUP BY lemma ORDER BY lemma"),
    ),
}


def test_similarities_from_elsewhere_are_asked_by_a_command_of_their_own(store, tmp_path):
    file = tmp_path / "similar.csv"
    file.write_text("word_a,word_b,score\nbank,spring,1\nspring,palm,2\npalm,bark,4\nbark,bank,3\n")
    call = ["compare-with", store, str(file), "--runs", "smollm2/base,smollm2/repeat", "--layers", "1-2"]
    printed = command(*call, "--standardize", "corpus", "--format", "json")
    with repstore.open(store) as opened:
        expected = opened.compare_with(
            file, run=["smollm2/base", "smollm2/repeat"], layer=[1, 2], standardize="corpus"
        )
    assert (printed.code, printed.out.strip()) == (0, expected.to_json())


@pytest.mark.parametrize("name", ["wic", "pairs", "knn-wsd", "centroid-wsd", "wsi"])
def test_runs_are_named_with_commas_or_one_by_one(store, name):
    call = ["probe", name, store, "--layers", "3", "--resamples", "0", "--format", "csv"]
    runs = ("smollm2/base", "smollm2/repeat")
    together = command(*call, "--runs", ",".join(runs))
    assert together.code == 0
    assert together.out == command(*call, "--run", runs[0], "--run", runs[1]).out
    assert all(run in together.out for run in runs)


@pytest.mark.parametrize("name", ANSWERS)
def test_every_command_prints_what_the_library_answers_in_every_format(store, name):
    arguments, ask = ANSWERS[name]
    call = [store if argument == "STORE" else argument for argument in arguments]
    with repstore.open(store) as opened:
        expected = ask(opened)
    printed = {format: command(*call, "--format", format) for format in ("json", "csv", "table")}
    hint = "The first 3; ask for more with --limit.\n" if name == "first words" else ""
    notes = "".join(f"{note}\n" for note in expected.notes)  # below the table, or beside what programs read
    assert [(outcome.code, outcome.err) for outcome in printed.values()] == [
        *[(0, notes + hint)] * 2,
        (0, hint),
    ]
    rows = json.loads(printed["json"].out)
    assert rows == json.loads(expected.to_json())
    assert len(rows) == len(expected)
    assert all(list(row) == expected.columns for row in rows)
    header, *lines = csv.reader(io.StringIO(printed["csv"].out, newline=""))
    assert header == expected.columns
    assert lines == [["" if v is None else str(v) for v in row.values()] for row in expected]
    assert printed["table"].out == expected.to_text() + "\n"
    assert command(*call).out == printed["table"].out


@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
def test_the_wic_probe_in_its_exact_form(store, standardize):
    outcome = command(
        *("probe", "wic", store, "--run", "smollm2/repeat", "--standardize", standardize),
        *("--threshold", "grid", "--select-on", "dev", "--evaluate-on", "test", "--format", "json"),
    )
    assert outcome.code == 0
    dev, test = (
        [(pair.word_a, pair.word_b, pair.label) for pair in CORPUS.pairs() if pair.split == split]
        for split in ("dev", "test")
    )
    rows = json.loads(outcome.out)
    assert [row["layer"] for row in rows] == list(range(14))
    for row, layer in zip(rows, REPEAT.layers, strict=True):
        assert (row["threshold"], row["accuracy"]) == oracles.wic(layer, dev, test, standardize)
        assert row["n_pairs"] == 61


@pytest.mark.parametrize(
    "arguments",
    [("probe", "wic", "STORE", "--run", "smollm2/base"), ("compare", "STORE", "--run", "smollm2/base")],
)
def test_a_plot_is_written_beside_the_result(store, tmp_path, arguments):
    call = [store if argument == "STORE" else argument for argument in arguments]
    file = tmp_path / "new" / "figure.png"
    outcome = command(*call, "--plot", file, "--format", "csv")
    assert outcome.code == 0
    assert outcome.out == command(*call, "--format", "csv").out
    assert file.read_bytes().startswith(b"\x89PNG")
    assert outcome.err.endswith(f"Wrote {file}\n")


def test_a_reader_may_stop_reading(store):
    program = Path(sys.executable).with_name("repstore")
    script = f"'{program}' sql '{store}' 'SELECT * FROM vectors' --format csv | head -1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("run,layer,word_id,vector\n", "")


def test_the_installed_program_prints_results_to_stdout_and_errors_to_stderr(store):
    program = Path(sys.executable).with_name("repstore")
    good = subprocess.run(
        [program, "runs", store, "--format", "json"], capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stderr) == (0, "")
    assert [row["run"] for row in json.loads(good.stdout)] == ["smollm2/base", "smollm2/repeat"]
    bad = subprocess.run([program, "runs", store / "none"], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == f'repstore: No store at {store / "none"}. Make one with "repstore ingest".\n'


def test_neighbors_by_word_id_either_way(store):
    with repstore.open(store) as opened:
        word_id = opened.words(limit=1)["word_id"][0]
        expected = json.loads(opened.neighbors(word_id, run="smollm2/base", layer=2).to_json())
    options = ("--run", "smollm2/base", "--layer", "2", "--format", "json")
    for given in ([word_id], ["--word-id", word_id]):
        assert json.loads(command("neighbors", store, *given, *options).out) == expected


def test_hubness_is_printed_with_its_progress_on_stderr(store):
    outcome = command(
        "hubness", store, "--run", "smollm2/base", "--layers", "1,2", "-k", "3", "--format", "json"
    )
    with repstore.open(store) as opened:
        assert json.loads(outcome.out) == json.loads(
            opened.hubness(run="smollm2/base", layer=[1, 2], k=3).to_json()
        )
    assert (outcome.code, "Finding neighbors" in outcome.err) == (0, True)


def test_an_index_is_built_listed_used_and_dropped(tmp_path):
    root = build_store(tmp_path / "store", CORPUS, [BASE])
    built = command(
        "index", "build", root, "--layer", "1-2", "--kind", "rabitq", "--memory", "1.5GB", "--format", "json"
    )
    assert [row["state"] for row in json.loads(built.out)] == ["current"] * 2
    assert json.loads(command("index", "list", root, "--format", "json").out) == json.loads(built.out)
    word = ("neighbors", root, "palm", "--text", "019", "-k", "3", "--format", "json")
    exact, by_index = (
        json.loads(command(*word, "--layer", "1", "--search", search).out) for search in ("exact", "index")
    )
    assert by_index == exact  # with 80 words, the candidates are most of them
    assert command("index", "drop", root, "--layer", "1").out == "Removed 1 index.\n"
    assert [row["layer"] for row in json.loads(command("index", "list", root, "--format", "json").out)] == [2]
    refused = command(*word, "--layer", "1", "--search", "index")
    assert refused.code == 1
    assert "has no index in this space" in refused.err


def test_an_index_of_few_words_is_not_built_unless_asked_for(store):
    outcome = command("index", "build", store, "--run", "smollm2/base", "--layer", "1")
    assert outcome.code == 0
    assert "has 80 words: a scan is fast and exact, so no index was built" in outcome.out
    assert not list(store.glob("runs/*/index/*"))


def test_in_a_terminal_the_use_of_a_word_is_picked(store):
    pty = pytest.importorskip("pty", reason="there are no terminals of this kind here")
    pid, terminal = pty.fork()
    if pid == 0:  # the terminal's own process
        call = ["-c", "from repstore.cli import main; main()", "neighbors", str(store), "bank"]
        os.execv(sys.executable, [sys.executable, *call, "--run", "smollm2/base", "--layer", "1", "-k", "1"])
    shown = b""
    for question, answer in ((1, b"21\n"), (2, b"2\n")):
        while shown.count(b"Which use (1 to 20)") < question:
            shown += os.read(terminal, 4096)
        os.write(terminal, answer)
    with contextlib.suppress(OSError):  # which is how a terminal says that nobody writes any more
        while more := os.read(terminal, 4096):
            shown += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with repstore.open(store) as opened:
        second = opened.words(lemma="bank")["word_id"][1]
    assert f"(word {second})" in shown.decode()
