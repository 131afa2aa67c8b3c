"""Mixes for tests: chosen numbers, written without learning, and naive loops to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, log, sqrt
from pathlib import Path

import numpy as np

import repstore
from repstore.storage.layout import Layout
from repstore.storage.mixes import MixInfo, write_mix


def arrays_of(
    kind: str, n_layers: int, d_model: int, *, width: int = 3, seed: int = 0
) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    arrays = {
        "shift": random.normal(size=(n_layers, d_model)),
        "scale": random.uniform(0.5, 2, size=(n_layers, d_model)),
        "losses": np.array([3.0, 2.0]),
    }
    if kind == "scalar":
        weights = random.uniform(size=n_layers)
        return arrays | {"weights": weights / weights.sum()}
    attention = random.uniform(size=(n_layers, n_layers))
    arrays |= {name: random.normal(size=(width, d_model)).astype(np.float32) for name in ("query", "key")}
    arrays |= {
        name: random.normal(size=(n_layers, width)).astype(np.float32) for name in ("query_bias", "key_bias")
    }
    return arrays | {"attention": attention / attention.sum(axis=1, keepdims=True)}


def put_mix(
    root: Path,
    name: str,
    kind: str,
    layers: Sequence[int],
    arrays: dict[str, np.ndarray],
    run: str | None = None,
) -> MixInfo:
    """Write a mix of a run of a store, as if it had been learned from all words."""
    with repstore.open(root) as store:
        opened = store._lookup.run(run)
        place = Layout(root).run(opened.info.run_id).frozen("mix", name)
        command = ["mix", "fit", "STORE", name]
        about = {
            "kind": kind,
            "run_id": opened.info.run_id,
            "parts": opened.parts,
            "layers": tuple(layers),
            "asked": {"train_on": "dev", "select_on": None, "seed": 0, "command": command},
        }
        return write_mix(place, opened.vectors.word_ids, arrays, about)


def naive_mix(kind: str, arrays: dict[str, np.ndarray], layers: Sequence[np.ndarray]) -> np.ndarray:
    """Every word by itself, layer by layer and number by number."""
    n = len(layers)
    mixed = []
    for word in range(len(layers[0])):
        z = [
            [
                (float(x) - s) * c
                for x, s, c in zip(
                    layers[layer][word], arrays["shift"][layer], arrays["scale"][layer], strict=True
                )
            ]
            for layer in range(n)
        ]
        weights = arrays["weights"].tolist() if kind == "scalar" else _pooled(arrays, z)
        mixed.append([fsum(weights[layer] * z[layer][d] for layer in range(n)) for d in range(len(z[0]))])
    return np.array(mixed)


def _pooled(arrays: dict[str, np.ndarray], z: Sequence[Sequence[float]]) -> list[float]:
    """The weight of each layer: the mean of what all layers pay to it."""
    n = len(z)
    asked = [_mapped(arrays["query"], arrays["query_bias"][layer], z[layer]) for layer in range(n)]
    keys = [_mapped(arrays["key"], arrays["key_bias"][m], z[m]) for m in range(n)]
    weights = [0.0] * n
    for layer in range(n):
        raised = [exp(fsum(k * q for k, q in zip(keys[m], asked[layer], strict=True)) / n) for m in range(n)]
        for m in range(n):
            weights[m] += raised[m] / fsum(raised) / n
    return weights


def _mapped(matrix: np.ndarray, bias: np.ndarray, vector: Sequence[float]) -> list[float]:
    return [
        fsum(float(w) * x for w, x in zip(row, vector, strict=True)) + float(b)
        for row, b in zip(matrix, bias, strict=True)
    ]


def naive_loss(
    vectors: np.ndarray, pairs: Sequence[tuple[int, int, bool]], lemmas: Sequence[str], temperature: float
) -> float:
    """InfoNCE of pairs that are one minibatch: the mean over those of one sense, and over both directions."""

    def score(i: int, j: int) -> float:
        a, b = vectors[i].tolist(), vectors[j].tolist()
        length = sqrt(fsum(x * x for x in a) * fsum(x * x for x in b))
        return fsum(x * y for x, y in zip(a, b, strict=True)) / length / temperature

    same = [(a, b) for a, b, is_same in pairs if is_same]
    apart = [score(a, b) for a, b, is_same in pairs if not is_same]
    losses = []
    for a, b in same:
        firsts = [score(other, b) for other, _ in same if lemmas[other] != lemmas[b]]
        seconds = [score(a, other) for _, other in same if lemmas[other] != lemmas[a]]
        for others in (firsts, seconds):
            total = fsum(exp(one) for one in [score(a, b), *others, *apart])
            losses.append(-log(exp(score(a, b)) / total))
    return fsum(losses) / len(losses)
