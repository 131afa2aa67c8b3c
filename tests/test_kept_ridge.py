"""Maps to tables of numbers are kept, and say of other words, layers and runs what their numbers say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import repstore as command
from saved import run_of
from sklearn.linear_model import Ridge
from synthetic import SyntheticRun, build_store, corpus_of

import repstore
from repstore.corpus import Corpus
from repstore.errors import ArgumentError, ResultError
from repstore.spec import Text, Word
from repstore.storage.frozen import read_words
from repstore.storage.saved_probes import read_probe_info

N_LEMMAS, USES, WIDTH = 24, 5, 8
N_WORDS = N_LEMMAS * USES
RANDOM = np.random.default_rng(0)
NORMS = RANDOM.normal(size=(N_LEMMAS, 2)) * [1.0, 100.0] + [0.0, 50.0]
MAP = RANDOM.normal(size=(2, WIDTH))
RATED = 18
"""Lemmas that the table has; the others are to be predicted."""

FAST: dict[str, Any] = {"n_seeds": 1, "resamples": 0}


def corpus(name: str) -> Corpus:
    forms = [f"l{n // USES:02}" for n in range(N_WORDS)]
    return corpus_of(
        [Text(f"{form} {n} {name}", (Word(0, 0, 3, form, form),)) for n, form in enumerate(forms)], name=name
    )


def planted(noise: float, seed: int) -> np.ndarray:
    signal = ((NORMS - [0, 50]) / [1, 100])[np.arange(N_WORDS) // USES] @ MAP
    return (signal + noise * np.random.default_rng(seed).normal(size=signal.shape)).astype(np.float16)


def table(path: Path, lemmas: range = range(RATED), key: str = "lemma", factor: float = 1.0) -> Path:
    rows = [f"l{n:02},{float(NORMS[n, 0]) * factor!r},{float(NORMS[n, 1])!r}" for n in lemmas]
    path.write_text("\n".join([f"{key},valence,frequency", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Run m, with maps of layers 0, which is noise, and 1; run n over the same words, o over other ones."""
    folder = tmp_path_factory.mktemp("ridge")
    root = build_store(
        folder / "store",
        corpus("rated"),
        [
            SyntheticRun("m", [planted(30, 1), planted(0.1, 2)], 50, frozenset({7})),
            SyntheticRun("n", [planted(0.2, 3), planted(0.3, 4)]),
        ],
    )
    build_store(root, corpus("others"), [SyntheticRun("o", [planted(0.1, 5), planted(0.1, 6)])])
    answer = repstore.fit_ridge(root, "norms", run="m", matrix=table(folder / "norms.csv"), **FAST)
    with repstore.open(root) as store:
        asked = store.probe("ridge", run="m", matrix=folder / "norms.csv", **FAST)
    assert answer.to_csv() == asked.to_csv()
    kept = 'Kept the probe as "norms". Apply it with: repstore probe apply STORE norms --run m.'
    assert answer.notes == [*asked.notes, kept]
    return root


def test_what_is_said_of_a_map(made):
    place = run_of(made, "m").frozen("probe", "norms")
    info = read_probe_info(place)
    assert (info.probe, info.label, info.classes) == ("ridge", "norms.csv", ("valence", "frequency"))
    assert (info.outputs, info.feature) == ("numbers", None)
    assert info.layers[1].score is not None
    assert info.layers[1].score > 0.9
    rated = {f"l{n:02}" for n in range(RATED)}
    with repstore.open(made) as store:
        words = [row["word_id"] for row in store.words() if row["form"] in rated]
        assert read_words(place, info).tolist() == [
            word for word in words if word in store.vectors(run="m", layer=0).word_ids
        ]
    listed = next(iter(repstore.list_probes(made)))
    assert (listed["kind"], listed["label"], listed["state"]) == ("ridge", "norms.csv", "current")


def test_numbers_of_words_that_the_table_lacks_are_predicted_by_a_map_of_those_it_has(made):
    """Long: a row per number. The map is scikit-learn's, with the penalty that was chosen."""
    with repstore.open(made) as store:
        answer = store.apply_probe("norms", run="m", layer=1)
        layer = store.vectors(run="m", layer=1)
        lemmas = dict(zip(*(store.words()[name] for name in ("word_id", "lemma")), strict=True))
        vectors = layer.of(layer.word_ids).astype(np.float64)
    assert answer.columns == [
        *("run", "layer", "of_layer", "word_id", "form", "lemma", "target", "value", "was_trained_on")
    ]
    assert answer["word_id"] == np.repeat(layer.word_ids, 2).tolist()
    assert answer["target"] == ["valence", "frequency"] * len(layer.word_ids)
    assert answer["lemma"] == [lemmas[word] for word in answer["word_id"]]
    numbers = np.array([int(lemmas[word][1:]) for word in layer.word_ids.tolist()])
    rated = numbers < RATED
    assert answer["was_trained_on"] == np.repeat(rated, 2).tolist()
    values = np.array(answer["value"]).reshape(-1, 2)
    mean, std = vectors[rated].mean(axis=0), vectors[rated].std(axis=0)
    z = (vectors - mean) / std
    setting = read_probe_info(run_of(made, "m").frozen("probe", "norms")).layers[1].setting
    for target in range(2):
        errors = []
        for penalty in setting * np.array([0.1, 1.0, 10.0]):  # the median of two
            model = Ridge(penalty * rated.sum(), solver="svd").fit(z[rated], NORMS[numbers[rated], target])
            errors.append(np.abs(values[:, target] - model.predict(z)).max() / NORMS[:, target].std())
        assert min(errors) < 1e-5
        unseen = np.corrcoef(values[~rated, target], NORMS[numbers[~rated], target])[0, 1]
        assert unseen > 0.95


def test_a_map_reads_other_layers_and_runs(made):
    place = run_of(made, "m").frozen("probe", "norms")
    with np.load(place.root / "layer-01.npz") as of, repstore.open(made) as store:
        for run, layer in (("n", 0), ("o", 1)):
            answer = store.apply_probe("norms", run=run, of_run="m", of_layer=1, layer=layer)
            vectors = store.vectors(run=run, layer=layer).of(answer["word_id"][::2]).astype(np.float64)
            z = (vectors - of["shift"]) * of["scale"]
            expected = z @ of["weights_0"].T.astype(float) + of["biases_0"]
            found = np.array(answer["value"]).reshape(-1, 2)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
            assert any(answer["was_trained_on"]) == (run == "n")
        both = store.apply_probe("norms", run=["n", "o"], of_run="m", where="form = 'l20'", sample=3)
        assert len(both) == 2 * 2 * 3 * 2
        assert set(both["form"]) == {"l20"}


def test_the_same_table_is_known_wherever_it_stands_and_another_one_is_not(made, tmp_path):
    moved = table(tmp_path / "moved.csv")
    assert "already" in repstore.fit_ridge(made, "norms", run="m", matrix=moved, **FAST).notes[-1]
    for matrix, options, why in (
        (table(tmp_path / "other.csv", factor=2.0), {}, r"\(content\)"),
        (table(tmp_path / "fewer.csv", range(RATED - 1)), {}, r"\(content\)"),
        (moved, {"where": "form <> 'l01'"}, r"\(where\)"),
        (moved, {"layer": 1}, r"\(layers\)"),
    ):
        with pytest.raises(ArgumentError, match=f"fitted otherwise {why}"):
            repstore.fit_ridge(made, "norms", run="m", matrix=matrix, **(FAST | options))


def test_what_cannot_be_kept_or_said_is_refused(made, tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text("text,valence\n" + "".join(f"l{n // USES:02} {n} rated,{n}\n" for n in range(N_WORDS)))
    asked: dict[str, Any] = {"run": "m", **FAST}
    with pytest.raises(ArgumentError, match=r"texts.csv is of texts, and a map that is kept reads words"):
        repstore.fit_ridge(made, "new", matrix=texts, **asked)
    with pytest.raises(ArgumentError, match="split_by"):
        repstore.fit_ridge(made, "new", matrix=table(tmp_path / "norms.csv"), split_by=None, **asked)  # type: ignore[arg-type]
    with pytest.raises(ResultError, match="at least 10 groups"):
        repstore.fit_ridge(made, "new", matrix=table(tmp_path / "few.csv", range(9)), **asked)
    with pytest.raises(ResultError, match="Allow more"):
        repstore.fit_ridge(made, "new", matrix=table(tmp_path / "norms.csv"), memory=1000, **asked)
    assert not run_of(made, "m").frozen("probe", "new").root.exists()
    with repstore.open(made) as store:
        assert len(store.apply_probe("norms", run="m", memory=400_000))
        with pytest.raises(ResultError, match="An answer for 119 words at 2 layers takes at least"):
            store.apply_probe("norms", run="m", memory=250_000)


def test_constant_numbers_alone_are_said_as_they_are(made, tmp_path):
    path = tmp_path / "constant.csv"
    path.write_text("lemma,one\n" + "".join(f"l{n:02},0.1\n" for n in range(RATED)))
    repstore.fit_ridge(made, "constant", run="m", layer=1, matrix=path, **FAST)
    try:
        with repstore.open(made) as store:
            assert set(store.apply_probe("constant", run="m")["value"]) == {float(np.float32(0.1))}
        assert read_probe_info(run_of(made, "m").frozen("probe", "constant")).layers[0].score is None
    finally:
        repstore.drop_probe(made, "constant", run="m")


def test_a_damaged_map_is_made_anew_by_its_command(made, tmp_path):
    root = shutil.copytree(made, tmp_path / "store")
    place = run_of(root, "m").frozen("probe", "norms")
    before = {path.name: path.read_bytes() for path in place.files()}
    place.layer(1).write_bytes(before["layer-01.npz"][:-1])
    said = next(iter(repstore.verify(root)))["detail"]
    repstore.repair(root)
    assert not place.info.exists()
    found = re.search(r"repstore (probe ridge [^;]+?)\.?$", said)
    assert found
    outcome = command(*shlex.split(found[1]), "--resamples", "0", "--format", "json")
    assert outcome.code == 0, outcome.err
    assert {path.name: path.read_bytes() for path in place.files()} == before
    with repstore.open(root) as store:
        wanted = json.loads(store.apply_probe("norms", run="m").to_json())
    assert (
        json.loads(command("probe", "apply", root, "norms", "--run", "m", "--format", "json").out) == wanted
    )
    refused = command(*shlex.split(found[1]), "--run", "n")
    assert refused.code == 2
    assert "--keep-probe keeps one probe, and --run says" in refused.err
