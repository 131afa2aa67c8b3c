"""Stores with a probe and a mix in them, whose numbers a test chose."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.storage.layout import FrozenLayout, RunLayout
from repstore.storage.lookup import Lookup
from repstore.storage.manifest import committed_parts
from repstore.storage.mixes import write_mix
from repstore.storage.saved_probes import Network, Trained, WordSpace, read_probe_info, write_probe

N_WORDS, D_MODEL, N_LAYERS = 30, 5, 3
CLASSES = ("N", "V", "X")
ARRAYS = {"weights": np.array([0.25, 0.75]), "scale": np.array(1.5)}
COMMANDS = {
    "probe": ["probe", "linear", "STORE", "--label", "pos", "--run", "m/base", "--keep-probe", "p"],
    "mix": ["mix", "train", "STORE", "m", "--run", "m/base"],
}


def store_of(root: Path, n_committed: int | None = None, n_words: int = N_WORDS) -> Path:
    """A store with one run, m/base, in three parts."""
    layers = random_layers(n_words, D_MODEL, N_LAYERS)
    run = SyntheticRun("m/base", layers, 10, skipped=frozenset({4}), n_committed=n_committed)
    return build_store(root, small_corpus(n_words, 0, 0), [run])


def run_of(store: Path, name: str = "m/base") -> RunLayout:
    with repstore.open(store) as opened:
        lookup: Lookup = opened._lookup
        return lookup.run(name).folder


def word_ids_of(store: Path, name: str = "m/base") -> np.ndarray:
    with repstore.open(store) as opened:
        return opened.vectors(run=name, layer=0).word_ids


def network(seed: int, sizes: Sequence[int] = (D_MODEL, len(CLASSES))) -> Network:
    """Random numbers; layers of these sizes."""
    random = np.random.default_rng(seed)
    weights = tuple(random.normal(size=(b, a)).astype(np.float32) for a, b in itertools.pairwise(sizes))
    biases = tuple(random.normal(size=b).astype(np.float32) for b in sizes[1:])
    return Network(random.normal(size=sizes[0]), random.random(sizes[0]), weights, biases)


def probe_in(
    store: Path,
    name: str = "p",
    run: str = "m/base",
    networks: dict[int, Network] | None = None,
    trained_on: np.ndarray | None = None,
    space: WordSpace | None = None,
    **about: Any,
) -> FrozenLayout:
    """Keep a probe: by default a linear one of every layer, trained on the first words."""
    place = run_of(store, run).frozen("probe", name)
    given = {layer: network(layer) for layer in range(N_LAYERS)} if networks is None else networks
    known = {
        "run_id": place.run.root.name,
        "parts": tuple(part.sha256 for part in committed_parts(place.run)),
        "probe": "linear",
        "label": "pos",
        "classes": CLASSES,
        "outputs": "class",
        "feature": None,
        "asked": {"command": COMMANDS["probe"], "seed": 3},
    }
    word_ids = word_ids_of(store, run)[:7] if trained_on is None else trained_on
    trained = (Trained(layer, one, space, 0.1, 0.5) for layer, one in given.items())
    write_probe(place, word_ids, trained, known | about)
    return place


def mix_in(store: Path, name: str = "m", run: str = "m/base") -> FrozenLayout:
    """Keep a mix of two layers, learned on a few words."""
    place = run_of(store, run).frozen("mix", name)
    about = {
        "kind": "scalar",
        "run_id": place.run.root.name,
        "layers": (0, 1),
        "asked": {"command": COMMANDS["mix"], "seed": 3},
        "parts": tuple(part.sha256 for part in committed_parts(place.run)),
    }
    write_mix(place, word_ids_of(store, run)[3:9], ARRAYS, about)
    return place


def told(place: FrozenLayout, layer: int, examples: Iterable[np.ndarray]) -> list[tuple[str, float]]:
    """What the numbers of a linear probe say of examples, one by one: class and probability."""
    with np.load(place.root / f"layer-{layer:02}.npz") as arrays:
        of = {name: arrays[name].astype(np.float64) for name in arrays}
    names, answers = read_probe_info(place).classes, []
    for example in examples:
        logits = of["weights_0"] @ ((example - of["shift"]) * of["scale"]) + of["biases_0"]
        shares = [math.exp(one - max(logits)) for one in logits]
        best = int(np.argmax(logits))
        answers.append((names[best], shares[best] / sum(shares)))
    return answers
