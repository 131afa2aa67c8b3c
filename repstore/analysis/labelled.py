"""Pairs of words of which it is known whether they have one sense, as rows of layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Labelled pairs to learn from or to choose by.

    Attributes:
        rows: of the two words of each pair, in every layer. *Shape:* (n_pairs, 2), int64.
        lemmas: of these words, as numbers. *Shape:* (n_pairs, 2), int64.
        is_same: whether they have one sense. *Shape:* (n_pairs,), bool.
    """

    rows: np.ndarray
    lemmas: np.ndarray
    is_same: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def words(self) -> np.ndarray:
        """Rows of the words, each once. *Shape:* (n_words,), int64, ascending."""
        return np.unique(self.rows)

    def where(self, kept: np.ndarray) -> LabelledRows:
        """Some of the pairs. `kept`: *Shape:* (n_pairs,), bool."""
        return LabelledRows(self.rows[kept], self.lemmas[kept], self.is_same[kept])
