"""What the command line refuses: one message on stderr, exit code 1 or 2, no traceback, nothing on stdout."""

import re

import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus
from typer.main import get_command

from repstore.cli.app import app

COMMANDS = sorted(get_command(app).commands)
PROBES = sorted(get_command(app).commands["probe"].commands)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    runs = [
        SyntheticRun("m/base", random_layers(80, 6, 14)),
        SyntheticRun("m/repeat", random_layers(80, 6, 14)),
    ]
    return build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), runs)


REFUSED = {
    "no store": (["runs", "STORE/none"], "No store at"),
    "unknown run": (["probe", "wic", "STORE", "--run", "m/bsae"], 'No run "m/bsae". Did you mean "m/base"'),
    "run not named": (["compare", "STORE"], "Say which run: m/base, m/repeat"),
    "unknown split": (
        ["probe", "wic", "STORE", "--run", "m/base", "--select-on", "dve"],
        'Did you mean "dev"',
    ),
    "unknown layer of a probe": (
        ["probe", "wic", "STORE", "--run", "m/base", "--layers", "0,14"],
        "0 (embeddings) to 13",
    ),
    "against an unknown run": (
        ["probe", "wic", "STORE", "--run", "m/base", "--against", "m/bsae"],
        'No run "m/bsae". Did you mean "m/base"',
    ),
    "against an unknown layer of a run": (
        ["probe", "wic", "STORE", "--run", "m/base", "--against", "m/repeat:14"],
        "m/repeat has no layer 14; it has 0 (embeddings) to 13",
    ),
    "against an unknown layer": (
        ["probe", "wic", "STORE", "--run", "m/base", "--against", ":14"],
        "m/base has no layer 14; it has 0 (embeddings) to 13",
    ),
    "against nothing": (["probe", "wic", "STORE", "--run", "m/base", "--against", ""], 'No run ""'),
    "against no layer": (["probe", "wic", "STORE", "--run", "m/base", "--against", ":x"], 'No run ":x"'),
    "unknown part of speech": (
        ["probe", "wic", "STORE", "--run", "m/base", "--pos", "NOUN"],
        'has part of speech "NOUN". Known: N, V',
    ),
    "unknown part of speech of senses": (
        ["probe", "knn-wsd", "STORE", "--run", "m/base", "--pos", "NOUN"],
        'No word with a sense in "synthetic" has part of speech "NOUN". Known: N, V',
    ),
    "unknown lemma": (["probe", "wsi", "STORE", "--run", "m/base", "--lemma", "bnk"], 'Did you mean "bank"'),
    "no split to train on": (
        ["probe", "centroid-wsd", "STORE", "--run", "m/base", "--train-on", "train"],
        'They are in no split: evaluate on "all"',
    ),
    "no ratings": (
        ["probe", "pairs", "STORE", "--run", "m/base", "--target", "score"],
        'Corpus "synthetic" has no rated pairs',
    ),
    "unknown second run": (
        ["probe", "wic", "STORE", "--run", "m/base", "--run-b", "m/reapet"],
        'Did you mean "m/repeat"',
    ),
    "unknown layer": (["compare", "STORE", "--run", "m/base", "--layers", "14"], "0 (embeddings) to 13"),
    "no condition": (
        ["neighbors", "STORE", "bank", "--text", "004", "--run", "m/base", "--where", "ps = 'N'"],
        "is not a condition on words",
    ),
    "no word": (["neighbors", "STORE", "--run", "m/base"], "No word is given"),
    "no index": (
        ["neighbors", "STORE", "bank", "--text", "004", "--run", "m/base", "--search", "index"],
        '--standardize none --kind rabitq"',
    ),
    "too little memory": (
        [*("index", "build", "STORE", "--run", "m/base", "--kind", "hnsw", "--memory", "1KB")],
        "Allow more with memory",
    ),
    "unknown word": (["neighbors", "STORE", "bnk", "--run", "m/base"], 'Did you mean "bank"'),
    "word with many uses": (["neighbors", "STORE", "bank", "--run", "m/base"], '"bank" has 20 uses'),
    "unknown word_id": (
        ["neighbors", "STORE", "12345678901234", "--run", "m/base"],
        "no word 12345678901234",
    ),
    "bad SQL": (["sql", "STORE", "SELEC 1"], "syntax error"),
    "writing SQL": (["sql", "STORE", "DROP TABLE words"], "DROP statements are refused"),
    "small sample": (["compare", "STORE", "--run", "m/base", "--sample", "3"], "at least 4 words"),
    "plot of another kind": (
        ["probe", "wic", "STORE", "--run", "m/base", "--plot", "a.jpg"],
        ".png, .svg, .pdf",
    ),
    "plot without a suffix": (["probe", "wic", "STORE", "--run", "m/base", "--plot", "STORE"], "Give a file"),
    "corpus of no format": (["ingest", "data.txt", "STORE", "--model", "smollm2"], "FORMAT:PATH"),
    "no corpus": (["ingest", "text:none.txt", "STORE", "--model", "smollm2"], "none.txt does not exist"),
    "unknown template": (
        ["ingest", "text:STORE/store.json", "STORE", "--model", "m", "--template", "bsae"],
        "base",
    ),
}

MISUSED = {
    "no such command": (["prob", "wic", "STORE"], "prob"),
    "no such option": (["runs", "STORE", "--fromat", "json"], "--fromat"),
    "no such format": (["runs", "STORE", "--format", "yaml"], "yaml"),
    "no such probe": (["probe", "wics", "STORE"], "wics"),
    "no such option of a probe": (["probe", "wsi", "STORE", "-k", "3"], "-k"),
    "option of another probe": (["probe", "knn-wsd", "STORE", "--threshold", "grid"], "--threshold"),
    "no nearest words": (["probe", "knn-wsd", "STORE", "-k", "0"], "-k"),
    "no such clustering": (["probe", "wsi", "STORE", "--method", "dbscan"], "dbscan"),
    "no such space": (["probe", "knn-wsd", "STORE", "--standardize", "batch30"], "batch30"),
    "no such standardization": (["probe", "wic", "STORE", "--standardize", "batch"], "batch"),
    "no such threshold": (["probe", "wic", "STORE", "--threshold", "0.5"], "0.5"),
    "no such target": (["probe", "pairs", "STORE", "--target", "rating"], "rating"),
    "negative resamples": (["probe", "wic", "STORE", "--resamples", "-1"], "--resamples"),
    "negative seed": (["probe", "wic", "STORE", "--seed", "-1"], "--seed"),
    "no such metric": (["compare", "STORE", "--metric", "canonical"], "canonical"),
    "no neighbors": (["neighbors", "STORE", "bank", "-k", "0"], "-k"),
    "no words": (["words", "STORE", "--limit", "0"], "--limit"),
    "word and word_id": (["neighbors", "STORE", "bank", "--word-id", "5"], "not both"),
    "encoding without a text": (["neighbors", "STORE", "bank", "--encode"], "--text"),
    "model without encoding": (["neighbors", "STORE", "bank", "--model", "m"], "--encode"),
    "no such search": (["neighbors", "STORE", "bank", "--search", "fast"], "fast"),
    "no such kind of index": (["index", "build", "STORE", "--kind", "pq"], "pq"),
    "no size": (["index", "build", "STORE", "--memory", "much"], "2GB"),
    "no query to save": (["sql", "STORE", "--save", "x"], "--save keeps the result of one query"),
    "no model": (["ingest", "text:a.txt", "STORE"], "--model"),
}
BAD_LAYERS = ["", "x", "1,", ",1", "1-", "-1", "1-x", "1--2", "1.5", "5-3", "all,1", "1 2", "²"]


def given(arguments: list[str], store) -> list[str]:
    return [argument.replace("STORE", str(store)) for argument in arguments]


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_one_message_with_exit_code_1(store, case):
    arguments, message = REFUSED[case]
    outcome = command(*given(arguments, store))
    assert (outcome.code, outcome.out) == (1, "")
    assert message in outcome.err
    assert outcome.err.splitlines()[-1 if arguments[0] == "ingest" else 0].startswith("repstore: ")
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("case", MISUSED)
def test_wrong_usage_has_exit_code_2_and_says_what_was_wrong(store, case):
    arguments, message = MISUSED[case]
    outcome = command(*given(arguments, store))
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert re.fullmatch(r'repstore: .* Try "repstore( [a-z-]+)* --help"\.\n', outcome.err)


@pytest.mark.parametrize("layers", BAD_LAYERS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["neighbors", "STORE", "bank", "--layer"],
        ["compare", "STORE", "--layers"],
        ["probe", "wic", "STORE", "--run", "m/base", "--layers"],
    ],
)
def test_layers_that_are_no_numbers_or_ranges_are_wrong_usage(store, arguments, layers):
    outcome = command(*given([*arguments, layers], store))
    assert (outcome.code, outcome.out) == (2, "")
    assert "0,4,8-12" in outcome.err


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [("3", [3]), ("0,4,8-12", [0, 4, 8, 9, 10, 11, 12]), (" 2 , 3-4", [2, 3, 4]), ("5-5", [5])],
)
def test_layers_are_numbers_and_ranges(store, layers, numbers):
    outcome = command("compare", store, "--run", "m/base", "--layers", layers, "--format", "csv")
    assert outcome.code == 0
    rows = [line.split(",") for line in outcome.out.splitlines()[1:]]
    assert [int(row[0]) for row in rows[:: len(numbers)]] == numbers


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name):
    for flag in ("--help", "-h"):
        outcome = command(name, flag)
        assert (outcome.code, outcome.err) == (0, "")
        assert f"Example: repstore {name} " in " ".join(outcome.out.split())


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_explains_itself_with_an_example(name):
    outcome = command("probe", name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Example: repstore probe {name} " in " ".join(outcome.out.split())
    assert f" {name} " in command("probe", "--help").out


def test_help_lists_every_command():
    outcome = command("--help")
    assert outcome.code == 0
    assert {"ingest", "runs", "info", "words", "probe", "neighbors", "compare", "sql", "demo"} <= set(
        COMMANDS
    )
    assert all(f" {name} " in outcome.out for name in COMMANDS)
