"""Ridge regression along the principal axes of the rows it is fitted on, where every penalty is a division.

Source: Hoerl & Kennard 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_FOLDS = 5
PENALTIES = np.logspace(-4, 4, 9)
"""In units of the mean eigenvalue: what the predicting rows have of variance in a direction, on average."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Rows that a regression is fitted on, and rows it is tested on, along the principal axes of the former.

    With penalty p, values Y of the former, less their mean, give the predictions
    ``on_test @ (on_train.T @ Y / (sizes + p))``.

    Attributes:
        on_train, on_test: where the rows are on each axis. *Shapes:* (n_train, r) and (n_test, r), float64.
        sizes: eigenvalues: summed squares of the training rows on each axis. *Shape:* (r,), float64.
        total: the sum of the eigenvalues, those that are no more than rounding among them.
    """

    on_train: np.ndarray
    on_test: np.ndarray
    sizes: np.ndarray
    total: float


def axes_of(train: np.ndarray, test: np.ndarray) -> Axes:
    """The principal axes of rows, by the eigenvalues of the smaller of their two products.

    Args:
        train, test: rows less the mean of the former. *Shapes:* (n_train, k) and (n_test, k), float64.
    """
    is_wide = train.shape[1] > len(train)
    product = train @ train.T if is_wide else train.T @ train
    sizes, turn = np.linalg.eigh(product)
    # Rounding is of the eigenvalues, and of the rows, which may all be the same in training.
    rounding = max(1, len(sizes)) * np.finfo(np.float64).eps
    largest = sizes[-1] if len(sizes) else 0.0
    kept = sizes > max(rounding * largest, rounding**2 * np.square(test).sum())
    total = float(np.trace(product))
    sizes, turn = sizes[kept], turn[:, kept]
    if not is_wide:
        return Axes(train @ turn, test @ turn, sizes, total)
    lengths = np.sqrt(sizes)
    return Axes(turn * lengths, test @ (train.T @ turn / lengths), sizes, total)
