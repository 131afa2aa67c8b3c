from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from tiny import FAMILIES, sample_texts
from torch.nn.modules.module import register_module_forward_hook
from transformers import AutoModel, OPTConfig, OPTModel

import repstore
from repstore.encode.alignment import tokens_of
from repstore.encode.encoder import Encoder, Tokens
from repstore.encode.models import find_model
from repstore.encode.taps import find_taps, run
from repstore.errors import ArgumentError, ModelError

each_family = pytest.mark.parametrize("family", FAMILIES)


def plain_model(folder) -> torch.nn.Module:
    return AutoModel.from_pretrained(folder).eval()


def hidden_states(model: torch.nn.Module, ids: tuple[int, ...]) -> list[torch.Tensor]:
    """Every layer of one text. *Shape of each:* (n_tokens, d_model)."""
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
    return [state[0] for state in states]


def encode_tokens(encoder: Encoder, texts: list[Tokens]) -> list[list[np.ndarray]]:
    """Every token of every text as a word of its own: per text and layer, (n_tokens, d_model)."""
    words = [(place, np.array([n])) for place, text in enumerate(texts) for n in range(len(text.ids))]
    layers = encoder.start([text.ids for text in texts], words)()
    ends = np.cumsum([len(text.ids) for text in texts])[:-1]
    by_layer = [np.split(layer.numpy(), ends) for layer in layers]
    return [[split[place] for split in by_layer] for place in range(len(texts))]


def worst_error(actual: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Largest relative error of a vector: norm of the difference over norm of the expected, in any layer."""
    errors = [
        np.linalg.norm(a.astype(float) - e, axis=1) / np.linalg.norm(e, axis=1)
        for a, e in zip(actual, expected, strict=True)
    ]
    return float(np.max(np.concatenate(errors)))


@each_family
def test_every_layer_is_bit_for_bit_what_transformers_returns(family, tiny_model, tiny_encoder):
    model = plain_model(tiny_model(family))
    encoder = tiny_encoder(family)
    for text in encoder.tokenize(sample_texts()[:5]):
        (layers,) = encode_tokens(encoder, [text])
        expected = hidden_states(model, text.ids)
        assert len(layers) == len(expected) == encoder.n_layers
        for layer, state in zip(layers, expected, strict=True):
            assert layer.shape[1] == encoder.d_model
            assert np.array_equal(layer, state.numpy())


@each_family
def test_the_contract_names_where_each_layer_was_read(family, tiny_model, tiny_encoder):
    contract = tiny_encoder(family).contract(batch_tokens=99)
    modules = dict(plain_model(tiny_model(family)).named_modules())
    assert len(contract["layers"]) == tiny_encoder(family).n_layers
    assert set(contract["layers"]) <= modules.keys()
    if (final_norm := FAMILIES[family].final_norm) is not None:
        assert contract["layers"][-1] == final_norm
        assert final_norm not in contract["layers"][:-1]
    assert (contract["padding_side"], contract["batch_tokens"]) == ("right", 99)
    json.dumps(contract)  # it goes into run.json


@pytest.mark.parametrize(
    ("family", "special"),
    [("llama", ["<s>"]), ("gpt2", []), ("bert", ["[CLS]", "[SEP]"]), ("xlm_roberta", ["<s>", "</s>"])],
)
def test_the_contract_names_the_special_tokens_that_are_added(family, special, tiny_encoder):
    assert tiny_encoder(family).contract(1)["special_tokens"] == special


@each_family
def test_a_word_vector_is_the_mean_of_its_tokens_in_every_layer(family, tiny_model, tiny_encoder):
    encoder, model = tiny_encoder(family), plain_model(tiny_model(family))
    text = "The embankments were muddy."
    (tokens,) = encoder.tokenize([text])
    of_word = tokens_of(tokens.spans, [(4, 15)])
    assert len(of_word) > 1
    layers = encoder.start([tokens.ids], [(0, of_word)])()
    for layer, state in zip(layers, hidden_states(model, tokens.ids), strict=True):
        expected = sum(state[n].double() for n in of_word) / len(of_word)
        torch.testing.assert_close(layer[0].double(), expected, rtol=1e-5, atol=1e-6)


# Rounding depends on the shape of a batch: other sizes of matrix are added up in another order. That moves a
# float32 vector by some 1e-6. A bfloat16 number has 8 bits, so a single rounding moves it by up to 2**-9; a
# hidden state has been through a few dozen of them, and 2**-5 leaves them room. A wrong mask or a wrong
# position changes a vector by more than half of its length.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 2**-5)])
@each_family
def test_a_text_is_the_same_alone_and_in_a_batch(family, dtype, tolerance, tiny_model):
    encoder = Encoder(find_model(str(tiny_model(family)), print), dtype, "cpu")
    texts = encoder.tokenize(sorted(sample_texts()[:12], key=len))
    assert len(texts[0].ids) < len(texts[-1].ids) / 2  # so that there is padding
    alone = [encode_tokens(encoder, [text])[0] for text in texts]

    orders = [
        list(range(len(texts))),
        list(reversed(range(len(texts)))),
        [0, len(texts) - 1],
        [len(texts) - 1, *[0] * 5],
    ]
    for order in orders:
        batch = encode_tokens(encoder, [texts[n] for n in order])
        for n, layers in zip(order, batch, strict=True):
            assert worst_error(layers, alone[n]) <= tolerance


def test_neighbors_in_a_batch_do_matter_to_a_model_that_sees_them(tiny_model, tiny_encoder):
    """The tolerances of the test above can tell a wrong mask."""
    encoder, model = tiny_encoder("bert"), plain_model(tiny_model("bert"))
    short, long = encoder.tokenize(["The bank.", sample_texts()[0]])
    padded = (*short.ids, *[0] * (len(long.ids) - len(short.ids)))
    unmasked = [state[: len(short.ids)].numpy() for state in hidden_states(model, padded)]
    (alone,) = encode_tokens(encoder, [short])
    assert worst_error(unmasked[1:], alone[1:]) > 0.1


def test_texts_are_padded_on_the_right_though_the_tokenizer_says_left(tiny_model, tiny_encoder):
    assert json.loads((tiny_model("neox") / "tokenizer_config.json").read_text())["padding_side"] == "left"
    short, long = tiny_encoder("neox").tokenize(["The bank.", sample_texts()[0]])
    seen = []

    def see(module, args, output):
        if isinstance(module, torch.nn.Embedding):
            seen.append(args[0])

    handle = register_module_forward_hook(see)
    try:
        encode_tokens(tiny_encoder("neox"), [short, long])
    finally:
        handle.remove()
    (ids,) = seen
    assert ids.shape == (2, len(long.ids))
    assert ids[0, : len(short.ids)].tolist() == list(short.ids)


@each_family
def test_a_model_takes_as_many_tokens_as_the_encoder_says(family, tiny_encoder):
    encoder = tiny_encoder(family)
    (tokens,) = encoder.tokenize(["a " * encoder.max_tokens])
    ids = tokens.ids[: encoder.max_tokens]
    layers = encoder.start([ids], [(0, np.array([len(ids) - 1]))])()
    assert torch.isfinite(layers).all()


def test_nothing_is_cut_off_when_a_text_is_tokenized(tiny_encoder):
    (tokens,) = tiny_encoder("bert").tokenize(["bank " * 1000])
    assert len(tokens.ids) == 1002
    assert tuple(tokens.spans[1000]) == (4995, 4999)


@each_family
def test_which_models_see_only_what_precedes_a_token_is_measured(family, tiny_encoder):
    assert tiny_encoder(family).is_causal == (family in ("llama", "gpt2", "neox"))


@pytest.mark.parametrize(
    ("family", "leading", "trailing"),
    [("llama", 1, 0), ("gpt2", 0, 0), ("neox", 0, 0), ("bert", 1, 1), ("xlm_roberta", 1, 1)],
)
def test_special_tokens_around_a_text_are_counted(family, leading, trailing, tiny_encoder):
    (tokens,) = tiny_encoder(family).tokenize(["The bank."])
    assert (tokens.n_leading, tokens.n_trailing) == (leading, trailing)


def test_a_model_with_another_number_of_layers_than_its_config_says_is_refused(tiny_model):
    with pytest.raises(ModelError, match=r"returns 4 layers of width \{32\}; its config says 5 of 32"):
        find_taps(plain_model(tiny_model("llama")), 5, 32)


def test_a_layer_that_no_module_returns_is_refused():
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = torch.nn.Embedding(4, 2)

        def forward(self, input_ids, attention_mask, output_hidden_states):
            return type("Output", (), {"hidden_states": (self.block(input_ids) * 2,)})

    with pytest.raises(ModelError, match="No module takes or returns layer 0"):
        find_taps(Scaled(), 1, 2)


def test_a_layer_that_is_only_the_input_of_a_module_is_read_there():
    """In OPT, layer 0 is a sum of two embeddings that no module returns."""
    config = OPTConfig(
        vocab_size=64,
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        word_embed_proj_dim=16,
    )
    model = OPTModel(config).eval()
    taps = find_taps(model, 3, 16)
    assert [tap.side for tap in taps] == ["input", "output", "output"]
    ids = torch.arange(1, 8)[None]
    with torch.inference_mode():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
        read = run(model, taps, ids, torch.ones_like(ids), lambda hidden: hidden.view(1, 7, 16).clone())
    assert all(torch.equal(a, b) for a, b in zip(read, states, strict=True))


def test_a_tokenizer_that_does_not_know_characters_is_refused(tiny_model, tmp_path):
    """CTRL's tokenizer is one of the few that transformers still runs in Python."""
    files = find_model(str(tiny_model("gpt2")), print)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((files.folder / name).read_bytes())
    (tmp_path / "vocab.json").write_text('{"<unk>": 0, "a</w>": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CTRLTokenizer"}')
    with pytest.raises(ModelError, match=r"does not say which characters.*tokenizer\.json"):
        Encoder(dataclasses.replace(files, folder=tmp_path), "float32", "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_vectors_of_the_cpu(tiny_model, tiny_encoder):
    on_gpu = Encoder(find_model(str(tiny_model("llama")), print), "float32", "cuda")
    texts = on_gpu.tokenize(sample_texts()[:12])
    expected = encode_tokens(tiny_encoder("llama"), texts)
    for layers, wanted in zip(encode_tokens(on_gpu, texts), expected, strict=True):
        assert worst_error(layers, wanted) <= 1e-4


def test_the_last_layer_can_be_read_before_the_final_norm(tiny_model, tmp_path):
    folder = tiny_model("llama")
    (tmp_path / "text.txt").write_text("The bank of the river\n")
    source = f"text:{tmp_path / 'text.txt'}"
    repstore.ingest(source, tmp_path / "store", model=str(folder), final_norm=False, name="raw")
    model = plain_model(folder)
    blocks = []
    model.layers[-1].register_forward_hook(lambda module, args, output: blocks.append(output))
    encoder = Encoder(find_model(str(folder), print), "float32", "cpu")
    (tokens,) = encoder.tokenize(["The bank of the river"])
    with torch.inference_mode():
        model(input_ids=torch.tensor([tokens.ids]))
    with repstore.open(tmp_path / "store") as store:
        stored = store.vectors(run="raw", layer=3).values.astype(float)
    of_words = [tokens_of(tokens.spans, [span]) for span in ((0, 3), (4, 8), (9, 11), (12, 15), (16, 21))]
    expected = np.stack([blocks[0][0, of_word].mean(dim=0).numpy() for of_word in of_words])
    assert np.allclose(stored, expected, rtol=2**-10, atol=1e-6)
    assert repstore.audit(tmp_path / "store", sample=5)["kept"] == [True] * 4


def test_a_model_without_a_final_norm_cannot_be_read_before_it(tiny_model):
    with pytest.raises(ArgumentError, match="no final norm"):
        Encoder(find_model(str(tiny_model("bert")), print), "float32", "cpu", final_norm=False)
