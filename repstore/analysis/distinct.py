"""Which words of a layer have the very same vector.

Many do: at layer 0 every occurrence of a token, and in a causal model every word whose text starts alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repstore.analysis import kernels
from repstore.storage.vectors import LayerVectors


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct vectors of a layer, in order of their first words.

    Attributes:
        first: row of the first word with each vector. *Shape:* (n_distinct,), int64, ascending.
        of_word: which of them each word has. *Shape:* (n_words,), int64.
    """

    first: np.ndarray
    of_word: np.ndarray

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many words have each vector. *Shape:* (n_distinct,), int64."""
        return np.bincount(self.of_word, minlength=len(self.first))

    @cached_property
    def words(self) -> np.ndarray:
        """Rows of all words, vector by vector, ascending within each. *Shape:* (n_words,), int64."""
        return np.argsort(self.of_word, kind="stable")

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each vector's words start in `words`. *Shape:* (n_distinct,), int64."""
        starts: np.ndarray = np.cumsum(self.sizes) - self.sizes
        return starts


def distinct_of(vectors: LayerVectors) -> Distinct:
    """The distinct vectors of a layer, remembered as long as the layer is."""
    return vectors.remembered("distinct", lambda: _distinct(vectors))


def _distinct(vectors: LayerVectors) -> Distinct:
    """Words are put together by a random projection, then compared.

    Should different vectors project alike, which takes one chance in 2**50, all but the first of them may be
    counted as distinct though some are the same.
    """
    projected = _projections(vectors)
    _, first, inverse = np.unique(projected, return_index=True, return_inverse=True)
    leader = first[inverse]  # the first row that projects alike
    rows = np.arange(len(leader))
    followers = np.flatnonzero(leader != rows)
    step = kernels.block_rows(vectors.d_model)
    for start in range(0, len(followers), step):
        some = followers[start : start + step]
        same = (vectors.take(some) == vectors.take(leader[some])).all(axis=1)
        leader[some[~same]] = some[~same]
    firsts, of_word = np.unique(leader, return_inverse=True)
    return Distinct(firsts.astype(np.int64), of_word.astype(np.int64))


def _projections(vectors: LayerVectors) -> np.ndarray:
    """Each vector times a random one; equal vectors give equal bits in any part and dtype.

    *Shape:* (n_words,), float64.
    """
    direction = np.random.default_rng(0).standard_normal(vectors.d_model, np.float32)
    beside = np.tile(direction, (kernels.block_rows(vectors.d_model), 1))
    return np.concatenate(
        [
            kernels.row_dots(rows, beside[: len(rows)])
            for block in vectors.blocks
            for rows in kernels.float32_blocks(block)
        ]
        or [np.empty(0)]
    )
