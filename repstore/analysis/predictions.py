"""What a trained probe says of words, or of pairs of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.analysis.one_thread import one_thread
from repstore.storage.saved_probes import Network

ROWS_AT_ONCE = 1024
"""Examples read at a time; always so many, since products round by the size of what is multiplied."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The classes of examples, as a probe sees them.

    Attributes:
        classes: the most probable class of each example, the first of equals, *Shape:* (n,), int64; or, where
            one may have several, which it has, *Shape:* (n, n_classes), bool.
        probabilities: of this class (softmax); or of having these and no others, each class being decided by
            itself (logistic). *Shape:* (n,), float64.
    """

    classes: np.ndarray
    probabilities: np.ndarray


def predict(network: Network, inputs: Inputs, outputs: Literal["class", "classes"]) -> Predictions:
    """What classes a probe says examples have.

    Args:
        network: the probe.
        inputs: the examples, as wide as it reads them; at least one.
        outputs: ``classes`` if an example may have several, or none.
    """
    decide = _several if outputs == "classes" else _one
    with one_thread():  # several threads add up in another order each time
        found = [decide(block) for block in _applied(network, inputs)]
    classes, probabilities = (np.concatenate(column) for column in zip(*found, strict=True))
    return Predictions(classes, probabilities)


def predict_numbers(network: Network, inputs: Inputs) -> np.ndarray:
    """What numbers a probe says examples have; see `predict`. *Shape:* (n, n_numbers), float64."""
    with one_thread():
        return np.concatenate(list(_applied(network, inputs)))


def _applied(network: Network, inputs: Inputs) -> Iterator[np.ndarray]:
    """The outputs for some examples at a time. *Shape of each:* (n, n_classes), float64."""
    for start in range(0, len(inputs), ROWS_AT_ONCE):
        here = inputs.take(np.arange(start, min(start + ROWS_AT_ONCE, len(inputs))))
        yield network.apply(here).astype(np.float64)


def _one(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of each row, and how probable it is: 1 / Σ exp(l_c - max l)."""
    most = logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1 / np.exp(logits - most).sum(axis=1)


def _several(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes whose probability exceeds a half, and Π 1 / (1 + exp(-|l_c|)) over all classes."""
    return logits > 0, np.exp(-np.log1p(np.exp(-np.abs(logits))).sum(axis=1))
