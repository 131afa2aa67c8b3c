"""The directions that the words of a layer spread along, and layers compared pair by pair by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.memory import check_fits
from repstore.spec import Progress

OF_LAYER, OF_SQUARE = 3, 5
"""Matrices of the size of a layer, and square ones of its shorter side, that decomposing it takes at once.

Comparing two layers by their directions takes no more than that.
"""

Compare = Callable[["Directions", "Directions"], tuple[float, float]]
"""How alike two layers are, as seen from the first and from the second."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Words of a layer less their mean, as basis * strengths * (a rotation of the layer's dimensions).

    The rotation is not kept: nothing that is computed from this depends on it.

    Attributes:
        basis: the words along each direction, as unit vectors at right angles. *Shape:* (n_words, k),
            float64.
        strengths: how far they spread there: the singular values, descending. *Shape:* (k,), float64.
    """

    basis: np.ndarray
    strengths: np.ndarray

    def __len__(self) -> int:
        """How many directions; 0 for a layer that is constant."""
        return len(self.strengths)

    @property
    def coordinates(self) -> np.ndarray:
        """The words less their mean, turned so that k dimensions are left. *Shape:* (n_words, k), float64."""
        turned: np.ndarray = self.basis * self.strengths
        return turned

    def leading(self, share: float) -> Directions:
        """The fewest strongest directions that hold this share of the variance."""
        if not len(self):
            return self
        variance = np.cumsum(self.strengths**2)
        k = int(np.searchsorted(variance, share * variance[-1])) + 1
        return Directions(self.basis[:, :k].copy(), self.strengths[:k])


def directions(words: Aligned) -> Directions:
    """The directions that words spread along: a singular value decomposition in float64.

    Directions that are no more than rounding are left out, as by `numpy.linalg.matrix_rank`.
    """
    return spread(centered_words(words))


def spread(centered: np.ndarray) -> Directions:
    """The same of words that are centered, which are overwritten. *Shape:* (n_words, d_model), float64."""
    rounding = max(centered.shape) * np.finfo(np.float64).eps
    turn, strengths, basis = svd_in_place(centered.T)
    del centered, turn  # before the rest is copied
    k = int((strengths > rounding * strengths[0]).sum())
    return Directions(basis.T[:, :k].copy(), strengths[:k])


def svd_in_place(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The thin singular value decomposition of a matrix in column order, which is overwritten.

    *Shapes:* (n, k), (k,) and (k, m), float64, where the matrix has (n, m) and k is the smaller.
    """
    from scipy.linalg import svd  # which takes as long to load as a store to open

    left, values, right = svd(matrix, full_matrices=False, overwrite_a=True, check_finite=False)
    return left, values, right


def centered_words(words: Aligned) -> np.ndarray:
    """Words less their mean; zeros if they are all the same. *Shape:* (n_words, d_model), float64."""
    centered = words.matrix()
    centered -= centered[0].copy()  # first, so that words that are all the same leave no rounding
    centered -= centered.mean(axis=0)
    return centered


def within(
    memory: int, held: Sequence[Aligned], passing: Sequence[Aligned], *, beside: int = 0, work: int = 0
) -> Iterator[slice]:
    """Layers in groups of which the directions fit into memory together.

    Args:
        memory: bytes, for the directions of a group and for what is done with those of one more layer.
        held: the layers, at least one.
        passing: those that are decomposed meanwhile.
        beside: numbers to hold beside, for every word of every layer.
        work: bytes that a pair takes, if that is more than decomposing a layer.

    Raises:
        ResultError: one pair does not fit.
    """
    n_words, widest = held[0].n_words, max(words.d_model for words in (*held, *passing))
    k = min(n_words, widest)
    of_layer = 8 * n_words * (k + beside)
    work = max(work, 8 * (OF_LAYER * n_words * widest + OF_SQUARE * k**2))
    check_fits(
        f"Comparing two layers of {n_words:,} words and {widest} dimensions",
        work + of_layer,
        memory,
        "Allow more, or compare fewer words.",
    )
    n_held = (memory - work) // of_layer
    for start in range(0, len(held), n_held):
        yield slice(start, min(start + n_held, len(held)))


def compare_pairs(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None,
    decompose: Callable[[Aligned], Directions],
    compare: Compare,
    *,
    memory: int,
    progress: Callable[[Progress], None],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every layer of `first` compared with every layer of `second`, or with every other of `first`.

    As many layers of `first` as fit are held, and all others go past them: where all fit, each layer is
    decomposed once.

    Returns:
        The similarities as seen from the first, NaN with a layer that is constant. *Shape:* (len(first),
        len(second or first)), float64. Then how many directions each layer has. *Shapes:* (len(first),) and
        (len(second or first),), int64.

    Raises:
        ResultError: too little memory for one pair.
    """
    others = first if second is None else second
    values = np.full((len(first), len(others)), np.nan)
    n_first, n_others = np.zeros(len(first), np.int64), np.zeros(len(others), np.int64)
    n_total = len(first) * (len(first) + 1) // 2 if second is None else values.size
    n_done = 0
    for group in within(memory, first, others):
        held = {i: decompose(first[i]) for i in range(group.start, group.stop)}
        n_first[group] = [len(layer) for layer in held.values()]
        for j in range(group.start if second is None else 0, len(others)):
            other = held[j] if second is None and j in held else decompose(others[j])
            n_others[j] = len(other)
            pairs = [i for i in held if second is not None or i <= j]
            for i in pairs:
                if len(held[i]) and len(other):
                    values[i, j], seen_from_other = compare(held[i], other)
                    if second is None:
                        values[j, i] = seen_from_other
            del other  # before the next is decomposed
            n_done += len(pairs)
            progress(Progress("Comparing layers", n_done, n_total, unit="pairs of layers"))
        held.clear()  # before the next group is decomposed
    return values, n_first, n_others
