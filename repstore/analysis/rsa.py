"""Representational similarity analysis: do two layers find the same words alike?

Source: Kriegeskorte et al. 2008 (doi:10.3389/neuro.06.004.2008). The similarity of two words is the cosine of
their vectors; that of two layers is the correlation of the similarities of all pairs of words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from repstore.analysis import gram
from repstore.analysis.aligned import Aligned, check_enough
from repstore.analysis.gram import Finish, Kernel, Place
from repstore.analysis.memory import check_fits
from repstore.analysis.thresholds import DECIMALS
from repstore.spec import MEMORY, Correlation, Progress

STEPS = 10**DECIMALS
"""Cosines between 0 and 1 that are told apart."""

CHUNK = 1 << 14
"""Cosines that are ranked at a time."""


def rsa(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    correlation: Correlation = "spearman",
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """Correlation of the cosines between words, for every layer with every other.

    Spearman's is that of cosines to 6 decimals, so that the words of equal vectors tie; equal ones share the
    mean of their ranks. There are no more than 2,000,001 such cosines, so ranks are counted rather than
    sorted: in one pass over all pairs of words, and used in a second. Layers that fit into three quarters of
    the memory are read once. Otherwise each is read once for its mean, and then in each pass as `gram.tiles`
    says.

    Args:
        first: what to compare; widths may differ.
        second: what with; `first` with itself if not given.
        correlation: Spearman's or Pearson's.
        memory: bytes to work in, beyond a few numbers for every word and layer. Spearman's takes 8 MB of it
            for every layer, 16 from 65,536 words on.
        progress: told how far it is.

    *Shape:* (len(first), len(second or first)), float64; error about 1e-5 where cosines differ by more than
    1e-3. NaN for a layer whose cosines are all the same, to 6 decimals.

    Raises:
        ResultError: fewer than 3 words, or too little memory.
    """
    layers = [*first, *(second or ())]
    check_enough(layers[0], 3, "RSA")
    if correlation == "spearman":
        values = _spearman(layers, memory, progress)
    else:
        values = _pearson(layers, memory, progress)
    return values if second is None else values[: len(first), len(first) :]


def _pearson(layers: Sequence[Aligned], memory: int, progress: Callable[[Progress], None]) -> np.ndarray:
    hold = gram.held(layers, memory)
    kernels = []
    for layer in layers:
        kernel, mean = _cosines(layer, hold=hold)
        kernels.append(replace(kernel, finish=_less(mean)))
    return _correlations(kernels, layers[0].n_words, 1 / STEPS, memory, progress)


def _spearman(layers: Sequence[Aligned], memory: int, progress: Callable[[Progress], None]) -> np.ndarray:
    n_words = layers[0].n_words
    counter = np.int32 if n_words < 1 << 16 else np.int64
    rest = memory - len(layers) * (2 * STEPS + 1) * np.dtype(counter).itemsize
    check_fits(
        f"Spearman's correlation of {len(layers)} layers",
        memory - rest + 1,
        memory,
        'Allow more, compare fewer layers, or ask for the correlation "pearson".',
    )
    hold = gram.held(layers, rest)
    kernels = [_cosines(layer, hold=hold)[0] for layer in layers]
    ranks = [_ranks(one) for one in _counts(kernels, n_words, counter, rest, progress)]
    ranked = [replace(kernel, finish=_ranked(one)) for kernel, one in zip(kernels, ranks, strict=True)]
    return _correlations(ranked, n_words, 0.0, rest, progress)


def _counts(
    kernels: Sequence[Kernel],
    n_words: int,
    counter: type[np.int32 | np.int64],
    memory: int,
    progress: Callable[[Progress], None],
) -> Iterator[np.ndarray]:
    """How often there is each cosine, layer by layer; each is forgotten before the next is given out.

    *Shape of each:* (2,000,001,), of the dtype `counter`.
    """
    counts = [np.zeros(2 * STEPS + 1, counter) for _ in kernels]
    for tile in gram.tiles(kernels, n_words, memory=memory, progress=progress):
        within = np.triu_indices(len(tile.values[0]), 1) if tile.on_diagonal else ...
        for count, cosines in zip(counts, tile.values, strict=True):
            np.add.at(count, _codes(cosines[within]).ravel(), counter(1))
    while counts:
        yield counts.pop(0)


def _correlations(
    kernels: Sequence[Kernel],
    n_words: int,
    least: float,
    memory: int,
    progress: Callable[[Progress], None],
) -> np.ndarray:
    """Correlation of the entries beside the diagonal. NaN where their deviation is not above `least`.

    *Shape:* (n_layers, n_layers), float64.
    """
    sums = gram.sums(kernels, n_words, memory=memory, progress=progress)
    n_pairs = n_words * (n_words - 1)
    means = sums.rows.sum(axis=1) / n_pairs
    covariances = sums.products / n_pairs - np.outer(means, means)
    own = np.diag(covariances)
    deviations = np.sqrt(np.where(own > least**2, own, np.nan))
    correlations: np.ndarray = covariances / np.outer(deviations, deviations)
    return np.clip(correlations, -1.0, 1.0, out=correlations)


def _cosines(layer: Aligned, *, hold: bool) -> tuple[Kernel, float]:
    """Cosines, 0 with a zero vector; and their mean over pairs of different words."""
    total, n_units = np.zeros(layer.d_model), 0

    def fit(blocks: Iterator[np.ndarray]) -> Place:
        nonlocal n_units
        for block in blocks:
            units = block.copy()
            _scale(units, 0)
            total[:] += units.sum(axis=0, dtype=np.float64)
            n_units += int(np.count_nonzero(units.any(axis=1)))
        return _scale

    points = gram.points_of(layer, fit, hold=hold)
    n = layer.n_words
    return Kernel(points, layer.d_model, hold), float((total @ total - n_units) / (n * (n - 1)))


def _scale(rows: np.ndarray, start: int) -> None:
    """To length 1, in place; a zero vector stays one."""
    del start
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    lengths[lengths == 0] = 1
    rows /= lengths[:, None].astype(np.float32)


def _less(mean: float) -> Finish:
    """Cosines less their mean, which would take the digits of their products."""

    def finish(cosines: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        del left, right
        cosines -= np.float32(mean)

    return finish


def _codes(cosines: np.ndarray) -> np.ndarray:
    """Cosines to 6 decimals, counted from -1. *Shape:* as `cosines`, int64."""
    codes = np.rint(cosines * np.float32(STEPS)).astype(np.int64)
    codes += STEPS
    return np.clip(codes, 0, 2 * STEPS, out=codes)


def _ranks(counts: np.ndarray) -> np.ndarray:
    """Mean rank of each cosine less the mean of all, as a share of them, in the room of the counts.

    *Shape:* as `counts`, float32.
    """
    ranks = counts.view(np.float32)[: len(counts)]  # no wider than counts, so none is overwritten unread
    before, n_pairs = 0, int(counts.sum())
    for start in range(0, len(counts), CHUNK):
        some = counts[start : start + CHUNK].copy()
        middle = before + np.cumsum(some, dtype=np.float64) - some / 2
        ranks[start : start + CHUNK] = middle / n_pairs - 0.5
        before += int(some.sum())
    return ranks


def _ranked(ranks: np.ndarray) -> Finish:
    """Ranks instead of cosines."""

    def finish(cosines: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        del left, right
        np.take(ranks, _codes(cosines), out=cosines, mode="clip")

    return finish
