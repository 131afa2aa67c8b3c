"""Loading a model and its tokenizer, and refusing what would silently give wrong numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

from repstore.encode.models import ModelFiles, quiet
from repstore.errors import ArgumentError, ModelError
from repstore.spec import DType

TORCH_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(files: ModelFiles, dtype: DType) -> tuple[Any, Any]:
    """The tokenizer and the base model (no head) of a folder, on the CPU, ready for forward passes.

    Raises:
        ModelError: they cannot be loaded, lack weights, or the tokenizer does not give offsets.
    """
    name = files.identity.name
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(files.folder, local_files_only=True)
            model, loaded = AutoModel.from_pretrained(
                files.folder, local_files_only=True, dtype=TORCH_DTYPES[dtype], output_loading_info=True
            )
    except Exception as error:  # transformers raises whatever its many parts raise
        raise ModelError(f"{name} cannot be loaded from {files.folder}: {error}") from error
    # A pooler is not on the way to the hidden states; it may be filled with random numbers.
    missing = sorted(key for key in loaded["missing_keys"] if "pooler" not in key)
    if missing or loaded["mismatched_keys"]:
        raise ModelError(f"{files.folder} lacks weights that its config asks for, such as {missing[:3]}.")
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of {name} does not say which characters a token covers. "
            "Give a folder with a tokenizer.json."
        )
    return tokenizer, model.eval()


def usable_device(device: str) -> torch.device:
    """The device of that name.

    Raises:
        ArgumentError: there is none.
    """
    try:
        return torch.zeros(1, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(f'Device "{device}" cannot be used: {str(error).splitlines()[0]}') from None


def reserved_positions(model: nn.Module, limit: int) -> int:
    """Rows of a table of position embeddings that no token gets: RoBERTa counts from its padding index on."""
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    return max(
        (
            table.padding_idx + 1
            for table in tables
            if table.num_embeddings == limit and table.padding_idx is not None
        ),
        default=0,
    )


def default_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
