"""How the hidden states of a word's tokens become one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from repstore.spec import Pooling


@dataclass(frozen=True)
class Gather:
    """Where the words of a batch stand in its flattened tokens, as tensors on the model's device.

    `rows` lists the first token of every word, then the second of every word that has two, and so on;
    `words[j]` says which words have more than j tokens. One pass per token position adds up exactly the
    tokens of each word, in their order, so a vector does not depend on its neighbors in the batch.
    """

    words: tuple[torch.Tensor, ...]
    rows: torch.Tensor
    n_tokens: torch.Tensor

    def pool(self, hidden: torch.Tensor) -> torch.Tensor:
        """Mean of each word's hidden states, in float32.

        Args:
            hidden: hidden states of a batch. *Shape:* (n_texts, n_tokens, d_model).

        *Shape:* (n_words, d_model), float32.
        """
        taken = hidden.reshape(-1, hidden.shape[-1]).index_select(0, self.rows).float()
        total, *others = torch.split(taken, [len(words) for words in self.words])
        for words, tokens in zip(self.words[1:], others, strict=True):
            total.index_add_(0, words, tokens)
        return total.div_(self.n_tokens) if others else total


def make_gather(tokens: Sequence[tuple[int, np.ndarray]], width: int, device: torch.device) -> Gather:
    """Plan the pooling of a batch.

    Args:
        tokens: for each word, its text's place in the batch and its tokens in that text.
        width: tokens per text of the batch, padding included.
        device: where the model runs.
    """
    longest = max(len(of_word) for _, of_word in tokens)
    words: list[torch.Tensor] = []
    rows: list[int] = []
    for j in range(longest):
        having = [n for n, (_, of_word) in enumerate(tokens) if len(of_word) > j]
        words.append(torch.tensor(having, device=device))
        rows += [tokens[n][0] * width + int(tokens[n][1][j]) for n in having]
    n_tokens = [[len(of_word)] for _, of_word in tokens]
    counts = torch.tensor(n_tokens, dtype=torch.float32, device=device)
    return Gather(tuple(words), torch.tensor(rows, device=device), counts)


def pooled_tokens(tokens: np.ndarray, pooling: Pooling) -> np.ndarray:
    """The tokens whose mean is the word vector: all of them, the first or the last."""
    match pooling:
        case "mean":
            return tokens
        case "first":
            return tokens[:1]
        case "last":
            return tokens[-1:]
