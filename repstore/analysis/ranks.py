"""Ranks of pairs by their scores, where pairs may be there several times or not at all.

Equal scores share the mean of their ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Values:
    """The distinct values of the pairs' scores, ascending, as places: which pairs have which.

    Attributes:
        order: pairs sorted by value. *Shape:* (n_pairs,).
        starts: where in that order each value begins. *Shape:* (n_values,).
        value_of: the value of each pair. *Shape:* (n_pairs,).
    """

    order: np.ndarray
    starts: np.ndarray
    value_of: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> Values:
        """The values of some scores. *Shape:* (n_pairs,)."""
        _, value_of = np.unique(scores, return_inverse=True)
        order = np.argsort(value_of, kind="stable")
        starts = np.flatnonzero(np.diff(value_of[order], prepend=-1))
        return cls(order, starts, value_of)

    def ranks(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean rank of every pair, less the mean of all ranks; and the sum of the squares of these.

        Args:
            counts: how often each pair is there, once per resample; n_pairs in all. *Shape:* (n_pairs,
                n_resamples), float64.

        *Shape:* (n_pairs, n_resamples) and (n_resamples,), float64.
        """
        of_value = counts[self.order]
        if len(self.starts) < len(self.order):  # some are equal
            of_value = np.add.reduceat(of_value, self.starts, axis=0)
        middle = np.cumsum(of_value, axis=0)
        middle -= of_value / 2
        middle -= len(counts) / 2  # the mean of all ranks, less a half
        spread = np.einsum("vr,vr->r", of_value, middle**2)
        return middle[self.value_of], spread


def ranks(scores: np.ndarray) -> np.ndarray:
    """Mean rank of every pair, less the mean of all ranks, in each row.

    Args:
        scores: *Shape:* (n_rows, n_pairs).

    *Shape:* as `scores`, float64.
    """
    once = np.ones((scores.shape[1], 1))
    return np.stack([Values.of(row).ranks(once)[0][:, 0] for row in scores])
