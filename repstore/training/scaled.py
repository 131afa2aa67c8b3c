"""Rows of inputs as tensors, scaled by what the training rows are like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from repstore.analysis.inputs import Inputs
from repstore.analysis.memory import check_fits
from repstore.analysis.standardize import moments_of_rows

ROWS_AT_ONCE = 1024
"""Rows that are read, scaled or applied at a time."""

OVERHEAD = 1 << 25
"""Bytes that training takes beside its arrays."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """Rows as z = (x - shift) * scale. Constant columns become 0.

    Attributes:
        inputs: the rows as they are.
        shift, scale: mean and 1 / standard deviation of the training rows. *Shape of each:* (width,),
            float64.
        held: all rows, scaled, where there is memory for them; else they are made when they are asked for,
            which takes longer and gives the same bytes. *Shape:* (n, width), float32.
    """

    inputs: Inputs
    shift: np.ndarray
    scale: np.ndarray
    held: torch.Tensor | None

    @classmethod
    def by(
        cls, inputs: Inputs, train: np.ndarray, *, n_parameters: int, n_hidden: int, memory: int
    ) -> Scaled:
        """Scaled by some rows.

        Args:
            inputs: all rows.
            train: rows to scale by. *Shape:* (n_train,), int64.
            n_parameters: how many numbers are to be fitted to the rows.
            n_hidden: numbers that are computed of each row.
            memory: bytes for the rows and for training.

        Raises:
            ResultError: too little memory.
        """
        # Parameters with their gradients, two moments of these and the best so far; blocks read and scaled.
        work = OVERHEAD + 20 * n_parameters + ROWS_AT_ONCE * (24 * inputs.width + 16 * n_hidden)
        check_fits("Training by gradients", work, memory)
        of = moments_of_rows(inputs, train)
        scale = np.divide(1.0, of.std, out=np.zeros_like(of.std), where=of.std > 0)
        scaled = cls(inputs, of.mean, scale, None)
        if work + 4 * len(inputs) * inputs.width > memory:
            return scaled
        held = torch.empty((len(inputs), inputs.width))
        for some in _blocks(len(inputs)):
            held[some] = scaled.take(torch.arange(some.start, some.stop))
        return cls(inputs, of.mean, scale, held)

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Some rows, copied. `rows`: *Shape:* (n,), int64. *Shape:* (n, width), float32."""
        if self.held is not None:
            return self.held[rows]
        taken = self.inputs.take(rows.numpy()).astype(np.float64)
        taken -= self.shift
        taken *= self.scale
        # In torch's own memory: products round by how their numbers are aligned there.
        return torch.from_numpy(taken).to(torch.float32)

    def blocks(self, rows: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Many rows, block by block: which, and what they hold. *Shapes:* (n,) and (n, width)."""
        for some in torch.split(rows, ROWS_AT_ONCE):
            yield some, self.take(some)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + ROWS_AT_ONCE, n)) for start in range(0, n, ROWS_AT_ONCE))
