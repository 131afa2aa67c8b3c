"""Sense induction: words of a lemma clustered by their vectors, and how well clusters agree with senses.

Clusters are as many as the lemma has senses, so that layers are compared and not ways to choose a number.
V-measure is that of Rosenberg & Hirschberg 2007, by which SemEval-2010 task 14 scores; the adjusted Rand
index is that of Hubert & Arabie 1985. One cluster for all words has 0 of both; answers at random have about 0
of the latter only. The only module that knows scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.kernels import unit
from repstore.analysis.lemmas import Lemma, vectors_of
from repstore.analysis.space import Space
from repstore.spec import Clustering
from repstore.storage.vectors import LayerVectors

STARTS = 10
"""Of k-means; the best is taken."""

RANDOM_ANSWERS = 10
"""Of which the baseline is the mean."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """How words are clustered. `seed` decides where k-means starts, and what the random answers are."""

    method: Clustering
    seed: int


@dataclass(frozen=True)
class Agreement:
    """How well clusters agree with senses, lemma by lemma. *Shape of each:* (n_lemmas,), float64."""

    ari: np.ndarray
    v_measure: np.ndarray


def cluster(vectors: np.ndarray, n_clusters: int, how: Clusters) -> np.ndarray:
    """Which cluster each vector is in. Vectors are brought to unit length: what counts is their direction.

    ``kmeans``: the best of 10 starts of k-means++. ``agglomerative``: by the mean cosine between clusters.
    Identical vectors are never told apart, and the order of the words, which may be that of their senses,
    decides nothing.

    Args:
        vectors: *Shape:* (n, d_model), float64.
        n_clusters: how many, at most n.
        how: by which method.

    *Shape:* (n,), int64.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans

    order = np.random.default_rng([how.seed, len(vectors)]).permutation(len(vectors))
    units = unit(vectors)[order]
    n_clusters = min(n_clusters, _n_distinct(units, n_clusters))
    found = np.empty(len(order), np.int64)
    match how.method:
        case "kmeans":
            found[order] = KMeans(n_clusters, n_init=STARTS, random_state=how.seed % 2**32).fit_predict(units)
        case "agglomerative":
            distances = 1 - np.clip(units @ units.T, -1, 1)
            merging = AgglomerativeClustering(n_clusters, metric="precomputed", linkage="average")
            found[order] = merging.fit_predict(distances)
    return found


def _n_distinct(vectors: np.ndarray, enough: int) -> int:
    """How many different vectors there are; counting stops at `enough`."""
    seen = set()
    for row in vectors:
        seen.add(row.tobytes())
        if len(seen) == enough:
            break
    return len(seen)


def agreement(
    lemmas: Sequence[Lemma], how: Clusters, layer: LayerVectors, space: Space, rows: np.ndarray
) -> Agreement:
    """Cluster the words of every lemma by the vectors of one layer, and compare with their senses.

    Args:
        lemmas: of words with one sense each, all of them scored.
        how: by which method.
        layer: the layer.
        space: where its vectors are compared.
        rows: which row of the layer each word of the question is. *Shape:* (n_words,), int64.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads add up in another order each time
        scores = [
            _compare(senses_of(lemma), cluster(vectors, len(lemma.senses), how))
            for lemma, vectors in vectors_of(lemmas, layer, space, rows)
        ]
    return Agreement(*np.array(scores).T)


def random_agreement(lemmas: Sequence[Lemma], seed: int) -> Agreement:
    """What answers at random reach: each word in one of as many clusters as there are senses.

    The mean of 10 answers.
    """
    random = np.random.default_rng(seed)
    scores = [
        np.mean(
            [
                _compare(senses_of(lemma), random.integers(0, len(lemma.senses), len(lemma.words)))
                for _ in range(RANDOM_ANSWERS)
            ],
            axis=0,
        )
        for lemma in lemmas
    ]
    return Agreement(*np.array(scores).T)


def senses_of(lemma: Lemma) -> np.ndarray:
    """The sense of each word, by its number. *Shape:* (n,), int64."""
    first: np.ndarray = lemma.has.argmax(axis=1)
    return first


def _compare(senses: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """The adjusted Rand index and the V-measure of one answer."""
    from sklearn.metrics import adjusted_rand_score, v_measure_score

    return float(adjusted_rand_score(senses, clusters)), float(v_measure_score(senses, clusters))
