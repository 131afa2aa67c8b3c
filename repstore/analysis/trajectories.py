"""How the neighbors of a word change from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTE_CHANGE = (
    "change: enters: not among them at the layer before; leaves: not among them at the next; passes: both."
)


def add_changes(rows: list[dict[str, Any]], layers: Sequence[int]) -> None:
    """Say of every neighbor whether it is one at the layer before, and at the next."""
    at = {layer: {row["word_id"] for row in rows if row["layer"] == layer} for layer in layers}
    for row in rows:
        n = layers.index(row["layer"])
        enters = n > 0 and row["word_id"] not in at[layers[n - 1]]
        leaves = n + 1 < len(layers) and row["word_id"] not in at[layers[n + 1]]
        row["change"] = {(True, True): "passes", (True, False): "enters", (False, True): "leaves"}.get(
            (enters, leaves)
        )


def dominance(rows: Sequence[dict[str, Any]], layers: Sequence[int], word: dict[str, Any]) -> list[str]:
    """Where more than half of the neighbors have the sense of the word, of layers where they are certain."""
    if word.get("sense") is None or not layers:
        return []
    n_same = dict.fromkeys(layers, 0)
    n_all = dict.fromkeys(layers, 0)
    for row in rows:
        if row["layer"] not in n_all:
            continue
        n_all[row["layer"]] += 1
        n_same[row["layer"]] += is_same_sense(row, word)
    first = next((layer for layer in layers if 2 * n_same[layer] > n_all[layer]), None)
    if first is None:
        best = max(layers, key=lambda layer: n_same[layer])
        return [
            f"Neighbors of the same sense ({word['sense']}) dominate at none of these layers; the most are "
            f"at layer {best}: {n_same[best]} of {n_all[best]}."
        ]
    where = _ranges([layer for layer in layers if 2 * n_same[layer] > n_all[layer]], layers)
    return [
        f"Neighbors of the same sense ({word['sense']}) first dominate at layer {first}: "
        f"{n_same[first]} of {n_all[first]}. They do at {where}."
    ]


def _ranges(some: Sequence[int], layers: Sequence[int]) -> str:
    """Some of the layers in words, those that follow each other as a range: ``2, 6-19``."""
    ranges: list[list[int]] = []
    for layer in some:
        at = layers.index(layer)
        if ranges and at > 0 and ranges[-1][-1] == layers[at - 1]:
            ranges[-1].append(layer)
        else:
            ranges.append([layer])
    return ", ".join(f"{of[0]}-{of[-1]}" if len(of) > 1 else str(of[0]) for of in ranges)


def is_same_sense(row: dict[str, Any], word: dict[str, Any]) -> bool:
    """Whether a neighbor has the sense of a word; senses are told apart within a lemma."""
    return (row["lemma"], row["sense"]) == (word.get("lemma"), word.get("sense"))
