"""Trained probes are kept as they are: read back they say the same, saved again they have the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from saved import CLASSES, COMMANDS, D_MODEL, network, probe_in, store_of, word_ids_of

from repstore.storage.frozen import read_words
from repstore.storage.layout import RunLayout
from repstore.storage.saved_probes import Network, read_network, read_probe

SIZES = {"linear": (D_MODEL, 3), "mlp": (D_MODEL, 8, 3), "three maps": (D_MODEL, 4, 4, 3)}


@pytest.fixture
def store(tmp_path) -> Path:
    return store_of(tmp_path / "store")


def test_what_is_said_of_a_probe_is_read_as_it_was_written(store):
    place = probe_in(store)
    info = read_probe(place.run, "p")
    assert info is not None
    assert (info.name, info.probe, info.label, info.classes) == ("p", "linear", "pos", CLASSES)
    assert (info.outputs, info.feature, info.n_words) == ("class", None, 7)
    assert info.asked == {"command": COMMANDS["probe"], "seed": 3}
    layers = [(one.layer, one.width, one.n_parameters, one.setting, one.score) for one in info.layers]
    assert layers == [(n, D_MODEL, 3 * (D_MODEL + 1), 0.1, 0.5) for n in range(3)]
    assert np.array_equal(read_words(place, info), word_ids_of(store)[:7])
    assert info.n_bytes == sum(path.stat().st_size for path in place.files() if path != place.info)
    assert read_probe(place.run, "q") is None


@pytest.mark.parametrize("lying", ["by rows", "by columns", "in steps"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_network_says_the_same_as_before_it_was_saved(store, sizes, lying):
    made = network(3, sizes)
    laid = {
        "by rows": made.weights,
        "by columns": tuple(np.asfortranarray(one) for one in made.weights),
        "in steps": tuple(np.repeat(one, 2, axis=1)[:, ::2] for one in made.weights),
    }[lying]
    before = Network(made.shift, made.scale, laid, made.biases)
    place = probe_in(store, networks={1: before})
    info = read_probe(place.run, "p")
    assert info is not None
    after, _ = read_network(place, info.layers[0])
    rows = np.random.default_rng(1).normal(size=(57, D_MODEL)).astype(np.float16)
    assert np.array_equal(after.apply(rows), before.apply(rows))
    assert after.n_parameters == before.n_parameters
    assert [array.dtype for array in (after.shift, *after.weights, *after.biases)] == [
        np.float64,
        *[np.float32] * 2 * len(made.weights),
    ]


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_network_says_what_a_loop_over_its_numbers_does(sizes):
    made = network(5, sizes)
    rows = np.random.default_rng(2).normal(size=(9, D_MODEL))
    for row, logits in zip(rows, made.apply(rows), strict=True):
        z = [(x - shift) * scale for x, shift, scale in zip(row, made.shift, made.scale, strict=True)]
        for n, (weights, biases) in enumerate(zip(made.weights, made.biases, strict=True)):
            if n:
                z = [max(0.0, one) for one in z]
            z = [
                sum(float(w) * one for w, one in zip(of, z, strict=True)) + float(bias)
                for of, bias in zip(weights, biases, strict=True)
            ]
        np.testing.assert_allclose(logits, z, rtol=1e-4, atol=1e-5)


def test_saved_twice_a_probe_has_the_same_bytes_however_its_numbers_lie(store):
    made = network(0)
    place = probe_in(store, networks={0: made})
    before = {path.name: path.read_bytes() for path in place.files()}
    assert sorted(before) == ["layer-00.npz", "probe.json", "words.npy"]
    laid = Network(made.shift, made.scale, tuple(map(np.asfortranarray, made.weights)), made.biases)
    probe_in(store, networks={0: laid})
    assert {path.name: path.read_bytes() for path in place.files()} == before


def test_a_network_is_read_with_numpy_alone(store):
    place = probe_in(store, networks={2: network(7, SIZES["mlp"])})
    rows = np.random.default_rng(3).normal(size=(4, D_MODEL))
    with np.load(place.root / "layer-02.npz") as of:
        z = (rows - of["shift"]) * of["scale"]
        z = np.maximum(z @ of["weights_0"].T + of["biases_0"], 0) @ of["weights_1"].T + of["biases_1"]
    info = read_probe(RunLayout(place.run.root), "p")
    assert info is not None
    np.testing.assert_allclose(read_network(place, info.layers[0])[0].apply(rows), z, rtol=1e-4, atol=1e-5)
