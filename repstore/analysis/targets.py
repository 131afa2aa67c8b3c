"""What is to be predicted of examples, and the control: the same, of other examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Targets:
    """What is to be predicted of each example.

    Attributes:
        values: of what examples have in common, such as a form. *Shape:* (n_keys, n_targets), float64.
        keys: which row of it each example has. *Shape:* (n,), int64.
    """

    values: np.ndarray
    keys: np.ndarray

    @property
    def n_targets(self) -> int:
        """How many numbers there are to predict."""
        return int(self.values.shape[1])

    def scaled(self, columns: slice) -> np.ndarray:
        """Some targets, as z-scores over all examples; 0 if constant. *Shape:* (n, n_columns), float64."""
        scaled: np.ndarray = self.values[:, columns][self.keys]
        is_constant = scaled.max(axis=0) == scaled.min(axis=0)
        scaled -= scaled.mean(axis=0)
        scaled /= np.where(is_constant, 1.0, scaled.std(axis=0))
        scaled[:, is_constant] = 0.0
        return scaled


def control_targets(targets: Targets, seed: int) -> Targets:
    """The same, dealt out to the keys anew: each has the numbers of one that is drawn for it.

    As the control task of Hewitt & Liang 2019 (arXiv 1909.03368), it has a random answer for each type. Where
    no type is both learned from and predicted, there is nothing to be learned by heart, and R² is at most
    about 0; more than that says that types which are alike stand on both sides.
    """
    dealt = np.random.default_rng([seed, len(targets.values)]).permutation(len(targets.values))
    return Targets(targets.values, dealt[targets.keys])
