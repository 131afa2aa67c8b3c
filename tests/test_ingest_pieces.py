"""A word in several pieces, from its file to its vector: the tokens of the pieces, none of the gap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import repstore

TEXT, RANGES = "They turned the bright light off again.", "5-11,29-32"
PAIR = {
    "id": "test.en-fr.0",
    "lemma": "turn off",
    "pos": "VERB",
    "sentence1": TEXT,
    "sentence2": "Ils ont éteint la lumière.",
    "ranges1": RANGES,
    "ranges2": "8-14",
}


def mean_of_tokens(folder: Path, text: str, characters: list[int]) -> np.ndarray:
    """Every layer's mean over the tokens that hold one of these characters. *Shape:* (n_layers, d_model)."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    tokens = [
        n
        for n, (start, end) in enumerate(encoded.pop("offset_mapping")[0].tolist())
        if any(start <= at < end for at in characters)
    ]
    with torch.inference_mode():
        states = model(input_ids=encoded["input_ids"], output_hidden_states=True).hidden_states
    return np.stack([state[0, tokens].mean(dim=0).numpy() for state in states])


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_a_word_in_pieces_is_stored_and_audited_without_what_is_between_them(family, tiny_model, tmp_path):
    (tmp_path / "test.en-fr.data").write_text(json.dumps([PAIR]), encoding="utf-8")
    folder, store = tiny_model(family), tmp_path / "store"
    repstore.ingest(f"mclwic:{tmp_path}", store, model=str(folder), templates=["base", "repeat"])
    runs = {"base": (TEXT, 0), "repeat": (f"{TEXT} {TEXT}", len(TEXT) + 1)}
    with repstore.open(store) as opened:
        (word,) = opened.words(lemma="turn off")
        assert (word["form"], word["char_start"], word["char_end"]) == ("turned off", 5, 32)
        for run in opened.runs():
            text, shift = runs[run["run"].rpartition("/")[2]]
            pieces = [shift + at for at in (*range(5, 11), *range(29, 32))]
            expected = mean_of_tokens(folder, text, pieces)
            with_gap = mean_of_tokens(folder, text, [shift + at for at in range(5, 32)])
            for layer in range(run["n_layers"]):
                vectors = opened.vectors(run=run["run"], layer=layer)
                (row,) = np.flatnonzero(vectors.word_ids == word["word_id"])
                stored = vectors.values[[row]][0].astype(np.float64)
                norm = np.linalg.norm(expected[layer])
                assert np.linalg.norm(stored - expected[layer]) <= 1e-3 * norm
                assert np.linalg.norm(stored - with_gap[layer]) > 1e-2 * norm
            assert repstore.audit(store, run=run["run"], sample=2)["kept"] == [True] * run["n_layers"]
