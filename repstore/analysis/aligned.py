"""Words of a layer that stand beside the same words of another: what layers are compared over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.space import Space
from repstore.errors import ResultError
from repstore.storage.vectors import LayerVectors

AT_ONCE = 4096
"""Words looked at together."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Some words of a layer, in a space. Of several, the n-th row of each is the same word.

    Attributes:
        vectors: the layer.
        rows: which of its words, in which order. *Shape:* (n_words,), int64.
        space: where they are compared.
    """

    vectors: LayerVectors
    rows: np.ndarray
    space: Space

    @property
    def n_words(self) -> int:
        """How many words."""
        return len(self.rows)

    @property
    def d_model(self) -> int:
        """Width of a vector."""
        return self.vectors.d_model

    @property
    def is_flat(self) -> bool:
        """Whether all words have one vector."""
        first = self.vectors.take(self.rows[:1])
        return all(
            bool((self.vectors.take(self.rows[start : start + AT_ONCE]) == first).all())
            for start in range(0, self.n_words, AT_ONCE)
        )

    def block(self, start: int, stop: int) -> np.ndarray:
        """Some of the words, copied. *Shape:* (stop - start, d_model), float32."""
        taken = self.vectors.take(self.rows[start:stop])
        if self.space.frame == "none":
            return kernels.to_float32(taken)
        return self.space.map(taken).astype(np.float32)

    def matrix(self) -> np.ndarray:
        """All the words, copied. *Shape:* (n_words, d_model), float64."""
        return self.space.map(self.vectors.take(self.rows))


def check_enough(words: Aligned, needed: int, measure: str) -> int:
    """How many words there are, if a measure has enough of them.

    Raises:
        ResultError: fewer than it needs.
    """
    if words.n_words < needed:
        raise ResultError(f"{measure} needs at least {needed} words in common; there are {words.n_words}.")
    return words.n_words
