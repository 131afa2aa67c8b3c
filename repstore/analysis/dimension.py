"""The intrinsic dimension of a layer: in how many directions words have neighbors, at several scales.

Where vectors are spread evenly over the distances looked at, the ratio mu of the distances to the 2n-th and
to the n-th neighbor has a law that depends on the dimension d alone, with the density

    d (mu^d - 1)^(n - 1) / (B(n, n) mu^((2n - 1) d + 1)).

At n = 1 this is TwoNN, Facco et al. 2017 (doi 10.1038/s41598-017-11873-y); for all n it is Gride, Denti et
al. 2022 (doi 10.1038/s41598-022-20991-1). A small n takes noise for dimensions, a large one sees bends and
borders, which pull d down, the more the larger it is: 1,000 normal vectors of 10 dimensions have 9.6 at n = 1
and 9.1 at n = 4. Where words come in clusters, as those of a few lemmas do, an n near their size sees the gap
between them: mu is large, and d small.

Dimensions are those of highest likelihood, with the number of words less 1, which at n = 1 is free of bias:
(n_words - 1) / sum(log mu). TwoNN as published fits a line to the sorted ratios instead and drops the largest
tenth; likelihood needs no such choice, varies no more, and is the same rule at every scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.bootstrap import Resampling, interval
from repstore.analysis.distinct import distinct_of
from repstore.analysis.graph import batch_neighbors, tile_rows
from repstore.analysis.memory import check_fits
from repstore.analysis.space import Space
from repstore.analysis.standardize import moments_of
from repstore.errors import ArgumentError
from repstore.spec import MEMORY, Progress
from repstore.storage.vectors import LayerVectors

SCALES = (1, 4, 16, 64)
"""Unless said otherwise."""

RESAMPLING = Resampling(1_000)
"""For the intervals, unless said otherwise."""

SAME = 1e-4
"""Share of a vector's norm, or of its distance from the mean if that is less, within which another is the
same. A causal model gives words whose texts begin alike one vector, but for rounding in batches of other
shapes; a hundred such words in ten thousand, 1e-5 apart, halve the dimension that TwoNN finds. On SmolLM2
there is nothing between 1e-4 and 3e-3."""

STEPS = 100
"""Of Newton's method at most; about 3 are taken."""

CERTAIN = 1e-6
"""A step that changes a dimension by less than this share is the last: what is left is about its square."""

AT_ONCE = 1 << 16
"""Ratios of resamples that are handled together, of one resample at least."""

LEAST = 48 << 20
"""Bytes it takes to look for neighbors, and to resample."""

PER_WORD = 160
"""Bytes for each word of the layer: what vectors are the same, distances, ratios, and a resample of them."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """An intrinsic dimension. NaN with fewer than 2 * scale + 1 distinct words, or if all ratios are 1.

    Attributes:
        scale: which neighbors it is seen by: the n-th and the 2n-th.
        value: the dimension.
        low, high: the ends of its 95 % interval: a bootstrap over the ratios, not the words, as a word drawn
            twice would be its own neighbor. Words near each other have neighbors in common and so ratios that
            vary together, of which the interval knows nothing. It is about a fifth too short at scales 1 and
            4: for normal vectors of 1 to 5 dimensions it held the true one in 8 to 9 of 10 draws. Nor does it
            know of bias, such as that of borders.
    """

    scale: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The intrinsic dimensions of a layer, scale by scale.

    Attributes:
        n_distinct: how many different vectors the words have, `SAME` ones taken for one. The other words are
            left out: they have no ratio.
        by_scale: the dimensions, in the order of the scales.
    """

    n_distinct: int
    by_scale: tuple[Dimension, ...]


def dimensions(
    words: Aligned,
    scales: Sequence[int] = SCALES,
    *,
    resampling: Resampling = RESAMPLING,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Dimensions:
    """The intrinsic dimension of a layer at some scales, by L2 distances between its distinct vectors.

    All scales take one search for the neighbors of every word, and another if words prove to be the same.
    Distances are computed in float64 and then rounded to float32, so ratios are off by some 1e-7. If any word
    is left out, the others are copied first.

    Args:
        words: the layer.
        scales: each at least 1.
        resampling: of the ratios, for the intervals, which are NaN without resamples.
        memory: bytes to use, on which no result depends.
        progress: told how many words have their neighbors.

    Raises:
        ArgumentError: a scale is under 1.
        ResultError: too little memory: it takes `LEAST`, `PER_WORD`, and the copied words.
    """
    if not scales or min(scales) < 1:
        raise ArgumentError(f"The scales are {list(scales)}; name some, each at least 1.")
    distinct = distinct_of(words.vectors)
    rows = distinct.first[np.unique(distinct.of_word[words.rows])]
    middle = words.space.map(moments_of(words.vectors).mean)
    while True:
        layer, left = _only(words, rows, memory)
        distances, is_copy = _distances(layer, words.space, middle, scales, left, progress)
        if not is_copy.any():
            break
        rows = rows[~is_copy]
    return Dimensions(len(rows), tuple(_dimension(scale, distances, resampling) for scale in scales))


def most_likely(log_ratios: np.ndarray, scale: int, counts: np.ndarray) -> np.ndarray:
    """The dimension of highest likelihood of ratios that are counted several times, for several counts.

    With l the logarithms, c their counts and N the sum of these, it is where

        N - 1 + (n - 1) sum(c h(d l)) - (2n - 1) d sum(c l) = 0,    h(x) = x / (1 - exp(-x)).

    The left side is convex in d and falls, almost on a line. As h(x) is at least 1 + x / 2, the root is at
    least 2 (n N - 1) / ((3n - 1) sum(c l)); from there, Newton's steps go up to it and never beyond.

    Args:
        log_ratios: logarithms of ratios, at least 0. *Shape:* (n,), float64.
        scale: n of the n-th and 2n-th neighbors.
        counts: *Shape:* (n, n_resamples).

    *Shape:* (n_resamples,), float64; NaN where all ratios that are counted are 1, or none is, or one alone.
    """
    n_ratios, total = counts.sum(axis=0, dtype=np.float64), log_ratios @ counts
    found = np.full(counts.shape[1], np.nan)
    some = (n_ratios > 1) & (total > 0)
    counts, n_ratios, total = counts[:, some], n_ratios[some], total[some]
    dimension = 2 * (scale * n_ratios - 1) / ((3 * scale - 1) * total)
    if scale > 1:  # at 1 this is the root
        dimension = _newton(dimension, log_ratios[:, None], scale, counts.astype(np.float64))
    found[some] = dimension
    return found


def _newton(start: np.ndarray, log_ratios: np.ndarray, scale: int, counts: np.ndarray) -> np.ndarray:
    """The root of the equation of `most_likely`, from below. *Shape:* as `start`, (n_resamples,), float64."""
    dimension = start
    fewer, linear = counts.sum(axis=0) - 1, (2 * scale - 1) * (log_ratios * counts).sum(axis=0)
    for _ in range(STEPS):
        x = log_ratios * dimension
        less = np.expm1(-x)
        terms = np.divide(x, -less, out=np.ones_like(x), where=x > 0)
        slopes = terms - terms**2 * (1 + less)  # x h'(x)
        of_terms, of_slopes = (np.einsum("nr,nr->r", counts, each) for each in (terms, slopes))
        falling = dimension * linear
        step = (fewer + (scale - 1) * of_terms - falling) / (falling - (scale - 1) * of_slopes)
        dimension = dimension * (1 + step)
        if (np.abs(step) < CERTAIN).all():
            break
    return dimension


def _only(words: Aligned, rows: np.ndarray, memory: int) -> tuple[LayerVectors, int]:
    """Some rows as a layer of their own, and bytes to look for their neighbors in."""
    vectors = words.vectors
    numbers = PER_WORD * len(vectors.word_ids)
    copied = 0 if len(rows) == len(vectors.word_ids) else len(rows) * words.d_model * vectors.dtype.itemsize
    check_fits(f"The intrinsic dimension of {len(rows):,} words", numbers + copied + LEAST, memory)
    if not copied:
        return vectors, memory - numbers
    only = LayerVectors(vectors.layer, vectors.word_ids[rows], (vectors.take(rows),))
    return only, memory - numbers - copied


def _distances(
    layer: LayerVectors,
    space: Space,
    middle: np.ndarray,
    scales: Sequence[int],
    memory: int,
    progress: Callable[[Progress], None],
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """From every word to its n-th and 2n-th neighbor, by these numbers, for scales n with as many neighbors;
    and which words are the same as one before them.

    *Shape of each:* (n_words,), float32 and bool.
    """
    n_words = len(layer.word_ids)
    numbers = sorted({n for scale in scales if 2 * scale < n_words for n in (scale, 2 * scale)})
    found, is_copy = np.empty((len(numbers), n_words), np.float32), np.zeros(n_words, bool)
    if not numbers:
        return {}, is_copy
    to_search = memory * 7 // 8  # an eighth is for words that ask and what they are answered
    step = tile_rows(layer.d_model, numbers[-1] + 1, to_search)
    for start in range(0, n_words, step):
        rows = np.arange(start, min(start + step, n_words))
        vectors = layer.take(rows)
        neighbors, distances = batch_neighbors(
            layer, space, vectors, numbers[-1], metric="l2", exclude=rows, memory=to_search
        )
        found[:, rows] = distances[:, np.array(numbers) - 1].T
        mapped = space.map(vectors)
        sizes = np.minimum(np.linalg.norm(mapped, axis=1), np.linalg.norm(mapped - middle, axis=1))
        same = distances <= SAME * sizes[:, None]
        is_copy[rows] = (same & (neighbors < rows[:, None])).any(axis=1)
        progress(Progress("Finding neighbors", int(rows[-1]) + 1, n_words))
    return dict(zip(numbers, found, strict=True)), is_copy


def _log_ratios(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Of the distances to the 2n-th and the n-th neighbor. *Shape of each:* (n_words,), float32.

    *Shape:* (up to n_words,), float64; without words so near their n-th neighbor that the distance is 0.
    """
    apart = near > 0
    logarithms: np.ndarray = np.log(far[apart].astype(np.float64) / near[apart])
    return logarithms


def _dimension(scale: int, distances: dict[int, np.ndarray], resampling: Resampling) -> Dimension:
    if 2 * scale not in distances:
        return Dimension(scale, *[float("nan")] * 3)
    log_ratios = _log_ratios(distances[scale], distances[2 * scale])
    if not len(log_ratios):
        return Dimension(scale, *[float("nan")] * 3)
    value = most_likely(log_ratios, scale, np.ones((len(log_ratios), 1)))
    resampled = np.empty(resampling.n)
    done = 0
    for counts in _counts(len(log_ratios), resampling):
        resampled[done : done + counts.shape[1]] = most_likely(log_ratios, scale, counts)
        done += counts.shape[1]
    ends = interval(resampled[None])
    return Dimension(scale, *(float(number[0]) for number in (value, *ends)))


def _counts(n_ratios: int, resampling: Resampling) -> Iterator[np.ndarray]:
    """How often each ratio is drawn, in blocks of resamples, which are smaller than those of
    `Resampling.counts`: ratios are many, and each takes some ten numbers.

    *Shape of each:* (n_ratios, n_here), int64.
    """
    random = np.random.default_rng([resampling.seed, n_ratios])
    step = max(1, AT_ONCE // n_ratios)
    for start in range(0, resampling.n, step):
        n_here = min(step, resampling.n - start)
        drawn = random.integers(0, n_ratios, (n_ratios, n_here))
        drawn *= n_here
        drawn += np.arange(n_here)
        yield np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
