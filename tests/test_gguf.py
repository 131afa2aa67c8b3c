"""GGUF files are converted once, into a cache folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from folders import files_of
from gguf import GGUFWriter
from tiny import gpt2_tokenizer
from transformers import AutoModel

from repstore.encode.encoder import Encoder
from repstore.encode.models import find_model

N_LAYERS, D_MODEL, N_HEADS, D_FF = 2, 32, 4, 48


@pytest.fixture
def gguf_file(tmp_path, monkeypatch):
    """A tiny random Llama as llama.cpp would write it, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tokenizer = json.loads(gpt2_tokenizer().backend_tokenizer.to_str())["model"]
    vocab, merges = tokenizer["vocab"], tokenizer["merges"]
    path = tmp_path / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(D_MODEL)
    writer.add_feed_forward_length(D_FF)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocab))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocab, key=vocab.get))
    writer.add_token_types([1] * len(vocab))
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(vocab), D_MODEL), "output_norm": (D_MODEL,)}
    for n in range(N_LAYERS):
        shapes |= {f"blk.{n}.attn_{name}": (D_MODEL, D_MODEL) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{n}.ffn_{name}": (D_FF, D_MODEL) for name in ("gate", "up")}
        shapes |= {f"blk.{n}.ffn_down": (D_MODEL, D_FF)}
        shapes |= {f"blk.{n}.{name}_norm": (D_MODEL,) for name in ("attn", "ffn")}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.2, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_is_converted_once_and_says_so(gguf_file, tmp_path):
    told: list[str] = []
    first = find_model(str(gguf_file), told.append)
    assert first.folder.is_relative_to(tmp_path / "cache")
    (message,) = told
    assert "tiny.gguf" in message
    assert str(first.folder) in message
    converted = files_of(tmp_path / "cache")
    written = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}

    again = find_model(str(gguf_file), told.append)

    assert again == first
    assert told == [message]
    assert files_of(tmp_path / "cache") == converted
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == written


def test_a_converted_model_gives_the_hidden_states_of_the_gguf_file(gguf_file):
    files = find_model(str(gguf_file), print)
    assert (files.identity.name, files.identity.architecture) == ("tiny", "LlamaModel")
    assert (files.identity.n_layers, files.identity.d_model) == (N_LAYERS + 1, D_MODEL)
    encoder = Encoder(files, "float32", "cpu")
    (text,) = encoder.tokenize(["The bank of the river."])
    assert gpt2_tokenizer()("The bank of the river.")["input_ids"] == list(text.ids)

    plain = AutoModel.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32)
    with torch.inference_mode():
        states = plain.eval()(torch.tensor([text.ids]), output_hidden_states=True).hidden_states
    layers = encoder.start([text.ids], [(0, np.array([n])) for n in range(len(text.ids))])()
    for layer, state in zip(layers, states, strict=True):
        torch.testing.assert_close(layer, state[0])


def test_other_bytes_of_the_same_name_are_converted_anew(gguf_file):
    first = find_model(str(gguf_file), print)
    with gguf_file.open("r+b") as file:
        file.seek(-4, 2)
        file.write(np.float32(0.5).tobytes())
    assert find_model(str(gguf_file), print).folder != first.folder
