"""The command line: each command prints what the library answers, and nothing else, to stdout."""

import csv
import io
import json
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
        lambda store: store.compare("cka", run="smollm2/repeat", layers=[0, 2, 3, 4], sample=50),
    ),
    "compare over all words": (
        ["compare", "STORE", "--run", "smollm2/base", "--layers", "5-6", "--sample", "0", "--seed", "7"],
        lambda store: store.compare("cka", run="smollm2/base", layers=[5, 6], sample=None, seed=7),
    ),
    "sql": (
        ["sql", "STORE", "SELECT lemma, count(*) AS uses FROM words GROUP BY lemma ORDER BY lemma"],
        lambda store: store.sql("SELECT lemma, count(*) AS uses FROM words GROUP BY lemma ORDER BY lemma"),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_command_prints_what_the_library_answers_in_every_format(store, name):
    arguments, ask = ANSWERS[name]
    call = [store if argument == "STORE" else argument for argument in arguments]
    with repstore.open(store) as opened:
        expected = ask(opened)
    printed = {format: command(*call, "--format", format) for format in ("json", "csv", "table")}
    hint = "The first 3; ask for more with --limit.\n" if name == "first words" else ""
    if not len(expected):
        hint = "No words fit; forms and lemmas are matched as they are written.\n"
    assert [(outcome.code, outcome.err) for outcome in printed.values()] == [(0, hint)] * 3
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
    assert outcome.err == f"Wrote {file}\n"


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
