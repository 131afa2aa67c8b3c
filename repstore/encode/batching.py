"""Which texts go through the model together."""

from __future__ import annotations

from collections.abc import Sequence


def make_batches(lengths: Sequence[int], budget: int, boundary: int | None = None) -> list[list[int]]:
    """Group texts of similar length so that a batch, padded, has at most `budget` tokens.

    The result depends on the lengths alone. A text longer than the budget is a batch of its own.

    Args:
        lengths: tokens of each text.
        budget: most tokens in a batch, padding included.
        boundary: texts longer than this share a batch only with texts of the same length.

    Returns:
        Indices into `lengths`, each once; the longest texts come last.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda n: (lengths[n], n)):
        length = lengths[index]
        fits = batches and (len(batches[-1]) + 1) * length <= budget
        if fits and (boundary is None or length <= boundary or lengths[batches[-1][0]] == length):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
