"""Tiny random models, one per tokenizer family, as folders that transformers loads like any other.

Weights are drawn from a seed with a spread ten times the usual one: at the usual 0.02 a tiny model's blocks
change its hidden states so little that a wrong mask or a missing block would go unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    GPTNeoXConfig,
    GPTNeoXModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)
from transformers.utils import logging

torch.set_num_threads(
    1
)  # small matrices gain nothing from more, and on a busy machine they wait for each other
logging.disable_progress_bar()  # one for every model saved or loaded would bury a test's output

POLYSEMY = Path(__file__).parents[1] / "data" / "polysemy.jsonl"
N_TOKENS_MAX = 256
SPREAD = 0.2
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


@dataclass(frozen=True)
class Family:
    """A tokenizer, the model that goes with it, and what a test may expect of the tokenizer."""

    tokenizer: Callable[[], PreTrainedTokenizerFast]
    model: Callable[[int, dict[str, Any]], PreTrainedModel]
    final_norm: str | None
    """Name of the norm after the last block, where there is one."""
    lossless: bool
    """Whether every character of a text is in some token, and comes back when tokens are decoded."""


def save(name: str, folder: Path, seed: int = 0, **config: Any) -> Path:
    """Build a model of a family into `folder`. `config` overrides fields of its transformers config."""
    family = FAMILIES[name]
    tokenizer = family.tokenizer()
    torch.manual_seed(seed)
    model = family.model(len(tokenizer), config).eval()
    return save_model(model, tokenizer, folder)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@cache
def sample_texts() -> list[str]:
    with POLYSEMY.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for _, line in zip(range(150), lines, strict=False)]


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """As Llama 2 has it: SentencePiece BPE with byte fallback, a leading blank, BOS, no pad token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()  # else merges would cross blanks
    _train(tokenizer, trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", *BYTES]))
    learned = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = Tokenizer(
        models.BPE(learned["vocab"], merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = _around(tokenizer, "<s> $A")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def gpt2_tokenizer() -> PreTrainedTokenizerFast:
    """As GPT-2 has it: bytes, the blank before a word in its token, no special tokens added, no pad token."""
    tokenizer = _byte_level(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def neox_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes with a blank before the first word too, offsets without it, and padding on the left."""
    tokenizer = _byte_level(add_prefix_space=True)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|endoftext|>",
        pad_token="<|padding|>",
        padding_side="left",
        truncation_side="left",
    )


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """As BERT has it: WordPiece, lower-cased, accents and control characters dropped, [CLS] and [SEP]."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    _train(tokenizer, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = _around(tokenizer, "[CLS] $A [SEP]")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        mask_token="[MASK]",
    )


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """SentencePiece's other algorithm, after NFKC, with unknown characters fused into one token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    _train(
        tokenizer,
        trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>"),
    )
    tokenizer.post_processor = _around(tokenizer, "<s> $A </s>")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )


def _byte_level(*, add_prefix_space: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|padding|>"]
    _train(
        tokenizer,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet),
    )
    return tokenizer


def _train(tokenizer: Tokenizer, trainer: trainers.Trainer) -> None:
    trainer.show_progress = False
    tokenizer.train_from_iterator(sample_texts(), trainer)


def _around(tokenizer: Tokenizer, single: str) -> processors.TemplateProcessing:
    special = [(token, tokenizer.token_to_id(token)) for token in single.split() if token != "$A"]
    return processors.TemplateProcessing(single=single, special_tokens=special)


def _sizes(n_vocab: int, config: dict[str, Any]) -> dict[str, Any]:
    usual = {
        "vocab_size": n_vocab,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": N_TOKENS_MAX,
        "initializer_range": SPREAD,
    }
    return usual | config


def _llama(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    return LlamaModel(LlamaConfig(num_key_value_heads=2, **_sizes(n_vocab, config)))


def _gpt2(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    sizes = _sizes(n_vocab, {"hidden_size": 48, "num_hidden_layers": 4} | config)
    return GPT2Model(GPT2Config(bos_token_id=0, eos_token_id=0, **sizes))


def _neox(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    return GPTNeoXModel(GPTNeoXConfig(bos_token_id=0, eos_token_id=0, **_sizes(n_vocab, config)))


def _bert(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    return BertModel(BertConfig(**_sizes(n_vocab, config)))


def _albert(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    """One block called three times, and embeddings narrower than the hidden states."""
    return AlbertModel(AlbertConfig(embedding_size=16, **_sizes(n_vocab, config)))


def _xlm_roberta(n_vocab: int, config: dict[str, Any]) -> PreTrainedModel:
    """Positions begin after that of the pad token, so two of them are never used."""
    return XLMRobertaModel(XLMRobertaConfig(**_sizes(n_vocab, config)))


FAMILIES = {
    "llama": Family(llama_tokenizer, _llama, "norm", lossless=True),
    "gpt2": Family(gpt2_tokenizer, _gpt2, "ln_f", lossless=True),
    "neox": Family(neox_tokenizer, _neox, "final_layer_norm", lossless=True),
    "bert": Family(bert_tokenizer, _bert, None, lossless=False),
    "albert": Family(unigram_tokenizer, _albert, None, lossless=False),
    "xlm_roberta": Family(unigram_tokenizer, _xlm_roberta, None, lossless=False),
}
