"""Which tokens of a rendered text make up a word.

A token serves a word if the characters it covers, less blanks at either end, overlap the word's. That holds
for tokenizers that keep the leading blank in the token and for those that do not, and where one character is
several tokens (bytes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repstore.spec import Span


def token_spans(text: str, offsets: Sequence[Span]) -> np.ndarray:
    """Characters that each token covers, less blanks at either end. Special tokens cover none.

    *Shape:* (n_tokens, 2), int64.
    """
    spans = np.zeros((len(offsets), 2), np.int64)
    for n, (start, end) in enumerate(offsets):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        spans[n] = start, end
    return spans


def tokens_of(spans: np.ndarray, word: Sequence[Span]) -> np.ndarray:
    """The tokens that overlap a word, ascending; none if the tokenizer dropped all its characters.

    Args:
        spans: from `token_spans`. *Shape:* (n_tokens, 2).
        word: characters of the word in the rendered text, piece by piece; what is between pieces is not read.

    *Shape:* (n_tokens_of_word,), int64.
    """
    serves = np.zeros(len(spans), bool)
    for start, end in word:
        serves |= (spans[:, 0] < end) & (spans[:, 1] > start)
    return np.flatnonzero(serves & (spans[:, 1] > spans[:, 0]))
