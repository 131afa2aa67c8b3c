"""Word vectors in a store against a plain forward pass of each text through transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import FAMILIES
from transformers import AutoModel, AutoTokenizer

import repstore
from repstore.encode.models import EMBEDDED, find_model

# Values are stored as float16, which keeps 11 bits: each is off by up to 2**-11 of itself, so a vector is,
# too. Batched and unbatched float32 differ by some 1e-6 of a vector.
STORED = 2**-11
PASSES = 1e-4


@dataclass(frozen=True)
class Annotation:
    """A word of a corpus as its file has it."""

    text: str
    start: int
    end: int
    lemma: str


def annotations(sentences: Path) -> list[Annotation]:
    records = [json.loads(line) for line in sentences.read_text(encoding="utf-8").splitlines()]
    return [Annotation(*(record[key] for key in ("text", "start", "end", "lemma"))) for record in records]


def rendered(word: Annotation, template: str) -> tuple[str, range]:
    """The text as the model sees it and the characters to read, spelled out for each template."""
    text, shift = word.text, len(word.text) + 1
    match template:
        case "base":
            return text, range(word.start, word.end)
        case "repeat":
            return f"{text} {text}", range(shift + word.start, shift + word.end)
        case "repeat_prev":
            twice = f"{text} {text}"
            end = shift + word.start
            while twice[end - 1] != " ":  # what is stuck to the word
                end -= 1
            return twice, range(twice.rindex(" ", 0, end - 1) + 1, end - 1)
        case "prompt2":
            prompt = f'In this sentence "{text}", "{word.lemma}" means in one word : "'
            return prompt, range(len(prompt) - 1, len(prompt))
    raise NotImplementedError(template)


def plain_vectors(folder: Path, words: list[Annotation], template: str) -> Iterator[list[np.ndarray]]:
    """Every layer's vector of each word: one text at a time, tokens found character by character."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    for word in words:
        text, characters = rendered(word, template)
        encoded = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
        offsets = encoded["offset_mapping"][0].tolist()
        of_word = [
            n
            for n, (start, end) in enumerate(offsets)
            if any(at in characters and not text[at].isspace() for at in range(start, end))
        ]
        if template.startswith("prompt"):
            of_word = of_word[-1:]
        assert of_word
        ids = encoded["input_ids"]
        with torch.inference_mode():
            output = model(ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        yield [state[0, of_word].double().mean(0).numpy() for state in output.hidden_states]


def check_against_plain_passes(
    store: Path, model: str, folder: Path, sentences: Path, templates: Sequence[str]
) -> None:
    words = annotations(sentences)
    report = repstore.ingest(f"senses:{sentences}", store, model=model, templates=templates)
    with repstore.open(store) as opened:
        table = list(opened.words())
        row_of = {(row["text"], row["char_start"], row["char_end"]): n for n, row in enumerate(table)}
        rows = [row_of[word.text, word.start, word.end] for word in words]
        for run, template in zip(report.runs, templates, strict=True):
            assert (run.n_words, run.n_vectors, run.n_skipped) == (len(words), len(words), 0)
            by_layer = zip(*plain_vectors(folder, words, template), strict=True)
            expected = [np.array(layer) for layer in by_layer]
            assert set(opened.runs()["n_layers"]) == {len(expected)}
            for layer, plain in enumerate(expected):
                vectors = opened.vectors(run=run.run, layer=layer)
                assert vectors.word_ids.tolist() == [row["word_id"] for row in table]
                stored = vectors.values[rows].astype(np.float64)
                errors = np.linalg.norm(stored - plain, axis=1) / np.linalg.norm(plain, axis=1)
                assert errors.max() <= STORED + PASSES, (run.run, layer)
    assert STORED + PASSES <= 1e-3  # what the design promises


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_is_stored_as_a_plain_forward_pass_gives_it(family, tiny_model, sentences, tmp_path):
    folder, templates = tiny_model(family), ["base", "repeat", "repeat_prev", "prompt2"]
    check_against_plain_passes(tmp_path / "store", str(folder), folder, sentences, templates)


@pytest.mark.model
@pytest.mark.parametrize("name", ["smollm2", "minilm"])
def test_a_real_model_is_stored_as_a_plain_forward_pass_gives_it(name, sentences, tmp_path):
    if find_spec(EMBEDDED[name].package) is None:
        pytest.skip(f"{name} is not installed")
    folder, templates = find_model(name, print).folder, ["base", "repeat"]
    check_against_plain_passes(tmp_path / "store", name, folder, sentences, templates)
