"""Windows over texts that are longer than the model's context.

Windows lie on a fixed grid, each half a window after the one before, so that the words of a long text share
forward passes; every word is read where it has the most context on its scarcer side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `start` to `end` of a text, between its leading and its trailing special tokens."""

    start: int
    end: int


def window_for(
    of_word: np.ndarray, n_tokens: int, n_leading: int, n_trailing: int, limit: int
) -> Window | None:
    """The window in which to read a word, or None if the word fits into none.

    Args:
        of_word: the word's tokens, ascending. *Shape:* (n,), int64.
        n_tokens: tokens of the text, special tokens included; more than `limit`.
        n_leading: special tokens before the text; they stand before every window.
        n_trailing: special tokens after the text; they stand after every window.
        limit: tokens the model takes at once.
    """
    size = limit - n_leading - n_trailing
    last_start = n_tokens - n_trailing - size
    if size < 1:
        return None
    starts = np.append(np.arange(n_leading, last_start, max(size // 2, 1)), last_start)
    before = of_word[0] - starts
    after = starts + size - 1 - of_word[-1]
    room = np.minimum(before, after)
    best = int(np.argmax(room))
    return Window(int(starts[best]), int(starts[best]) + size) if room[best] >= 0 else None
