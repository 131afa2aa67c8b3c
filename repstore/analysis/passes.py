"""Passes over the words of a layer: a block at a time, on every processor.

Blocks depend on the number of words and their width alone, so what is added up block by block is the same
however the layer is cut into parts, and on any number of threads. Only the dtype of parts shows: if one is
stored in float32, some blocks are added up in float64 and not in float32, which moves sums by the error of
float32 (anisotropy by 6e-7). BLAS is left alone, as its own threads would get in the way of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

import numpy as np

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned
from repstore.analysis.scan import n_processors

T = TypeVar("T")

BLOCK_NUMBERS = 1 << 20
"""Numbers in a block at most. Smaller ones would be nearer to a core, but threads would wait for each other
between the calls of numpy."""

CHAIN = 64
"""Rows added up in the precision of their numbers, which loses little; sums of chains add up in float64."""


def in_threads(words: Aligned, work: Callable[[np.ndarray], T]) -> Iterator[T]:
    """What `work` makes of every block, in order.

    Args:
        words: what to pass over, in their space.
        work: told a block in a float that holds its squares, float16 as float32 and float32 as float64. It
            is overwritten afterwards, so `work` may do so, too. *Shape:* (n_chains, `CHAIN`, d_model); rows
            of zeros fill the last chain of the last block.
    """
    step = _block_rows(words)
    own = local()  # a thread's buffer, for fresh memory would cost as much as the sums

    def run(start: int) -> T:
        own.chains = _chains(_rows(words, start, min(start + step, words.n_words)), vars(own).get("chains"))
        return work(own.chains)

    starts = range(0, words.n_words, step)
    with ThreadPoolExecutor(min(len(starts), n_processors())) as pool:
        yield from pool.map(run, starts)


def blocks(words: Aligned) -> Iterator[np.ndarray]:
    """All words, block by block. *Shape of each:* (n_rows, d_model), float16 or float32, read-only."""
    step = _block_rows(words)
    return (_rows(words, start, min(start + step, words.n_words)) for start in range(0, words.n_words, step))


def lengths(chains: np.ndarray) -> np.ndarray:
    """L2 norm of each row. *Shape:* (n_chains, `CHAIN`), float64."""
    roots: np.ndarray = np.sqrt(np.vecdot(chains, chains).astype(np.float64))
    return roots


def unit_sum(chains: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Sum of the rows, scaled to length 1; zero vectors stay zero.

    Args:
        chains: *Shape:* (n_chains, `CHAIN`, d_model).
        norms: *Shape:* (n_chains, `CHAIN`), float64.

    *Shape:* (d_model,), float64.
    """
    scales = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0).astype(chains.dtype)
    total: np.ndarray = np.einsum("kn,knd->kd", scales, chains).sum(axis=0, dtype=np.float64)
    return total


def _block_rows(words: Aligned) -> int:
    return max(1, BLOCK_NUMBERS // (CHAIN * words.d_model)) * CHAIN


def _chains(block: np.ndarray, buffer: np.ndarray | None) -> np.ndarray:
    """A block as `in_threads` tells it, in the buffer if there is room for it."""
    n_rows, d_model = block.shape
    n_chains = -(-n_rows // CHAIN)
    wide = np.dtype(np.float32 if block.dtype == np.float16 else np.float64)
    if buffer is None or len(buffer) < n_chains or buffer.dtype != wide:
        buffer = np.empty((n_chains, CHAIN, d_model), wide)
    chains: np.ndarray = buffer[:n_chains]
    rows = chains.reshape(-1, d_model)
    if wide == np.float32:
        kernels.to_float32(block, rows[:n_rows])
    else:
        rows[:n_rows] = block
    rows[n_rows:] = 0
    return chains


def _rows(words: Aligned, start: int, stop: int) -> np.ndarray:
    """Words where they are stored, if they are there side by side and in the space asked for; else a copy."""
    if words.space.frame != "none":
        return words.block(start, stop)
    vectors, rows = words.vectors, words.rows[start:stop]
    part = int(vectors.block_of(rows[:1])[0])
    first = int(rows[0] - vectors.starts[part])
    last = first + len(rows)
    if last <= len(vectors.blocks[part]) and (np.diff(rows) == 1).all():
        return vectors.blocks[part][first:last]
    return vectors.take(rows)
