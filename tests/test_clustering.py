"""Clusters of the words of a lemma, and their agreement with its senses."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from synthetic import in_parts

from repstore.analysis.clustering import Agreement, Clusters, agreement, cluster, random_agreement
from repstore.analysis.lemmas import Lemma, lemmas_of
from repstore.analysis.space import space_of

METHODS = [Clusters("kmeans", 0), Clusters("agglomerative", 0)]


def lemmas(names: list[str], senses: list[int]) -> list[Lemma]:
    every = np.ones(len(names), bool)
    return lemmas_of([(name, None) for name in names], [str(sense) for sense in senses], every, every)


def rand_index(a: list[int], b: list[int]) -> float:
    """The adjusted Rand index of Hubert & Arabie, from all pairs of words."""
    pairs = list(combinations(range(len(a)), 2))
    both = sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)
    in_a, in_b = sum(a[i] == a[j] for i, j in pairs), sum(b[i] == b[j] for i, j in pairs)
    expected = in_a * in_b / len(pairs)
    return (both - expected) / ((in_a + in_b) / 2 - expected)


def measured(how: Clusters, found: list[Lemma], vectors: np.ndarray) -> Agreement:
    layer = in_parts(vectors, 5)
    return agreement(found, how, layer, space_of(layer, "none"), np.arange(len(vectors)))


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_planted_senses_are_found(how):
    random = np.random.default_rng(0)
    senses = np.arange(48) // 2 % 3
    vectors = random.normal(size=(3, 12))[senses] * random.uniform(1, 50, (48, 1))  # lengths do not count
    vectors = (vectors + random.normal(size=vectors.shape) * 0.02).astype(np.float16)
    found = measured(how, lemmas([f"lemma{n % 2}" for n in range(48)], senses.tolist()), vectors)
    assert found.ari.tolist() == [1.0, 1.0]
    assert found.v_measure == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_agreement_is_that_of_all_pairs_of_words(how):
    random = np.random.default_rng(1)
    senses = random.integers(0, 3, 20)
    vectors = random.normal(size=(20, 4)).astype(np.float32)
    (lemma,) = lemmas(["bank"] * 20, senses.tolist())
    clusters = cluster(vectors.astype(np.float64), 3, how)
    assert sorted(set(clusters.tolist())) == [0, 1, 2]
    found = measured(how, [lemma], vectors)
    assert found.ari[0] == pytest.approx(rand_index(senses.tolist(), clusters.tolist()), abs=1e-12)


def test_agglomerative_clusters_are_those_of_scipy():
    vectors = np.random.default_rng(2).normal(size=(30, 6))
    expected = fcluster(linkage(vectors, "average", "cosine"), 4, "maxclust")
    found = cluster(vectors, 4, Clusters("agglomerative", 0))
    assert rand_index(expected.tolist(), found.tolist()) == pytest.approx(1.0)


def test_k_means_is_no_worse_than_many_single_starts():
    """By the sum of squares, over vectors of unit length, that it makes small."""
    vectors = np.random.default_rng(3).normal(size=(25, 3))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def spread(labels: np.ndarray) -> float:
        return sum(((units[labels == n] - units[labels == n].mean(axis=0)) ** 2).sum() for n in set(labels))

    random = np.random.default_rng(0)
    starts = []
    for _ in range(10):
        centers = units[random.choice(25, 3, replace=False)]
        for _ in range(20):
            labels = ((units[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
            centers = np.array([units[labels == n].mean(axis=0) for n in range(3)])
        starts.append(spread(labels))
    assert spread(cluster(vectors, 3, Clusters("kmeans", 0))) <= min(starts) * 1.02


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_vectors_that_are_the_same_are_not_told_apart(how):
    """As at the embedding layer, where words come in the order of their senses."""
    found = lemmas(["bank"] * 12 + ["bark"] * 12, [n // 6 % 2 for n in range(24)])
    same = np.full((24, 5), 0.3, np.float16)
    scores = measured(how, found, same)
    assert scores.ari.tolist() == [0.0, 0.0]
    assert scores.v_measure == pytest.approx([0.0, 0.0])
    forms = np.where(np.arange(24)[:, None] % 2, same, -same)  # two forms, each in both senses
    assert abs(measured(how, found, forms).v_measure) == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_zero_vectors_have_a_cluster(how):
    vectors = np.array([[0, 0], [0, 0], [1, 0], [1, 0.1]])
    assert rand_index([0, 0, 1, 1], cluster(vectors, 2, how).tolist()) == 1.0


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_the_same_question_has_the_same_answer(how):
    vectors = np.random.default_rng(4).normal(size=(40, 6))
    assert cluster(vectors, 5, how).tolist() == cluster(vectors, 5, how).tolist()


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_random_vectors_agree_with_nothing(how):
    random = np.random.default_rng(5)
    names, senses = [f"lemma{n % 15}" for n in range(450)], random.integers(0, 3, 450).tolist()
    found = lemmas(names, senses)
    ari = measured(how, found, random.normal(size=(450, 8)).astype(np.float16)).ari
    assert abs(ari.mean()) < 4 * ari.std() / 15**0.5
    assert abs(ari.mean()) < 0.05


def test_random_answers_have_a_v_measure_and_no_rand_index():
    found = lemmas([f"lemma{n % 15}" for n in range(450)], (np.arange(450) // 15 % 3).tolist())
    scores = random_agreement(found, 0)
    assert abs(scores.ari.mean()) < 0.02
    assert 0.02 < scores.v_measure.mean() < 0.2
    assert random_agreement(found, 0).v_measure.tolist() == scores.v_measure.tolist()
