"""How the neighbors of a word change from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repstore.spec import LayerKey, is_mix

NOTE_CHANGE = (
    "change: enters: not among them at the layer before; leaves: not among them at the next; passes: both."
)


def changes(rows: Sequence[dict[str, Any]], layers: Sequence[LayerKey]) -> list[str | None]:
    """Of every neighbor: is it one at the layer before, and at the next? See `NOTE_CHANGE`.

    None of a mix: no layer comes before it, and it comes before none.
    """
    layers = [layer for layer in layers if not is_mix(layer)]
    at = {layer: {row["word_id"] for row in rows if row["layer"] == layer} for layer in layers}
    names = {(True, True): "passes", (True, False): "enters", (False, True): "leaves"}
    found: list[str | None] = []
    for row in rows:
        if is_mix(row["layer"]):
            found.append(None)
            continue
        n = layers.index(row["layer"])
        enters = n > 0 and row["word_id"] not in at[layers[n - 1]]
        leaves = n + 1 < len(layers) and row["word_id"] not in at[layers[n + 1]]
        found.append(names.get((enters, leaves)))
    return found


def dominance(rows: Sequence[dict[str, Any]], layers: Sequence[LayerKey], word: dict[str, Any]) -> list[str]:
    """Where more than half of the neighbors have the sense of the word, of layers where they are certain."""
    if word.get("sense") is None or not layers:
        return []
    n_same = dict.fromkeys(layers, 0)
    n_all = dict.fromkeys(layers, 0)
    for row in rows:
        if row["layer"] in n_all:
            n_all[row["layer"]] += 1
            n_same[row["layer"]] += _is_same_sense(row, word)
    same = f"Neighbors of the same sense ({word['sense']})"
    where = [layer for layer in layers if 2 * n_same[layer] > n_all[layer]]
    at = where[0] if where else max(layers, key=lambda layer: n_same[layer])
    counted = f"at layer {at}: {n_same[at]} of {n_all[at]}."
    if not where:
        return [f"{same} dominate at none of these layers; the most are {counted}"]
    return [f"{same} first dominate {counted} They do at {ranges(where, layers)}."]


def ranges(some: Sequence[LayerKey], layers: Sequence[LayerKey]) -> str:
    """Some of the layers in words, those that follow each other as a range: ``2, 6-19``."""
    found: list[list[LayerKey]] = []
    for layer in some:
        at = layers.index(layer)
        if found and at > 0 and found[-1][-1] == layers[at - 1]:
            found[-1].append(layer)
        else:
            found.append([layer])
    return ", ".join(f"{of[0]}-{of[-1]}" if len(of) > 1 else str(of[0]) for of in found)


def _is_same_sense(row: dict[str, Any], word: dict[str, Any]) -> bool:
    """Whether a neighbor has the sense of a word; senses are told apart within a lemma."""
    return (row["lemma"], row["sense"]) == (word.get("lemma"), word.get("sense"))
