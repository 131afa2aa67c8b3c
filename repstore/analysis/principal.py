"""Covariances in one pass, and the directions in which vectors vary most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

RANK = 1e-10
"""Share of the largest variance below which the variance of a direction is rounding, and counts as none.

Eigenvalues in float64 are off by about 1e-15 of the largest, so that what is kept has 5 digits at the least.
"""


@dataclass(frozen=True, eq=False)
class Covariance:
    """Mean and covariance of some vectors.

    Attributes:
        n_rows: how many.
        mean: *Shape:* (d_model,), float64.
        matrix: Bessel-corrected. *Shape:* (d_model, d_model), float64.
    """

    n_rows: int
    mean: np.ndarray
    matrix: np.ndarray

    @property
    def total(self) -> float:
        """Variance over all dimensions."""
        return float(np.trace(self.matrix))


@dataclass(frozen=True, eq=False)
class Axes:
    """The directions in which vectors vary, the strongest first.

    Attributes:
        variances: *Shape:* (rank,), float64, descending.
        directions: orthonormal; of each, the number largest in size is positive. *Shape:* (d_model, rank).
    """

    variances: np.ndarray
    directions: np.ndarray


def covariance(blocks: Iterable[np.ndarray]) -> Covariance:
    """Covariance over the rows of all blocks, in one pass.

    Every block is centered by its own mean before anything is squared, and joined to those before it as Chan,
    Golub and LeVeque 1983 do ("Algorithms for computing the sample variance", equation 2.1), so that a large
    mean does not drown a small variance, and that of a constant dimension is exactly 0.

    Args:
        blocks: at least one row. *Shape of each:* (n_rows, d_model), float16 or float32.
    """
    n_rows, mean, scatter = 0, np.zeros(()), np.zeros(())
    for block in blocks:
        rows = block.astype(np.float64)
        its_mean = rows.mean(axis=0)
        rows -= its_mean
        if n_rows:
            apart = its_mean - mean
            weight = n_rows * len(rows) / (n_rows + len(rows))
            mean = mean + apart * (len(rows) / (n_rows + len(rows)))
            scatter += rows.T @ rows
            scatter += np.outer(weight * apart, apart)
        else:
            mean, scatter = its_mean, rows.T @ rows
        n_rows += len(block)
    if not n_rows:
        raise ValueError("no rows")
    scatter /= max(n_rows - 1, 1)
    return Covariance(n_rows, mean, scatter)


def principal_axes(of: Covariance) -> Axes:
    """The principal components of vectors whose covariance is given, as far as they vary at all (`RANK`)."""
    variances, directions = np.linalg.eigh(of.matrix)
    variances, directions = variances[::-1], directions[:, ::-1]
    rank = int((variances > RANK * max(variances[0], 0.0)).sum())
    variances, directions = variances[:rank], directions[:, :rank]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(rank)])
    return Axes(variances, directions * signs)
