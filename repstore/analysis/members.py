"""Words in groups: which words each group has, and the vectors of some words a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned


def members_of(groups: np.ndarray, least: int = 1) -> list[np.ndarray]:
    """The words of every group that has at least `least`, in order of the groups' codes.

    Args:
        groups: code of the group of each word; -1 for none. *Shape:* (n_words,), int64.
        least: words that a group must have.

    *Shape of each:* (n,), int64, ascending: places in `groups`.
    """
    order = np.argsort(groups, kind="stable")
    codes, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    kept = (codes >= 0) & (sizes >= least)
    return [
        order[start : start + size]
        for start, size in zip(starts[kept].tolist(), sizes[kept].tolist(), strict=True)
    ]


def blocks_of(words: Aligned, places: np.ndarray) -> Iterator[np.ndarray]:
    """The vectors of some of the words, a block that stays in a core's cache at a time.

    Args:
        words: the layer.
        places: which of its words. *Shape:* (n,), int64.

    *Shape of each:* (up to `kernels.block_rows`, d_model), float64.
    """
    step = kernels.block_rows(words.d_model)
    for start in range(0, len(places), step):
        yield vectors_at(words, places[start : start + step])


def vectors_at(words: Aligned, places: np.ndarray) -> np.ndarray:
    """The vectors of some of the words. *Shape:* (len(places), d_model), float64."""
    return words.space.map(kernels.to_float32(words.vectors.take(words.rows[places])))
