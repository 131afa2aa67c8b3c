"""Centered kernel alignment between layers, all pairs at once.

Source: Kornblith et al. 2019 (arXiv 1905.00414). The biased estimator of HSIC is that of Gretton et al. 2005,
as they use it; the unbiased one is that of Song et al. 2012 (JMLR 13, eq. 5), which is near 0 for independent
data where the biased one is about d_model / (n_words + d_model).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from repstore.analysis import gram
from repstore.analysis.aligned import Aligned, check_enough
from repstore.analysis.features import feature_sums, features_are_cheaper
from repstore.analysis.gaussian import gaussian, is_narrow, steepness
from repstore.analysis.gram import Kernel, Points, Sums
from repstore.analysis.origin import sample, subtract_median
from repstore.errors import ArgumentError
from repstore.spec import MEMORY, Estimator, Progress

FEWEST = {"unbiased": 4, "biased": 2}
"""Words that an estimator needs."""

SAMPLE = 128
"""Words in whose middle the origin is put."""

ROUNDING = 3e-7
"""What float32 leaves uncertain of the inner product of two points, as a share of their lengths."""

STEEPEST = 100.0
"""How many times as uncertain kernels of narrow bandwidths are at most."""

LEAST_KERNEL = 1e-15
"""What kernels have to come to, at the root of their mean square, for float32 to square and sum them."""


def linear_cka(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    estimator: Estimator = "unbiased",
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """Linear CKA of every layer with every other.

    Of two ways the one with fewer operations is taken: tiles of Gram matrices, n_words^2 for each dimension
    of each layer and for each pair of layers, or products of features, 2 n_words d_model^2 for each pair.
    They agree to about 1e-6. Layers that fit into three quarters of the memory are read once, and some words
    of them once more; others as `gram.tiles` or `features.feature_sums` say.

    Args:
        first: what to compare; widths may differ.
        second: what with; `first` with itself if not given.
        estimator: of HSIC.
        memory: bytes to work in, beyond a few numbers for every word and layer.
        progress: told how far it is.

    *Shape:* (len(first), len(second or first)), float64; error about 1e-6, also beside a word 30,000 times as
    far out as the others. NaN for a layer whose own HSIC is 0 or cannot be told from it in float32: one whose
    vectors are all the same, or with the unbiased estimator all but one, or all at the same distance from
    each other.

    Raises:
        ResultError: fewer than 4 words (2 with the biased estimator), or too little memory.
    """
    layers = [*first, *(second or ())]
    n_words = _enough_words(layers, estimator)
    hold = gram.held(layers, memory)
    points = [_points(layer, hold=hold) for layer in layers]
    widths = [layer.d_model for layer in layers]
    pairs = _pairs(len(first), len(layers))
    if features_are_cheaper(widths, pairs, n_words, memory=memory, held=hold):
        found = feature_sums(
            points,
            widths,
            pairs,
            n_words,
            memory=memory,
            held=hold,
            progress=progress,
        )
    else:
        kernels = [Kernel(*one, hold) for one in zip(points, widths, strict=True)]
        found = gram.sums(kernels, n_words, memory=memory, progress=progress)
    values = _cka(found, estimator, ROUNDING * found.own.sum(axis=1))
    return _of_pairs(values, len(first), second is None)


def rbf_cka(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    bandwidth: float = 1.0,
    estimator: Estimator = "unbiased",
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """CKA with the Gaussian kernel exp(-d^2 / (2 s^2)), where s is a share of the median distance.

    The median is that of the distances between different words; of more than 500 words, between 500 that
    are evenly spaced, which takes 4 MB and 2 KB for each dimension. Reads, arguments and errors are as for
    `linear_cka`, with tiles of kernel matrices.

    Args:
        first, second: what to compare, and with what.
        bandwidth: s in median distances.
        estimator, memory, progress: as for `linear_cka`.

    *Shape:* (len(first), len(second or first)), float64. NaN as for `linear_cka`, for a layer whose median
    distance is 0, and where a bandwidth is so narrow that no two words have a kernel of 1e-30.

    Raises:
        ArgumentError: a bandwidth that is not above 0.
        ResultError: fewer than 4 words (2 with the biased estimator), or too little memory.
    """
    if not bandwidth > 0:
        raise ArgumentError(f"bandwidth is {bandwidth}; it must be above 0.")
    layers = [*first, *(second or ())]
    n_words = _enough_words(layers, estimator)
    hold = gram.held(layers, memory)
    steep = steepness(bandwidth)
    kernels = [gaussian(layer, steep, hold=hold) for layer in layers]
    found = gram.sums(kernels, n_words, memory=memory, progress=progress)
    uncertain = found.own.sum(axis=1)
    if is_narrow(steep):
        squares = np.maximum(np.diag(found.products), 0)
        uncertain = np.maximum(min(steep, STEEPEST) * np.sqrt(squares), LEAST_KERNEL / ROUNDING)
    return _of_pairs(_cka(found, estimator, ROUNDING * uncertain), len(first), second is None)


def _enough_words(layers: Sequence[Aligned], estimator: Estimator) -> int:
    return check_enough(layers[0], FEWEST[estimator], "CKA" if estimator == "unbiased" else "Biased CKA")


def _pairs(n_first: int, n_layers: int) -> np.ndarray:
    """Which pairs are asked for, each once: all, or those of a first and a second, and each with itself.

    *Shape:* (n_layers, n_layers), bool.
    """
    pairs = np.triu(np.ones((n_layers, n_layers), bool))
    if n_first < n_layers:
        pairs[:n_first, :n_first] = pairs[n_first:, n_first:] = False
        np.fill_diagonal(pairs, True)
    return pairs


def _of_pairs(values: np.ndarray, n_first: int, with_itself: bool) -> np.ndarray:
    return values if with_itself else values[:n_first, n_first:]


def _cka(sums: Sums, estimator: Estimator, uncertain: np.ndarray) -> np.ndarray:
    """CKA from sums over kernel matrices; the unbiased estimator does without their diagonals.

    NaN where the root of a layer's own HSIC is not above what is uncertain of it.
    """
    n = sums.rows.shape[1]
    if estimator == "unbiased":
        products, rows, of_rows, of_totals = sums.products, sums.rows, 2 / (n - 2), 1 / ((n - 1) * (n - 2))
    else:
        products, rows = sums.products + sums.own @ sums.own.T, sums.rows + sums.own
        of_rows, of_totals = 2 / n, 1 / n**2
    totals = rows.sum(axis=1)
    hsic = products - of_rows * (rows @ rows.T) + of_totals * np.outer(totals, totals)
    own = np.diag(hsic)
    own = np.sqrt(np.where(own > uncertain**2, own, np.nan))
    cka: np.ndarray = hsic / np.outer(own, own)
    return cka


def _points(layer: Aligned, *, hold: bool) -> Points:
    """Words less the median of some, and over about their length. CKA is the same without; sums of float32
    lose fewer digits with the one, whichever words are far out, and do not overflow with the other."""
    rows = sample(layer, SAMPLE)
    median = subtract_median(rows)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    length = np.median(lengths) or lengths.max()
    scale = np.float32(2.0 ** -np.rint(np.log2(length)) if length else 1)

    def place(rows: np.ndarray, start: int) -> None:
        del start
        rows -= median
        rows *= scale

    return gram.points_of(layer, lambda _: place, hold=hold)
