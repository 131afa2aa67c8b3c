"""The threshold above which two words are said to have the same sense, for all layers at once."""

from __future__ import annotations

import numpy as np

GRID = np.arange(20) / 20
"""Thresholds 0.00, 0.05, ... 0.95: the grid of the code released with Liu et al. 2024."""

DECIMALS = 6
"""Cosines that agree to this many decimals are equal: identical vectors tie, whatever the last bits say."""


def best_on_grid(cosines: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The first threshold of the grid with the highest accuracy, at every layer.

    Args:
        cosines: *Shape:* (n_layers, n_pairs).
        same: whether each pair has the same sense. *Shape:* (n_pairs,), bool.

    *Shape:* (n_layers,), float64.
    """
    n_correct = [((cosines > threshold) == same).sum(axis=1) for threshold in GRID]
    thresholds: np.ndarray = GRID[np.argmax(n_correct, axis=0)]
    return thresholds


def best_exact(cosines: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The threshold with the highest accuracy of all, at every layer.

    One sweep over the sorted cosines: between any two that differ lies a threshold, and moving it over a
    pair changes the number of right answers by one. Of equally good thresholds the lowest is taken, in the
    middle between its two cosines; below all cosines, or above, it stands beside the outermost.

    Args:
        cosines: *Shape:* (n_layers, n_pairs).
        same: whether each pair has the same sense. *Shape:* (n_pairs,), bool.

    *Shape:* (n_layers,), float64.
    """
    rounded = np.round(cosines, DECIMALS)
    order = np.argsort(rounded, axis=1, kind="stable")
    ordered = np.take_along_axis(rounded, order, axis=1)
    # Right answers with the threshold before pair k: what is "different" before it, and "same" after.
    steps = np.where(same[order], -1, 1)
    n_correct = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0))) + same.sum()
    possible = np.pad(ordered[:, 1:] > ordered[:, :-1], ((0, 0), (1, 1)), constant_values=True)
    best = np.argmax(np.where(possible, n_correct, -1), axis=1)
    margin = 10.0**-DECIMALS
    below = np.concatenate([ordered[:, :1] - 2 * margin, ordered], axis=1)
    above = np.concatenate([ordered, ordered[:, -1:] + 2 * margin], axis=1)
    layers = np.arange(len(cosines))
    middle = (below[layers, best] + above[layers, best]) / 2
    thresholds: np.ndarray = np.round(middle, DECIMALS + 1)  # exact, but for the last bits
    return thresholds
