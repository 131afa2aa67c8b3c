"""Canonical correlations between layers: SVCCA (Raghu et al. 2017, arXiv 1706.05806) and PWCCA (Morcos et al.
2018, arXiv 1806.05759).

Both first keep, of either layer, the leading directions that hold 99 % of the variance. Both are high by
chance where the directions kept are many for the number of words: `Canonical.chance` says how high. Ask for
more words, several times the directions kept, where it is not far below the values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned, check_enough
from repstore.analysis.directions import (
    Compare,
    Directions,
    compare_pairs,
    directions,
    svd_in_place,
)
from repstore.spec import MEMORY, Progress

VARIANCE = 0.99
"""Share of a layer's variance that is kept, as in Raghu et al. 2017."""

STEPS = 4096
"""Of the integral in `chance`."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """Means of canonical correlations, and what they have to be read with.

    Attributes:
        values: NaN with a layer that is constant. *Shape:* (n_first, n_second), float64.
        n_kept_first, n_kept_second: directions kept of each layer; 0 if it is constant. *Shapes:* (n_first,)
            and (n_second,), int64.
        n_words: how many words.
    """

    values: np.ndarray
    n_kept_first: np.ndarray
    n_kept_second: np.ndarray
    n_words: int

    @property
    def chance(self) -> np.ndarray:
        """About what independent layers would have, of as many directions. *Shape:* as `values`, float64."""
        return np.array([[chance(a, b, self.n_words) for b in self.n_kept_second] for a in self.n_kept_first])


def svcca(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Canonical:
    """Mean canonical correlation of every two layers, over the directions of the one that has fewer.

    1 if the kept directions of one layer are a linear map of those of the other. A linear map of the whole
    layer need not have 1: it may bring up directions that were not kept, and push others out. Symmetric; not
    changed by an invertible linear map that leaves the kept directions the same, such as a rotation. Biased
    upward: see `Canonical.chance`.

    Args:
        first, second: layers over the same words, at least 3; without `second`, `first` with itself.
        memory: bytes to work in.
        progress: told how many pairs of layers are done.

    Raises:
        ResultError: fewer than 3 words; too little memory for one pair of layers.
    """
    return _canonical(first, second, _mean, "SVCCA", memory, progress)


def pwcca(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Canonical:
    """Canonical correlations of every two layers, weighted by how much of the **first** (the row) they show.

    The weight of a canonical variate h is the sum of abs(h . x) over the directions x that are kept of the
    first layer, each as long as it is strong. This is not the measure as published, in two ways:

    - Morcos et al. cut nothing. Directions of hardly any variance are the many that make correlations high by
      chance, so they are cut here, as for SVCCA.
    - Their x are the neurons. They are here the principal directions, so that rotating a layer changes
      nothing, as for other similarities. Between some layers of SmolLM2-135M the values were 0.02 to 0.06
      lower than by neurons.

    Not symmetric. An invertible linear map of the second layer that leaves the kept directions the same
    changes nothing; one of the first changes the weights. Where several correlations are equal, but not all,
    variates and weights are not unique, and one choice is taken: so it is if the layers together keep more
    directions than words. Biased upward: see `Canonical.chance`.

    Args, Raises: as `svcca`.
    """
    return _canonical(first, second, _weighted, "PWCCA", memory, progress)


def chance(k_a: int, k_b: int, n_words: int) -> float:
    """About the mean canonical correlation of independent data of so many directions, as n_words grows.

    The squared correlations follow the law of Wachter 1980 (Annals of Statistics 8, 937): their mean is
    max(k_a, k_b) / (n_words - 1), and this is the mean of their roots. NaN without directions.
    """
    if not k_a or not k_b:
        return float("nan")
    p, q = min(k_a, k_b) / (n_words - 1), max(k_a, k_b) / (n_words - 1)
    if q >= 1:
        return 1.0  # either layer can say anything about the words
    middle, half = p + q - 2 * p * q, 2 * float(np.sqrt(p * q * (1 - p) * (1 - q)))
    angles = (np.arange(STEPS) + 0.5) * np.pi / STEPS
    squares = middle + half * np.cos(angles)
    density = (half * np.sin(angles)) ** 2 / (2 * np.pi * p * squares * (1 - squares))
    in_both = max(0.0, (p + q - 1) / p)  # share of correlations that are 1, as the directions must meet
    return float((density * np.sqrt(squares)).sum() * np.pi / STEPS + in_both)


def _canonical(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None,
    compare: Compare,
    measure: str,
    memory: int,
    progress: Callable[[Progress], None],
) -> Canonical:
    check_enough(first[0], 3, measure)
    found = compare_pairs(first, second, _kept, compare, memory=memory, progress=progress)
    return Canonical(*found, n_words=first[0].n_words)


def _kept(words: Aligned) -> Directions:
    return directions(words).leading(VARIANCE)


def _mean(a: Directions, b: Directions) -> tuple[float, float]:
    correlations = np.linalg.svd(a.basis.T @ b.basis, compute_uv=False)
    mean = float(np.minimum(correlations, 1.0).mean())
    return mean, mean


def _weighted(a: Directions, b: Directions) -> tuple[float, float]:
    of_a, correlations, of_b = svd_in_place((b.basis.T @ a.basis).T)
    correlations = np.minimum(correlations, 1.0)
    weights = a.strengths @ np.abs(of_a), np.abs(of_b) @ b.strengths
    from_a, from_b = (min(1.0, float(of_side @ correlations / of_side.sum())) for of_side in weights)
    return from_a, from_b
