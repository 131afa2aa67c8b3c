"""Pairs of words of which it is known whether they have one sense, as rows of layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Pairs of words to learn from or to choose by.

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

    def some(self, chosen: np.ndarray) -> LabelledPairs:
        """Some of the pairs. `chosen`: *Shape:* (n_pairs,), bool."""
        return LabelledPairs(self.rows[chosen], self.lemmas[chosen], self.is_same[chosen])
