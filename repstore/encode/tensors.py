"""Arrays as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from repstore.errors import MissingExtraError

if TYPE_CHECKING:
    import torch


def tensor_of(array: np.ndarray) -> torch.Tensor:
    """The same numbers in the same memory, as a tensor. *Shape:* that of `array`.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("A tensor needs torch. Install it with: pip install torch") from None
    return torch.from_numpy(array)
