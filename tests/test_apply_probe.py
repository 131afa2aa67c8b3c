"""A probe that was kept says of other words, layers and runs what its numbers say."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import repstore as command
from saved import CLASSES, D_MODEL, N_LAYERS, N_WORDS, network, probe_in, run_of, store_of, word_ids_of
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.analysis import predictions
from repstore.errors import ArgumentError, NotFoundError, QueryError, ResultError, StoreDamagedError
from repstore.storage.saved_probes import Network


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Runs m/base, with a probe p of every layer, m/repeat of other vectors, and wide/base of other width."""
    root = store_of(tmp_path_factory.mktemp("kept") / "store")
    other = SyntheticRun("m/repeat", random_layers(N_WORDS, D_MODEL, N_LAYERS, seed=8), 7)
    wide = SyntheticRun("wide/base", random_layers(N_WORDS, D_MODEL + 2, N_LAYERS), 30)
    build_store(root, small_corpus(N_WORDS, 0, 0), [other, wide])
    build_store(
        root, small_corpus(12, 0, 0, name="others"), [SyntheticRun("n", random_layers(12, D_MODEL, 2))]
    )
    probe_in(root)
    probe_in(root, "some", networks={0: network(0), 2: network(2)})
    probe_in(root, "mlp", networks={1: network(1, (D_MODEL, 7, 3))}, probe="mlp-7")
    probe_in(root, "many", outputs="classes")
    probe_in(root, "pairs", feature="difference")
    return root


def said(made: Network, vectors: np.ndarray) -> list[tuple[str, float]]:
    """Class and probability of each vector, number by number."""
    answer = []
    for vector in vectors.astype(float):
        logits = logits_of(made, vector)
        total = sum(math.exp(one) for one in logits)
        best = max(range(len(logits)), key=logits.__getitem__)
        answer.append((CLASSES[best], math.exp(logits[best]) / total))
    return answer


def logits_of(made: Network, vector: np.ndarray) -> list[float]:
    z = list((vector - made.shift) * made.scale)
    for n, (weights, biases) in enumerate(zip(made.weights, made.biases, strict=True)):
        if n:
            z = [max(0.0, one) for one in z]
        z = [
            float(np.dot(of.astype(float), z)) + float(bias) for of, bias in zip(weights, biases, strict=True)
        ]
    return z


def assert_said(
    root: Path, table: repstore.ResultTable, run: str, layers: dict[int, Network], of: dict[int, int]
) -> None:
    with repstore.open(root) as opened:
        for layer, made in layers.items():
            rows = [row for row in table if (row["run"], row["layer"]) == (run, layer)]
            vectors = opened.vectors(run=run, layer=layer).of([row["word_id"] for row in rows])
            expected = said(made, vectors)
            assert [row["predicted"] for row in rows] == [name for name, _ in expected]
            found = [row["probability"] for row in rows]
            np.testing.assert_allclose(found, [share for _, share in expected], rtol=1e-5)
            assert {row["of_layer"] for row in rows} == {of[layer]}


def test_each_layer_is_read_by_its_own_network(kept):
    with repstore.open(kept) as store:
        table = store.apply_probe("p", run="m/base")
        words = store.words()
    assert_said(kept, table, "m/base", {n: network(n) for n in range(3)}, {0: 0, 1: 1, 2: 2})
    ids = word_ids_of(kept)
    assert table["layer"] == sorted(list(range(3)) * len(ids))
    assert table["word_id"] == ids.tolist() * 3
    by_id = {row["word_id"]: row for row in words}
    for row in table:
        assert {name: row[name] for name in ("form", "lemma", "text", "char_start", "char_end")} == {
            name: by_id[row["word_id"]][name] for name in ("form", "lemma", "text", "char_start", "char_end")
        }
    assert table["was_trained_on"] == [one in ids[:7] for one in ids] * 3
    assert not table.notes


def test_a_larger_probe_of_one_layer_is_applied_to_that(kept):
    with repstore.open(kept) as store:
        table = store.apply_probe("mlp", run="m/base")
    assert set(table["layer"]) == {1}
    assert_said(kept, table, "m/base", {1: network(1, (D_MODEL, 7, 3))}, {1: 1})


def test_the_network_of_one_layer_reads_others(kept):
    with repstore.open(kept) as store:
        table = store.apply_probe("some", run="m/base", of_layer=2)
        assert store.apply_probe("some", run="m/base")["layer"][-1] == 2
        assert set(store.apply_probe("some", run="m/base")["layer"]) == {0, 2}
        assert set(store.apply_probe("some", run="m/base", layer=1, of_layer=0)["layer"]) == {1}
    assert_said(kept, table, "m/base", {n: network(2) for n in range(3)}, {0: 2, 1: 2, 2: 2})


def test_the_probe_of_a_run_reads_the_words_of_another(kept):
    with repstore.open(kept) as store:
        table = store.apply_probe("p", run=["m/repeat", "n"], of_run="m/base", layer=[1, 0])
    assert list(dict.fromkeys(zip(table["run"], table["layer"], strict=True))) == [
        ("m/repeat", 1),
        ("m/repeat", 0),
        ("n", 1),
        ("n", 0),
    ]
    for run in ("m/repeat", "n"):
        assert_said(kept, table, run, {n: network(n) for n in (0, 1)}, {0: 0, 1: 1})
    trained_on = {row["word_id"] for row in table if row["was_trained_on"]}
    assert trained_on == set(word_ids_of(kept)[:7].tolist()), "the same words; those of n are others"


def test_words_are_chosen_by_a_condition_and_drawn_by_a_seed(kept):
    with repstore.open(kept) as store:
        verbs = store.words(pos="V")["word_id"]
        asked: dict[str, Any] = {"run": "m/base", "layer": 1}
        table = store.apply_probe("p", where="pos = 'V'", **asked)
        assert table["word_id"] == [one for one in verbs if one in word_ids_of(kept)]
        drawn = store.apply_probe("p", sample=5, seed=3, **asked)
        assert drawn["word_id"] == store.apply_probe("p", sample=5, seed=3, **asked)["word_id"]
        assert len(drawn) == 5
        assert drawn["word_id"] != store.apply_probe("p", sample=5, seed=4, **asked)["word_id"]
    assert_said(kept, drawn, "m/base", {1: network(1)}, {1: 1})


def test_a_word_may_have_several_classes_or_none(kept):
    with repstore.open(kept) as store:
        table = store.apply_probe("many", run="m/base")
        vectors = [store.vectors(run="m/base", layer=row["layer"]).of([row["word_id"]])[0] for row in table]
    for row, vector in zip(table, vectors, strict=True):
        logits = logits_of(network(row["layer"]), vector.astype(float))
        shares = [1 / (1 + math.exp(-one)) for one in logits]
        has = [share > 0.5 for share in shares]
        assert row["predicted"] == ";".join(name for name, one in zip(CLASSES, has, strict=True) if one)
        joint = math.prod(share if one else 1 - share for share, one in zip(shares, has, strict=True))
        assert row["probability"] == pytest.approx(joint, rel=1e-5)
    assert {""} < set(table["predicted"])
    assert any(";" in one for one in table["predicted"])


def test_the_same_is_said_whichever_words_are_asked_about_beside(kept, monkeypatch):
    """Rows are read some at a time; where they are cut changes no answer but by rounding."""
    with repstore.open(kept) as store:
        whole = store.apply_probe("p", run="m/base")
        monkeypatch.setattr(predictions, "ROWS_AT_ONCE", 4)
        cut = store.apply_probe("p", run="m/base")
    assert cut["predicted"] == whole["predicted"]
    np.testing.assert_allclose(cut["probability"], whole["probability"], rtol=1e-5)


def test_large_logits_have_a_probability(tmp_path):
    root = store_of(tmp_path / "store")
    sure = Network(
        np.zeros(D_MODEL), np.ones(D_MODEL), (np.zeros((2, D_MODEL), np.float32),), (np.float32([900, -900]),)
    )
    probe_in(root, networks={0: sure}, classes=("yes", "no"))
    probe_in(root, "both", networks={0: sure}, classes=("yes", "no"), outputs="classes")
    with repstore.open(root) as store:
        for name in ("p", "both"):
            table = store.apply_probe(name)
            assert set(table["predicted"]) == {"yes"}
            assert set(table["probability"]) == {1.0}


REFUSED: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "no such probe": (NotFoundError, 'm/base has no probe "q"', {"name": "q"}),
    "a probe of another run": (
        NotFoundError,
        'm/repeat has no probe "p". It has none; keep',
        {"run": "m/repeat"},
    ),
    "no name": (ArgumentError, "is no name for a probe", {"name": "../p"}),
    "another width": (
        ArgumentError,
        "reads vectors of 5 dimensions, and those of wide/base have 7. Take a run",
        {"run": "wide/base", "of_run": "m/base"},
    ),
    "a layer without a network": (
        NotFoundError,
        'Probe "some" of m/base was not trained on layer 1, but on 0, 2. .*of_layer',
        {"name": "some", "layer": [0, 1]},
    ),
    "no network to read with": (NotFoundError, "not trained on layer 7", {"of_layer": 7}),
    "no layer": (NotFoundError, "m/base has no layer 3", {"layer": 3}),
    "no number": (ArgumentError, "of_layer is True", {"of_layer": True}),
    "no run": (NotFoundError, 'No run "m/bsae"', {"of_run": "m/bsae"}),
    "no words": (ResultError, "has no words with vectors where lemma = 'x'", {"where": "lemma = 'x'"}),
    "no condition": (QueryError, "not a condition", {"where": "lemma"}),
    "no sample": (ArgumentError, "sample is 0", {"sample": 0}),
    "little memory": (
        ResultError,
        "29 words at 3 layers takes at least .* with sample, or allow",
        {"memory": 1000},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_applied_is_refused(kept, case):
    error, message, options = REFUSED[case]
    asked = {"run": "m/base", "name": "p"} | options
    with repstore.open(kept) as store, pytest.raises(error, match=message):
        store.apply_probe(asked.pop("name"), **asked)


@pytest.fixture
def store(kept, tmp_path) -> Path:
    return shutil.copytree(kept, tmp_path / "store")


def test_a_probe_is_applied_to_what_it_was_trained_on_seen_through_a_transform_or_not(store):
    repstore.fit_transform(store, "t", kind="standardize", run="m/base")
    probe_in(store, "seen", asked={"command": ["probe", "linear", "STORE"], "transform": "t"})
    with repstore.open(store) as opened:
        with pytest.raises(
            ArgumentError, match=r"trained on vectors as they are stored.*through no transform"
        ):
            opened.transformed("t").apply_probe("p", run="m/base")
        with pytest.raises(
            ArgumentError, match=r'seen through transform "t".*--transform t \(store\.transformed'
        ):
            opened.apply_probe("seen", run="m/base")
        table = opened.transformed("t").apply_probe("seen", run="m/base", layer=2)
        vectors = opened.transformed("t").vectors(run="m/base", layer=2).of(table["word_id"])
    expected = said(network(2), vectors)
    assert table["predicted"] == [name for name, _ in expected]
    outcome = command(
        "probe",
        "apply",
        store,
        "seen",
        "--run",
        "m/base",
        "--transform",
        "t",
        "--layer",
        "2",
        "--format",
        "json",
    )
    assert json.loads(outcome.out) == json.loads(table.to_json())


@pytest.mark.parametrize("name", ["layer-01.npz", "words.npy", "probe.json"])
def test_a_damaged_probe_is_not_applied(store, name):
    path = run_of(store).frozen("probe", "p").root / name
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    with repstore.open(store) as opened, pytest.raises(StoreDamagedError, match="repstore verify"):
        opened.apply_probe("p", run="m/base", layer=1)


def test_a_stale_probe_is_applied_and_said_to_be_stale(tmp_path):
    half = store_of(tmp_path / "store", n_committed=2)
    probe_in(half)
    whole = store_of(tmp_path / "whole")
    for path in [*whole.glob("runs/*/*/part-00002*"), *whole.glob("catalog.*")]:
        shutil.copy2(path, half / path.relative_to(whole))
    assert repstore.list_probes(half)["state"] == ["stale"]
    with repstore.open(half) as opened:
        table = opened.apply_probe("p")
    assert table.notes == ['Probe "p" of m/base is stale: the run has more words than when it was fitted.']
    assert len(table) == 3 * (N_WORDS - 1)


def test_probes_are_listed_and_dropped(store):
    listed = repstore.list_probes(store)
    assert listed["probe"] == ["many", "mlp", "p", "pairs", "some"]
    row = list(listed)[1]
    assert row == {
        "run": "m/base",
        "probe": "mlp",
        "kind": "mlp-7",
        "label": "pos",
        "state": "current",
        "n_layers": 1,
        "n_words": 7,
        "bytes": row["bytes"],
    }
    with pytest.raises(ArgumentError, match="Say which run"):
        repstore.drop_probe(store, "mlp")
    assert repstore.drop_probe(store, "mlp", run="m/base")
    assert not repstore.drop_probe(store, "mlp", run="m/base")
    run_of(store).frozen("probe", "p").layer(1).write_bytes(b"")
    run_of(store).frozen("probe", "many").info.write_text("{}")
    listed = repstore.list_probes(store)
    assert dict(zip(listed["probe"], listed["state"], strict=True)) == {
        "many": "damaged",
        "p": "damaged",
        "pairs": "current",
        "some": "current",
    }
    assert not len(repstore.list_transforms(store))


def test_the_commands_say_what_the_library_does(store):
    def answer(*call: str) -> Any:
        return json.loads(command("probe", *call, "--format", "json").out)

    assert answer("list", str(store)) == json.loads(repstore.list_probes(store).to_json())
    with repstore.open(store) as opened:
        wanted = opened.apply_probe(
            "some",
            run=["m/base", "m/repeat"],
            of_run="m/base",
            layer=[0, 1],
            of_layer=2,
            where="pos = 'V'",
            sample=3,
            seed=5,
        )
    options = ["--run", "m/base", "--run", "m/repeat", "--of-run", "m/base", "--layer", "0-1"]
    options += ["--of-layer", "2", "--sample", "3", "--seed", "5"]
    assert answer("apply", str(store), "some", *options, "--where", "pos = 'V'") == json.loads(
        wanted.to_json()
    )
    assert command("probe", "drop", store, "some", "--run", "m/base").out == "Removed some.\n"
    assert command("probe", "drop", store, "some", "--run", "m/base").out.startswith(
        'There was no probe "some" of m/base, so nothing is removed. '
    )
