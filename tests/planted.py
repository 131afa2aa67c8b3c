"""Rows in memory, as a learner reads them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs that are a matrix. *Shape:* (n, width), float32."""

    matrix: np.ndarray

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def width(self) -> int:
        return self.matrix.shape[1]

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.matrix[rows].astype(np.float32)
