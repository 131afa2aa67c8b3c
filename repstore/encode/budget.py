"""How many tokens to send through a device at once: found by trying.

A GPU wants to be kept busy, and how much that takes depends on the model, the device and the texts. On a CPU
the number is a constant, since timing must not decide which texts share a batch (docs/contract.md).
"""

from __future__ import annotations

from collections.abc import Callable

GROWTH = 1.05
"""Twice the tokens must bring this much more throughput to be worth their memory."""

MOST = 1 << 18
"""Tokens beyond which no device is tried."""


def find_budget(smallest: int, seconds: Callable[[int], float | None], most: int = MOST) -> int | None:
    """Double the size of a forward pass until throughput grows no more or memory ends.

    Args:
        smallest: tokens to begin with: those of one text.
        seconds: runs a forward pass of that many tokens, and says how long it took; None if it did not fit.
        most: where to stop.

    Returns:
        The largest size that fitted and was worth it; None if not even the smallest fits.
    """
    size, taken = smallest, seconds(smallest)
    if taken is None:
        return None
    while 2 * size <= most:
        of_double = seconds(2 * size)
        if of_double is None or 2 * taken < GROWTH * of_double:
            break
        size, taken = 2 * size, of_double
    return size
