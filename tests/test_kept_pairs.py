"""Probes of pairs are kept with the space they see words in, and say of other pairs what they did."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import repstore as command
from saved import network, probe_in, run_of, told
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.corpus import Corpus
from repstore.errors import ArgumentError, ResultError
from repstore.spec import Pair, Text, Word
from repstore.storage.frozen import read_words
from repstore.storage.saved_probes import read_probe_info

N_WORDS, WIDTH = 240, 6
SPLITS = ("train", "dev", "test")
FEATURES = ("difference", "product", "concat", "cosine")
ASKED: dict[str, Any] = {"label": "pairs", "split_by": "text", "n_seeds": 1, "resamples": 0}
ASKED |= {"train_on": "train", "select_on": "dev", "evaluate_on": "test"}
OTHERS: dict[str, Any] = {
    "mlp": {"probe": "mlp", "feature": "product", "layer": 1},
    "seen": {"transform": "turned", "feature": "cosine"},
}
RANDOM = np.random.default_rng(0)
SIGNS = RANDOM.choice([-1, 1], N_WORDS)


def planted(shift: float, scale: float, seed: int) -> np.ndarray:
    """Two words are of one sense if their signs, on dimension 0, are the same; all is far from the origin."""
    vectors = np.random.default_rng(seed).normal(size=(N_WORDS, WIDTH))
    vectors[:, 0] = 3 * SIGNS + 0.5 * vectors[:, 0]
    return (shift + scale * vectors).astype(np.float16)


def in_pairs(name: str) -> Corpus:
    """Pairs of neighbors; every seventh has no label. A word is in the pairs of one split only."""
    texts = [Text(f"w{n} of {name}", (Word(0, 0, len(f"w{n}"), f"w{n}"),)) for n in range(N_WORDS)]
    third = N_WORDS // 3
    pairs = [
        Pair(n, n + k, SPLITS[n // third], None if (n + k) % 7 == 0 else bool(SIGNS[n] == SIGNS[n + k]), 1.0)
        for n in range(N_WORDS)
        for k in (2, 1)
        if n // third == min(n + k, N_WORDS) // third
    ]
    return corpus_of(texts, pairs, name)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Run m over pairs, with a probe by each feature; elsewhere, over others, with another origin."""
    layers = [planted(0.0, 1.0, 1), planted(4.0, 2.0, 2)]
    skipping = SyntheticRun("m", layers, 50, frozenset({9}))
    root = build_store(tmp_path_factory.mktemp("pairs") / "store", in_pairs("pairs"), [skipping])
    elsewhere = SyntheticRun("elsewhere", [planted(-3.0, 0.5, 3), planted(1.0, 4.0, 4)])
    build_store(root, in_pairs("others"), [elsewhere])
    wide = SyntheticRun("wide", random_layers(N_WORDS, WIDTH + 1, 2))
    build_store(root, in_pairs("others"), [wide])
    repstore.fit_transform(root, "turned", kind="whiten", run="m")
    for feature in FEATURES:
        repstore.fit_probe(root, feature, run="m", feature=feature, **ASKED)
    for name, options in OTHERS.items():
        repstore.fit_probe(root, name, run="m", **options, **ASKED)
    return root


def pairs_of(root: Path, corpus: str) -> list[dict[str, Any]]:
    with repstore.open(root) as store:
        asked = f"SELECT pairs.* FROM pairs JOIN corpora USING (corpus_id) WHERE name = '{corpus}'"
        return list(store.sql(f"{asked} ORDER BY pair_id"))


def space_of(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words = words.astype(np.float64)
    return words.mean(axis=0), 1 / (words.std(axis=0, ddof=1) + 1e-6)


def seen(feature: str, a: np.ndarray, b: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """What a pair of vectors is to a probe."""
    if feature in ("product", "cosine"):
        a, b = (a - shift) * scale, (b - shift) * scale
    match feature:
        case "difference":
            return np.abs(a - b)
        case "product":
            return a * b
        case "concat":
            return np.array([*a, *b])
        case _:
            return np.array([sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))])


@pytest.mark.parametrize("name", [*FEATURES, "mlp", "seen"])
def test_of_the_pairs_it_was_tested_on_a_kept_probe_says_what_it_scored(made, name):
    """By other vectors, or with another space, or of other pairs, it would not be right as often."""
    info = read_probe_info(run_of(made, "m").frozen("probe", name))
    assert info.feature == OTHERS.get(name, {"feature": name})["feature"]
    assert (info.outputs, info.label) == ("class", "same sense")
    with repstore.open(made) as store:
        asked = store.transformed("turned") if name == "seen" else store
        scores = {one.layer: one.score for one in info.layers}
        if name != "mlp":  # which takes long to train
            assert scores == {
                row["layer"]: row["accuracy"]
                for row in asked.probe("linear", run="m", features=info.feature, **ASKED)
            }
        table = asked.apply_probe(name, run="m")
    known = {(row["word_a"], row["word_b"]): row for row in pairs_of(made, "pairs")}
    for layer, score in scores.items():
        right = [
            row["predicted"] == ("same" if pair["label"] else "different")
            for row in table
            if row["layer"] == layer
            and (pair := known[row["word_a"], row["word_b"]])["split"] == "test"
            and pair["label"] is not None
        ]
        assert np.mean(right) == pytest.approx(score, abs=1e-12)
        if info.feature == "product":
            assert np.mean(right) > 0.9


def test_every_pair_is_a_row_in_file_order_labelled_or_not(made):
    place = run_of(made, "m").frozen("probe", "product")
    trained = set(read_words(place, read_probe_info(place)).tolist())
    with repstore.open(made) as store:
        table = store.apply_probe("product", run="m", layer=1)
        forms = {row["word_id"]: row["form"] for row in store.words()}
    listed = pairs_of(made, "pairs")
    assert any(row["label"] is None for row in listed)
    there = [
        (row["word_a"], row["word_b"])
        for row in listed
        if "w9" not in (forms[row["word_a"]], forms[row["word_b"]])
    ]
    assert list(zip(table["word_a"], table["word_b"], strict=True)) == there
    assert table.notes == ["4 pairs of pairs are left out: a word of theirs has no vector in m."]
    assert table.columns == [
        *("run", "layer", "of_layer", "word_a", "word_b", "form_a", "form_b"),
        *("predicted", "probability", "was_trained_on"),
    ]
    for row in table:
        assert (row["form_a"], row["form_b"]) == (forms[row["word_a"]], forms[row["word_b"]])
        assert row["was_trained_on"] == ({row["word_a"], row["word_b"]} <= trained)
    assert 0 < sum(table["was_trained_on"]) < len(table)


@pytest.mark.parametrize("feature", FEATURES)
def test_other_words_are_seen_in_the_space_of_those_that_trained(made, feature):
    """Of another run over another corpus, by the network of another layer."""
    place = run_of(made, "m").frozen("probe", feature)
    words = read_words(place, read_probe_info(place))
    with repstore.open(made) as store:
        shift, scale = space_of(store.vectors(run="m", layer=1).of(words))
        table = store.apply_probe(feature, run="elsewhere", of_run="m", of_layer=1, layer=0)
        layer = store.vectors(run="elsewhere", layer=0)
        a, b = (layer.of(table[side]).astype(np.float64) for side in ("word_a", "word_b"))
        own = space_of(layer.of(layer.word_ids))
    assert len(table) == len(pairs_of(made, "others"))
    assert set(table["of_layer"]) == {1}
    assert not any(table["was_trained_on"])
    expected = told(place, 1, (seen(feature, *both, shift, scale) for both in zip(a, b, strict=True)))
    assert table["predicted"] == [name for name, _ in expected]
    np.testing.assert_allclose(table["probability"], [share for _, share in expected], rtol=1e-3)
    with np.load(place.root / "layer-01.npz") as arrays:
        assert ("word_shift" in arrays) == ("word_scale" in arrays) == (feature in ("product", "cosine"))
        if "word_shift" in arrays:
            np.testing.assert_allclose(arrays["word_shift"], shift, rtol=1e-9)
            np.testing.assert_allclose(arrays["word_scale"], scale, rtol=1e-9)
            otherwise = told(place, 1, (seen(feature, *both, *own) for both in zip(a, b, strict=True)))
            assert table["predicted"] != [name for name, _ in otherwise], "the space makes a difference"


def test_both_words_meet_the_condition_and_pairs_are_drawn(made):
    with repstore.open(made) as store:
        asked: dict[str, Any] = {"run": "elsewhere", "of_run": "m", "layer": 0}
        every = store.apply_probe("concat", **asked)
        some = store.apply_probe("concat", where="form < 'w2'", **asked)
        drawn = store.apply_probe("concat", sample=9, seed=2, **asked)
        again = store.apply_probe("concat", sample=9, seed=2, **asked)
    assert list(some) == [row for row in every if max(row["form_a"], row["form_b"]) < "w2"]
    assert len(some)
    assert list(drawn) == list(again)
    assert [row for row in every if row in list(drawn)] == list(drawn)
    assert len(drawn) == 9


def test_an_answer_about_a_pair_does_not_hang_on_the_others(made, monkeypatch):
    with repstore.open(made) as store:
        whole = store.apply_probe("cosine", run="m")
        monkeypatch.setattr("repstore.analysis.predictions.ROWS_AT_ONCE", 7)
        cut = store.apply_probe("cosine", run="m")
    assert cut["predicted"] == whole["predicted"]
    np.testing.assert_allclose(cut["probability"], whole["probability"], rtol=1e-5)


REFUSED: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "no feature": (ArgumentError, "sees pairs by one feature. Say which: difference, product", {}),
    "several features": (ArgumentError, "feature", {"feature": "sum"}),
    "all features": (ArgumentError, "feature", {"feature": "all"}),
    "a feature of words": (ArgumentError, "is a label of one", {"label": "form", "feature": "product"}),
    "edges of pairs": (ArgumentError, "Edges go with", {"feature": "product", "edges": "ud"}),
    "no edges": (ResultError, "has no edges", {"label": "arcs", "feature": "concat"}),
    "a code": (ArgumentError, '"mdl" is not kept', {"probe": "mdl", "feature": "product"}),
    "a tree": (ArgumentError, '"structural" is not kept', {"probe": "structural"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused(made, case):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message):
        repstore.fit_probe(made, "new", run="m", **(ASKED | options))
    assert not run_of(made, "m").frozen("probe", "new").root.exists()


@pytest.mark.parametrize("feature", FEATURES)
def test_vectors_of_another_width_are_refused(made, feature):
    with (
        repstore.open(made) as store,
        pytest.raises(ArgumentError, match="reads vectors of 6 dimensions, and those of wide have 7"),
    ):
        store.apply_probe(feature, run="wide", of_run="m")


def test_probes_of_one_name_that_are_of_words_here_and_of_pairs_there_are_not_asked_together(made, tmp_path):
    root = shutil.copytree(made, tmp_path / "store")
    probe_in(root, "product", run="elsewhere", networks={0: network(0, (WIDTH, 3))})
    with repstore.open(root) as store:
        assert "word_id" in store.apply_probe("product", run="elsewhere").columns
        with pytest.raises(ArgumentError, match=r'Probe "product" of m and .* elsewhere are of diff'):
            store.apply_probe("product", run=["m", "elsewhere"], layer=0)
        assert len(store.apply_probe("product", run=["m", "elsewhere"], of_run="m"))


def test_the_same_pairs_by_another_feature_are_another_probe(made):
    assert "already" in repstore.fit_probe(made, "product", run="m", feature="product", **ASKED).notes[-1]
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(feature\)"):
        repstore.fit_probe(made, "product", run="m", feature="cosine", **ASKED)


def test_a_damaged_probe_of_pairs_is_made_anew_by_its_command(made, tmp_path):
    root = shutil.copytree(made, tmp_path / "store")
    place = run_of(root, "m").frozen("probe", "product")
    before = {path.name: path.read_bytes() for path in place.files()}
    data = bytearray(before["layer-01.npz"])
    data[-9] ^= 1
    place.layer(1).write_bytes(data)
    said = next(iter(repstore.verify(root)))["detail"]
    repstore.repair(root)
    assert not place.info.exists()
    call = said[said.rindex("repstore probe linear") :].split(";")[0].rstrip(".")
    outcome = command(*shlex.split(call)[1:], "--resamples", "0")
    assert outcome.code == 0, outcome.err
    assert {path.name: path.read_bytes() for path in place.files()} == before


def test_the_command_keeps_one_probe_of_pairs(made, tmp_path):
    root = shutil.copytree(made, tmp_path / "store")
    call = ["probe", "linear", root, "--label", "pairs", "--run", "m", "--seeds", "1", "--resamples", "0"]
    call += ["--split-by", "text", "--train-on", "train", "--select-on", "dev", "--evaluate-on", "test"]
    assert command(*call, "--feature", "cosine", "--keep-probe", "by-command").code == 0
    with repstore.open(root) as store:
        said, known = (store.apply_probe(name, run="m") for name in ("by-command", "cosine"))
        assert said.to_csv() == known.to_csv()
    outcome = command("probe", "apply", root, "by-command", "--run", "m", "--format", "json")
    assert json.loads(outcome.out) == json.loads(said.to_json())
    for options, message in (
        (
            ["--feature", "cosine,product"],
            "--keep-probe keeps one probe, and --feature says cosine, product.",
        ),
        ([], "sees pairs by one feature"),
    ):
        refused = command(*call, *options, "--keep-probe", "new")
        assert refused.code in (1, 2)
        assert message in " ".join(refused.err.replace("│", " ").split())
    refused = command("probe", "structural", root, "--keep-probe", "new")
    assert (refused.code, "No such option: --keep-probe" in refused.err) == (2, True)
