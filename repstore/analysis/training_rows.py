"""The rows that a linear probe learns from, standardized by their moments: held, or made at each pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.analysis.standardize import moments

BLOCK_NUMBERS = 1 << 20
"""Numbers in a block at most, if that is 128 rows or more."""


def block_rows(width: int) -> int:
    """Rows that are multiplied at a time: by their width alone, so that sums do not depend on memory."""
    return min(1024, max(128, BLOCK_NUMBERS // width))


def blocks_of(inputs: Inputs, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Some examples, block by block. *Shape of each:* (n, width), float32."""
    step = block_rows(inputs.width)
    return (inputs.take(rows[start : start + step]) for start in range(0, len(rows), step))


class TrainingRows:
    """Standardized rows, all columns of which are 0 on average; constant ones are 0.

    Where there are fewer rows than columns, what is learned with an L2 penalty is a combination of the rows
    (the representer theorem), and rows are given by their coordinates in the space of all of them: as many as
    there are rows, and the same in lengths and angles.

    Attributes:
        shift, scale: z = (x - shift) * scale. *Shape of each:* (width,), float64.
        n_rows: how many.
        n_columns: numbers in a row as it is given.
    """

    def __init__(self, inputs: Inputs, rows: np.ndarray, memory: int) -> None:
        """Measure the rows.

        Args:
            inputs: where they are.
            rows: which they are. *Shape:* (n_rows,), int64.
            memory: bytes that the rows may take to be held. Those of the space of few rows always are.
        """
        of = moments(blocks_of(inputs, rows))
        self.shift = of.mean
        self.scale = np.divide(1.0, of.std, out=np.zeros_like(of.std), where=of.std > 0)
        self.n_rows, self.n_columns = len(rows), inputs.width
        self._inputs, self._rows = inputs, rows
        self._basis: np.ndarray | None = None
        self._held: list[np.ndarray] | None = None
        if self.n_rows < self.n_columns:
            self._reduce()
        elif bytes_to_hold(self.n_rows, self.n_columns) <= memory:
            self._held = list(self._made())

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, in order. *Shape of each:* (n, n_columns), float32."""
        return iter(self._held) if self._held is not None else self._made()

    def gram(self) -> np.ndarray:
        """Mean products of the columns. *Shape:* (n_columns, n_columns), float64."""
        total = np.zeros((self.n_columns, self.n_columns))
        for block in self.blocks():
            total += block.T @ block
        total /= self.n_rows
        return total

    def to_inputs(self, weights: np.ndarray) -> np.ndarray:
        """Weights of columns as weights of the inputs. *Shape:* (..., n_columns) to (..., width)."""
        return weights if self._basis is None else weights @ self._basis.T

    def _made(self) -> Iterator[np.ndarray]:
        for block in blocks_of(self._inputs, self._rows):
            z = block.astype(np.float64)
            z -= self.shift
            z *= self.scale
            yield z.astype(np.float32)

    def _reduce(self) -> None:
        """Turn the rows so that no more columns than rows are not 0."""
        rows = np.concatenate(list(self._made())).astype(np.float64)
        self._basis, across = np.linalg.qr(rows.T)
        self.n_columns = self.n_rows
        reduced, step = across.T.astype(np.float32), block_rows(self.n_columns)
        self._held = [reduced[start : start + step] for start in range(0, self.n_rows, step)]


def bytes_to_hold(n_rows: int, n_columns: int) -> int:
    """What rows take to be held."""
    return 4 * n_rows * n_columns


def bytes_to_make(n_rows: int, width: int) -> int:
    """What it takes to make blocks of rows, to reduce them if they are few, and to multiply their columns."""
    few = min(n_rows, width)
    reducing = 8 * (4 * n_rows * width + 2 * n_rows**2) if n_rows < width else 0
    return 32 * min(block_rows(width), n_rows) * width + max(reducing, 24 * few**2)
