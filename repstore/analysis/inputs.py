"""What a trained probe reads: the vectors of words, or features of pairs of words, some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from repstore.analysis import kernels
from repstore.spec import PairFeature
from repstore.storage.vectors import LayerVectors


class Inputs(Protocol):
    """Rows of numbers, one per example, that are made when they are asked for."""

    def __len__(self) -> int:
        """How many examples."""

    @property
    def width(self) -> int:
        """Numbers per example."""

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some examples, copied. `rows`: *Shape:* (n,), int64. *Shape:* (n, width), float32."""


@dataclass(frozen=True, eq=False)
class WordInputs:
    """The vectors of words.

    Attributes:
        vectors: of a layer.
        rows: which row of it each example is. *Shape:* (n,), int64.
    """

    vectors: LayerVectors
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Width of a vector."""
        return self.vectors.d_model

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some examples, copied. *Shape:* (n, width), float32."""
        return kernels.to_float32(self.vectors.take(self.rows[rows]))


@dataclass(frozen=True, eq=False)
class MeanInputs:
    """Means of the vectors of several words, such as those of a text.

    Attributes:
        vectors: of a layer.
        rows: which rows of it are meant, example by example. *Shape:* (n_words,), int64.
        starts: where each example begins among these, and where the last ends; none is empty.
            *Shape:* (n + 1,), int64.
    """

    vectors: LayerVectors
    rows: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def width(self) -> int:
        """Width of a vector."""
        return self.vectors.d_model

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some examples, copied. *Shape:* (n, width), float32."""
        made = np.empty((len(rows), self.width), np.float32)
        for n, row in enumerate(rows):
            words = self.vectors.take(self.rows[self.starts[row] : self.starts[row + 1]])
            made[n] = words.mean(axis=0, dtype=np.float64)
        return made


@dataclass(frozen=True, eq=False)
class PairInputs:
    """Features of pairs of words, made of their vectors in a space.

    Attributes:
        vectors: of a layer.
        rows: which rows of it each pair is. *Shape:* (n, 2), int64.
        feature: ``difference``: |a - b|; ``product``: a * b; ``concat``: [a; b]; ``cosine``: one number.
        shift, scale: the space: z = (x - shift) * scale. *Shape of each:* (d_model,), float64.
    """

    vectors: LayerVectors
    rows: np.ndarray
    feature: PairFeature
    shift: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Numbers per pair."""
        d_model = self.vectors.d_model
        return {"difference": d_model, "product": d_model, "concat": 2 * d_model, "cosine": 1}[self.feature]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some pairs, copied. *Shape:* (n, width), float32."""
        a, b = (self._words(self.rows[rows, side]) for side in (0, 1))
        match self.feature:
            case "difference":
                made: np.ndarray = np.abs(a - b)
            case "product":
                made = a * b
            case "concat":
                made = np.concatenate([a, b], axis=1)
            case "cosine":
                made = np.vecdot(kernels.unit(a), kernels.unit(b))[:, None]
        return made.astype(np.float32)

    def _words(self, rows: np.ndarray) -> np.ndarray:
        words: np.ndarray = self.vectors.take(rows).astype(np.float64)
        words -= self.shift
        words *= self.scale
        return words
