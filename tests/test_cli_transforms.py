"""Transforms on the command line: fitted, listed and dropped, and asked through by every command."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus
from typer.main import get_command

import repstore
from repstore.cli.app import app
from repstore.spec import Edge, Text, Word

RUN = SyntheticRun("m/base", random_layers(80, 6, 3), 33)
FIT = ("--kind", "pca", "-k", "3", "--where", "pos = 'N'", "--sample", "50", "--seed", "2")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), [RUN])
    repstore.fit_transform(root, "pca3", kind="pca", k=3, where="pos = 'N'", sample=50, seed=2)
    return root


def test_a_transform_is_fitted_listed_and_dropped(tmp_path, store):
    root = build_store(tmp_path / "store", small_corpus(), [RUN])
    fitted = command("transform", "fit", root, "pca3", *FIT, "--layer", "0-2", "--format", "json")
    assert (fitted.code, "Fitting layer 2" in fitted.err) == (0, True)
    assert [row["layer"] for row in json.loads(fitted.out)] == [0, 1, 2]
    by_command, by_library = (
        {path.name: path.read_bytes() for path in each.glob("runs/*/transforms/pca3/*")}
        for each in (root, store)
    )
    assert by_command == by_library
    again = command("transform", "fit", root, "pca3", *FIT, "--layers", "0-2")
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith("It was there already: nothing was done.\n")
    listed = json.loads(command("transform", "list", root, "--format", "json").out)
    assert [(row["transform"], row["state"], row["words"]) for row in listed] == [
        ("pca3", "current", "where pos = 'N'; sample 50, seed 2")
    ]
    assert command("transform", "drop", root, "pca3").out == "Removed pca3.\n"
    assert command("transform", "drop", root, "pca3").out.startswith('There was no transform "pca3"')
    assert json.loads(command("transform", "list", root, "--format", "json").out) == []


FEW = ["--layer", "1", "--seeds", "1", "--resamples", "50"]
LESS: dict[str, Any] = {"layer": 1, "n_seeds": 1, "resamples": 50}
TRAINED, TRAINING = ["--label", "form", *FEW], {"label": "form", **LESS}
ANSWERS: dict[str, tuple[list[str], Callable[[repstore.Store], repstore.ResultTable]]] = {
    "wic": (["probe", "wic", "STORE"], lambda store: store.probe("wic")),
    "pairs": (["probe", "pairs", "STORE"], lambda store: store.probe("pairs")),
    "knn-wsd": (["probe", "knn-wsd", "STORE"], lambda store: store.probe("knn-wsd")),
    "centroid-wsd": (["probe", "centroid-wsd", "STORE"], lambda store: store.probe("centroid-wsd")),
    "wsi": (["probe", "wsi", "STORE", "--layers", "1"], lambda store: store.probe("wsi", layer=1)),
    "neighbors": (
        ["neighbors", "STORE", "bank", "--text", "004", "--layer", "0,2", "-k", "3"],
        lambda store: store.neighbors("bank", text="004", layer=[0, 2], k=3),
    ),
    "hubness": (["hubness", "STORE", "-k", "3"], lambda store: store.hubness(k=3)),
    "compare": (["compare", "STORE"], lambda store: store.compare("cka")),
    "geometry": (["geometry", "STORE", "--measure", "norms"], lambda store: store.geometry("norms")),
    "linear": (["probe", "linear", "STORE", *TRAINED], lambda store: store.probe("linear", **TRAINING)),
    "mdl": (["probe", "mdl", "STORE", *TRAINED], lambda store: store.probe("mdl", **TRAINING)),
    "mlp": (["probe", "mlp", "STORE", *TRAINED], lambda store: store.probe("mlp", **TRAINING)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_command_that_reads_vectors_reads_them_through_a_transform(store, name):
    arguments, ask = ANSWERS[name]
    assert_reads_through(store, [store if argument == "STORE" else argument for argument in arguments], ask)


def test_similarities_from_elsewhere_are_compared_with_vectors_seen_through_a_transform(store, tmp_path):
    file = tmp_path / "similar.csv"
    file.write_text("word_a,word_b,similarity\nbank,spring,1\nspring,palm,2\npalm,bark,4\nbark,bank,3\n")
    assert_reads_through(store, ["compare-with", store, file], lambda store: store.compare_with(file))


@pytest.mark.parametrize("name", ["ridge", "abstraction"])
def test_numbers_are_predicted_from_vectors_seen_through_a_transform(store, tmp_path, name):
    file = tmp_path / "numbers.csv"
    with repstore.open(store) as opened:
        ids = list(opened.words()["word_id"])
    file.write_text("word_id,a\n" + "".join(f"{one},{n * 7 % 11}\n" for n, one in enumerate(ids)))
    call = ["probe", name, store, "--matrix", file, "--split-by", "text", *FEW]
    options = {"matrix": file, "split_by": "text", **LESS}
    assert_reads_through(store, call, lambda store: store.probe(name, **options))


def test_trees_are_looked_for_in_vectors_seen_through_a_transform(tmp_path):
    sentence = "one two three four five six"
    words = [
        Word(n, sentence.index(form), sentence.index(form) + len(form), form)
        for n, form in enumerate(sentence.split())
    ]
    edges = [
        Edge("ud", 6 * n + head if head >= 0 else None, 6 * n + dependent, "x")
        for n in range(10)
        for dependent, head in enumerate((-1, 0, 0, 1, 2, 2))
    ]
    plain = corpus_of([Text(f"{sentence} {n}", tuple(words)) for n in range(10)])
    run = SyntheticRun("m/base", random_layers(60, 6, 2))
    root = build_store(tmp_path / "store", dataclasses.replace(plain, edges=lambda: iter(edges)), [run])
    repstore.fit_transform(root, "pca3", kind="pca", k=3)
    call = ["probe", "structural", root, *FEW]
    assert_reads_through(root, call, lambda store: store.probe("structural", **LESS))


def assert_reads_through(
    store: Path, call: list[object], ask: Callable[[repstore.Store], repstore.ResultTable]
) -> None:
    outcome = command(*call, "--transform", "pca3", "--format", "json")
    with repstore.open(store) as opened:
        wanted = json.loads(ask(opened.transformed("pca3")).to_json())
        assert wanted != json.loads(ask(opened).to_json())
    assert (outcome.code, json.loads(outcome.out)) == (0, wanted)
    refused = command(*call, "--transform", "pca4")
    assert (refused.code, refused.out) == (1, "")
    assert (
        'm/base has no transform "pca4". Did you mean "pca3"? Fit it with "repstore transform' in refused.err
    )


def test_the_commands_above_are_all_that_take_a_transform():
    def taking(group, *before):
        for name, one in group.commands.items():
            if hasattr(one, "commands"):
                yield from taking(one, *before, name)
            elif any("--transform" in option.opts for option in one.params):
                yield (*before, name)

    tested = {tuple(part for part in call[:2] if part != "STORE") for call, _ in ANSWERS.values()}
    assert set(taking(get_command(app))) == tested | {
        ("compare-with",),
        ("probe", "ridge"),
        ("probe", "abstraction"),
        ("probe", "structural"),
        ("probe", "apply"),  # tests/test_apply_probe.py
        ("export",),  # tests/test_exporting.py
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("transform", "fit", "STORE", "../x", "--kind", "center"), 1, "is no name for a transform"),
        (("transform", "fit", "STORE", "pca3", "--kind", "pca", "-k", "2"), 1, "frozen transform"),
        (("transform", "fit", "STORE", "x", "--kind", "pca"), 1, "k is None; pca takes a number"),
        (("transform", "fit", "STORE", "x", "--kind", "ica"), 2, "Invalid value for '--kind'"),
        (("transform", "fit", "STORE", "x", "--kind", "pca", "-k", "2", "--memory", "1K"), 1, "Allow more"),
        (("transform", "drop", "STORE", "../../x"), 1, "is no name for a transform"),
        (
            ("neighbors", "STORE", "bank", "--text", "004", "--transform", "pca3", "--search", "index"),
            1,
            "stored",
        ),
    ],
)
def test_what_cannot_be_done_is_one_message(store, arguments, code, said):
    outcome = command(*(store if argument == "STORE" else argument for argument in arguments))
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err
