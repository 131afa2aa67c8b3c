"""The forward pass, and every layer's word vectors out of it as each layer finishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers

from repstore.encode.alignment import token_spans
from repstore.encode.loading import load, reserved_positions, usable_device
from repstore.encode.models import ModelFiles
from repstore.encode.pooling import make_gather
from repstore.encode.taps import before_final_norm, find_taps, run
from repstore.spec import DType


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenized text.

    Attributes:
        ids: token ids, special tokens included.
        spans: characters that each token covers (`alignment.token_spans`). *Shape:* (n_tokens, 2).
        n_leading, n_trailing: special tokens before and after the text.
    """

    ids: tuple[int, ...]
    spans: np.ndarray
    n_leading: int
    n_trailing: int


class Encoder:
    """A loaded model and its tokenizer."""

    def __init__(self, files: ModelFiles, dtype: DType, device: str, *, final_norm: bool = True) -> None:
        self._identity = files.identity
        self._dtype = dtype
        self._device = usable_device(device)
        self._tokenizer, self._model = load(files, dtype)
        self._model.to(self._device)
        self._model.config.use_cache = False
        taps = find_taps(self._model, self.n_layers, self.d_model)
        self._taps = taps if final_norm else before_final_norm(taps)

    @property
    def n_layers(self) -> int:
        """Layers, the embeddings included."""
        return self._identity.n_layers

    @property
    def d_model(self) -> int:
        """Width of a hidden state."""
        return self._identity.d_model

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self._device

    @cached_property
    def max_tokens(self) -> int:
        """Tokens the model takes at once, special tokens included."""
        limits = [self._tokenizer.model_max_length]
        limit = getattr(self._config, "max_position_embeddings", None)
        if limit is not None:
            limits.append(limit - reserved_positions(self._model, limit))
        return int(min(limits))

    @cached_property
    def boundary(self) -> int | None:
        """Tokens beyond which positions depend on the length of the longest text of a batch, if they ever do.

        So it is with "dynamic" and "longrope" RoPE. Texts beyond it share batches only with texts of their
        length.
        """
        rope = getattr(self._config, "rope_parameters", None) or {}
        for parameters in (rope, *rope.values()):
            if isinstance(parameters, dict) and parameters.get("rope_type") in ("dynamic", "longrope"):
                limits = (
                    parameters.get("original_max_position_embeddings"),
                    self._config.max_position_embeddings,
                )
                return int(min(limit for limit in limits if limit is not None))
        return None

    @property
    def _config(self) -> Any:
        return self._model.config.get_text_config()

    def contract(self, batch_tokens: int) -> dict[str, Any]:
        """What decides the numbers beyond the spec of a run (docs/contract.md)."""
        device = self._device.type
        if device == "cuda":
            device += f" ({torch.cuda.get_device_name(self._device)})"
        special = self._tokenizer("")["input_ids"]
        return {
            "dtype": self._dtype,
            "device": device,
            "attention": self._model.config._attn_implementation,
            "padding_side": "right",
            "special_tokens": self._tokenizer.convert_ids_to_tokens(special),
            "max_tokens": self.max_tokens,
            "batch_tokens": batch_tokens,
            "batches": "length-sorted within a part",
            "layers": [tap.name for tap in self._taps],
            "stored": "float16, or float32 for a layer that exceeds it (per part, in the manifest)",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenize whole texts as the model would see them: special tokens added, nothing cut off."""
        encoded = self._tokenizer(
            list(texts),
            add_special_tokens=True,
            truncation=False,
            padding=False,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_attention_mask=False,
            verbose=False,
        )
        columns = (encoded[key] for key in ("input_ids", "offset_mapping", "special_tokens_mask"))
        return [
            Tokens(tuple(ids), token_spans(text, offsets), _run_length(special), _run_length(special[::-1]))
            for text, ids, offsets, special in zip(texts, *columns, strict=True)
        ]

    @cached_property
    def is_causal(self) -> bool:
        """Whether no token sees the tokens after it: measured, by changing the last token of a text.

        Positions before it must then be the same to the last bit at every layer.
        """
        n_tokens = 8
        vocabulary = self._config.vocab_size
        ids = torch.arange(n_tokens)[None] % vocabulary
        other = ids.clone()
        other[0, -1] = (n_tokens + 1) % vocabulary
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            before, after = (
                run(self._model, self._taps, text.to(self._device), mask.to(self._device), _all_but_last)
                for text in (ids, other)
            )
            return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    def start(
        self, batch: Sequence[tuple[int, ...]], words: Sequence[tuple[int, np.ndarray]]
    ) -> Callable[[], torch.Tensor]:
        """One forward pass. On a GPU it goes on, and so does the copy to the host, after this returns.

        Args:
            batch: token ids of each text.
            words: for each word, its text's place in the batch and the tokens to average there.

        Returns:
            A function that waits for the word vectors of every layer and returns them, on the host. *Shape:*
            (n_layers, n_words, d_model), float32.

        Raises:
            torch.OutOfMemoryError: the batch is too large for the device.
        """
        width = max(map(len, batch))
        pad = self._tokenizer.pad_token_id
        ids = torch.full((len(batch), width), 0 if pad is None else pad)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for n, text in enumerate(batch):
            ids[n, : len(text)] = torch.tensor(text)
            mask[n, : len(text)] = 1
        gather = make_gather(words, width, self._device)
        with torch.inference_mode():
            pooled = run(self._model, self._taps, ids.to(self._device), mask.to(self._device), gather.pool)
            return _to_host(torch.stack(pooled))


def _to_host(tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Begin to copy a tensor to the host; the function returned waits for the copy."""
    if tensor.device.type != "cuda":
        return tensor.cpu
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    copy.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def wait() -> torch.Tensor:
        copied.synchronize()
        return copy

    return wait


def _all_but_last(hidden: torch.Tensor) -> torch.Tensor:
    return hidden[:, :-1].clone()


def _run_length(flags: Sequence[int]) -> int:
    """How many true values stand at the beginning."""
    return next((n for n, flag in enumerate(flags) if not flag), len(flags))
