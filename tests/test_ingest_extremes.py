"""Texts longer than the model's context, values beyond float16, and values that are no numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tiny import FAMILIES, sample_texts, save, save_model
from transformers import AutoModel, AutoTokenizer

import repstore
from repstore import schemas
from repstore.storage.layout import Layout
from repstore.storage.manifest import committed_parts

FLOAT16_MAX = 65504
N_POSITIONS = 26
CONTEXT = {"xlm_roberta": 24}
"""RoBERTa's first position is the one after the pad token's, so two are lost."""
STORED = 2**-11 + 1e-4  # rounding to float16, and to float32 in batches of another shape


def corpus(path: Path, *texts: str) -> str:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return f"text:{path}"


def hidden_states(model: torch.nn.Module, ids: list[int]) -> list[np.ndarray]:
    """Every layer of one text. *Shape of each:* (n_tokens, d_model)."""
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
    return [state[0].double().numpy() for state in states]


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_words_of_a_long_text_are_read_in_windows_of_it(family, tmp_path):
    """Every vector is that of a plain forward pass over some window, with context on both sides."""
    folder = save(family, tmp_path / "model", max_position_embeddings=N_POSITIONS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    text = " ".join(sample_texts()[:3])
    report = repstore.ingest(corpus(tmp_path / "long.txt", text), tmp_path / "store", model=str(folder))
    (run,) = report.runs
    assert (run.n_vectors, run.n_skipped, run.n_windowed) == (run.n_words, 0, run.n_words)

    encoded = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    special = encoded["special_tokens_mask"]
    n_leading, n_trailing = (flags.index(0) for flags in (special, special[::-1]))
    inner = slice(n_leading, len(special) - n_trailing)
    ids, offsets = encoded["input_ids"][inner], encoded["offset_mapping"][inner]
    leading, trailing = encoded["input_ids"][:n_leading], encoded["input_ids"][inner.stop :]
    size = CONTEXT.get(family, N_POSITIONS) - n_leading - n_trailing
    passes = [
        hidden_states(model, leading + ids[start : start + size] + trailing)
        for start in range(len(ids) - size + 1)
    ]
    with repstore.open(tmp_path / "store") as store:
        shown = {row["property"]: row["value"] for row in store.info() if row["run"] == run.run}
        assert (shown["n_windowed"], shown["n_to_come"]) == (str(run.n_words), "0")
        layers = [store.vectors(layer=layer).values for layer in range(len(passes[0]))]
        for row, word in enumerate(store.words()):
            of_word = [
                n
                for n, (start, end) in enumerate(offsets)
                if any(word["char_start"] <= at < word["char_end"] for at in range(start, end))
            ]
            best, at = min(
                (
                    max(
                        relative_error(
                            layers[layer][row], states[[n_leading + n - start for n in of_word]].mean(0)
                        )
                        for layer, states in enumerate(passes[start])
                    ),
                    start,
                )
                for start in range(max(0, of_word[-1] - size + 1), min(of_word[0], len(passes) - 1) + 1)
            )
            assert best <= STORED, word["form"]
            before, after = of_word[0] - at, at + size - 1 - of_word[-1]
            scarce = (size // 2 - len(of_word)) // 2
            assert before >= scarce or at == 0
            assert after >= scarce or at == len(passes) - 1


def test_a_long_text_does_not_change_a_short_one_where_positions_depend_on_length(tmp_path):
    """Long RoPE turns all positions of a batch by other angles as soon as one text of it is long."""
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    folder = save("llama", tmp_path / "model", max_position_embeddings=128, rope_parameters=rope)
    short, long = "The bank of the river", " ".join(sample_texts()[:2])
    for name, *texts in (("alone", short), ("beside", short, long)):
        source = corpus(tmp_path / f"{name}.txt", *texts)
        repstore.ingest(source, tmp_path / name, model=str(folder))
    with repstore.open(tmp_path / "alone") as alone, repstore.open(tmp_path / "beside") as beside:
        for layer in range(4):
            a, b = (store.vectors(layer=layer).values.astype(float) for store in (alone, beside))
            assert max(map(relative_error, b[:5], a)) <= 2 * STORED


@pytest.mark.parametrize("template", ["prompt2", "whole:last={text}"])
def test_a_long_text_is_skipped_where_its_end_answers_for_all_of_it(template, tmp_path):
    folder = save("bert", tmp_path / "model", max_position_embeddings=64)
    long, short = "river bank " * 40, "a bank"
    source = corpus(tmp_path / "texts.txt", long, short)
    report = repstore.ingest(source, tmp_path / "store", model=str(folder), templates=[template])
    (run,) = report.runs
    assert (run.n_words, run.n_vectors, run.n_skipped) == (82, 2, 80)
    with repstore.open(tmp_path / "store") as store:
        rows = store.sql("SELECT DISTINCT reason, n_tokens > 64 AS long FROM skipped")
        assert list(rows) == [{"reason": "truncated", "long": True}]


def test_a_word_longer_than_the_context_is_skipped(tmp_path):
    folder = save("llama", tmp_path / "model", max_position_embeddings=N_POSITIONS)
    source = corpus(tmp_path / "texts.txt", f"one {'銀' * 30} two")
    report = repstore.ingest(source, tmp_path / "store", model=str(folder))
    assert (report.runs[0].n_vectors, report.runs[0].n_skipped) == (2, 1)
    with repstore.open(tmp_path / "store") as store:
        assert store.sql("SELECT reason FROM skipped")["reason"] == ["truncated"]


def llama_with_large_values(folder: Path, sentences: Path, share: float) -> Path:
    """A model whose layer 2 alone is beyond float16, for about this share of the tokens of a corpus."""
    save("llama", folder)
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    weight = model.layers[1].mlp.down_proj.weight
    texts = sentences.read_text(encoding="utf-8").splitlines()
    with torch.no_grad():
        weight *= 1e4  # so that the residual no longer counts
        largest = [np.abs(hidden_states(model, tokenizer(text)["input_ids"])[2]).max(1) for text in texts]
        weight *= 1.02 * FLOAT16_MAX / np.quantile(np.concatenate(largest), 1 - share)
    return save_model(model, tokenizer, folder)


def test_a_layer_beyond_float16_is_stored_as_float32_and_the_manifest_says_so(sentences, tmp_path):
    texts = tmp_path / "texts.txt"
    source = corpus(texts, *sample_texts()[:5])
    folder = llama_with_large_values(tmp_path / "model", texts, share=0.5)
    report = repstore.ingest(source, tmp_path / "store", model=str(folder))
    run = Layout(tmp_path / "store").run(report.runs[0].run_id)
    (part,) = committed_parts(run)
    assert [layer.dtype for layer in part.layers] == ["float16", "float16", "float32", "float16"]
    stored = pq.read_schema(run.part(0))
    assert [str(field.type.value_type) for field in list(stored)[1:]] == [
        layer.dtype.replace("float16", "halffloat").replace("float32", "float") for layer in part.layers
    ]

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with repstore.open(tmp_path / "store") as store:
        vectors = store.vectors(layer=2)
        assert vectors.values.dtype == np.float32
        assert np.isfinite(vectors.values).all()
        assert np.abs(vectors.values).max() > FLOAT16_MAX
        for row, word in enumerate(store.words()):
            encoded = tokenizer(word["text"], return_offsets_mapping=True)
            of_word = [
                n
                for n, (start, end) in enumerate(encoded["offset_mapping"])
                if any(word["char_start"] <= at < word["char_end"] for at in range(start, end))
            ]
            expected = hidden_states(model, encoded["input_ids"])[2][of_word].mean(0)
            assert relative_error(vectors.values[row], expected) <= 1e-4  # as good as float32


def test_only_the_parts_that_need_float32_have_it(sentences, tmp_path, monkeypatch):
    """Whether a part is float32 depends on its words alone, not on the parts before it."""
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 4)
    texts = tmp_path / "texts.txt"
    source = corpus(texts, *sample_texts()[:5])
    folder = llama_with_large_values(tmp_path / "model", texts, share=0.1)
    report = repstore.ingest(source, tmp_path / "store", model=str(folder))
    parts = committed_parts(Layout(tmp_path / "store").run(report.runs[0].run_id))
    wide = [part.layers[2].dtype == "float32" for part in parts]
    assert (True, False) in pairwise(wide)
    with repstore.open(tmp_path / "store") as store:
        blocks = store.vectors(layer=2).blocks
        beyond = [float(np.abs(block.astype(float)).max()) > FLOAT16_MAX for block in blocks]
        assert beyond == wide


def test_a_model_that_gives_no_numbers_leaves_every_word_skipped(sentences, tmp_path):
    folder = save("llama", tmp_path / "model")
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.layers[1].mlp.down_proj.weight[0, 0] = torch.nan
    save_model(model, AutoTokenizer.from_pretrained(folder), folder)

    report = repstore.ingest(f"senses:{sentences}", tmp_path / "store", model=str(folder))

    (run,) = report.runs
    assert (run.n_words, run.n_vectors, run.n_skipped, run.n_new) == (60, 0, 60, 60)
    with repstore.open(tmp_path / "store") as store:
        assert set(store.sql("SELECT reason FROM skipped")["reason"]) == {"not_finite"}
        # The ingest is finished: telling the user to finish it would send him in circles.
        with pytest.raises(repstore.RepstoreError, match="skipped"):
            store.vectors(layer=0)
    assert repstore.ingest(f"senses:{sentences}", tmp_path / "store", model=str(folder)).n_new == 0


def test_a_token_that_gives_no_numbers_spoils_only_its_own_text(tmp_path):
    """Not the other texts of its batch. (Attention gives it weight 0 elsewhere, but 0 x NaN is NaN.)"""
    sound, spoiled = save("llama", tmp_path / "sound"), tmp_path / "spoiled"
    model, tokenizer = AutoModel.from_pretrained(sound), AutoTokenizer.from_pretrained(sound)
    with torch.no_grad():
        model.embed_tokens.weight[tokenizer("bank")["input_ids"][-1]] = torch.nan
    save_model(model, tokenizer, spoiled)
    source = corpus(tmp_path / "texts.txt", "The old bank", "a house", "The beds and the boards")

    for folder in (sound, spoiled):
        repstore.ingest(source, tmp_path / "store", model=str(folder))

    with repstore.open(tmp_path / "store") as store:
        rows = store.sql("SELECT form, reason FROM skipped JOIN words USING (word_id) ORDER BY word_id")
        assert list(rows) == [{"form": form, "reason": "not_finite"} for form in ("The", "old", "bank")]
        for layer in range(4):
            expected = store.vectors(run="sound/base", layer=layer)
            actual = store.vectors(run="spoiled/base", layer=layer)
            assert actual.word_ids.tolist() == expected.word_ids[3:].tolist()
            for vector, wanted in zip(actual.values, expected.values[3:], strict=True):
                assert relative_error(vector.astype(float), wanted.astype(float)) <= 2 * STORED
