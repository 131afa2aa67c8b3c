"""What measures of pairs of layers say they need, and what they take."""

import re
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from repstore.analysis.aligned import Aligned
from repstore.analysis.directions import OF_LAYER, OF_SQUARE
from repstore.errors import ResultError

MIB = 1 << 20


def with_room_for(n_held: int, n_words: int, widest: int, *, beside: int = 0, work: int = 0) -> int:
    """Bytes in which so many layers are held, and no more."""
    k = min(n_words, widest)
    work = max(work, 8 * (OF_LAYER * n_words * widest + OF_SQUARE * k**2))
    return work + n_held * 8 * n_words * (k + beside)


def check_budget(measure: Callable[..., object], layers: Sequence[Aligned]) -> None:
    """A measure refuses less than it says it needs, and keeps to that, and takes more than half of it."""
    for memory in (-5, 0, MIB):
        allowed = rf"MiB of memory; {max(memory, 0) >> 20} are allowed"
        with pytest.raises(ResultError, match=allowed) as refused:
            measure(layers, memory=memory)
    found = re.search(r"takes at least (\d+) MiB", str(refused.value))
    assert found
    least = int(found[1])
    with pytest.raises(ResultError, match=f"takes at least {least} MiB"):
        measure(layers, memory=(least - 1) * MIB)
    taken = most_taken(lambda: measure(layers, memory=least * MIB))
    assert 0.5 * least * MIB < taken <= least * MIB


def most_taken(action: Callable[[], object]) -> int:
    """Bytes in arrays at the peak of an action beyond those before."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def of_ones(n_words: int, d_model: int) -> np.ndarray:
    """A layer that takes no memory."""
    return np.broadcast_to(np.float16(1), (n_words, d_model))
