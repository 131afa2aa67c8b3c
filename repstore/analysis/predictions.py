"""What a trained probe says of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.one_thread import one_thread
from repstore.storage.saved_probes import Network
from repstore.storage.vectors import LayerVectors

ROWS_AT_ONCE = 1024
"""Words that are read at a time; always so many, since products round by the size of what is multiplied."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The classes of words, as a probe sees them.

    Attributes:
        classes: the most probable class of each word, the first of equals, *Shape:* (n_words,), int64; or,
            where a word may have several, which it has, *Shape:* (n_words, n_classes), bool.
        probabilities: of this class (softmax); or of having these and no others, each class being decided by
            itself (logistic). *Shape:* (n_words,), float64.
    """

    classes: np.ndarray
    probabilities: np.ndarray


def predict(
    network: Network, vectors: LayerVectors, rows: np.ndarray, *, is_multi_label: bool
) -> Predictions:
    """Apply a probe to some words of a layer.

    Args:
        network: a probe of single words.
        vectors: of a layer of its width.
        rows: which words. *Shape:* (n_words,), int64, at least one.
        is_multi_label: whether a word may have several classes, or none.
    """
    decide = _several if is_multi_label else _one
    found = []
    with one_thread():  # several threads add up in another order each time
        for start in range(0, len(rows), ROWS_AT_ONCE):
            here = kernels.to_float32(vectors.take(rows[start : start + ROWS_AT_ONCE]))
            found.append(decide(network.apply(here).astype(np.float64)))
    classes, probabilities = (np.concatenate(column) for column in zip(*found, strict=True))
    return Predictions(classes, probabilities)


def _one(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of each row, and how probable it is: 1 / Σ exp(l_c - max l)."""
    most = logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1 / np.exp(logits - most).sum(axis=1)


def _several(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes whose probability exceeds a half, and Π 1 / (1 + exp(-|l_c|)) over all classes."""
    return logits > 0, np.exp(-np.log1p(np.exp(-np.abs(logits))).sum(axis=1))
