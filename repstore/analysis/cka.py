"""Centered kernel alignment between layers, all pairs at once.

Source: Kornblith et al. 2019 (arXiv 1905.00414). The biased estimator of HSIC is that of Gretton et al. 2005,
as they use it; the unbiased one is that of Song et al. 2012 (JMLR 13, eq. 5), which is near 0 for independent
data where the biased one is about d_model / (n_words + d_model).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from repstore.analysis import gram
from repstore.analysis.aligned import Aligned
from repstore.analysis.features import feature_sums, features_are_cheaper
from repstore.analysis.gram import Kernel, Place, Sums
from repstore.errors import ArgumentError, ResultError
from repstore.spec import MEMORY, Estimator, Progress

FEWEST = {"unbiased": 4, "biased": 2}
"""Words that an estimator needs."""

CERTAIN = 1e-6
"""Share of a sum of squares below which what is left of it is rounding, float32 as it was."""

SAMPLE = 500
"""Words whose distances from each other have the median that bandwidths are measured in."""

HIGHEST = 80.0
"""Exponent that float32 can take, and its opposite."""

FAR = 256.0
"""Half the squared length of a point, in units of the kernel's exponent, from which float32 is too short."""


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
    They agree to about 1e-6. Layers that fit into three quarters of the memory are read once. Otherwise each
    is read once for its mean, and then as `gram.tiles` or `features.feature_sums` say.

    Args:
        first: what to compare; widths may differ.
        second: what with; `first` with itself if not given.
        estimator: of HSIC.
        memory: bytes to work in, beyond a few numbers for every word and layer.
        progress: told how far it is.

    *Shape:* (len(first), len(second or first)), float64; error about 1e-6. NaN for a layer whose vectors are
    all the same, and with the unbiased estimator for one of few words whose own HSIC is not above 0.

    Raises:
        ResultError: fewer than 4 words (2 with the biased estimator), or too little memory.
    """
    layers = [*first, *(second or ())]
    n_words = _enough_words(layers, estimator)
    hold = gram.held(layers, memory)
    points = [gram.points_of(layer, _centered, hold=hold) for layer in layers]
    widths = [layer.d_model for layer in layers]
    pairs = _pairs(len(first), len(layers))
    if features_are_cheaper(widths, pairs, n_words, memory=memory, held=hold):
        found = feature_sums(
            points,
            widths,
            pairs,
            n_words,
            diagonal=estimator == "biased",
            memory=memory,
            held=hold,
            progress=progress,
        )
    else:
        kernels = [Kernel(*one, hold) for one in zip(points, widths, strict=True)]
        found = gram.sums(kernels, n_words, diagonal=estimator == "biased", memory=memory, progress=progress)
    return _of_pairs(_cka(found, estimator), len(first), second is None)


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
    are evenly spaced. Reads, arguments and errors are as for `linear_cka`, with tiles of kernel matrices.

    Args:
        first, second: what to compare, and with what.
        bandwidth: s in median distances.
        estimator, memory, progress: as for `linear_cka`.

    *Shape:* (len(first), len(second or first)), float64. NaN as for `linear_cka`, and for a layer whose
    median distance is 0.

    Raises:
        ArgumentError: a bandwidth that is not above 0.
        ResultError: fewer than 4 words (2 with the biased estimator), or too little memory.
    """
    if not bandwidth > 0:
        raise ArgumentError(f"bandwidth is {bandwidth}; it must be above 0.")
    layers = [*first, *(second or ())]
    n_words = _enough_words(layers, estimator)
    hold = gram.held(layers, memory)
    kernels = [_gaussian(layer, bandwidth, hold=hold) for layer in layers]
    found = gram.sums(kernels, n_words, diagonal=estimator == "biased", memory=memory, progress=progress)
    return _of_pairs(_cka(found, estimator), len(first), second is None)


def _enough_words(layers: Sequence[Aligned], estimator: Estimator) -> int:
    n_words, fewest = layers[0].n_words, FEWEST[estimator]
    if n_words < fewest:
        which = "" if estimator == "unbiased" else "Biased "
        raise ResultError(f"{which}CKA needs at least {fewest} words in common; there are {n_words}.")
    return n_words


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


def _cka(sums: Sums, estimator: Estimator) -> np.ndarray:
    """CKA from sums over kernel matrices, which for the unbiased estimator are without their diagonals."""
    n = sums.rows.shape[1]
    totals = sums.rows.sum(axis=1)
    of_rows, of_totals = sums.rows @ sums.rows.T, np.outer(totals, totals)
    if estimator == "unbiased":
        hsic = sums.products + of_totals / ((n - 1) * (n - 2)) - 2 / (n - 2) * of_rows
    else:
        hsic = sums.products + of_totals / n**2 - 2 / n * of_rows
    own = np.diag(hsic)
    own = np.sqrt(np.where(own > CERTAIN * np.diag(sums.products), own, np.nan))
    cka: np.ndarray = hsic / np.outer(own, own)
    return cka


def _centered(blocks: Iterator[np.ndarray]) -> Place:
    """Less the mean, and over the largest value. CKA is the same without; the sums of float32 lose fewer
    digits with the one, and do not overflow with the other."""
    total, largest, n_words = np.float64(0), np.float32(0), 0
    for block in blocks:
        total = total + block.sum(axis=0, dtype=np.float64)
        largest = max(largest, block.max(), -block.min())
        n_words += len(block)
    mean, scale = (total / n_words).astype(np.float32), largest or np.float32(1)

    def place(rows: np.ndarray, start: int) -> None:
        del start
        rows -= mean
        rows /= scale

    return place


def _gaussian(layer: Aligned, bandwidth: float, *, hold: bool) -> Kernel:
    """The Gaussian kernel less its value at the median distance, a constant that CKA does not depend on.

    So the kernels of wide bandwidths, which are all near 1, keep the digits in which they differ.
    """
    center, median = _median_distance(layer)
    sigma = np.float32(bandwidth * median if median else np.inf)
    exponent = min(1 / (2 * bandwidth**2), HIGHEST) if median else 0.0
    far = FAR * min(exponent, 1.0)

    def place(rows: np.ndarray, start: int) -> None:
        del start
        rows -= center
        rows /= sigma

    def finish(products: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        _halved_distances(products, left, right, far)
        products += exponent
        np.expm1(products, out=products)
        products *= np.exp(-exponent)

    return Kernel(gram.points_of(layer, lambda _: place, hold=hold), layer.d_model, hold, finish)


def _halved_distances(products: np.ndarray, left: np.ndarray, right: np.ndarray, far: float) -> None:
    """Half the squared distances between points, negative, from their products, in place.

    Points far out have products of which float32 leaves nothing where they are near each other, as those of
    first words are in most decoders; theirs are made again in float64.
    """
    squares = [np.einsum("nd,nd->n", rows, rows) / 2 for rows in (left, right)]
    products -= squares[0][:, None]
    products -= squares[1]
    up, across = (np.flatnonzero(some > far) for some in squares)
    if len(up) and len(across):
        outer, others = left[up].astype(np.float64), right[across].astype(np.float64)
        again = outer @ others.T
        again -= np.einsum("nd,nd->n", outer, outer)[:, None] / 2
        again -= np.einsum("nd,nd->n", others, others) / 2
        products[np.ix_(up, across)] = again
    np.minimum(products, 0, out=products)


def _median_distance(layer: Aligned) -> tuple[np.ndarray, float]:
    """A place amid the words, whatever a few of them do, and the median of distances."""
    picked = np.unique(np.linspace(0, layer.n_words - 1, min(SAMPLE, layer.n_words)).astype(np.int64))
    rows = Aligned(layer.vectors, layer.rows[picked], layer.space).block(0, len(picked))
    center = np.median(rows, axis=0)
    rows = rows.astype(np.float64) - center
    squares = np.einsum("nd,nd->n", rows, rows)
    distances = (squares[:, None] + squares - 2 * (rows @ rows.T))[np.triu_indices(len(rows), 1)]
    median = float(np.median(distances))
    return center, median**0.5 if median > CERTAIN**2 * squares.max() else 0.0
