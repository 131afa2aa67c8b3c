"""One matrix with several ridges: (G + ridge * I) x = b, for a ridge that need not be exact."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

STEP = 4.0
"""Ridges are rounded to powers of it, so that few matrices are factored."""

N_KEPT = 6
"""Factors that are kept at a time, in memory: for each of five ridges, and one between."""


class Ridges:
    """Solves with a matrix plus a ridge, as a preconditioner does: about, and always by the same numbers."""

    def __init__(self, gram: np.ndarray) -> None:
        """Nothing is factored yet. `gram`: positive semi-definite, *Shape:* (n, n), float64."""
        self._gram = gram
        self._factors: OrderedDict[int, np.ndarray] = OrderedDict()

    def solve(self, ridge: float, rows: np.ndarray) -> np.ndarray:
        """Rows times the inverse of the matrix plus about the ridge. *Shape:* as `rows`, (k, n), float32."""
        from scipy.linalg import cho_solve

        factor = (self._factor(round(np.log(ridge) / np.log(STEP))), True)
        columns = rows.T.astype(np.float32, order="F")
        solved: np.ndarray = cho_solve(factor, columns, overwrite_b=True, check_finite=False).T
        return solved

    def _factor(self, power: int) -> np.ndarray:
        """Its Cholesky factor. *Shape:* (n, n), float32, by columns, as LAPACK takes it."""
        from scipy.linalg import cholesky

        if power not in self._factors:
            if len(self._factors) == N_KEPT:
                self._factors.popitem(last=False)
            matrix = np.array(self._gram, order="F")
            matrix.flat[:: len(matrix) + 1] += STEP**power
            factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            self._factors[power] = np.asarray(factor, np.float32, order="F")
        self._factors.move_to_end(power)
        return self._factors[power]


def bytes_to_solve(n: int) -> int:
    """What it takes to have the matrix, a copy that is factored, and all factors."""
    return (2 * 8 + 4 * (N_KEPT + 1)) * n**2
