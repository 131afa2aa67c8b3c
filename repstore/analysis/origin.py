"""A place amid the words of a layer, whatever a few of them do.

The first words of texts lie hundreds of times farther out than others in most decoders. A mean goes along
with them, and float32 then has few digits left for how the others differ.
"""

from __future__ import annotations

import numpy as np

from repstore.analysis.aligned import Aligned

STEP = 32
"""Words read, or dimensions worked on, at a time."""


def sample(words: Aligned, at_most: int) -> np.ndarray:
    """Vectors of some words, evenly spaced; of all if they are few. *Shape:* (n_some, d_model), float32."""
    picked = np.linspace(0, words.n_words - 1, min(at_most, words.n_words)).astype(np.int64)
    some = Aligned(words.vectors, words.rows[picked], words.space)
    rows = np.empty((len(picked), words.d_model), np.float32)
    for start in range(0, len(picked), STEP):
        stop = min(start + STEP, len(picked))
        rows[start:stop] = some.block(start, stop)
    return rows


def subtract_median(rows: np.ndarray) -> np.ndarray:
    """Makes the median of each dimension 0, in place; gives what it was. *Shape:* (d_model,), float32."""
    n_words, median = len(rows), np.empty(rows.shape[1], np.float32)
    for start in range(0, len(median), STEP):
        some = rows[:, start : start + STEP].T.copy()
        some.sort(axis=1)  # several times as fast as np.median
        median[start : start + STEP] = (some[:, (n_words - 1) // 2] + some[:, n_words // 2]) / 2
    rows -= median
    return median
