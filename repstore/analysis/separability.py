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
from repstore.analysis.members import blocks_of, members_of, vectors_at

CERTAIN = 1e-12
"""Share of the terms of a distance that is left of them by rounding: identical vectors have distance 0."""


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
    at layer 0, tells nothing apart: it has what chance has, and silhouette 0. Words are read twice, a block
    at a time; in memory are some blocks, and a few vectors for each sense of one lemma.

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
        found.append(_of_lemma(words, [of_lemma[places] for places in of_senses]))
    between, adjusted, silhouette = np.mean(found, axis=0).tolist() if found else [float("nan")] * 3
    return Separability(between, adjusted, silhouette, len(found))


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of the words of each of the k senses of a lemma, all less the first word so that little cancels.

    Attributes:
        origin, unit_origin: the first word, and the same at length 1. *Shape of each:* (d_model,).
        rows, units: sums of words, and of words at length 1. *Shape of each:* (k, d_model).
        squares: sums of the squared lengths of the latter. *Shape:* (k,).
        n_zero: how many words are zero vectors. *Shape:* (k,).
        sizes: how many words. *Shape:* (k,).
    """

    origin: np.ndarray
    unit_origin: np.ndarray
    rows: np.ndarray
    units: np.ndarray
    squares: np.ndarray
    n_zero: np.ndarray
    sizes: np.ndarray


def _of_lemma(words: Aligned, of_senses: list[np.ndarray]) -> tuple[float, float, float]:
    """Share of the variance between senses, the same adjusted for chance, and the mean silhouette.

    With senses given at random the share is (k - 1) / (n - 1) on average, over all ways to give them.

    Args:
        words: the layer.
        of_senses: words of each of the k senses.
    """
    places = np.concatenate(of_senses)
    own = np.repeat(np.arange(len(of_senses)), [len(of) for of in of_senses])
    sums = _sums(words, places, own)
    means = sums.rows / sums.sizes[:, None]
    between = float(sums.sizes @ _squares(means - sums.rows.sum(axis=0) / len(places)))
    within = silhouette = 0.0
    done = 0
    for block in blocks_of(words, places):
        here = own[done : done + len(block)]
        within += float(_squares(block - sums.origin - means[here]).sum())
        silhouette += float(_silhouettes(block, here, sums).sum())
        done += len(block)
    chance = (len(of_senses) - 1) / (len(places) - 1)
    share = between / (between + within) if between + within > 0 else chance
    return share, (share - chance) / (1 - chance), silhouette / len(places)


def _sums(words: Aligned, places: np.ndarray, own: np.ndarray) -> _Sums:
    """Sums over words, of which `own` says the senses, ascending."""
    k = int(own[-1]) + 1
    origin = vectors_at(words, places[:1])
    sums = _Sums(
        origin=origin[0],
        unit_origin=unit(origin)[0],
        rows=np.zeros((k, words.d_model)),
        units=np.zeros((k, words.d_model)),
        squares=np.zeros(k),
        n_zero=np.zeros(k),
        sizes=np.bincount(own).astype(np.float64),
    )
    done = 0
    for block in blocks_of(words, places):
        here, starts = np.unique(own[done : done + len(block)], return_index=True)
        units = unit(block) - sums.unit_origin
        sums.rows[here] += np.add.reduceat(block - sums.origin, starts, axis=0)
        sums.units[here] += np.add.reduceat(units, starts, axis=0)
        sums.squares[here] += np.add.reduceat(_squares(units), starts)
        sums.n_zero[here] += np.add.reduceat(_zero(block), starts)
        done += len(block)
    return sums


def _silhouettes(rows: np.ndarray, own: np.ndarray, sums: _Sums) -> np.ndarray:
    """Silhouettes of some words by cosine distance, without forming pairs.

    The distance of directions u and v is |u - v|^2 / 2, and half more for either that is a zero vector. Over
    the words v of a sense, |u - v|^2 adds up to n |u|^2 + sum |v|^2 - 2 u . sum v. All is taken twice here,
    which silhouettes do not see.

    Args:
        rows: the words. *Shape:* (n, d_model), float64.
        own: the sense of each. *Shape:* (n,), int64.
        sums: of the senses.

    *Shape:* (n,), float64.
    """
    units, zero = unit(rows) - sums.unit_origin, _zero(rows)
    at_own = np.arange(len(rows)), own
    n_others = np.repeat(sums.sizes[None], len(rows), axis=0)
    terms = n_others * _squares(units)[:, None] + sums.squares
    distances = terms - 2 * units @ sums.units.T
    distances[distances <= CERTAIN * terms] = 0  # of the same vectors, and a rounding
    n_others[at_own] -= 1  # a word is not compared with itself
    distances += n_others * zero[:, None] + sums.n_zero
    distances[at_own] -= zero
    distances /= n_others
    inside = distances[at_own]
    distances[at_own] = np.inf
    outside = distances.min(axis=1)
    larger = np.maximum(inside, outside)
    found: np.ndarray = np.divide(outside - inside, larger, out=np.zeros(len(rows)), where=larger > 0)
    return found


def _squares(rows: np.ndarray) -> np.ndarray:
    """Squared length of each row. *Shape:* (n,), float64."""
    squares: np.ndarray = np.einsum("nd,nd->n", rows, rows)
    return squares


def _zero(rows: np.ndarray) -> np.ndarray:
    """1 where a row is a zero vector, else 0. *Shape:* (n,), float64."""
    return np.asarray(~rows.any(axis=1), np.float64)
