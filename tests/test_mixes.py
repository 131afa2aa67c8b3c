"""Mixes of layers: what they are, that they are learned, kept, and asked about like any layer."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixing import arrays_of, naive_loss, naive_mix, put_mix
from synthetic import SyntheticRun, build_store, corpus_of, in_parts, random_layers, small_corpus

import repstore
from repstore.analysis.labelled import LabelledRows
from repstore.errors import ArgumentError, MissingExtraError, NotFoundError, ResultError, StoreDamagedError
from repstore.spec import EncodedWord, Pair, Text, Word
from repstore.storage import made
from repstore.storage.layout import Layout
from repstore.storage.mixed import Mix
from repstore.storage.vectors import LayerVectors
from repstore.training.mixing import TEMPERATURE, learn_mix

N_WORDS, D_MODEL, N_LAYERS = 80, 6, 3
KINDS = ("scalar", "attention")
LAYERS = random_layers(N_WORDS, D_MODEL, N_LAYERS)
SENSES = 2
N_LEMMAS, N_USES = 12, 4


@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_mix_is_what_plain_loops_say(kind, n_layers, d_model, seed):
    layers = random_layers(3, d_model, n_layers, seed=seed)
    arrays = arrays_of(kind, n_layers, d_model, seed=seed)
    mixed = Mix(kind, tuple(range(n_layers)), arrays).apply(layers)
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, naive_mix(kind, arrays, layers), rtol=2e-5, atol=2e-6)


def test_the_center_of_gravity_is_the_mean_layer_by_weight():
    arrays = {"weights": np.array([0.25, 0.0, 0.75])}
    assert Mix("scalar", (0, 4, 8), arrays).center == pytest.approx(6)
    arrays = {"attention": np.array([[1.0, 0.0], [0.5, 0.5]])}
    assert Mix("attention", (2, 6), arrays).center == pytest.approx(0.75 * 2 + 0.25 * 6)


@pytest.fixture(scope="module", params=KINDS)
def both(request, tmp_path_factory):
    """A store with a mix of two of three layers, and one whose layers are the mixed vectors."""
    kind = request.param
    folder = tmp_path_factory.mktemp("mixes")
    skipped = frozenset({5})
    root = build_store(folder / "store", small_corpus(), [SyntheticRun("m/base", LAYERS, 33, skipped)])
    arrays = arrays_of(kind, 2, D_MODEL)
    put_mix(root, "x", kind, (0, 2), arrays)
    mixed = naive_mix(kind, arrays, [LAYERS[0], LAYERS[2]]).astype(np.float32)
    shown = build_store(
        folder / "shown", small_corpus(), [SyntheticRun("m/base", [*LAYERS, mixed], 33, skipped)]
    )
    with repstore.open(root) as opened, repstore.open(shown) as expected:
        yield opened, expected


QUESTIONS: dict[str, Callable[[repstore.Store, int | str], repstore.ResultTable]] = {
    "wic": lambda store, x: store.probe("wic", layer=[0, x]),
    "wic, as stored": lambda store, x: store.probe("wic", layer=[x], standardize="none"),
    "wic, against a layer": lambda store, x: store.probe("wic", layer=[x, 1], against=2),
    "wic, against the mix": lambda store, x: store.probe("wic", layer=[1], against=x),
    "wic, against the mix of a run": lambda store, x: store.probe("wic", layer=[1, x], against=("m/base", x)),
    "knn-wsd": lambda store, x: store.probe("knn-wsd", layer=x, k=3),
    "centroid-wsd": lambda store, x: store.probe("centroid-wsd", layer=[1, x], standardize="center"),
    "wsi": lambda store, x: store.probe("wsi", layer=x, resamples=20),
    "neighbors": lambda store, x: store.neighbors("bank", text="004", layer=x, k=5),
    "neighbors, csls": lambda store, x: store.neighbors("bank", text="004", layer=x, metric="csls"),
    "neighbors among some": lambda store, x: store.neighbors(
        "bank", text="004", layer=x, k=5, metric="l2", where="pos = 'N'", other_lemmas=True
    ),
    "graph": lambda store, x: store.neighbors_graph(layer=x, k=3),
    "hubness": lambda store, x: store.hubness(layer=[0, x], k=3),
    "cka": lambda store, x: store.compare("cka", layer=[0, 1, x], sample=None),
    "common neighbors": lambda store, x: store.compare("knn", layer=[0, x], k=5, standardize="corpus"),
    "geometry": lambda store, x: store.geometry(["uniformity", "alignment", "norms", "rank"], layer=[2, x]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered_as_if_the_mixed_vectors_were_a_layer(both, question):
    opened, expected = both
    found, wanted = QUESTIONS[question](opened, "mix:x"), QUESTIONS[question](expected, N_LAYERS)
    assert found.columns == wanted.columns
    for column in found.columns:
        if column in ("layer", "layer_a", "layer_b"):
            names = [str(value).replace("mix:x", str(N_LAYERS)) for value in found[column]]
            assert names == [str(value) for value in wanted[column]]
        elif column != "depth":
            for value, other in zip(found[column], wanted[column], strict=True):
                assert value == (
                    pytest.approx(other, rel=1e-5, abs=1e-5) if isinstance(other, float) else other
                )


def test_a_new_word_is_mixed_from_its_vectors_at_all_layers(both):
    opened, _ = both
    run = opened._lookup.run(None)
    stacked = np.stack([layer[8] for layer in LAYERS]).astype(np.float32)
    word = EncodedWord(run.info.run_id, "a bank", 2, 6, "bank", stacked)
    found = opened.neighbors(word, layer="mix:x", k=1)
    assert (found["word_id"], found["cosine"]) == ([run.vectors.word_ids[7]], [pytest.approx(1)])


def test_a_large_mix_is_the_same_in_a_temporary_file(both, monkeypatch):
    opened, _ = both
    run = opened._lookup.run(None)
    held = opened.vectors(layer="mix:x").values.copy()
    monkeypatch.setattr(made, "IN_MEMORY", 0)
    fresh = type(run.vectors)(run.vectors._stored, run.folder, run.label).layer("mix:x")
    some = fresh.take(np.array([70, 3]))
    np.testing.assert_allclose(some, held[[70, 3]], rtol=1e-6)
    assert isinstance(fresh.values, np.memmap)
    assert (fresh.values == held).all()
    assert [len(block) for block in fresh.blocks] == [32, 33, 14]


def planted(n_layers: int = 4, at: int = 2, seed: int = 0) -> tuple[list[np.ndarray], list[Text], list[Pair]]:
    """Words of several lemmas, two senses each. Layer `at` knows senses; the others know lemmas."""
    random = np.random.default_rng(seed)
    lemmas = [f"lemma{n:02}" for n in range(N_LEMMAS)]
    texts, of_lemma, of_sense = [], [], []
    for n, lemma in enumerate(lemmas):
        for sense in range(SENSES):
            for use in range(N_USES):
                word = Word(0, 0, len(lemma), lemma, lemma, "N", f"{lemma}.{sense}")
                texts.append(Text(f"{lemma} is used in sense {sense} and text {use}.", (word,)))
                of_lemma.append(n)
                of_sense.append(SENSES * n + sense)
    d_model = 16
    known_lemmas = random.normal(size=(N_LEMMAS, d_model))
    known_senses = random.normal(size=(N_LEMMAS * SENSES, d_model))
    layers = []
    for layer in range(n_layers):
        signal = known_senses[of_sense] if layer == at else known_lemmas[of_lemma]
        layers.append((signal + 0.5 * random.normal(size=signal.shape)).astype(np.float32) * 10.0**layer)
    pairs = []
    for first in range(0, len(texts), SENSES * N_USES):
        split = "dev" if first < len(texts) * 2 // 3 else "test"
        for use in range(N_USES):
            one, other = first + use, first + N_USES + use
            pairs += [Pair(one, first + (use + 1) % N_USES, split, True), Pair(one, other, split, False)]
    return layers, texts, pairs


def planted_store(root: Path) -> Path:
    layers, texts, pairs = planted()
    return build_store(root, corpus_of(texts, pairs), [SyntheticRun("m/base", layers, 50)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_that_alone_knows_senses_gets_the_weight(tmp_path, kind):
    root = planted_store(tmp_path / "store")
    result = repstore.fit_mix(root, "x", kind=kind)
    weights = [row["weight"] for row in result if row["query"] == "all"]
    assert np.argmax(weights) == 2
    assert weights[2] > 0.5
    assert result.provenance["loss_after"] < result.provenance["loss_before"] - 0.1
    with repstore.open(root) as store:
        senses = store.probe("wic", layer=[0, 1, 3, "mix:x"], resamples=0)
    assert senses["layer"][-1] == "mix:x"
    assert senses["accuracy"][-1] > max(senses["accuracy"][:-1]) + 0.2


def test_the_loss_is_the_mean_of_what_plain_loops_say():
    layers, _, pairs = planted()
    pairs = [pair for pair in pairs if pair.split == "test"]
    lemmas = [word // (SENSES * N_USES) for word in range(len(layers[0]))]
    rows = np.array([[pair.word_a, pair.word_b] for pair in pairs])
    known = LabelledRows(rows, np.array(lemmas)[rows], np.array([pair.label for pair in pairs]))
    stored = [LayerVectors(n, np.arange(len(layer)), (layer,)) for n, layer in enumerate(layers)]
    learned = learn_mix("scalar", stored, known, known, seed=0, memory=1 << 30)
    standardized = []
    for layer in layers:
        trained = layer[np.unique(rows)].astype(np.float64)
        standardized.append((layer - trained.mean(axis=0)) / trained.std(axis=0, ddof=1))
    at_first = sum(standardized) / len(layers)
    triples = [(pair.word_a, pair.word_b, pair.label) for pair in pairs]
    assert learned.before == pytest.approx(naive_loss(at_first, triples, lemmas, TEMPERATURE), rel=1e-5)
    at_last = learned.mix.apply(layers).astype(np.float64)
    assert learned.after == pytest.approx(naive_loss(at_last, triples, lemmas, TEMPERATURE), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_bytes_whatever_the_threads(tmp_path, kind):
    files = []
    n_threads = torch.get_num_threads()
    try:
        for n, name in enumerate(("one", "two")):
            torch.set_num_threads(n + 1)
            root = planted_store(tmp_path / name)
            repstore.fit_mix(root, "x", kind=kind, seed=3)
            assert torch.get_num_threads() == n + 1
            files.append({path.name: path.read_bytes() for path in root.glob("runs/*/mixes/x/*")})
    finally:
        torch.set_num_threads(n_threads)
    assert sorted(files[0]) == ["mix.json", "mix.npz", "words.npy"]
    assert files[0] == files[1]


def test_another_seed_holds_other_lemmas_out(tmp_path):
    root = planted_store(tmp_path / "store")
    for seed in (0, 1):
        repstore.fit_mix(root, f"x{seed}", seed=seed)
    losses = repstore.list_mixes(root)["loss_before"]
    assert losses[0] != losses[1]


def test_no_lemma_is_both_learned_from_and_chosen_by(tmp_path):
    layers, texts, pairs = planted()
    half = [Pair(p.word_a, p.word_b, "train" if n % 2 else "dev", p.label) for n, p in enumerate(pairs[:-16])]
    rest = [Pair(p.word_a, p.word_b, "dev", p.label) for p in pairs[-16:]]
    root = build_store(tmp_path / "store", corpus_of(texts, half + rest), [SyntheticRun("m/base", layers)])
    with pytest.raises(ResultError, match="of one sense"):
        repstore.fit_mix(root, "x")  # all pairs of one sense are in dev here
    half = [
        Pair(p.word_a, p.word_b, "train" if n % 4 < 2 else "dev", p.label) for n, p in enumerate(pairs[:-16])
    ]
    root = build_store(tmp_path / "other", corpus_of(texts, half + rest), [SyntheticRun("m/base", layers)])
    result = repstore.fit_mix(root, "x")
    assert any(f"{len(half) // 2} pairs to choose by are left out" in note for note in result.notes)
    assert any("chosen by 16" in note for note in result.notes)


def test_a_mix_is_listed_kept_and_dropped(tmp_path):
    root = planted_store(tmp_path / "store")
    first = repstore.fit_mix(root, "x")
    again = repstore.fit_mix(root, "x")
    assert list(first) == list(again)
    assert "It was there already: nothing was done." in again.notes
    (row,) = repstore.list_mixes(root)
    assert (row["mix"], row["kind"], row["state"], row["n_layers"]) == ("x", "scalar", "current", 4)
    assert row["center"] == pytest.approx(sum(one["layer"] * one["weight"] for one in first))
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(kind, seed\)"):
        repstore.fit_mix(root, "x", kind="attention", seed=1)
    assert repstore.drop_mix(root, "x")
    assert not repstore.drop_mix(root, "x")
    assert len(repstore.list_mixes(root)) == 0
    with repstore.open(root) as store, pytest.raises(NotFoundError, match='no mix "x"'):
        store.vectors(layer="mix:x")


def test_a_damaged_mix_is_refused_and_listed_as_damaged(tmp_path):
    root = build_store(tmp_path / "store", small_corpus(), [SyntheticRun("m/base", LAYERS)])
    put_mix(root, "x", "scalar", (0, 1), arrays_of("scalar", 2, D_MODEL))
    (file,) = root.glob("runs/*/mixes/x/mix.npz")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with repstore.open(root) as store, pytest.raises(StoreDamagedError, match="verify"):
        store.vectors(layer="mix:x")
    assert repstore.list_mixes(root)["state"] == ["damaged"]


def test_what_is_learned_can_be_learned_again_by_its_command(tmp_path):
    root = planted_store(tmp_path / "store")
    repstore.fit_mix(root, "x", layer=[0, 2], seed=2)
    (said,) = root.glob("runs/*/mixes/x/mix.json")
    before = said.read_bytes()
    (run,) = Layout(root).runs.iterdir()
    from typer.testing import CliRunner

    from repstore.cli.app import app
    from repstore.storage.mixes import read_mix

    info = read_mix(Layout(root).run(run.name), "x")
    assert info is not None
    command = info.command(str(root))
    repstore.drop_mix(root, "x")
    assert CliRunner().invoke(app, command).exit_code == 0
    assert said.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"kind": "sum"}, ArgumentError, "No kind"),
        ({"seed": -1}, ArgumentError, "must not be negative"),
        ({"train_on": "dev", "select_on": "dev"}, ArgumentError, "pairs in common"),
        ({"train_on": "all", "select_on": "dev"}, ArgumentError, "pairs in common"),
        ({"train_on": "tset"}, NotFoundError, 'Did you mean "test"'),
        ({"layer": "mix:y"}, NotFoundError, 'no mix "y"'),
        ({"memory": 1000}, ResultError, "Allow more with memory"),
    ],
)
def test_what_cannot_be_learned_is_refused(tmp_path, options, error, match):
    root = planted_store(tmp_path / "store")
    with pytest.raises(error, match=match):
        repstore.fit_mix(root, "x", **options)
    assert not list(root.glob("runs/*/mixes/*/*"))


def test_without_torch_the_error_says_what_to_install(tmp_path, monkeypatch):
    root = planted_store(tmp_path / "store")
    for name in ("repstore.training", "repstore.training.mixing"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"repstore\[train\]"):
        repstore.fit_mix(root, "x")


def test_a_mix_of_parts_is_that_of_the_whole():
    stored = [in_parts(layer, 20, 30) for layer in LAYERS]
    rows = np.stack([np.arange(0, 40, 2), np.arange(1, 40, 2)], axis=1)
    pairs = LabelledRows(rows, rows // 4, np.arange(len(rows)) % 2 == 0)
    for n, layer in enumerate(stored):
        vars(layer)["layer"] = n
    whole = [LayerVectors(n, np.arange(N_WORDS), (layer,)) for n, layer in enumerate(LAYERS)]
    found, wanted = (learn_mix("scalar", of, pairs, pairs, seed=0, memory=1 << 30) for of in (stored, whole))
    assert (found.mix.weights == wanted.mix.weights).all()
