"""How far the senses of a lemma lie apart in a layer: variance between senses, and silhouettes.

Sources: eta squared, Pearson 1905, is the share of the variance that is between groups, here summed over the
dimensions; groups drawn at random have some, which epsilon squared, Kelley 1935 (PNAS 21, 554), takes off, as
adjusted R squared does. Silhouettes are those of Rousseeuw 1987 (J. Comput. Appl. Math. 20, 53), by cosine
distance. Nothing is fitted or clustered: senses are as annotated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.kernels import unit
from repstore.analysis.members import members_of, vectors_at

CERTAIN = 12
"""Decimals of a cosine summed in float64. Identical vectors have distance 0, and not a rounding."""


@dataclass(frozen=True, slots=True)
class Separability:
    """Means over lemmas; every lemma counts the same. NaN if there is none.

    Attributes:
        between: share of the variance of a lemma's words that is between its senses, 0 to 1.
        adjusted: how much of what chance leaves it is: 0 for senses given at random, 1 if the words of a
            sense all have one vector. Slightly negative values are chance.
        silhouette: of words, by lemma: 1 if they are near those of their sense and far from all others, 0 on
            the border, negative if another sense is nearer.
        n_lemmas: how many lemmas.
    """

    between: float
    adjusted: float
    silhouette: float
    n_lemmas: int


def separability(words: Aligned, lemmas: np.ndarray, senses: np.ndarray) -> Separability:
    """How far apart senses lie, for all lemmas with at least two senses of at least two words each.

    Words of rarer senses are left out. A lemma whose words all have one vector, as one of a single form has
    at layer 0, tells nothing apart: it has what chance has, and silhouette 0. In memory is one lemma.

    Args:
        words: the layer.
        lemmas: code of the lemma of each word; -1 for none. *Shape:* (n_words,), int64.
        senses: code of the sense of each word; -1 for none. A sense is of its lemma: the same code under
            another lemma is another sense. *Shape:* (n_words,), int64.
    """
    found = []
    for of_lemma in members_of(lemmas, least=4):
        of_senses = members_of(senses[of_lemma], least=2)
        if len(of_senses) < 2:
            continue
        rows = vectors_at(words, of_lemma[np.concatenate(of_senses)])
        sizes = np.array([len(places) for places in of_senses])
        found.append((*_shares(rows, sizes), _silhouette(rows, sizes)))
    between, adjusted, silhouette = np.mean(found, axis=0).tolist() if found else [float("nan")] * 3
    return Separability(between, adjusted, silhouette, len(found))


def _shares(rows: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Share of the variance between senses, and the same adjusted for chance.

    With senses given at random the share is (k - 1) / (n - 1) on average, over all ways to give them.

    Args:
        rows: vectors, sense by sense. *Shape:* (n, d_model), float64.
        sizes: words of each of the k senses. *Shape:* (k,), int64.
    """
    chance = (len(sizes) - 1) / (len(rows) - 1)
    rows = rows - rows[0]  # where all are the same, nothing is left, not even a rounding
    sums = _sums(rows, sizes)
    means = sums / sizes[:, None]
    between = float(sizes @ _squares(means - sums.sum(axis=0) / len(rows)))
    within = float(_squares(rows - np.repeat(means, sizes, axis=0)).sum())
    if between + within == 0:
        return chance, 0.0
    share = between / (between + within)
    return share, (share - chance) / (1 - chance)


def _silhouette(rows: np.ndarray, sizes: np.ndarray) -> float:
    """Mean silhouette of words by cosine distance. The mean cosine of a word with those of a sense is its
    product with the mean of their directions, so no pairs are formed. Arguments as for `_shares`."""
    units = unit(rows)
    products = units @ _sums(units, sizes).T
    own = np.repeat(np.arange(len(sizes)), sizes)
    at_own = np.arange(len(rows)), own
    products[at_own] -= _squares(units)  # a word is not compared with itself
    n_others = np.repeat(sizes[None], len(rows), axis=0)
    n_others[at_own] -= 1
    distances = np.round(1 - products / n_others, CERTAIN)
    inside = distances[at_own]
    distances[at_own] = np.inf
    outside = distances.min(axis=1)
    larger = np.maximum(inside, outside)
    silhouettes = np.divide(outside - inside, larger, out=np.zeros(len(rows)), where=larger > 0)
    return float(silhouettes.mean())


def _sums(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Sum of the vectors of each sense. *Shape:* (k, d_model), float64."""
    return np.add.reduceat(rows, np.cumsum(sizes) - sizes, axis=0)


def _squares(rows: np.ndarray) -> np.ndarray:
    """Squared length of each row. *Shape:* (n,), float64."""
    squares: np.ndarray = np.einsum("nd,nd->n", rows, rows)
    return squares
