"""From numbers as they come to numbers as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FLOAT16_MAX = float(np.finfo(np.float16).max)

LOSS = 1e-3
"""Largest part of a vector's length that may be lost to float16, which costs up to 5e-4 where numbers are of
usual size and more where they are very small. A layer that would lose more is stored as float32."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Vectors as a part has them.

    Attributes:
        whole: which of the words have only finite numbers, at every layer. *Shape:* (n,), bool.
        layers: the vectors of these. *Shape of each:* (n_whole, d_model), float16 or float32.
        n_not_finite: for every layer, words that have other numbers there.
    """

    whole: np.ndarray
    layers: list[np.ndarray]
    n_not_finite: list[int]


def narrowed(layers: Iterable[np.ndarray]) -> Stored:
    """Vectors as they are stored: float16, or float32 for a layer that exceeds it or would lose too much.

    They are taken layer by layer, so that only one has to be in memory as it came.
    """
    finite, stored = [], []
    for layer in layers:
        matrix = as_float(layer)
        finite.append(np.isfinite(matrix).all(axis=1))
        stored.append(_narrowed(matrix, finite[-1]))
    whole: np.ndarray = np.logical_and.reduce(finite)
    if not whole.all():
        for n, matrix in enumerate(stored):
            stored[n] = matrix[whole]
    return Stored(whole, stored, [int((~one).sum()) for one in finite])


def as_float(matrix: np.ndarray) -> np.ndarray:
    """Numbers as float32, unless they are float16; what exceeds float32 is not finite."""
    with np.errstate(over="ignore"):
        return matrix if matrix.dtype == np.float16 else matrix.astype(np.float32, copy=False)


def _narrowed(matrix: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """A layer as it is stored, which its finite rows decide."""
    seen = matrix if finite.all() else matrix[finite]
    largest = np.abs(seen).max(axis=1, initial=0, keepdims=True)
    if matrix.dtype == np.float16 or largest.max(initial=0) > FLOAT16_MAX:
        return np.ascontiguousarray(matrix)
    half = seen.astype(np.float16)
    scale = np.where(largest > 0, largest, 1)  # so that no square vanishes
    lost = np.linalg.norm((half - seen) / scale, axis=1)
    if (lost > LOSS * np.linalg.norm(seen / scale, axis=1)).any():
        return np.ascontiguousarray(matrix)
    if seen is matrix:
        return half
    with np.errstate(over="ignore"):
        return matrix.astype(np.float16)
