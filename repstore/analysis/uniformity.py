"""How evenly words cover the sphere, and how near words of one group are on it.

Source: Wang & Isola 2020 (arXiv 2005.10242), with their alpha = t = 2. Vectors are brought to length 1; a
zero vector stays one.
"""

from __future__ import annotations

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned
from repstore.analysis.memory import check_fits
from repstore.spec import MEMORY

TILE = 1024
"""Rows and columns of the products held at once."""


def uniformity(words: Aligned, memory: int = MEMORY) -> float:
    """Log of the mean of ``exp(-2 |u - v|**2)`` over all pairs of different words, at length 1.

    0 if all point the same way, and lower the more evenly they spread: no lower than -8, and of many words
    about -4. Error about 1e-6.

    Args:
        words: what to measure.
        memory: bytes to use, beside a few MB; the more of the words it holds, the less often they are read.

    Returns:
        NaN for fewer than two words.

    Raises:
        ResultError: too little memory.
    """
    n, size = words.n_words, min(words.n_words, TILE)
    # Half of it is for a stripe, half for other words and their products with some of it.
    check_fits(f"Uniformity of {words.d_model} dimensions", 8 * size * (words.d_model + size), memory)
    if n < 2:
        return float("nan")
    stripe = max(1, memory // (8 * words.d_model * TILE)) * TILE
    total = sum(_of_stripe(words, top, min(top + stripe, n)) for top in range(0, n, stripe))
    return float(min(np.log(total / (n * (n - 1) / 2)), 0.0))


def _of_stripe(words: Aligned, top: int, bottom: int) -> float:
    """Sum of the potentials of pairs of some words, and of each of them with each word after them."""
    kept, total = _directions(words, top, bottom), 0.0
    for left in range(0, len(kept), TILE):
        columns = kept[left : left + TILE]
        total += _of_own(columns) + _of_all(kept[:left], columns)
    for left in range(bottom, words.n_words, TILE):
        total += _of_all(kept, _directions(words, left, left + TILE))
    return total


def _of_own(rows: np.ndarray) -> float:
    """Sum of the potentials of pairs of some words. *Shape:* (n, d_model), float32."""
    own = _potentials(rows, rows)
    np.fill_diagonal(own, 0.0)
    return float(own.sum(dtype=np.float64)) / 2


def _of_all(rows: np.ndarray, columns: np.ndarray) -> float:
    """Sum of the potentials of some words with some others. *Shape of each:* (n, d_model), float32."""
    starts = range(0, len(rows), TILE)
    return float(sum(_potentials(rows[at : at + TILE], columns).sum(dtype=np.float64) for at in starts))


def _potentials(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """``exp(-2 |u - v|**2)`` of words and others, by the product. *Shape:* (n_rows, n_columns), float32."""
    found: np.ndarray = rows @ columns.T
    found *= 4
    found -= 2 * rows.any(axis=1, keepdims=True)
    found -= 2 * columns.any(axis=1)
    np.exp(found, out=found)
    return found


def _directions(words: Aligned, start: int, stop: int) -> np.ndarray:
    """Some words at length 1. *Shape:* (up to stop - start, d_model), float32."""
    stop = min(stop, words.n_words)
    found = np.empty((stop - start, words.d_model), np.float32)
    step = kernels.block_rows(words.d_model)
    for at in range(start, stop, step):
        some = words.block(at, min(at + step, stop)).astype(np.float64)
        found[at - start :][: len(some)] = kernels.unit(some)
    return found


def alignment(words: Aligned, groups: np.ndarray) -> float:
    """Mean of ``|u - v|**2`` over all pairs of words of one group, at length 1: between 0 and 4.

    The squared distances of the m words of a group add up to ``m * sum(|u|**2) - |sum(u)|**2``, so all pairs
    cost no more than the words.

    Args:
        words: what to measure.
        groups: which group each word is in; -1 for none. *Shape:* (n_words,), int64.

    Returns:
        NaN if no group has two words.
    """
    sizes = np.bincount(groups[groups >= 0], minlength=1)
    n_pairs = int((sizes * (sizes - 1) // 2).sum())
    if n_pairs == 0:
        return float("nan")
    chosen = np.flatnonzero((groups >= 0) & (sizes[groups] > 1))
    by_group = chosen[np.argsort(groups[chosen], kind="stable")]
    ordered = Aligned(words.vectors, words.rows[by_group], words.space)
    return max(_distances(ordered, groups[by_group]) / n_pairs, 0.0)


def _distances(words: Aligned, groups: np.ndarray) -> float:
    """Sum of ``|u - v|**2`` over pairs within a group; `groups` ascends."""
    found = 0.0
    size, squares, total = 0, 0.0, np.zeros(words.d_model)  # of the group that the last block broke off in
    step = kernels.block_rows(words.d_model)
    for at in range(0, len(groups), step):
        directions = kernels.unit(words.block(at, min(at + step, len(groups))).astype(np.float64))
        here = groups[at : at + step]
        starts = np.flatnonzero(np.diff(here, prepend=here[0] - 1))
        sizes = np.diff(starts, append=len(here))
        own = np.add.reduceat(np.einsum("nd,nd->n", directions, directions), starts)
        sums = np.add.reduceat(directions, starts, axis=0)
        if at and groups[at - 1] == here[0]:
            sizes[0] += size
            own[0] += squares
            sums[0] += total
        else:
            found += size * squares - float(total @ total)
        found += float(sizes[:-1] @ own[:-1]) - float(np.einsum("nd,nd->", sums[:-1], sums[:-1]))
        size, squares, total = int(sizes[-1]), float(own[-1]), sums[-1]
    return found + size * squares - float(total @ total)
